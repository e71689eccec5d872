#!/bin/bash
# SPDX-License-Identifier: MIT
# A domain whose kernel comes from its own disk, an image that is not raw: it boots, and boots again.
. "$(dirname "$0")/lib.sh"

PATH=$PATH:/usr/sbin:/sbin
MODULE=${MODULE:-$O/demo/modules/xen-blkfront.ko}
for need in qemu-img qemu-nbd mke2fs; do
	command -v $need >/dev/null || { skip "kernels from images" "$need is not installed"; done_testing; exit; }
done
[ -s "$MODULE" ] && [ -s "$KERNEL" ] || { skip "kernels from images" "there is no demo kernel with its xen-blkfront.ko"; done_testing; exit; }

R=$W/root
mkdir -p "$R/boot/grub" "$W/more/lib/modules"
cp "$MODULE" "$W/more/lib/modules/xen-blkfront.ko"
(cat "$RAMDISK"; cd "$W/more" && find lib | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$R/boot/initrd.gz"
cp "$KERNEL" "$R/boot/vmlinuz"
cat >"$R/boot/grub/grub.cfg" <<'C'
menuentry 'one' {
	linux /boot/vmlinuz console=hvc0 quiet 'run=insmod+/lib/modules/xen-blkfront.ko;sleep+1;echo+mark+$(dd+if=/dev/xvda+bs=1080+count=1|tail+-c+56|md5sum)'
	initrd /boot/initrd.gz
}
C
truncate -s 96M "$W/raw"
mke2fs -q -F -t ext4 -d "$R" "$W/raw" 96M
qemu-img convert -O qcow2 "$W/raw" "$W/base.qcow2"
qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 "$W/disk.qcow2"
cat >"$W/q.cfg" <<C
name="q"
memory=192
bootloader="pygrub"
disk=["$W/disk.qcow2,qcow2,xvda,rw"]
on_reboot="restart"
C
up() { [ "$(console_log q 2>/dev/null | grep -c 'guest-init: up')" -ge "$1" ]; }
servers() { pgrep -fc "qemu-nbd.*$W/disk.qcow2"; }

t "node start" pvctl node start --memory 512 --cpus 2
t "create from an overlay's base" pvctl create -q "$W/q.cfg"
t "its kernel runs" eventually 180 up 1
t "it has its disk" eventually 60 console_has q '^mark '
t "its one server is the daemon's" [ "$(servers)" -eq 1 ]
t "config check, while it runs" pvctl config check "$W/q.cfg" 'name="other"'
t "reboot" pvctl reboot q
if eventually 240 up 2; then ok "its kernel is read again"; else not_ok "its kernel is read again"; tail -n 5 "$PVCTL_STATE_DIR"/default/daemon.log | sed 's/^/#   /'; fi
t "destroy" pvctl destroy q
t "no server is left" eventually 20 eval '[ "$(servers)" -eq 0 ]'
t "a sound image is" qemu-img check -q "$W/disk.qcow2"
done_testing
