#!/bin/bash
# SPDX-License-Identifier: MIT
# Disks of a stock Linux guest: raw files on the host, read, written, attached and taken away.
. "$(dirname "$0")/lib.sh"

MODULE=${MODULE:-$O/demo/modules/xen-blkfront.ko}
if [ ! -s "$MODULE" ]; then
	skip "disks" "there is no xen-blkfront.ko for the guest's kernel"
	done_testing
	exit
fi
# Debian's cloud kernel has its disks' driver in a module.
mkdir -p "$W/root/lib/modules"
cp "$MODULE" "$W/root/lib/modules/xen-blkfront.ko"
(cat "$RAMDISK"; cd "$W/root" && find lib | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$W/initrd.gz"
RAMDISK=$W/initrd.gz

head -c 16M /dev/urandom >"$W/a.img"
head -c 4M /dev/urandom >"$W/ro.img"
truncate -s 8M "$W/fs.img"
# guest COMMAND: on its console; what it printed between two marks
guest() {
	local name=$1 mark=$RANDOM$RANDOM
	shift
	{ sleep 0.3; printf 'echo begin-"%s"; %s; echo end-"%s"\n' $mark "$*" $mark; sleep "${WAIT:-60}"; } |
		timeout "${WAIT:-60}" "$PVCTL" console "$name" 2>/dev/null | tr -d '\r' |
		awk -v b="begin-$mark" -v e="end-$mark" '$0 ~ b"$" {on = 1; next} $0 ~ e"$" {exit} on'
}
sum() { md5sum <"$1" | cut -d' ' -f1; }

refused "a disk that is not there" '*' 'No such file' pvctl create -q "$(config x "disk=[\"$W/none,raw,xvda\"]")"
refused "the same vdev twice" '*' 'two are named' pvctl create -q "$(config x "disk=[\"$W/a.img,raw,xvda\",\"$W/ro.img,,xvda\"]")"
refused "a format that it has not" '*' 'not in qcow2 format|qcow2' pvctl create -q "$(config x "disk=[\"$W/a.img,qcow2,xvda\"]")"
refused "a file for backendtype=phy" '*' 'no block device' pvctl create -q "$(config x "disk=[\"$W/a.img,raw,xvda,backendtype=phy\"]")"
refused "a directory" '*' 'neither a file|Is a directory' pvctl create -q "$(config x "disk=[\"$W,raw,xvda,ro\"]")"

t "create with two disks" pvctl create -q "$(config disks "disk=[\"$W/a.img,raw,xvda,rw\",\"$W/ro.img,,xvdb,ro\"]" 'on_reboot="restart"')"
eventually 120 console_has disks 'guest-init: up' || not_ok "the guest is up"
t "block-list" eval "[ \$(pvctl block-list disks | wc -l) -eq 3 ]"
WAIT=4 guest disks 'insmod /lib/modules/xen-blkfront.ko' >/dev/null
if eventually 20 eval "[ \$(pvctl block-list disks | grep -c '^517.. 0   [0-9]* *4 ') -eq 2 ]"; then ok "both are connected"; else not_ok "both are connected"; pvctl block-list disks; fi
WAIT=20 guest disks 'md5sum /dev/xvda /dev/xvdb' >"$W/sums"
t "the guest reads what the host wrote" grep -q "$(sum "$W/a.img")  /dev/xvda" "$W/sums"
t "also from the second disk" grep -q "$(sum "$W/ro.img")  /dev/xvdb" "$W/sums"
before=$(sum "$W/ro.img")
WAIT=6 guest disks 'dd if=/dev/xvdb of=/dev/xvda bs=1M seek=8 conv=notrunc,fsync; echo x >/dev/xvdb' >/dev/null
t "the host reads what the guest wrote" cmp -n 4194304 "$W/ro.img" <(tail -c +8388609 "$W/a.img")
t "a read-only disk is not written" [ "$(sum "$W/ro.img")" = "$before" ]

refused "a disk that another has" '*' 'is in use by domain "disks" \([0-9]+\), as xvda' pvctl block-attach disks "$W/a.img,raw,xvdc"
if command -v mke2fs >/dev/null; then
	mke2fs -q -F -t ext2 "$W/fs.img"
	t "block-attach" pvctl block-attach disks "$W/fs.img,raw,xvdc,rw"
	WAIT=6 guest disks 'mkdir -p /m; sleep 1; mount -t ext2 /dev/xvdc /m && echo from the guest >/m/x && umount /m' >/dev/null
	t "a file system from the host, changed by the guest" eval "debugfs -R 'cat x' '$W/fs.img' 2>/dev/null | grep -q 'from the guest'"
	t "block-detach" pvctl block-detach disks xvdc
	t "it is gone" eval "! pvctl block-list disks | grep -q ^51744"
else
	skip "a file system" "package e2fsprogs is not installed"
fi

# Reboot: the disks come along. Then the end, with requests under way.
id=$(pvctl domid disks)
t "reboot" pvctl reboot disks
if eventually 120 eval "i=\$(pvctl domid disks) && [ \$i != $id ] && [ \$(console_log disks | grep -c 'guest-init: up') -ge 2 ]"; then ok "it is up again"; else not_ok "it is up again"; fi
WAIT=30 guest disks 'insmod /lib/modules/xen-blkfront.ko; sleep 1; md5sum /dev/xvda' >"$W/sums"
t "with its disk" grep -q "$(sum "$W/a.img")" "$W/sums"
WAIT=2 guest disks 'while :; do dd if=/dev/zero of=/dev/xvda bs=1M conv=notrunc; done >/dev/null 2>&1 &' >/dev/null
t "destroyed while it writes" pvctl destroy disks
t "its disk is free again" eval "pvctl create -q -p '$(config again "disk=[\"$W/a.img,,xvda\"]")' && pvctl destroy again"
t "nothing of it is left in the store" eval "! pvctl store read /local/domain/0/backend/vbd/$((id + 1)) 2>/dev/null"
t "node stop" pvctl node stop
done_testing
