#!/bin/bash
# SPDX-License-Identifier: MIT
# Stock PV GRUB in a domain: it reads the guest's own disk through the block backend and starts the kernel there.
. "$(dirname "$0")/netlib.sh"
. "$(dirname "$0")/lib.sh"

PATH=$PATH:/usr/sbin:/sbin
MODULE=${MODULE:-$O/demo/modules/xen-blkfront.ko}
cat >"$W/pv.cfg" <<C
name="pv"
memory=192
firmware="pvgrub64"
disk=["$W/ext4,raw,xvda,w"]
on_reboot="restart"
C
mkdir "$W/none"
truncate -s 1M "$W/ext4"
export PVCTL_FIRMWARE_DIR=$W/none
refused "it says which package is missing" '*' 'grub-xen-host' pvctl config check "$W/pv.cfg"
unset PVCTL_FIRMWARE_DIR
refused "the 32-bit one" '*' 'pvgrub32.*not supported' pvctl config check <(sed 's/pvgrub64/pvgrub32/' "$W/pv.cfg")
refused "firmware of HVM guests" '*' 'uefi.*not supported' pvctl config check <(sed 's/pvgrub64/uefi/' "$W/pv.cfg")
refused "firmware and kernel" '*' 'kernel and firmware' pvctl config check "$W/pv.cfg" "kernel=\"$KERNEL\""
refused "firmware and bootloader" '*' 'bootloader and firmware' pvctl config check "$W/pv.cfg" 'bootloader="pygrub"'

GRUB=$(ls /usr/lib/grub-xen/grub-x86_64-xen.bin 2>/dev/null)
for need in "${GRUB:+true}" lz4 zstd mke2fs; do
	command -v "${need:-none}" >/dev/null || { skip "PV GRUB" "grub-xen-host, lz4, zstd or e2fsprogs is not installed"; done_testing; exit; }
done
[ -s "$MODULE" ] && [ -s "$KERNEL" ] || { skip "PV GRUB" "there is no demo kernel with its xen-blkfront.ko"; done_testing; exit; }

# GRUB unpacks gzip, xz and lzo, Debian's cloud kernel is lz4, or zstd in Debian 13: it gets that unpacked.
R=$W/root
mkdir -p "$R/boot/grub" "$W/more/lib/modules"
cp "$MODULE" "$W/more/lib/modules/xen-blkfront.ko"
(cat "$RAMDISK"; cd "$W/more" && find lib | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$R/boot/initrd.gz"
cat >"$W/unpack.py" <<'P'
import struct, subprocess, sys
d = open(sys.argv[1], "rb").read()
start, size = struct.unpack_from("<II", d, 0x248)
p = ((d[0x1f1] or 4) + 1) * 512 + start
tool = {b"\x02\x21\x4c\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd"}.get(d[p:p + 4])
if tool:
    d = subprocess.run([tool, "-dc"], input=d[p:p + size - 4], capture_output=True, check=True).stdout
open(sys.argv[2], "wb").write(d)
P
python3 "$W/unpack.py" "$KERNEL" "$R/boot/vmlinuz"
strip -s "$R/boot/vmlinuz" 2>/dev/null
cat >"$R/boot/grub/grub.cfg" <<'C'
set default="more>second"
set timeout=1
menuentry 'first' { linux /boot/not-there }
submenu 'more' {
	menuentry 'second' {
		linux /boot/vmlinuz console=hvc0 quiet 'run=insmod+/lib/modules/xen-blkfront.ko;sleep+1;echo+sum+$(md5sum+</dev/xvda)'
		initrd /boot/initrd.gz
	}
}
C
disk_of() { sed "s,\"pv\",\"$1\",; s,$W/ext4,$W/$1," "$W/pv.cfg" >"$W/$1.cfg"; echo "$W/$1.cfg"; }
sum() { md5sum <"$1" | cut -d' ' -f1; }
# boots NAME WHAT CONFIG: the kernel of the disk comes up and reads all of the disk that GRUB had before it
boots() {
	t "$2: create" pvctl create -q "$3" || return
	if eventually 180 console_has "$1" 'guest-init: up'; then ok "$2: the disk's kernel runs"; else not_ok "$2: the disk's kernel runs"; console_log "$1" | tail -n 5; fi
	if eventually 60 console_has "$1" "^sum $(sum "$W/$1")"; then ok "$2: it reads the disk that GRUB let go"; else not_ok "$2: it reads the disk that GRUB let go"; pvctl block-list "$1"; fi
}

truncate -s 96M "$W/ext4"
mke2fs -q -F -t ext4 -d "$R" "$W/ext4" 96M
boots ext4 "ext4" "$(disk_of ext4)"
t "the disk is connected" eval "pvctl block-list ext4 | grep -q '^51712 0   [0-9]* *4 '"
pvctl reboot ext4 >/dev/null 2>&1
if eventually 240 eval "[ \$(pvctl console --replay ext4 </dev/null 2>/dev/null | grep -c 'guest-init: up') -ge 2 ] || [ \$(console_log ext4 | grep -c 'guest-init: up') -ge 2 ]"; then ok "it comes up again after a reboot"; else not_ok "it comes up again after a reboot"; fi
# What GRUB has started is moved like any other.
reads() { guest ext4 'echo 3 >/proc/sys/vm/drop_caches; md5sum </dev/xvda' | grep -q "^$(sum "$W/ext4")"; }
t "it reads all of its disk" reads
t "save" pvctl save ext4 "$W/ext4.save"
t "restore" pvctl restore "$W/ext4.save"
t "it reads all of its disk" reads
mkdir -p "$W/b/run" "$W/b/state"
on_b() { PVCTL_RUN_DIR=$W/b/run PVCTL_STATE_DIR=$W/b/state "$@"; }
trap 'on_b "$PVCTL" node stop --force >/dev/null 2>&1; cleanup' EXIT
t "another node" on_b "$PVCTL" node start --memory 512
t "migrate" timeout 200 "$PVCTL" migrate -s '' ext4 "exec env PVCTL_RUN_DIR='$W/b/run' PVCTL_STATE_DIR='$W/b/state' '$PVCTL' migrate-receive"
t "it reads all of its disk there" on_b reads
t "and back" on_b timeout 200 "$PVCTL" migrate -s '' ext4 "exec env PVCTL_RUN_DIR='$PVCTL_RUN_DIR' PVCTL_STATE_DIR='$PVCTL_STATE_DIR' '$PVCTL' migrate-receive"
t "it reads all of its disk" reads
on_b "$PVCTL" node stop
t "destroy" pvctl destroy ext4

# By the image's own name, with another file system: what the sandboxed reader leaves to GRUB.
if command -v mkfs.btrfs >/dev/null; then
	truncate -s 256M "$W/btrfs"
	mkfs.btrfs -q --rootdir "$R" "$W/btrfs" >/dev/null
	refused "btrfs: the boot loader names it and what reads it" 1 'it is btrfs, which is not read here .firmware="pvgrub64"' pvctl bootloader "$W/btrfs"
	sed "s,^firmware.*,kernel=\"$GRUB\"," "$(disk_of btrfs)" >"$W/b.cfg"
	boots btrfs "btrfs" "$W/b.cfg"
	t "btrfs: destroy" pvctl destroy btrfs
else
	skip "btrfs" "mkfs.btrfs (btrfs-progs) is not installed"
fi
if command -v mkfs.xfs >/dev/null && command -v sfdisk >/dev/null; then
	cat >"$W/proto" <<P
/
0 0
d--755 0 0
boot d--755 0 0
vmlinuz ---644 0 0 $R/boot/vmlinuz
initrd.gz ---644 0 0 $R/boot/initrd.gz
grub d--755 0 0
grub.cfg ---644 0 0 $R/boot/grub/grub.cfg
\$
\$
\$
P
	sed -i 's,</dev/xvda,</dev/xvda1,' "$R/boot/grub/grub.cfg"
	truncate -s 320M "$W/part"
	mkfs.xfs -q -p "$W/proto" "$W/part"
	truncate -s 330M "$W/xfs"
	printf 'label: gpt\nstart=2048\n' | sfdisk -q "$W/xfs"
	dd if="$W/part" of="$W/xfs" bs=1M seek=1 conv=notrunc,sparse status=none
	refused "XFS: the boot loader names it, its partition and what reads it" 1 'partition 1 is xfs, which is not read here .firmware="pvgrub64"' pvctl bootloader "$W/xfs"
	t "XFS on GPT: create" pvctl create -q "$(disk_of xfs)"
	if eventually 180 console_has xfs 'guest-init: up'; then ok "XFS on GPT: the disk's kernel runs"; else not_ok "XFS on GPT: the disk's kernel runs"; console_log xfs | tail -n 5; fi
else
	skip "XFS" "mkfs.xfs (xfsprogs) or sfdisk is not installed"
fi
t "the node is well" pvctl info
done_testing
