#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""verify.py FILE: is this a sound saved PV or PVH domain, by Xen's documents? Shares no code with the library.

Prints a summary; what is wrong goes to standard error, with record and offset, and the exit code is 1.
"""
import json
import struct
import sys

PAGE = 4096
LIBXL = {0: "END", 1: "LIBXC_CONTEXT", 2: "EMULATOR_XENSTORE_DATA", 3: "EMULATOR_CONTEXT", 4: "CHECKPOINT_END",
         5: "CHECKPOINT_STATE"}
LIBXC = {0: "END", 1: "PAGE_DATA", 2: "X86_PV_INFO", 3: "X86_PV_P2M_FRAMES", 4: "X86_PV_VCPU_BASIC",
         5: "X86_PV_VCPU_EXTENDED", 6: "X86_PV_VCPU_XSAVE", 7: "SHARED_INFO", 8: "X86_TSC_INFO", 9: "HVM_CONTEXT",
         10: "HVM_PARAMS", 11: "TOOLSTACK", 12: "X86_PV_VCPU_MSRS", 13: "VERIFY", 14: "CHECKPOINT",
         15: "CHECKPOINT_DIRTY_PFN_LIST", 16: "STATIC_DATA_END", 17: "X86_CPUID_POLICY", 18: "X86_MSR_POLICY",
         0xf0766301: "PVCTL_CONFIG", 0xf0766302: "PVCTL_STORE"}
CONTEXT = 5168  # bytes of a 64-bit vcpu_guest_context
NOTAB, XALLOC, XTAB, BROKEN = 0, 14, 15, 13


class Bad(Exception):
    pass


def need(cond, where, text):
    if not cond:
        raise Bad(f"{where}: {text}")


class Record:
    def __init__(self, layer, kind, offset, body, length):
        self.layer, self.kind, self.offset, self.body, self.length = layer, kind, offset, body, length
        names = LIBXL if layer == "libxl" else LIBXC
        self.name = names.get(kind, f"0x{kind:08x}")

    def __str__(self):
        return f"record {self.name} at offset 0x{self.offset:x}"


class Cursor:
    def __init__(self, data):
        self.data, self.at = memoryview(data), 0

    def take(self, n, what):
        need(self.at + n <= len(self.data), f"{what} at offset 0x{self.at:x}", "the file ends here")
        piece = self.data[self.at:self.at + n]
        self.at += n
        return piece

    def record(self, layer):
        offset = self.at
        kind, length = struct.unpack("<II", self.take(8, "the next record"))
        body = self.take(length, Record(layer, kind, offset, b"", 0))
        pad = self.take(-length % 8, Record(layer, kind, offset, b"", 0))
        need(not any(pad), Record(layer, kind, offset, b"", 0), "padding that is not zero")
        return Record(layer, kind, offset, body, length)


def headers(c):
    """All before the first record of libxc's; gives the JSON text."""
    magic, order, mandatory, optional, length = struct.unpack("<32sIIII", c.take(48, "xl's header"))
    need(magic == b"Xen saved domain, xl format\n \0 \r", "xl's header", "wrong magic")
    need(order == 0x01020304, "xl's header", "wrong byte order")
    need(mandatory == 3, "xl's header", f"mandatory flags 0x{mandatory:x}, not JSON and stream version 2")
    blob = c.take(length, "xl's configuration")
    need(length >= 4, "xl's header", "no configuration")
    n, = struct.unpack("<I", blob[:4])
    need(n <= length - 4 and n > 0 and blob[4 + n - 1] == 0, "xl's configuration", "it does not end with a NUL")
    text = bytes(blob[4:4 + n - 1]).decode()
    need(c.take(8, "libxl's header") == b"LibxlFmt", "libxl's header", "wrong magic")
    version, options = struct.unpack(">II", c.take(8, "libxl's header"))
    need((version, options) == (2, 0), "libxl's header", f"version {version}, options {options}")
    r = c.record("libxl")
    need(r.kind == 1 and not r.length, r, "LIBXC_CONTEXT was to be here")
    marker, ident, version, opts, _, _ = struct.unpack(">QIIHHI", c.take(24, "libxc's header"))
    need(marker == 2**64 - 1 and ident == 0x58454e46 and version in (2, 3) and not opts, "libxc's header", "not version 2 or 3")
    kind, shift, _, major, minor = struct.unpack("<IHHII", c.take(16, "the domain's header"))
    need(kind in (1, 2) and shift == 12, "the domain's header", f"type {kind}, page shift {shift}")
    return text, version, (major, minor), kind == 2


def records(data):
    """Yields all records behind the headers."""
    c = Cursor(data)
    headers(c)
    while True:
        r = c.record("libxc")
        yield r
        if r.kind == 0:
            break
    while True:
        r = c.record("libxl")
        yield r
        if r.kind == 0:
            break
    need(c.at == len(data), f"offset 0x{c.at:x}", "something follows the end")


class Checker:
    def __init__(self, hvm=False):
        self.hvm, self.params, self.context = hvm, {}, {}
        self.types, self.where, self.tables = {}, {}, {}
        self.p2m = self.info = self.shared = self.static_end = False
        self.p2m_frames, self.vcpus, self.counts = [], {}, {}
        self.last_pfn = 0

    def pages(self, r):
        count, reserved = struct.unpack("<II", r.body[:8])
        need(count and not reserved, r, f"count {count}, reserved {reserved}")
        need(r.length >= 8 + 8 * count, r, "shorter than its list")
        at = 8 + 8 * count
        for entry, in struct.iter_unpack("<Q", r.body[8:at]):
            kind, pfn = entry >> 60, entry & (2**52 - 1)
            need(not entry >> 52 & 0xff, r, f"pfn 0x{pfn:x} has reserved bits")
            need(kind >= BROKEN or kind & 7 <= 4, r, f"pfn 0x{pfn:x} has type {kind}")
            need(kind != 8, r, f"pfn 0x{pfn:x} is pinned and no page table")
            need(not self.hvm or kind in (NOTAB, XALLOC, XTAB, BROKEN), r, f"pfn 0x{pfn:x} of a PVH domain has type {kind}")
            need(self.hvm or pfn <= self.last_pfn, r, f"pfn 0x{pfn:x} is beyond the list of frames")
            need(kind != XTAB or pfn in self.types, r, f"pfn 0x{pfn:x} goes, and never came")
            self.types[pfn], self.where[pfn] = kind, r
            self.tables.pop(pfn, None)
            if kind >= BROKEN:
                continue
            need(at + PAGE <= r.length, r, "pages are missing")
            if kind & 7:
                self.tables[pfn] = r.body[at:at + PAGE]
            at += PAGE
        need(at == r.length, r, f"{r.length - at} bytes too many")

    def has(self, pfn):
        return self.types.get(pfn, XTAB) not in (XTAB, BROKEN)

    def vcpu(self, r):
        v, reserved = struct.unpack("<II", r.body[:8])
        need(not reserved, r, "reserved is not zero")
        slot = self.vcpus.setdefault(v, {})
        need(r.kind not in slot, r, f"vCPU {v} has it twice")
        need(r.kind == 4 or 4 in slot, r, f"vCPU {v} has no X86_PV_VCPU_BASIC before it")
        slot[r.kind] = r
        if r.kind == 4:
            need(r.length == 8 + CONTEXT, r, f"{r.length - 8} bytes are no context")
        if r.kind == 6:
            xcr0, accum = struct.unpack("<QQ", r.body[8:24])
            need(xcr0 & 1 or not xcr0, r, f"xcr0 0x{xcr0:x}")
            need(not xcr0 & ~accum or not accum, r, f"xcr0 0x{xcr0:x} has what 0x{accum:x} never had")
        if r.kind == 12:
            need((r.length - 8) % 16 == 0, r, "not whole MSRs")

    def record(self, r):
        self.counts[r.name] = self.counts.get(r.name, 0) + 1
        once = r.kind not in (1, 3, 4, 5, 6, 12, 13)
        need(not once or self.counts[r.name] == 1, r, "twice")
        need(r.kind not in ((2, 3, 4, 5, 6, 7, 12) if self.hvm else (9, 10)), r, "not of such a domain")
        if r.kind == 9:
            need(self.params, r, "before HVM_PARAMS")
            self.hvm_context(r)
        elif r.kind == 10:
            count, reserved = struct.unpack("<II", r.body[:8])
            need(not reserved and r.length == 8 + 16 * count, r, f"{count} parameters in {r.length} bytes")
            self.params = dict(struct.iter_unpack("<QQ", r.body[8:]))
            need(len(self.params) == count, r, "a parameter twice")
        elif r.kind == 2:
            need(r.length == 8 and bytes(r.body[:2]) == b"\x08\x04", r, "not a 64-bit guest of 4 levels")
            self.info = True
        elif r.kind == 3:
            start, end = struct.unpack("<II", r.body[:8])
            need(self.info and start == 0, r, "before X86_PV_INFO, or not from 0")
            self.p2m_frames = [p for p, in struct.iter_unpack("<Q", r.body[8:])]
            need(len(self.p2m_frames) == end // 512 + 1, r, f"{len(self.p2m_frames)} frames for pfns up to 0x{end:x}")
            self.p2m, self.last_pfn = r, end
        elif r.kind == 1:
            need(self.hvm or self.p2m, r, "before X86_PV_P2M_FRAMES")
            self.pages(r)
        elif r.kind in (4, 5, 6, 12):
            need(self.types, r, "before PAGE_DATA")
            self.vcpu(r)
        elif r.kind == 7:
            need(r.length == PAGE, r, "not a page")
            self.shared = True
        elif r.kind == 8:
            need(r.length == 24, r, "not 24 bytes")
        elif r.kind in (11, 14, 15):
            need(False, r, "not of a saved PV domain")
        elif r.kind not in LIBXC:
            need(r.kind & 0x80000000, r, "not known, and mandatory")

    def hvm_context(self, r):
        """Records of the public hvm/save.h: type, instance, length; the header first, the end last."""
        at, kinds = 0, []
        while True:
            need(at + 8 <= r.length, r, "it ends without its end")
            kind, instance, length = struct.unpack_from("<HHI", r.body, at)
            need(at + 8 + length <= r.length, r, f"its record {kind} is cut off")
            body = r.body[at + 8:at + 8 + length]
            at += 8 + length
            if kind == 0:
                break
            need((kind, instance) not in kinds, r, f"record {kind} of {instance} twice")
            kinds.append((kind, instance))
            if kind == 1:
                need(struct.unpack_from("<II", body) == (0x54381286, 1), r, "no header of such a context")
            self.context.setdefault(instance, {})[kind] = body
        need(at == r.length and kinds and kinds[0] == (1, 0), r, "no header first, or something follows")

    def finish_hvm(self):
        need(self.context, "the end", "no HVM_CONTEXT")
        need(2 in self.context.get(0, {}), "the end", "no vCPU 0")
        for index, what in ((1, "store"), (17, "console")):
            need(self.types.get(self.params.get(index)) in (NOTAB, XALLOC), "the end", f"the {what} page is not there")
        self.vcpus = {v for v, k in self.context.items() if 2 in k}

    def table(self, pfn):
        level = self.types[pfn] & 7
        for i, (entry,) in enumerate(struct.iter_unpack("<Q", self.tables[pfn])):
            if not entry & 1:
                continue
            to = entry >> 12 & (2**40 - 1)
            need(not (level == 4 and 256 <= i < 272), self.where[pfn], f"page table 0x{pfn:x} has entry {i}, which is Xen's")
            need(self.has(to), self.where[pfn], f"page table 0x{pfn:x} entry {i} names 0x{to:x}, which is not there")
            if level > 1:
                need(self.types[to] & 7 == level - 1 or to == pfn or self.types[to] & 7 == level, self.where[pfn],
                     f"page table 0x{pfn:x} of level {level}, entry {i}: 0x{to:x} has type {self.types[to]}")

    def finish(self):
        if self.hvm:
            self.finish_hvm()
            return
        need(self.shared, "the end", "no SHARED_INFO")
        need(0 in self.vcpus, "the end", "no vCPU 0")
        for pfn in self.p2m_frames:
            need(self.types.get(pfn) in (NOTAB, XALLOC), self.p2m, f"frame 0x{pfn:x} is no plain page")
        for v, slot in self.vcpus.items():
            c = slot[4].body[8:]
            # user_regs.rdx, gdt_frames, gdt_ents and ctrlreg of struct vcpu_guest_context
            rdx, = struct.unpack_from("<Q", c, CONTEXT_RDX)
            gdt = struct.unpack_from("<17Q", c, CONTEXT_GDT)
            cr = struct.unpack_from("<8Q", c, CONTEXT_CR)
            if v == 0:
                need(self.types.get(rdx) == NOTAB, slot[4], f"start info 0x{rdx:x} is no page with data")
            for i in range((gdt[16] + 511) // 512):
                need(self.has(gdt[i]), slot[4], f"GDT frame 0x{gdt[i]:x} is not there")
            need(self.types.get(cr[3] >> 12, 0) & 7 == 4, slot[4], f"cr3's 0x{cr[3] >> 12:x} is no root")
            need(not cr[1] or self.types.get(cr[1] >> 12, 0) & 7 == 4, slot[4], f"cr1's 0x{cr[1] >> 12:x} is no root")
        for pfn in self.tables:
            self.table(pfn)


# fpu_ctxt 512, flags 8, user_regs 200, trap_ctxt 256 * 16, ldt 16, gdt_frames 16 * 8, gdt_ents 8, kernel_ss/sp 16, ctrlreg
CONTEXT_RDX = 512 + 8 + 12 * 8
CONTEXT_GDT = 512 + 8 + 200 + 256 * 16 + 16
CONTEXT_CR = CONTEXT_GDT + 17 * 8 + 16


def main(path):
    with open(path, "rb") as f:
        data = f.read()
    if data[:4] == b"\x28\xb5\x2f\xfd":
        import subprocess
        data = subprocess.run(["zstd", "-dc", path], stdout=subprocess.PIPE, check=True).stdout
    text, version, xen, hvm = headers(Cursor(data))
    config = json.loads(text)
    for key in ("c_info", "b_info"):
        need(isinstance(config.get(key), dict), "xl's configuration", f"no {key}")
    kind = "pvh" if hvm else "pv"
    need(config["c_info"].get("type") == kind, "xl's configuration", f"not of type {kind}")
    ch = Checker(hvm)
    for r in records(data):
        if r.layer == "libxc":
            ch.record(r)
        else:
            need(r.kind in (0, 2), r, "not of a PV or PVH domain")
    ch.finish()
    kinds = list(ch.types.values())
    print(f"sound: libxc version {version} of Xen {xen[0]}.{xen[1]}, {len(ch.vcpus)} vCPUs, {sum(k < BROKEN for k in kinds)} pages, "
          f"{kinds.count(XALLOC)} of zeroes, {len(ch.tables)} page tables, name {config['c_info'].get('name')}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: verify.py FILE")
    try:
        main(sys.argv[1])
    except Bad as e:
        sys.exit(f"verify.py: {sys.argv[1]}: {e}")
