#!/bin/bash
# SPDX-License-Identifier: MIT
# A kernel from the guest's disk: the stand-alone command, on good disks and on damaged ones.
. "$(dirname "$0")/lib.sh"

export PVCTL_LIBEXEC_DIR=$PWD/$O
PATH=$PATH:/usr/sbin:/sbin
for tool in mke2fs sfdisk debugfs python3; do
	command -v $tool >/dev/null || { skip "kernels from disks" "$tool is not installed"; done_testing; exit 0; }
done

uuid=11111111-2222-3333-4444-555555555555
R=$W/root
mkdir -p "$R/boot/grub" "$W/out"
cp tests/fuzz/corpus/grubcfg/debian "$R/boot/grub/grub.cfg"
head -c 3000000 /dev/urandom >"$R/boot/vmlinuz-6.1.0-18-amd64"
head -c 2000001 /dev/urandom >"$R/boot/initrd.img-6.1.0-18-amd64"
fs() { mke2fs -q -F -t "$1" -U $uuid -d "$R" ${3:+-E offset=$3} "$2" 30M 2>/dev/null; } # TYPE FILE [OFFSET]
has_entries() { [ "$(pvctl bootloader "$@" | grep -c '^[* ] *[0-9]  ')" -eq 3 ]; }
takes() { # WHAT DISK [OPTION...]
	local what=$1 disk=$2
	shift 2
	rm -f "$W"/out/*
	t "$what" eval "pvctl bootloader $* --output-dir '$W/out' '$disk' && cmp '$W/out/kernel' '$R/boot/vmlinuz-6.1.0-18-amd64' && \
		cmp '$W/out/ramdisk' '$R/boot/initrd.img-6.1.0-18-amd64'"
}

truncate -s 40M "$W/gpt"
printf 'label: gpt\nstart=2048, size=4096\nstart=6144, size=70000\n' | sfdisk -q "$W/gpt"
fs ext4 "$W/gpt" $((6144 * 512))
t "ext4 on GPT: the entries" has_entries "$W/gpt"
takes "ext4 on GPT: the default's files" "$W/gpt"
t "its command line" grep -qx "root=UUID=$uuid ro quiet console=hvc0" "$W/out/cmdline"
takes "an entry by number" "$W/gpt" --entry 2 --args extra=1
t "its command line, with --args" grep -qx "root=UUID=$uuid ro single dis_ucode_ldr extra=1" "$W/out/cmdline"
takes "an entry by title" "$W/gpt" --entry "'Debian GNU/Linux, with Linux 6.1.0-18-amd64'"
refused "an entry that is not there" 1 'no entry "nothing"; it has 3 entries' pvctl bootloader --entry nothing "$W/gpt"
t "JSON" eval "pvctl bootloader --json '$W/gpt' | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d[\"schema\"] == 1 and d[\"partition\"] == 2 and d[\"default\"] == 0 and len(d[\"entries\"]) == 3, d
assert d[\"entries\"][0][\"kernel\"] == \"/boot/vmlinuz-6.1.0-18-amd64\"'"

truncate -s 40M "$W/mbr"
printf 'label: dos\nstart=2048, size=2048, type=83\nstart=4096, type=5\nstart=6144, size=70000, type=83\n' | sfdisk -q "$W/mbr" 2>/dev/null
printf 'label: dos\n1: start=2048, size=2048, type=83\n2: start=4096, size=77000, type=5\n5: start=6144, size=70000, type=83\n' | sfdisk -q "$W/mbr" 2>/dev/null
fs ext3 "$W/mbr" $((6144 * 512))
takes "ext3 on a logical partition" "$W/mbr"
truncate -s 30M "$W/plain"
fs ext2 "$W/plain"
takes "ext2 without a partition table" "$W/plain"

printf '# GRUB Environment Block\nnext_entry=1>1\n####' >"$R/boot/grub/grubenv"
truncate -s 30M "$W/saved"
fs ext4 "$W/saved"
takes "the entry that grubenv names" "$W/saved"
t "it is the recovery mode" grep -q single "$W/out/cmdline"
rm "$R/boot/grub/grubenv"

if command -v mkfs.vfat >/dev/null && command -v mcopy >/dev/null; then
	truncate -s 40M "$W/fat"
	mkfs.vfat "$W/fat" >/dev/null
	MTOOLS_SKIP_CHECK=1 mcopy -s -i "$W/fat" "$R/boot" ::/
	takes "FAT" "$W/fat"
else
	skip "FAT" "mkfs.vfat or mcopy is not installed"
fi

# ---- images that are not raw: served by a qemu-nbd in its jail ----
if command -v qemu-img >/dev/null && command -v qemu-nbd >/dev/null; then
	for f in qcow2:qcow2 vhd:vpc qed:qed qcow:qcow; do
		qemu-img convert -f raw -O "${f#*:}" "$W/gpt" "$W/image.${f%:*}"
		takes "an image of format ${f%:*}" "$W/image.${f%:*}" --format "${f%:*}"
	done
	qemu-img convert -c -f raw -O qcow2 "$W/gpt" "$W/packed.qcow2"
	takes "a compressed qcow2" "$W/packed.qcow2" --format qcow2
	takes "by its relative path" "$(realpath --relative-to=. "$W/packed.qcow2")" --format qcow2
	qemu-img create -q -f qcow2 -F qcow2 -b packed.qcow2 "$W/over, it.qcow2"
	takes "one that is based on another, with a comma in its name" "$W/over, it.qcow2" --format qcow2
	qemu-img create -q -f qcow2 -u -F raw -b "$W/gpt" "$W/base.qcow2" 40M
	python3 -c '
import sys
f = open(sys.argv[1], "r+b")
f.seek(f.read(4096).index(b"\xe2\x79\x2a\xca"))
f.write(b"\x11\x11\x11\x11")' "$W/base.qcow2"
	refused "one that does not say its base's format" 1 'does not say the format' pvctl bootloader --format qcow2 "$W/base.qcow2"
	qemu-img create -q -f qcow2 -u -F qcow2 -b "$W/plain" "$W/steal.qcow2" 40M
	refused "one whose base is not of the format that it says" 1 'not in qcow2 format' pvctl bootloader --format qcow2 "$W/steal.qcow2"
	refused "a raw disk is no qcow2" 1 'not in qcow2 format' pvctl bootloader --format qcow2 "$W/gpt"
	refused "a format that is none" 1 'must be raw' pvctl bootloader --format ext4 "$W/gpt"
	refused "a format is not guessed" 1 '--format qcow2' pvctl bootloader "$W/packed.qcow2"
	qemu-nbd -f qcow2 -k "$W/nbd.sock" "$W/image.qcow2" &
	holder=$!
	eventually 10 test -S "$W/nbd.sock"
	takes "an image that somebody has open for writing" "$W/image.qcow2" --format qcow2
	kill $holder
	wait $holder 2>/dev/null
	cat >"$W/flip-image.py" <<'P'
import random, subprocess, sys
pvctl, disk, out = sys.argv[1:4]
options, first, regions = sys.argv[4].split(), int(sys.argv[5]), [int(n) for n in sys.argv[6:]]
good = open(disk, "rb").read()
seen = {}
for seed in range(25):
    r = random.Random(seed)
    d = bytearray(good)
    for _ in range(r.choice((1, 5, 60))):
        d[r.randrange(first, r.choice(regions))] ^= 1 << r.randrange(8)
    open(out, "wb").write(d)
    p = subprocess.run([pvctl, "bootloader", *options, "--entry", "0", out], capture_output=True, timeout=90)
    assert p.returncode in (0, 1) and (p.returncode == 0 or p.stderr.startswith(b"pvctl: bootloader: ")), (seed, p)
    assert b"sandbox forbids" not in p.stderr, (seed, p)
    seen[p.returncode] = seen.get(p.returncode, 0) + 1
print(seen)
P
	t "25 damaged qcow2 images" python3 "$W/flip-image.py" "$PVCTL" "$W/packed.qcow2" "$W/flipped" "--format qcow2" 0 128 65536 400000
	t "no qemu-nbd is left" eval "! pgrep -f 'file.filename=$W'"
else
	skip "images that are not raw" "qemu-utils is not installed"
fi

# ---- iso9660 ----
if command -v xorriso >/dev/null; then
	iso() { xorriso -report_about SORRY -as mkisofs -quiet "$@" "$R" 2>/dev/null; }
	iso -R -V LABEL -o "$W/rock.iso"
	takes "iso9660 with Rock Ridge" "$W/rock.iso"
	iso -J -o "$W/joliet.iso"
	takes "iso9660 with Joliet" "$W/joliet.iso"
	ln -s boot "$R/way"
	ln -s ../way/grub/../vmlinuz-6.1.0-18-amd64 "$R/boot/link"
	iso -R -o "$W/links.iso"
	takes "a kernel by symbolic links" "$W/links.iso" --kernel /way/link --ramdisk /boot/initrd.img-6.1.0-18-amd64
	rm "$R/way" "$R/boot/link"
	truncate -s 60M "$W/rock.iso"
	mke2fs -q -F -t ext2 -E offset=$((40 << 20)) "$W/rock.iso" 10M 2>/dev/null
	printf 'label: dos\nstart=%d, size=%d, type=83\n' $((40 << 11)) $((10 << 11)) | sfdisk -q --force -w never "$W/rock.iso" >/dev/null 2>&1
	takes "a hybrid image, whose table names another file system" "$W/rock.iso"
	t "25 damaged CD images" python3 "$W/flip-image.py" "$PVCTL" "$W/links.iso" "$W/flipped" "" 32768 34816 40000 100000
else
	skip "iso9660" "xorriso is not installed"
fi

# ---- LVM ----
lvm() { rm -f "$1" && python3 tests/e2e/mk-lvm.py "$@"; }
truncate -s 30M "$W/fs"
fs ext4 "$W/fs"
head -c 3000000 /dev/zero >"$W/swap"
lvm "$W/lvm" 0 swap="$W/swap" root="$W/fs"
takes "a volume of LVM's" "$W/lvm"
lvm "$W/lvm" 0 swap="$W/swap" root="$W/fs:split" more="$W/swap:thin"
takes "one in two pieces, beside one that is thin" "$W/lvm"
truncate -s 40M "$W/part"
printf 'label: gpt\nstart=2048, size=75776\n' | sfdisk -q "$W/part"
python3 tests/e2e/mk-lvm.py "$W/part" $((2048 * 512)) root="$W/fs:split"
takes "a physical volume on a partition" "$W/part"
for f in striped:striped thin:thin away:'on another disk'; do
	lvm "$W/lvm" 0 root="$W/fs:${f%:*}"
	refused "a volume that is ${f%:*}" 1 "LVM's vg-one/root is ${f#*:}.*pvgrub64" pvctl bootloader "$W/lvm"
done
lvm "$W/lvm" 0 root="$W/fs:badsum"
refused "LVM's text with a wrong checksum" 1 'LVM, and damaged.*pvgrub64' pvctl bootloader "$W/lvm"
# A kernel of the same name on two volumes: GRUB's name of one says which.
mkdir -p "$W/other/boot/grub"
head -c 1000 /dev/urandom >"$W/other/boot/vmlinuz-6.1.0-18-amd64"
for root in lvm/vg--one-root lvmid/vrseSu-dLRT-g1hi-FCb2-jLxC-VWRD-iLLkaU/UcdNxf-WOL7-YYx4-ifhs-8VxW-x20l-xwcC01; do
	printf "menuentry one {\n set root='%s'\n linux /boot/vmlinuz-6.1.0-18-amd64\n initrd /boot/initrd.img-6.1.0-18-amd64\n}\n" $root \
		>"$W/other/boot/grub/grub.cfg"
	rm -f "$W/fs2"
	mke2fs -q -F -t ext4 -d "$W/other" "$W/fs2" 10M 2>/dev/null
	lvm "$W/lvm" 0 boot="$W/fs2" root="$W/fs"
	takes "set root='${root%%/*}/...'" "$W/lvm"
done

: >"$W/empty"
head -c 5000000 /dev/zero >"$W/zero"
head -c 5000000 /dev/urandom >"$W/noise"
{ printf 'QFI\373'; head -c 5000000 /dev/zero; } >"$W/qcow2"
head -c 4000000 "$W/gpt" >"$W/cut"
mkfifo "$W/fifo"
refused "a disk that is not there" 1 'nothing: No such file' pvctl bootloader "$W/nothing"
refused "an empty disk" 1 'empty' pvctl bootloader "$W/empty"
refused "a disk of zeroes" 1 'no file system' pvctl bootloader "$W/zero"
refused "a disk of noise" 1 'no file system' pvctl bootloader "$W/noise"
refused "a qcow2 image, without its format" 1 '--format qcow2' pvctl bootloader "$W/qcow2"
refused "a disk that was cut off" 1 'damaged|no boot config|no file system|not on the disk|cannot be read' pvctl bootloader --output-dir "$W/out" "$W/cut"
refused "a fifo" 1 'neither' pvctl bootloader "$W/fifo"
refused "a directory" 1 'neither' pvctl bootloader "$W"
mkdir -p "$R/evil"
# An endless script, and a kernel that is a link to itself.
cp "$R/boot/grub/grub.cfg" "$W/keep"
echo 'while true; do x=1; done' >"$R/boot/grub/grub.cfg"
truncate -s 30M "$W/endless"
fs ext4 "$W/endless"
refused "an endless grub.cfg" 1 'limits' pvctl bootloader "$W/endless"
cp "$W/keep" "$R/boot/grub/grub.cfg"
rm "$R/boot/vmlinuz-6.1.0-18-amd64"
ln -s vmlinuz-6.1.0-18-amd64 "$R/boot/vmlinuz-6.1.0-18-amd64"
truncate -s 30M "$W/loop"
fs ext4 "$W/loop"
refused "a kernel that is a link to itself" 1 'vmlinuz' pvctl bootloader --output-dir "$W/out" "$W/loop"

# Flipped bits in the metadata: an answer or an error, always soon, never a crash of pvctl.
cat >"$W/flip.py" <<'P'
import random, subprocess, sys, time
pvctl, disk, out = sys.argv[1:4]
good = open(disk, "rb").read()
worst, seen = 0, {}
for seed in range(60):
    r = random.Random(seed)
    d = bytearray(good)
    for _ in range(r.choice((1, 20, 400))):
        # The superblock, the descriptors, the first inodes and directories.
        d[r.randrange(1024, r.choice((2048, 8192, 1 << 18, 1 << 20)))] ^= 1 << r.randrange(8)
    open(out, "wb").write(d)
    start = time.monotonic()
    p = subprocess.run([pvctl, "bootloader", "--entry", "0", out], capture_output=True, timeout=60)
    worst = max(worst, time.monotonic() - start)
    assert p.returncode in (0, 1), (seed, p)
    assert p.returncode == 0 or p.stderr.startswith(b"pvctl: bootloader: "), (seed, p)
    assert b"sandbox forbids" not in p.stderr, (seed, p)
    seen[p.returncode] = seen.get(p.returncode, 0) + 1
print(seen, "worst %.2f s" % worst)
assert worst < 35
P
t "60 disks with flipped bits" python3 "$W/flip.py" "$PVCTL" "$W/plain" "$W/flipped"
t "60 with flipped bits, ext4" python3 "$W/flip.py" "$PVCTL" "$W/saved" "$W/flipped"
t "nothing of the helper is left" eval "! pgrep -x pvctl-bootloade"

cat >"$W/disk.cfg" <<C
name="disk"
memory=128
bootloader="pygrub"
bootloader_args=["--entry=0"]
disk=["$W/plain,raw,xvda,w"]
C
refused "create: what is on the disk is not a kernel" '*' 'vmlinuz.*not a kernel' pvctl config check "$W/disk.cfg"
cp "$KERNEL" "$W/vm" 2>/dev/null && rm "$R/boot/vmlinuz-6.1.0-18-amd64" && cp "$KERNEL" "$R/boot/vmlinuz-6.1.0-18-amd64" && {
	truncate -s 60M "$W/plain"
	mke2fs -q -F -t ext4 -d "$R" "$W/plain" 60M
	t "create: kernel and ramdisk from the disk pass the check" pvctl config check "$W/disk.cfg"
	qemu-img convert -O qcow2 "$W/plain" "$W/plain.qcow2" && sed -i 's/plain,raw/plain.qcow2,qcow2/' "$W/disk.cfg" &&
		t "the same from a qcow2 image" pvctl config check "$W/disk.cfg"
}
done_testing
