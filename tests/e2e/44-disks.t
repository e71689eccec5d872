#!/bin/bash
# SPDX-License-Identifier: MIT
# Kinds of disks: sectors of 4096 bytes, direct I/O, discard, partitions, drives and their media, block devices.
. "$(dirname "$0")/lib.sh"

MODULE=${MODULE:-$O/demo/modules/xen-blkfront.ko}
if [ ! -s "$MODULE" ]; then
	skip "kinds of disks" "there is no xen-blkfront.ko for the guest's kernel"
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
connected() { [ "$(pvctl block-list "$1" | grep -c '^[0-9]* *0   [0-9]* *4 ')" -eq "$2" ]; }
LOOP=
drop_loop() { [ -z "$LOOP" ] || losetup -d "$LOOP"; }
trap 'cleanup; drop_loop' EXIT

for f in big direct part1; do head -c 8M /dev/urandom >"$W/$f.img"; done
head -c 2M /dev/urandom >"$W/one.iso"
head -c 3M /dev/urandom >"$W/two.iso"
truncate -s 8191K "$W/odd.img"
truncate -s 16M "$W/table.img"
printf 'label: dos\nstart=2048,size=8192,type=83\nstart=10240,size=8192,type=83\n' | sfdisk -q "$W/table.img"
head -c 4M /dev/urandom | dd of="$W/table.img" bs=512 seek=10240 conv=notrunc status=none
refused "a size that its sectors do not divide" '*' "multiple of its sectors' 4096" pvctl create -q -p "$(config x "disk=[\"vdev=xvda,sectorsize=4096,target=$W/odd.img\"]")"
t "that left nothing" eval "! pvctl domid x"

t "create" pvctl create -q "$(config kinds "disk=[\"vdev=xvda,sectorsize=4096,target=$W/big.img\",\"$W/direct.img,raw,xvdb,rw,direct-io-safe\",\"$W/part1.img,,xvdc1\",\"$W/table.img,,xvdd\",\",raw,xvde,cdrom\",\"$W/one.iso,,xvdf,cdrom\"]")"
eventually 120 console_has kinds 'guest-init: up' || not_ok "the guest is up"
WAIT=4 guest kinds 'insmod /lib/modules/xen-blkfront.ko' >/dev/null
if eventually 30 connected kinds 6; then ok "all are connected"; else not_ok "all are connected"; pvctl block-list kinds; tail "$PVCTL_STATE_DIR"/default/daemon.log; fi

WAIT=20 guest kinds 'cat /sys/block/xvda/queue/logical_block_size; md5sum /dev/xvda /dev/xvdb /dev/xvdc1 /dev/xvdf; dd if=/dev/xvdd2 bs=1M 2>/dev/null | md5sum; cat /sys/block/xvde/size; echo bytes $(dd if=/dev/xvde count=1 2>/dev/null | wc -c); ls /dev/xvdc' >"$W/out" 2>&1
t "sectors of 4096 bytes" grep -qx 4096 "$W/out"
t "read with them" grep -q "$(sum "$W/big.img")  /dev/xvda" "$W/out"
t "read with direct I/O" grep -q "$(sum "$W/direct.img")  /dev/xvdb" "$W/out"
t "a partition without a disk" eval "grep -q '$(sum "$W/part1.img")  /dev/xvdc1' '$W/out' && ! grep -qx /dev/xvdc '$W/out'"
t "a partition of a disk" grep -q "$(tail -c +$((10240 * 512 + 1)) "$W/table.img" | head -c 4M | md5sum | cut -d' ' -f1)" "$W/out"
t "a drive without a medium has no sectors" eval "grep -qx 0 '$W/out' && grep -qx 'bytes 0' '$W/out'"
t "a medium" grep -q "$(sum "$W/one.iso")  /dev/xvdf" "$W/out"

# Odd places, so that direct I/O cannot be had for all of it.
WAIT=15 guest kinds 'yes pattern | head -c 5000 >/tmp/p; dd if=/tmp/p of=/dev/xvdb bs=1 seek=1536 conv=notrunc,fsync; dd if=/tmp/p of=/dev/xvda bs=4096 seek=3 conv=notrunc,fsync' >/dev/null
t "written at an odd place" eval "yes pattern | head -c 5000 | cmp - <(tail -c +1537 '$W/direct.img' | head -c 5000)"
t "written in large sectors" eval "yes pattern | head -c 5000 | cmp - <(tail -c +12289 '$W/big.img' | head -c 5000)"

before=$(stat -c %b "$W/big.img")
WAIT=15 guest kinds 'cat /sys/block/xvda/queue/discard_granularity; blkdiscard -o 4194304 -l 4194304 /dev/xvda; blkdiscard -s -o 0 -l 4096 /dev/xvda || echo no secure discard; sync' >"$W/out" 2>&1
t "a discard makes a hole" [ "$(stat -c %b "$W/big.img")" -le $((before - 8000)) ]
t "what was discarded reads as zeroes" cmp -n 4194304 /dev/zero <(tail -c +4194305 "$W/big.img")
t "no secure discard for a file" grep -q 'no secure discard' "$W/out"

# Media.
t "cd-insert" pvctl cd-insert kinds xvde "$W/two.iso"
eventually 20 connected kinds 6 || not_ok "the drive is back"
WAIT=10 guest kinds 'sleep 1; md5sum /dev/xvde' >"$W/out"
t "the guest reads the new medium" grep -q "$(sum "$W/two.iso")" "$W/out"
t "cd-insert over another medium" pvctl cd-insert kinds xvdf "$W/two.iso"
eventually 20 connected kinds 6 || not_ok "the drive is back"
WAIT=10 guest kinds 'sleep 1; md5sum /dev/xvdf' >"$W/out"
t "the guest reads it" grep -q "$(sum "$W/two.iso")" "$W/out"
refused "a medium that is not there" '*' 'No such file' pvctl cd-insert kinds xvdf "$W/none"
t "the old one is still in" eval "pvctl block-list --json kinds | grep -A8 xvdf | grep -q two.iso"
refused "no drive" '*' 'no cdrom' pvctl cd-eject kinds xvda
refused "no such disk" '*' 'no such disk' pvctl cd-eject kinds xvdz
t "cd-eject" pvctl cd-eject kinds xvde
eventually 20 connected kinds 6 || not_ok "the drive is back"
WAIT=10 guest kinds 'sleep 1; cat /sys/block/xvde/size' >"$W/out"
t "the drive is empty" grep -qx 0 "$W/out"

# A block device, with sectors of its own size.
truncate -s 8M "$W/loop.img"
if LOOP=$(losetup -b 4096 -f --show "$W/loop.img" 2>/dev/null) && [ -b "$LOOP" ]; then
	refused "sectors smaller than the device's" '*' 'have 4096 bytes' pvctl block-attach kinds "vdev=xvdg,sectorsize=512,target=$LOOP"
	t "block-attach of a device" pvctl block-attach kinds "$LOOP,raw,xvdg,rw,backendtype=phy"
	eventually 20 connected kinds 7 || not_ok "the device is connected"
	WAIT=15 guest kinds 'sleep 1; cat /sys/block/xvdg/queue/logical_block_size; dd if=/tmp/p of=/dev/xvdg bs=4096 conv=notrunc,fsync; blkdiscard -o 4194304 -l 4194304 /dev/xvdg && echo discarded' >"$W/out"
	t "it has the device's sectors" grep -qx 4096 "$W/out"
	t "written to the device" eval "yes pattern | head -c 5000 | cmp - <(head -c 5000 '$LOOP')"
	t "discarded on the device" grep -qx discarded "$W/out"
	t "block-detach" pvctl block-detach kinds xvdg
else
	LOOP=
	skip "a block device" "no loop device can be had here"
fi
# Scripts, by Xen's contract.
cat >"$W/block-test" <<'EOF'
#!/bin/sh
echo "$1 $XENBUS_PATH $(xenstore-read "$XENBUS_PATH/params") $(xenstore-read "$XENBUS_PATH/mode") $(xenstore-read "$XENBUS_PATH/node")" >>"$(dirname "$0")/script.log"
[ "$1" = add ] || losetup -d "$(xenstore-read "$XENBUS_PATH/node")"
[ "$1" = add ] || { [ "$(xenstore-read "$XENBUS_PATH/params")" = slow ] && sleep 3 && echo undone >>"$(dirname "$0")/script.log"; exit 0; }
name=$(xenstore-read "$XENBUS_PATH/params")
case $name in
bad) xenstore-write "$XENBUS_PATH/hotplug-error" "no such volume" "$XENBUS_PATH/hotplug-status" error; exit 1 ;;
esac
device=$(dirname "$0")/$name.img
[ "$name" = file ] || device=$(losetup -r -f --show "$device") || exit 1
xenstore-write "$XENBUS_PATH/node" "$device" "$XENBUS_PATH/physical-device-path" "$device" "$XENBUS_PATH/hotplug-status" connected
EOF
chmod +x "$W/block-test"
if command -v xenstore-read >/dev/null && [ -n "$LOOP" ]; then
	head -c 1M /dev/urandom >"$W/volume.img"
	t "block-attach with a script" pvctl block-attach kinds "volume,raw,xvdh,ro,script=$W/block-test"
	eventually 20 eval "pvctl block-list kinds | grep -q '^51824 *0   [0-9]* *4 '" || not_ok "the script's disk is connected"
	WAIT=10 guest kinds 'sleep 1; md5sum /dev/xvdh' >"$W/out"
	t "the guest reads what the script found" grep -q "$(sum "$W/volume.img")" "$W/out"
	t "block-detach" pvctl block-detach kinds xvdh
	t "the script undoes what it did" eval "eventually 10 grep -q '^remove /local/domain/0/backend/vbd/[0-9]*/51824 volume r /dev/loop' '$W/script.log'"
	t "no node of it is left" eval "eventually 10 eval '! pvctl store read /local/domain/0/backend/vbd/$(pvctl domid kinds)/51824/params 2>/dev/null'"
	cp "$W/volume.img" "$W/slow.img"
	t "a script that is slow" pvctl block-attach kinds "slow,raw,xvdh,ro,script=$W/block-test"
	t "its disk goes" pvctl block-detach --force kinds xvdh
	t "another in its place" pvctl block-attach kinds "$W/volume.img,raw,xvdh,ro"
	t "which came after the script" grep -q '^undone' "$W/script.log"
	t "and keeps its nodes" pvctl store read "/local/domain/0/backend/vbd/$(pvctl domid kinds)/51824/params"
	t "block-detach" pvctl block-detach kinds xvdh
	refused "a script that fails" '*' 'no such volume' pvctl block-attach kinds "bad,raw,xvdh,script=$W/block-test"
	cp "$W/volume.img" "$W/file.img"
	refused "a script that names a file of the host's" '*' 'no block device|not what its script may name' \
		pvctl block-attach kinds "file,raw,xvdh,script=$W/block-test"
	refused "a script that is not there" '*' '/etc/xen/scripts/block-none' pvctl block-attach kinds "volume,raw,xvdh,script=block-none"
	t "they left nothing" eval "! pvctl block-list kinds | grep -q ^51824"
else
	skip "scripts" "package xenstore-utils is not installed, or no loop device can be had"
fi
t "destroy" pvctl destroy kinds
t "node stop" pvctl node stop
done_testing
