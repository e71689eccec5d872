#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon is killed while a Linux guest uses a disk that is not raw, a tap on a bridge, and channels, all at once.
. "$(dirname "$0")/netlib.sh"
net_namespace "$0" root
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"
why=
command -v qemu-img >/dev/null && command -v qemu-nbd >/dev/null || why="no qemu-img and qemu-nbd"
[ -w /dev/net/tun ] || why="/dev/net/tun is not there"
[ -s "$MODULE" ] || why="there is no xen-blkfront.ko for the guest's kernel"
ip link set lo up
ip link add br0 type bridge 2>/dev/null || why="the kernel makes no bridges"
if [ -n "$why" ]; then
	skip "taking over" "$why"
	done_testing
	exit
fi
net_guest
ip addr add 198.51.100.1/24 dev br0
ip link set br0 up
ROUNDS=${ROUNDS:-4}
cp "$O/tests/linux/pauseprobe" "$W/root/bin/"
cp "$MODULE" "$W/root/lib/modules/"
# A terminal forgets its modes when nobody has it open.
cat >"$W/root/bin/echoes" <<'END'
#!/bin/sh
for t in hvc1 hvc2; do (stty raw -echo; exec cat) <>/dev/$t >&0 & done
END
chmod 755 "$W/root/bin/echoes"
pack_guest
RAMDISK=$W/initrd.gz

info() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$PVCTL_RUN_DIR/default/node.json" "$1"; }
is_another() { [ "$(info pid)" != "$1" ] && kill -0 "$(info pid)" && pvctl domid a >/dev/null; }
probe() { console_log a | tr -d '\r' | sed -n 's/^PROBE \([0-9].*\)$/\1/p' | tail -n 1; }
done_now() { probe | awk '{ print $3, $7, $11 }'; }
goes_on() { awk -v a="$1" -v b="$(done_now)" 'BEGIN { n = split(a, x); split(b, y); for (i = 1; i <= n; i++) if (y[i] + 0 <= x[i] + 0) exit 1; exit n != 3 }'; }
no_harm() { ! console_log a | tr -d '\r' | grep -aE 'PROBE-BAD|I/O error|Buffer I/O|blk_update'; }

# One client each, which stays: what it sends comes back, in order, all of it and once.
cat >"$W/echo.py" <<'END'
import os, select, socket, sys, time
path, out = sys.argv[1], open(sys.argv[2], "w", buffering=1)
if path.startswith("/dev/"):
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
else:
    s = socket.socket(socket.AF_UNIX); s.connect(path); fd = s.detach()
n, got = 0, b""
while True:
    os.write(fd, b"%d\n" % n)
    end = time.time() + 30
    while b"\n" not in got:
        if not select.select([fd], [], [], max(0, end - time.time()))[0]: print("nothing after", n, file=out); sys.exit(1)
        more = os.read(fd, 4096)
        if not more: print("end after", n, file=out); sys.exit(1)
        got += more
    line, got = got.split(b"\n", 1)
    if line != b"%d" % n: print("got", line, "for", n, file=out); sys.exit(1)
    n += 1
    print(n, file=out)
    time.sleep(0.05)
END

t "node start" pvctl node start --memory 512
qemu-img create -q -f qcow2 "$W/disk.qcow2" 64M
f=$(net_config a 'insmod+/lib/modules/xen-blkfront.ko;net-up+198.51.100.2/24;echoes;pauseprobe+/dev/xvda+198.51.100.1' \
	"disk=[\"$W/disk.qcow2,qcow2,xvda,rw\"]" 'vif=["bridge=br0,vifname=a0"]' \
	"channel=[\"name=org.pty,connection=pty\",\"name=org.sock,connection=socket,path=$W/agent.sock\"]")
t "a guest" pvctl create -q "$f"
if ! eventually 120 eval '[ -n "$(probe)" ] && goes_on "0 0 0"'; then
	not_ok "the guest works"
	console_log a | tail -n 20
	tail -n 20 "$PVCTL_STATE_DIR/default/daemon.log"
	done_testing
	exit
fi
python3 "$W/echo.py" "$W/agent.sock" "$W/sock.out" &
sock=$!
python3 "$W/echo.py" "$(pvctl store read "/local/domain/$(pvctl domid a)/device/console/1/tty")" "$W/pty.out" &
pty=$!
echoes() { tail -n 1 "$W/$1.out" | grep -E '^[0-9]+$' || echo 0; }
eventually 20 eval '[ "$(echoes sock)" -gt 5 ] && [ "$(echoes pty)" -gt 5 ]' || not_ok "channels echo"
link=$(ip -o link show a0 | cut -d: -f1)
for i in $(seq "$ROUNDS"); do
	pid=$(info pid)
	if [ $((i % 2)) = 0 ]; then pvctl node restart-daemon; else kill -9 "$pid"; fi
	if ! eventually 20 is_another "$pid"; then not_ok "round $i: another daemon"; break; fi
	before=$(done_now) s=$(echoes sock) p=$(echoes pty)
	if ! eventually 60 goes_on "$before"; then not_ok "round $i: all goes on"; say "before $before, now $(probe)"; break; fi
	if ! eventually 30 eval '[ "$(echoes sock)" -gt '"$s"' ] && [ "$(echoes pty)" -gt '"$p"' ]'; then
		not_ok "round $i: channels go on"
		tail -n 1 "$W/sock.out" "$W/pty.out"
		break
	fi
	sleep 0.$((RANDOM % 1000))
done
t "$ROUNDS daemons later all goes on" [ "$i" = "$ROUNDS" ]
t "the guest saw nothing wrong" no_harm
t "the tap is the same one" [ "$(ip -o link show a0 | cut -d: -f1)" = "$link" ]
t "the clients of both channels are" eval "kill -0 $sock && kill -0 $pty"
kill $sock $pty
t "the hypervisor's counts are right" eval "pvctl debug-keys t && ! pvctl dmesg | grep -i 'audit.*wrong'"
read -r _ _ d _ dm _ s _ sm _ p _ pm <<<"$(probe)"
say "longest: disk $dm ms, store $sm ms, without an answer to a ping $pm ms"
t "pvctl shutdown" timeout 60 "$PVCTL" shutdown -w a
t "the image is whole" eventually 10 qemu-img check -q "$W/disk.qcow2"
t "the tap and the socket are gone" eventually 10 eval "! ip link show a0 2>/dev/null && ! [ -e '$W/agent.sock' ]"
t "node stop" pvctl node stop
tail -n 30 "$PVCTL_STATE_DIR/default/daemon.log" | sed 's/^/# /'
done_testing
