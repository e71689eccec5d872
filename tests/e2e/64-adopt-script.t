#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon is killed while a domain has a disk whose script made it: the next one goes on with that device, and undoes it in the end.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"
why=
command -v xenstore-read >/dev/null || why="package xenstore-utils is not installed"
losetup -f >/dev/null 2>&1 || why="no loop device can be had"
block_guest || why="there is no xen-blkfront.ko for the guest's kernel"
if [ -n "$why" ]; then
	skip "taking over a script's disk" "$why"
	done_testing
	exit
fi
cat >"$W/block-test" <<'EOS'
#!/bin/sh
d=$(dirname "$0")
echo "$1 $(xenstore-read "$XENBUS_PATH/params") $(xenstore-read "$XENBUS_PATH/node")" >>"$d/script.log"
[ "$1" = add ] || { losetup -d "$(xenstore-read "$XENBUS_PATH/node")"; exit 0; }
name=$(xenstore-read "$XENBUS_PATH/params")
device=$(losetup -f --show "$d/$name.img") || exit 1
[ "$name" = volume ] || sleep 4
xenstore-write "$XENBUS_PATH/node" "$device" "$XENBUS_PATH/physical-device-path" "$device" "$XENBUS_PATH/hotplug-status" connected
EOS
chmod +x "$W/block-test"
truncate -s 16M "$W/volume.img" "$W/slow.img"
loops() { losetup -n -O BACK-FILE -l | grep -c "^$W/${1:-volume}.img"; }
drop_loops() { for n in volume slow; do losetup -j "$W/$n.img" -n -O NAME | xargs -r -n 1 losetup -d; done; }
trap 'drop_loops; cleanup' EXIT
runs() { grep -c "^$1 volume" "$W/script.log"; }
is_another() { [ "$(daemon_pid)" != "$1" ] && pvctl domid a; }
cat >"$W/root/bin/ticks" <<'EOS'
#!/bin/sh
insmod /lib/modules/xen-blkfront.ko
until [ -b /dev/xvda ]; do sleep 0.1; done
i=0
while :; do
	echo "tick $i" | dd of=/dev/xvda bs=512 seek=$i conv=sync,notrunc,fsync 2>/dev/null || echo "WRITE $i FAILS"
	echo "TICK $i"
	i=$((i + 1))
	sleep 0.1
done
EOS
chmod 755 "$W/root/bin/ticks"
pack_guest
last() { console_log a 2>/dev/null | tr -d '\r' | grep -aoE 'TICK [0-9]+' | tail -n 1 | cut -d' ' -f2; }
beyond() { [ "$(last)" -gt "$1" ]; }

t "node start" pvctl node start --memory 256
t "a guest" pvctl create -q "$(linux a sh+/bin/ticks "disk=[\"volume,raw,xvda,rw,script=$W/block-test\"]")"
if ! eventually 60 beyond 3; then
	not_ok "it writes"
	console_log a | tail -n 20
	done_testing
	exit
fi
for i in 1 2; do
	old=$(daemon_pid)
	kill -9 "$old"
	t "another daemon" eventually 30 is_another "$old"
	t "the guest goes on" eventually 60 beyond $(($(last) + 3))
done
t "the script was run once" [ "$(runs add)" -eq 1 ]
t "and made one device" [ "$(loops)" -eq 1 ]
t "no write failed" eval "! console_has a FAILS"
t "the last are on it" eval "eventually 10 eval 'dd if=$W/volume.img bs=512 skip=\$((\$(last) - 2)) count=1 status=none | grep -qa \"^tick\"'"
# Its daemon ends while a script runs: nobody has the disk then, nor is anything of it left.
node=/local/domain/0/backend/vbd/$(pvctl domid a)/51728
old=$(daemon_pid)
pvctl block-attach a "slow,raw,xvdb,rw,script=$W/block-test" >/dev/null 2>&1 &
attach=$!
eventually 20 grep -q '^add slow' "$W/script.log" || not_ok "the script runs"
kill -9 "$old"
t "who asked is told" eval "! wait $attach"
t "another daemon" eventually 30 is_another "$old"
t "what the script made is undone" eval "eventually 20 grep -q '^remove slow /dev/loop' '$W/script.log' && eventually 10 eval '[ \$(loops slow) -eq 0 ]'"
t "no node is left" eval "eventually 10 eval '! pvctl store read $node/params 2>/dev/null'"
t "the disk can be had then" pvctl block-attach a "slow,raw,xvdb,rw,script=$W/block-test"
t "once" [ "$(loops slow)" -eq 1 ]
t "the guest goes on" eventually 60 beyond $(($(last) + 3))
t "destroy" pvctl destroy a
t "what the script made is undone, once" eval "eventually 20 eval '[ \$(loops) -eq 0 ] && [ \$(loops slow) -eq 0 ]' && [ \$(runs remove) -eq 1 ]"
t "node stop" pvctl node stop
done_testing
