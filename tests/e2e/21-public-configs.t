#!/bin/bash
# SPDX-License-Identifier: MIT
# Config files in the manners of those that people publish: what xl takes, and asks for what a PV guest can have, passes.
. "$(dirname "$0")/lib.sh"

command -v qemu-img >/dev/null || { skip "public configs" "qemu-img is not installed"; done_testing; exit; }
mkdir "$W/d"
for f in disk.img swap.img cd.iso disk:0 "a file.img"; do truncate -s 1M "$W/d/$f"; done
qemu-img create -q -f qcow2 "$W/d/disk.qcow2" 1M
qemu-img create -q -f vpc "$W/d/disk.vhd" 1M
gzip -1c /dev/null >"$W/ramdisk"
block=$W/d/disk.img volume=d/disk.img
# Where there is one that can be read and written; else a file stands for it.
for b in /dev/loop[0-9] /dev/ram0 /dev/sd[a-z]; do
	[ -b "$b" ] && [ -r "$b" ] && [ -w "$b" ] && [ "$(blockdev --getsize64 "$b" 2>/dev/null || echo 0)" -gt 0 ] && { block=$b volume=${b#/dev/}; break; }
done
say "block device: $block"
cd "$W" || exit 1
for f in "$OLDPWD"/tests/config/public/*.cfg; do
	name=$(basename "$f" .cfg)
	sed "s,@KERNEL@,$O/guests/version.elf,; s,@RAMDISK@,$W/ramdisk,; s,@DIR@,$W/d,g; s,@BLOCK@,$block,; s,@VOLUME@,$volume,g" "$f" >"$W/$name.cfg"
	case $name in
	pass-*) t "$name" pvctl config check "$W/$name.cfg" ;;
	*) refused "$name" '*' "$(sed -n '1s/^# says: //p' "$f")" pvctl config check "$W/$name.cfg" ;;
	esac
done
done_testing
