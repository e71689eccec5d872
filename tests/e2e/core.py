#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""core.py FILE [linux]: a core as Xen's documents have it; linux: its registers and page tables lead to a kernel.

Prints pages, those that have a place, vCPUs."""
import mmap, struct, sys
class Core:
    def __init__(self, path):
        f = open(path, "rb")
        self.m = m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
        assert m[:4] == b"\x7fELF" and struct.unpack_from("<HH", m, 16) == (4, 62), "no x86-64 core"
        off, = struct.unpack_from("<Q", m, 40)
        n, names = struct.unpack_from("<HH", m, 60)
        s = [struct.unpack_from("<IIQQQQIIQQ", m, off + i * 64) for i in range(n)]
        self.s = {m[s[names][4] + x[0]:m.find(b"\0", s[names][4] + x[0])].decode(): x for x in s}
        at, end, self.notes = self.s[".note.Xen"][4], sum(self.s[".note.Xen"][4:6]), {}
        while at < end:
            nl, dl, t = struct.unpack_from("<III", m, at)
            assert m[at + 12:at + 12 + nl] == b"Xen\0"
            self.notes[t] = m[at + 16:at + 16 + dl]
            at += 16 + dl
        self.magic, self.vcpus, self.pages, size = struct.unpack("<4Q", self.notes[0x2000001])
        self.hvm = self.magic == 0xf00febee
        assert self.hvm or self.magic == 0xf00febed
        assert size == 4096
        assert struct.unpack("<Q", self.notes[0x2000003]) == (1,)
        assert (".xen_pfn" in self.s) == self.hvm and (".xen_p2m" in self.s) != self.hvm
        p, each = (self.s[".xen_pfn"], 8) if self.hvm else (self.s[".xen_p2m"], 16)
        assert p[5] == each * self.pages and p[9] == each and self.s[".xen_pages"][5] == 4096 * self.pages and self.s[".xen_pages"][4] % 4096 == 0
        assert self.s[".xen_pages"][4] + self.s[".xen_pages"][5] == len(m), "cut off"
        pairs = [struct.unpack_from("<Q" if self.hvm else "<QQ", m, p[4] + each * i) * (1 + self.hvm) for i in range(self.pages)]
        assert [a for a, _ in pairs] == sorted(a for a, _ in pairs)
        self.index = {g: i for i, (_, g) in enumerate(pairs)}
        assert len(self.index) == self.pages, "a frame twice"
        self.placed = sum(1 for a, _ in pairs if a != 2**64 - 1)
    def frame(self, gmfn):
        at = self.s[".xen_pages"][4] + 4096 * self.index[gmfn]
        return self.m[at:at + 4096]
    def vcpu(self, i):
        p = self.s[".xen_prstatus"]
        assert p[5] == p[9] * self.vcpus
        return self.m[p[4] + i * p[9]:p[4] + (i + 1) * p[9]]
    def at(self, cr3, va):
        e = cr3
        for shift in (39, 30, 21, 12):
            e, = struct.unpack_from("<Q", self.frame((e & 0xffffffffff000) >> 12), 8 * (va >> shift & 511))
            assert e & 1, "not mapped"
            if shift == 21 and e & 0x80: break
        return self.frame((e & 0xffffffffff000) >> 12)[va & 4095:]
c = Core(sys.argv[1])
if sys.argv[2:] == ["linux"]:
    v = c.vcpu(0)
    # struct vcpu_guest_context: rip, and ctrlreg[3], which has the machine address of its tables
    (rip,), (cr3,) = struct.unpack_from("<Q", v, 648), struct.unpack_from("<Q", v, 4984 + 3 * 8)
    assert rip >> 47 == 0x1ffff, "not in the kernel"
    assert c.at(cr3, rip), "no code there"
    assert any(b"Linux version " in c.frame(g) for g in c.index), "no kernel"
print(c.pages, c.placed, c.vcpus)
