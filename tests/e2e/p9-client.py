# SPDX-License-Identifier: MIT
# p9-client.py PVCTL-P9 DIRECTORY: what a guest could say to the server of a share, said to it directly.
import os, socket, struct, sys

ours, theirs = socket.socketpair()
ours.settimeout(20)
pid = os.fork()
if not pid:
    os.dup2(theirs.fileno(), 3)
    os.execv(sys.argv[1], [sys.argv[1], sys.argv[2]])
theirs.close()
assert ours.recv(1) == b"\x2a", "the jail is not ready"

tag = 0
def call(kind, body):
    global tag
    tag += 1
    ours.sendall(struct.pack("<IBH", 7 + len(body), kind, tag) + body)
    size = struct.unpack("<I", ours.recv(4, socket.MSG_WAITALL))[0]
    rest = ours.recv(size - 4, socket.MSG_WAITALL)
    if rest[0] == 7:  # Rlerror
        return -struct.unpack("<I", rest[3:7])[0]
    assert rest[0] == kind + 1, rest
    return 0

def text(s):
    return struct.pack("<H", len(s)) + s.encode()

def walk(fid, *names):
    return call(110, struct.pack("<IIH", 1, fid, len(names)) + b"".join(map(text, names)))

ours.sendall(struct.pack("<IBHI", 19 + 2, 100, 0xffff, 65536) + text("9P2000.L"))
ours.recv(struct.unpack("<I", ours.recv(4, socket.MSG_WAITALL))[0] - 4, socket.MSG_WAITALL)
assert call(104, struct.pack("<II", 1, 0xffffffff) + text("") + text("/share") + struct.pack("<I", os.getuid() or 65534)) == 0

S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO = 0o100000, 0o020000, 0o060000, 0o010000
fid = 10
def create(name, mode):  # Tlcreate: O_RDWR | O_CREAT
    global fid
    fid += 1
    assert walk(fid) == 0
    return call(14, struct.pack("<I", fid) + text(name) + struct.pack("<III", 2, mode, 0))
def mkdir(name, mode):
    return call(72, struct.pack("<I", 1) + text(name) + struct.pack("<II", mode, 0))
def mknod(name, mode, major, minor):
    return call(18, struct.pack("<I", 1) + text(name) + struct.pack("<IIII", mode, major, minor, 0))
def chmod(name, mode):
    global fid
    fid += 1
    assert walk(fid, name) == 0
    return call(26, struct.pack("<IIIIIQQQQQ", fid, 1, mode, 0, 0, 0, 0, 0, 0, 0))
def set_xattr(name, key, value):
    global fid
    fid += 1
    assert walk(fid, name) == 0
    rc = call(32, struct.pack("<I", fid) + text(key) + struct.pack("<QI", len(value), 0))
    rc = rc or call(118, struct.pack("<IQI", fid, 0, len(value)) + value)
    return rc or call(120, struct.pack("<I", fid))

say = lambda what, rc: print("%s %d" % (what, rc))
say("create", create("plain", 0o644))
say("create-suid", create("suid", 0o4755))
say("create-sgid", create("sgid", 0o2755))
say("chmod", chmod("plain", 0o755))
say("chmod-suid", chmod("plain", 0o4755))
say("chmod-sgid", chmod("plain", 0o2755))
say("mkdir", mkdir("dir", 0o755))
say("mkdir-sticky", mkdir("sticky", 0o1777))
say("mkdir-sgid", mkdir("dir-sgid", 0o2755))
say("mknod-file", mknod("node", S_IFREG | 0o644, 0, 0))
say("mknod-suid", mknod("node-suid", S_IFREG | 0o4755, 0, 0))
say("mknod-fifo", mknod("fifo", S_IFIFO | 0o644, 0, 0))
say("mknod-whiteout", mknod("whiteout", S_IFCHR | 0o666, 0, 0))
say("mknod-char", mknod("char", S_IFCHR | 0o666, 1, 5))
say("mknod-block", mknod("block", S_IFBLK | 0o666, 7, 0))
say("xattr-caps", set_xattr("plain", "security.capability", struct.pack("<IIIII", 0x02000001, 0xffffffff, 0, 0xffffffff, 0)))
ours.close()
os.waitpid(pid, 0)
