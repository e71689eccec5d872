#!/bin/bash
# SPDX-License-Identifier: MIT
# Disk images in QEMU's formats, sector sizes, discard, partitions, drives without a medium.
. "$(dirname "$0")/lib.sh"

MODULE=${MODULE:-$O/demo/modules/xen-blkfront.ko}
if [ ! -s "$MODULE" ]; then
	skip "formats" "there is no xen-blkfront.ko for the guest's kernel"
	done_testing
	exit
fi
if ! command -v qemu-img >/dev/null || ! command -v qemu-nbd >/dev/null; then
	skip "formats" "package qemu-utils is not installed"
	done_testing
	exit
fi
mkdir -p "$W/root/lib/modules"
cp "$MODULE" "$W/root/lib/modules/xen-blkfront.ko"
(cat "$RAMDISK"; cd "$W/root" && find lib | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$W/initrd.gz"
RAMDISK=$W/initrd.gz

# guest COMMAND: on its console; what it printed between two marks
guest() {
	local name=$1 mark=$RANDOM$RANDOM
	shift
	{ sleep 0.3; printf 'echo begin-"%s"; %s; echo end-"%s"\n' $mark "$*" $mark; sleep "${WAIT:-60}"; } |
		timeout "${WAIT:-60}" "$PVCTL" console "$name" 2>/dev/null | tr -d '\r' |
		awk -v b="begin-$mark" -v e="end-$mark" '$0 ~ b"$" {on = 1; next} $0 ~ e"$" {exit} on'
}
sum() { md5sum <"$1" | cut -d' ' -f1; }
json() { python3 -c "import json,sys; d=json.load(sys.stdin); print($1)"; }
servers() { pgrep -c -f "qemu-nbd .*$W/" || true; }

head -c 8M /dev/urandom >"$W/plain.img"
want=$(sum "$W/plain.img")
for f in qcow qcow2 qed; do qemu-img convert -f raw -O $f "$W/plain.img" "$W/a.$f"; done
qemu-img convert -f raw -O vpc -o subformat=dynamic,force_size=on "$W/plain.img" "$W/a.vhd"
qemu-img create -q -f qcow2 -F qcow2 -b "$W/a.qcow2" "$W/over.qcow2"
cp "$W/plain.img" "$W/base.img"
qemu-img create -q -f qcow2 -u -F raw -b "$W/base.img" "$W/untold.qcow2" 8M
# QEMU no longer makes these, but there are old ones: the header extension with the base's format has another number.
python3 - "$W/untold.qcow2" <<'EOF'
import sys
f = open(sys.argv[1], "r+b")
head = f.read(4096)
f.seek(head.index(b"\xe2\x79\x2a\xca"))
f.write(b"\x11\x11\x11\x11")
EOF
qemu-img create -q -f qcow2 -u -F raw -b "$W/none" "$W/lost.qcow2" 8M
qemu-img create -q -f qcow2 -u -F raw -b nbd:localhost:1 "$W/far.qcow2" 8M
qemu-img create -q -f qcow2 -u -F qcow2 -b "$W/square.qcow2" "$W/round.qcow2" 8M
qemu-img create -q -f qcow2 -u -F qcow2 -b "$W/round.qcow2" "$W/square.qcow2" 8M
qemu-img create -q -f qcow2 -o data_file="$W/data.raw",data_file_raw=on "$W/split.qcow2" 8M

refused "a base whose format is not told" '*' 'does not say the format' pvctl create -q "$(config x "disk=[\"$W/untold.qcow2,qcow2,xvda\"]")"
refused "a base that is not there" '*' 'No such file' pvctl create -q "$(config x "disk=[\"$W/lost.qcow2,qcow2,xvda\"]")"
refused "a base on the network" '*' 'no file of this machine' pvctl create -q "$(config x "disk=[\"$W/far.qcow2,qcow2,xvda\"]")"
refused "an image that is based on itself" '*' 'without an end' pvctl create -q "$(config x "disk=[\"$W/round.qcow2,qcow2,xvda\"]")"
refused "data in another file" '*' 'another file' pvctl create -q "$(config x "disk=[\"$W/split.qcow2,qcow2,xvda\"]")"
refused "not of its format" '*' 'not in qcow2 format' pvctl create -q "$(config x "disk=[\"$W/plain.img,qcow2,xvda\"]")"
refused "no qemu-img" '*' 'qemu-utils' env PATH=/nowhere "$PVCTL" create -q "$(config x "disk=[\"$W/a.vhd,vhd,xvda\"]")"

t "create with all formats" pvctl create -q "$(config formats "disk=[\"$W/over.qcow2,qcow2,xvda\",\"$W/a.qcow,qcow,xvdb,ro\",\"$W/a.vhd,vhd,xvdc\",\"$W/a.qed,qed,xvdd,ro\"]" 'on_reboot="restart"')"
eventually 120 console_has formats 'guest-init: up' || not_ok "the guest is up"
t "a server for each" [ "$(servers)" -eq 4 ]
WAIT=4 guest formats 'insmod /lib/modules/xen-blkfront.ko' >/dev/null
connected() { [ "$(pvctl block-list "$1" | grep -c '^[0-9]* *0   [0-9]* *4 ')" -eq "$2" ]; }
if eventually 30 connected formats 4; then ok "all are connected"; else not_ok "all are connected"; pvctl block-list formats; tail "$PVCTL_STATE_DIR"/default/daemon.log; fi
WAIT=30 guest formats 'for d in a b c d; do dd if=/dev/xvd$d bs=1M count=8 2>/dev/null | md5sum; done' >"$W/sums"
t "the guest reads the contents of each" [ "$(grep -c "$want" "$W/sums")" -eq 4 ]
WAIT=15 guest formats 'echo from the guest | dd of=/dev/xvda bs=512 seek=1000 conv=notrunc,fsync; dd if=/dev/zero of=/dev/xvdc bs=1M seek=1 count=2 conv=notrunc,fsync' >/dev/null
t "what the guest wrote is in the overlay" eval "qemu-io -U -r -f qcow2 -c 'read -v 512000 512' '$W/over.qcow2' | grep -q 'from.the.guest'"
t "and not in its base" eval "qemu-img convert -U -f qcow2 -O raw '$W/a.qcow2' '$W/out' && [ \$(sum '$W/out') = $want ]"
refused "a second writer" '*' 'lock' pvctl block-attach formats "$W/over.qcow2,qcow2,xvde"
t "that left nothing" eval "! pvctl block-list formats | grep -q ^51776"

id=$(pvctl domid formats)
t "reboot" pvctl reboot formats
if eventually 120 eval "i=\$(pvctl domid formats) && [ \$i != $id ] && [ \$(console_log formats | grep -c 'guest-init: up') -ge 2 ]"; then ok "it is up again"; else not_ok "it is up again"; tail "$PVCTL_STATE_DIR"/default/daemon.log; fi
WAIT=30 guest formats 'insmod /lib/modules/xen-blkfront.ko; sleep 1; dd if=/dev/xvda bs=512 skip=1000 count=1 2>/dev/null' >"$W/back"
t "with what it wrote" grep -q 'from the guest' "$W/back"

# Attached and taken away while it runs; its statistics.
qemu-img create -q -f qcow2 "$W/hot.qcow2" 64M
t "block-attach of a qcow2" pvctl block-attach formats "$W/hot.qcow2,qcow2,xvdf"
WAIT=15 guest formats 'sleep 1; dd if=/dev/urandom of=/dev/xvdf bs=1M count=16 conv=fsync; dd if=/dev/xvdf of=/dev/null bs=1M count=4 iflag=direct' >/dev/null
pvctl block-list --json formats >"$W/list.json"
t "its statistics" [ "$(json '[x["write_sectors"] >= 32768 and x["flushes"] > 0 and x["format"] == "qcow2" for x in d["disks"] if x["name"] == "xvdf"]' <"$W/list.json")" = "[True]" ]
full=$(stat -c %b "$W/hot.qcow2")
WAIT=15 guest formats 'blkdiscard /dev/xvdf; sync' >/dev/null
t "a discard makes it smaller" [ "$(stat -c %b "$W/hot.qcow2")" -lt $((full / 2)) ]
t "block-detach" pvctl block-detach formats xvdf
t "its server has ended, and left a sound image" eval "eventually 10 qemu-img check -q -f qcow2 '$W/hot.qcow2'"

# Its server dies: another takes over, and the guest sees nothing but a pause.
server() { pgrep -f "qemu-nbd .*$1"; }
back() { grep -c 'qemu-nbd is back' "$PVCTL_STATE_DIR"/default/daemon.log; }
WAIT=15 guest formats 'dd if=/dev/xvdc bs=1M count=8 iflag=direct 2>/dev/null | md5sum' | grep -o '^[0-9a-f]*' >"$W/before"
kill -9 "$(server "$W/a.vhd")"
if eventually 15 eval '[ "$(back)" -eq 1 ]'; then ok "it is started again"; else not_ok "it is started again"; tail "$PVCTL_STATE_DIR"/default/daemon.log; fi
t "the log says why" grep -q 'qemu-nbd was killed by signal 9' "$PVCTL_STATE_DIR"/default/daemon.log
WAIT=15 guest formats 'dd if=/dev/xvdc bs=1M count=8 iflag=direct 2>/dev/null | md5sum; dd if=/dev/xvdd bs=1M count=8 2>/dev/null | md5sum' >"$W/after"
t "its disk goes on, with the same data" eval "[ -s '$W/before' ] && grep -q \"\$(cat '$W/before')\" '$W/after'"
t "another disk goes on" grep -q "$want" "$W/after"

# Killed again and again under a load of writes, none of which is flushed before the end: what was answered is there.
qemu-img create -q -f qcow2 "$W/load.qcow2" 64M
t "a disk to write to" pvctl block-attach formats "$W/load.qcow2,qcow2,xvdg"
(
	for i in 1 2 3 4; do
		sleep 1.5
		kill -9 "$(server "$W/load.qcow2")"
	done
) &
killer=$!
# Each pass overwrites the one before with other data, past the guest's cache; the last one is what must be read.
WAIT=90 guest formats 'i=0; while [ $i -lt 6 ]; do i=$((i+1)); dd if=/dev/urandom of=/tmp/want bs=1M count=4 2>/dev/null; for s in 0 4 8 12; do dd if=/tmp/want of=/dev/xvdg bs=64k seek=$((s*16)) oflag=direct conv=notrunc 2>/dev/null || echo write-failed; done; sleep 1; done; md5sum </tmp/want; for s in 0 4 8 12; do dd if=/dev/xvdg bs=64k skip=$((s*16)) count=64 iflag=direct 2>/dev/null | md5sum; done; sync; echo all-written' >"$W/load"
wait $killer
t "no write failed" eval "grep -q all-written '$W/load' && ! grep -q write-failed '$W/load'"
t "its server was killed four times and came back" [ "$(back)" -ge 5 ]
t "the guest reads what it wrote" eval "[ \$(grep -c ' -' '$W/load') -eq 5 ] && [ \$(grep ' -' '$W/load' | sort -u | wc -l) -eq 1 ]"
t "detached" pvctl block-detach formats xvdg
t "the image is sound" eval "eventually 20 qemu-img check -q -f qcow2 '$W/load.qcow2'"
last=$(grep -m 1 -o '^[0-9a-f]* ' "$W/load")
t "what it wrote is in the image" eval "qemu-img convert -f qcow2 -O raw '$W/load.qcow2' '$W/out' && [ \"\$(head -c 4M '$W/out' | md5sum | cut -d' ' -f1) \" = '$last' ]"
t "destroy" pvctl destroy formats
t "no server is left" eval "eventually 20 eval '[ \$(servers) -eq 0 ]'"
t "node stop" pvctl node stop
done_testing
