#!/bin/bash
# SPDX-License-Identifier: MIT
# top: xentop's lines, to the byte, and a terminal.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"

t "node start" pvctl node start --memory 768
disk=
block_guest && { truncate -s 4M "$W/disk.img"; disk="disk=[\"$W/disk.img,raw,xvda,rw\"]"; }
t "create" pvctl create -q "$(config a-rather-long-name 'memory=96' 'maxmem=128' 'vcpus=2' 'vif=["link=switch,bridge=lan"]' "$disk" \
	'cmdline="console=hvc0 run=insmod+/lib/modules/xen-blkfront.ko;sleep+2;cat+/dev/xvda>/dev/null;X=up;echo+is-$X;while+:;do+:;done"')"
t "wait until it is busy" pvctl wait a-rather-long-name --for console:is-up --timeout 120
id=$(pvctl domid a-rather-long-name)
pvctl top -b -i 2 -d 2 >"$W/top"
t "the header is xentop's" [ "$(head -n 1 "$W/top")" = "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS NETTX(k) NETRX(k) VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID" ]
t "it stands above each look" [ "$(grep -c '^      NAME' "$W/top")" -eq 2 ]
t "all lines are as long" [ "$(awk '{ print length }' "$W/top" | sort -u | wc -l)" -eq 1 ]
t "domain 0 has no limit" eval "grep -qE '^  Domain-0 -----r +[0-9]+ +0\.0 +[0-9]+ +[0-9.]+   no limit       n/a +0    0        0 ' '$W/top'"
t "the domain: ten letters of its name, its memory, its devices" eval "tail -n 1 '$W/top' | grep -qE '^a-rather-l [sdbcpr-]{6} +[0-9]+ +[0-9.]+      98304 +[0-9.]+ +[0-9]+ +[0-9.]+     2    1 +[0-9]+ +[0-9]+    $([ -n "$disk" ] && echo 1 || echo 0) '"
t "no CPU(%) at the first look" [ "$(grep -m 1 '^a-rather-l' "$W/top" | awk '{ print $4 }')" = 0.0 ]
t "a loop's worth of it at the second" eval "[ \$(grep '^a-rather-l' '$W/top' | tail -n 1 | awk '{ print int(\$4) }') -ge 10 ]"
if [ -n "$disk" ]; then
	t "what it has read" eval "pvctl top -b -i 1 --json | python3 -c 'import json,sys
d = [x for x in json.load(sys.stdin)[\"domains\"] if x[\"name\"]][1]
assert d[\"disks\"] == 1 and d[\"read_sectors\"] >= 8192 and d[\"reads\"] > 0, d'"
	t "-x has each disk" eval "pvctl top -b -i 1 -x | grep -qE '^VBD BlkBack 51712 \[ca: 0\]  OO: +0   RD: +[1-9]'"
fi
t "-f has the whole name" eval "pvctl top -b -i 1 -f | grep -q '^a-rather-long-name '"
t "-n has each interface" eval "pvctl top -b -i 1 -n | grep -qE '^Net0 RX: +[0-9]+bytes '"
t "-v has each vCPU" eval "pvctl top -b -i 1 -v | grep -qE '^VCPUs\(sec\):    0: +[0-9]+s   1: +[0-9]+s\$'"
t "-r has the header above each" [ "$(pvctl top -b -i 1 -r | grep -c '^      NAME')" -eq 2 ]
t "-s cpu: the busy one first" eval "pvctl top -b -i 2 -d 1 -s cpu | tail -n 2 | head -n 1 | grep -q '^a-rather-l'"
t "--json: a document a line" eval "[ \$(pvctl top --json -i 2 -d 0.5 | wc -l) -eq 2 ]"
refused "no terminal" 2 'no terminal' pvctl top
refused "no such order" 2 'none of id, name' pvctl top -b -s colour
t "a terminal" timeout 60 python3 - "$PVCTL" <<'P'
import fcntl, os, pty, select, struct, sys, termios, time
pid, fd = pty.fork()
if not pid:
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[1], [sys.argv[1], "top", "-d", "1"])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 220, 0, 0))
seen = b""
def expect(what):
    global seen
    end = time.time() + 20
    while what not in seen:
        assert time.time() < end, (what, seen[-2000:])
        if select.select([fd], [], [], 0.5)[0]:
            try: seen += os.read(fd, 65536)
            except OSError: raise AssertionError((what, seen[-2000:]))
    seen = b""
expect(b"a-rather-l")
os.write(fd, b"h")
expect(b"Arrows and Page keys")
os.write(fd, b"h")
expect(b"a-rather-l")
os.write(fd, b"f")
expect(b"ong-name")
os.write(fd, b"c")
expect(b"cpu")
os.write(fd, b"q")
end = time.time() + 20
while True:
    try:
        if select.select([fd], [], [], 0.5)[0] and not os.read(fd, 65536): break
    except OSError: break
    assert time.time() < end
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
P
t "node stop" pvctl node stop --force
done_testing
