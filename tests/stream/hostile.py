#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""hostile.py FILE DIR: streams made of a sound one that must be refused, each record once and each header.

Writes DIR/NAME for each, and DIR/index with lines "NAME<TAB>extended regular expression that the message must match".
"""
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import verify  # noqa: E402


def pack(kind, body):
    return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)


class Stream:
    def __init__(self, data):
        c = verify.Cursor(data)
        verify.headers(c)
        self.head, self.data = bytes(data[:c.at]), data
        self.records = [(r.layer, r.kind, bytes(r.body), r.offset) for r in verify.records(data)]

    def build(self, change=None):
        """All records; change(i, kind, body) gives bytes to put in the place of one, or None."""
        out, at = [self.head], len(self.head)
        self.places = {}
        for i, (_, kind, body, _) in enumerate(self.records):
            new = change(i, kind, body) if change else None
            piece = pack(kind, body) if new is None else new
            self.places[i] = at
            out.append(piece)
            at += len(piece)
        return b"".join(out)

    def first(self, kind, layer="libxc"):
        return next(i for i, r in enumerate(self.records) if r[1] == kind and r[0] == layer)


class Writer:
    def __init__(self, stream, where):
        self.s, self.where, self.index = stream, where, []

    def put(self, name, data, pattern):
        with open(f"{self.where}/{name}", "wb") as f:
            f.write(data)
        self.index.append(f"{name}\t{pattern}")

    def change(self, name, i, new, pattern=None, at=None):
        """Record i replaced; the message names that record and where it is, or the one given."""
        data = self.s.build(lambda n, k, b: new if n == i else None)
        kind = self.s.records[i][1]
        names = verify.LIBXC if self.s.records[i][0] == "libxc" else verify.LIBXL
        if pattern is None:
            pattern = f"record {names[kind]} at offset 0x{self.s.places[i if at is None else at]:x}"
        self.put(name, data, pattern)


def patch(body, at, fmt, value):
    return body[:at] + struct.pack(fmt, value) + body[at + struct.calcsize(fmt):]


def cuts(w):
    """The end in the midst of each record, and of each header."""
    for at in (0, 3, 40, 49, len(w.s.head) - 50, len(w.s.head) - 5):
        w.put(f"cut-head-{at}", w.s.data[:at], f"offset 0x[0-9a-f]+: the stream ends here")
    seen = set()
    for i, (layer, kind, body, offset) in enumerate(w.s.records):
        name = (verify.LIBXC if layer == "libxc" else verify.LIBXL)[kind]
        if (layer, kind) in seen:
            continue
        seen.add((layer, kind))
        w.put(f"cut-before-{layer}-{name}", w.s.data[:offset], f"the next record at offset 0x{offset:x}: the stream ends here")
        if body:
            w.put(f"cut-in-{layer}-{name}", w.s.data[:offset + 8 + len(body) // 2], f"record {name} at offset 0x{offset:x}: .*ends here")


def heads(w):
    h = w.s.head
    for name, at, value in (("magic", 5, 0), ("order", 32, 4), ("flags", 36, 0xff), ("config-length", 44, 0x7fffffff),
                            ("config-inner", 48, 0x7fffffff)):
        w.put(f"head-{name}", h[:at] + struct.pack("<I", value)[:1 if at == 5 else 4] + h[at + (1 if at == 5 else 4):] + w.s.data[len(h):],
              "xl's header before offset 0x")
    base = h.index(b"LibxlFmt")
    for name, at, value, what in (("libxl-magic", base, 0x58, "libxl's header"), ("libxl-version", base + 11, 9, "libxl's header"),
                                  ("libxl-endian", base + 15, 1, "libxl's header"), ("libxc-marker", base + 24, 0, "libxc's headers"),
                                  ("libxc-version", base + 39, 7, "libxc's headers"), ("libxc-endian", base + 41, 1, "libxc's headers"),
                                  ("domain-type", base + 48, 3, "libxc's headers"), ("page-shift", base + 52, 16, "libxc's headers")):
        w.put(f"head-{name}", h[:at] + bytes([value]) + h[at + 1:] + w.s.data[len(h):], what + " before offset 0x")
    # A PV domain's records in a PVH domain's stream.
    w.put("head-hvm", h[:base + 48] + b"\2" + h[base + 49:] + w.s.data[len(h):], "record X86_PV_INFO at offset 0x.*not of a saved PVH domain")


def lengths(w):
    """Each record one byte shorter and longer than it may be, left out, doubled, or of no known kind."""
    seen = set()
    for i, (layer, kind, body, _) in enumerate(w.s.records):
        if layer != "libxc" or kind in seen:
            continue
        seen.add(kind)
        name = verify.LIBXC[kind]
        if kind not in (0, 0xf0766301, 5, 6):
            w.change(f"short-{name}", i, struct.pack("<II", kind, max(len(body) - 1, 0) or 1) + body + bytes(8))
            w.change(f"long-{name}", i, struct.pack("<II", kind, len(body) + 1) + body + bytes(-len(body) % 8 or 8))
        w.change(f"huge-{name}", i, struct.pack("<II", kind, 0xffffffff) + body)
        if kind not in (0, 1, 3):
            w.change(f"twice-{name}", i, pack(kind, body) * 2, f"record {name} at offset 0x")
        if kind in (2, 3, 7):
            w.change(f"without-{name}", i, b"", name)
    w.change("mandatory", 1, pack(0x55, b"?"), "type 0x55 is not known here")
    w.change("hvm-record", 1, pack(10, bytes(8)), "record HVM_PARAMS at offset 0x")
    w.change("after-the-end", w.s.first(0, "libxl"), pack(3, bytes(16)), "record EMULATOR_CONTEXT at offset 0x")


def memory(w):
    i = w.s.first(1)
    body = w.s.records[i][2]
    count, = struct.unpack_from("<I", body)
    pfns = struct.unpack_from(f"<{count}Q", body, 8)
    tables = [n for n, p in enumerate(pfns) if p >> 60 < 13 and p >> 60 & 7]
    data = {}
    at = 8 + 8 * count
    for n, p in enumerate(pfns):
        if p >> 60 < 13:
            data[n] = at
            at += 4096
    by_level = {p >> 60 & 7: n for n, p in enumerate(pfns) if n in tables}
    for name, value in (("type", 6 << 60 | 1), ("type-8", 7 << 60), ("reserved", 1 << 55 | 1), ("far", 1 << 40), ("beyond", 0x0fffffff)):
        w.change(f"page-{name}", i, pack(1, patch(body, 8, "<Q", value)))
    w.change("page-none", i, pack(1, struct.pack("<II", 0, 0)))
    w.change("page-many", i, pack(1, patch(body, 0, "<I", 0x10000000)))
    l1, l4 = by_level[1], by_level[4]
    w.change("table-names-nothing", i, pack(1, patch(body, data[l1], "<Q", 0x0ffffff067)))
    # The hypervisor has to see these: a root that maps itself writable, a table writable through another, a large page.
    slot = data[l4] + 300 * 8
    w.change("root-in-root", i, pack(1, patch(body, slot, "<Q", (pfns[l4] & 2**52 - 1) << 12 | 0x67)))
    l1_pfn = pfns[l1] & 2**52 - 1
    used = next(k for k in range(512) if struct.unpack_from("<Q", body, data[l1] + 8 * k)[0] & 1)
    w.change("table-writable", i, pack(1, patch(body, data[l1] + 8 * used, "<Q", l1_pfn << 12 | 0x67)))
    w.change("large-page", i, pack(1, patch(body, data[by_level[2]], "<Q", 0x1000 | 0xe7)))
    w.change("l4-is-l1", i, pack(1, patch(body, 8 + 8 * l4, "<Q", pfns[l4] & 2**52 - 1 | 9 << 60)),
             "record (PAGE_DATA|X86_PV_VCPU_BASIC) at offset 0x")
    w.change("l1-is-memory", i, pack(1, patch(body, 8 + 8 * l1, "<Q", l1_pfn)), "record (PAGE_DATA|X86_PV_VCPU_BASIC) at offset 0x")


def state(w):
    p2m = w.s.first(3)
    body = w.s.records[p2m][2]
    w.change("p2m-far", p2m, pack(3, patch(body, 8, "<Q", 0x7ffffff)))
    pages = w.s.first(1)
    count, = struct.unpack_from("<I", w.s.records[pages][2])
    root = next(p for p in struct.unpack_from(f"<{count}Q", w.s.records[pages][2], 8) if p >> 60 < 13 and p >> 60 & 7 == 4) & 2**52 - 1
    w.change("p2m-is-a-table", p2m, pack(3, patch(body, 8, "<Q", root)))
    w.change("p2m-backwards", p2m, pack(3, patch(body, 0, "<I", 0xffffff)))
    basic = w.s.first(4)
    body = w.s.records[basic][2]
    for name, at, value in (("rdx", verify.CONTEXT_RDX, 0x7fffff), ("rdx-table", verify.CONTEXT_RDX, root),
                            ("cr3", verify.CONTEXT_CR + 24, 0x7fffff000), ("cr3-memory", verify.CONTEXT_CR + 24, 0),
                            ("gdt-many", verify.CONTEXT_GDT + 128, 0xffffffff), ("rip", 512 + 8 + 128, 0x8000000000000000)):
        w.change(f"vcpu-{name}", basic, pack(4, patch(body, 8 + at, "<Q", value)))
    w.change("vcpu-number", basic, pack(4, patch(body, 0, "<I", 77)))
    w.change("vcpu-none", basic, b"", "X86_PV_VCPU_BASIC")
    for i, (layer, kind, body, _) in enumerate(w.s.records):
        if layer == "libxc" and kind == 6:
            w.change("xsave-xcr0", i, pack(6, patch(body, 8, "<Q", 2**63)), "X86_PV_VCPU_XSAVE")
        if layer == "libxc" and kind == 12:
            w.change("msr-unknown", i, pack(12, body[:8] + struct.pack("<IIQ", 0x1234567, 0, 1)), "X86_PV_VCPU_MSRS")
        if layer == "libxc" and kind == 0xf0766301:
            w.change("config-text", i, pack(kind, b'{"name": 7, "memory": "x"}\0'))
            w.change("config-open", i, pack(kind, body.rstrip(b"\0")[:-1] + b"\0"))
            w.change("config-no-end", i, pack(kind, body.rstrip(b"\0")))


def main(path, where):
    with open(path, "rb") as f:
        w = Writer(Stream(f.read()), where)
    assert w.s.build() == bytes(w.s.data)
    cuts(w)
    heads(w)
    lengths(w)
    memory(w)
    state(w)
    with open(f"{where}/index", "w", encoding="ascii") as f:
        f.write("\n".join(w.index) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
