#!/bin/bash
# SPDX-License-Identifier: MIT
# Which entry of a disk's boot menu starts: --entry, the menu on the terminal, pygrub's options; and hostile disks.
. "$(dirname "$0")/lib.sh"

export PVCTL_LIBEXEC_DIR=$O
PATH=$PATH:/usr/sbin:/sbin
for tool in mke2fs debugfs python3; do
	command -v $tool >/dev/null || { skip "boot menus" "$tool is not installed"; done_testing; exit; }
done
[ -s "$KERNEL" ] && [ -s "$RAMDISK" ] || { skip "boot menus" "there is no demo kernel"; done_testing; exit; }

R=$W/root
mkdir -p "$R/boot/grub"
cp "$KERNEL" "$R/boot/vmlinuz"
cp "$RAMDISK" "$R/boot/initrd.gz"
cp "$RAMDISK" "$R/boot/other.gz"
cat >"$R/boot/grub/grub.cfg" <<'C'
set default=one
set timeout=7
menuentry 'The first' --id one { linux /boot/vmlinuz console=hvc0 quiet hostname=one; initrd /boot/initrd.gz; }
menuentry 'The second' --id two { linux /boot/vmlinuz console=hvc0 quiet hostname=two; initrd /boot/initrd.gz; }
menuentry 'Another disk' --id chain { chainloader +1 }
C
truncate -s 40M "$W/disk"
mke2fs -q -F -t ext4 -d "$R" "$W/disk" 40M
cat >"$W/b.cfg" <<C
name="b"
memory=128
bootloader="pygrub"
disk=["$W/disk,raw,xvda,w"]
on_reboot="restart"
C
check() { pvctl config check "$W/b.cfg" "$@"; }
hosts() { console_log b 2>/dev/null | tr -d '\r' | grep -aoE '^(one|two):' | uniq | tr -d '\n'; }
ups() { console_log "$1" 2>/dev/null | grep -ac 'guest-init: up'; }

# pygrub's options: list and text, with = and without.
for good in 'bootloader_args="--entry=two -q"' 'bootloader_args=["--entry","The second"]' 'bootloader_args="--kernel=/boot/vmlinuz --ramdisk=/boot/initrd.gz"' \
	'bootloader_args="--ramdisk /boot/other.gz"' 'bootloader_args=["--args=a b","-i"]' 'bootloader_restrict=1'; do
	t "accepted: $good" check "$good"
done
refused "an offset without a file system" '*' 'no file system' check 'bootloader_args="--offset=1048576"'
refused "an offset that is none" '*' 'number of bytes' check 'bootloader_args="--offset=x"'
refused "--kernel that is not there" '*' '/boot/nothing is not on the disk' check 'bootloader_args="--kernel=/boot/nothing"'
refused "--kernel and --entry" '*' 'no meaning' check 'bootloader_args="--kernel=/boot/vmlinuz --entry=0"'
refused "--runas" '*' 'runas is not supported: .*bootloader_user' check 'bootloader_args="--runas=7"'
refused "--output" '*' 'output-directory is not supported' check 'bootloader_args=["--output-directory=/tmp"]'
refused "an option that nobody has" '*' '"--foo".*are known' check 'bootloader_args="--foo"'
refused "an entry that starts no kernel" '*' '"chain" starts no kernel: chainloader' check 'bootloader_args="--entry=chain"'
refused "bootloader_restrict=0" '*' 'always read in the sandbox' check 'bootloader_restrict=0'
refused "bootloader_user: nobody of that name" '*' 'no user "no-such-one"' check 'bootloader_user="no-such-one"'
refused "bootloader_user: root" '*' 'not read as root' check 'bootloader_user="root"'
if [ "$(id -u)" -eq 0 ]; then
	t "bootloader_user: another user" check 'bootloader_user="daemon"'
else
	refused "bootloader_user: another user" '*' 'only root' check 'bootloader_user="daemon"'
fi
t "pvctl bootloader: the timeout" eval "pvctl bootloader --json '$W/disk' | grep -q '\"timeout_seconds\": *7'"
t "pvctl bootloader --kernel" eval "pvctl bootloader --kernel /boot/vmlinuz --ramdisk /boot/other.gz --output-dir '$W' '$W/disk' && cmp '$W/kernel' '$KERNEL' && cmp '$W/ramdisk' '$RAMDISK'"
refused "create --entry without a boot loader" '*' 'no bootloader' pvctl create -q --entry 0 "$(config x)"
refused "create --entry of what is not there" '*' 'no entry "9"' pvctl create -q --entry 9 "$W/b.cfg"
refused "--entry and --menu" '*' 'only one' pvctl create -q --entry 0 --menu "$W/b.cfg"

t "create --entry" pvctl create -q --entry two "$W/b.cfg"
if eventually 120 eval '[ "$(ups b)" -ge 1 ]'; then ok "it is up"; else not_ok "it is up"; fi
{ sleep 0.5; printf 'hostname | sed s/$/:/\n'; sleep 3; } | timeout 10 "$PVCTL" console b >/dev/null 2>&1
t "the second entry runs" [ "$(hosts)" = two: ]
t "reboot" pvctl reboot b
if eventually 120 eval '[ "$(ups b)" -ge 2 ]'; then ok "it is up again"; else not_ok "it is up again"; fi
{ sleep 0.5; printf 'hostname | sed s/$/:/\n'; sleep 3; } | timeout 10 "$PVCTL" console b >/dev/null 2>&1
t "after the reboot the default runs: --entry was for one start" [ "$(hosts)" = two:one: ]
pvctl destroy b

t "--menu without a terminal: the default, and it says so" eval "pvctl create -p --menu '$W/b.cfg' </dev/null 2>&1 | grep -q 'no boot menu' && pvctl destroy b"

# The menu on a terminal.
if command -v tmux >/dev/null; then
	T="tmux -L pvctl-bootmenu-$$"
	screen() { $T capture-pane -p -t menu 2>/dev/null; }
	shows() { screen | grep -qE -- "$1"; }
	menu() { # OPTION...
		$T kill-session -t menu 2>/dev/null
		$T new-session -d -s menu -x 80 -y 24 "$PVCTL create -q -p $* $W/b.cfg; echo code \$?; sleep 60"
	}
	menu --menu
	if eventually 20 shows '^>  0  The first'; then ok "the menu is shown, the default marked"; else not_ok "the menu is shown, the default marked"; screen; fi
	t "it counts down" shows 'boots in [0-9]+ s'
	$T send-keys -t menu Down
	if eventually 10 shows '^>  1  The second'; then ok "Down"; else not_ok "Down"; screen; fi
	t "the clock has stopped" eval "! shows 'boots in'"
	$T send-keys -t menu 0
	if eventually 10 shows '^>  0  The first'; then ok "a number"; else not_ok "a number"; screen; fi
	$T send-keys -t menu Down Enter
	if eventually 90 shows 'code 0'; then ok "Enter creates it"; else not_ok "Enter creates it"; screen; fi
	t "it is there" pvctl domid b
	pvctl destroy b
	menu --menu
	eventually 20 shows 'The first'
	$T send-keys -t menu q
	if eventually 10 shows 'code [1-9]'; then ok "q leaves"; else not_ok "q leaves"; screen; fi
	t "and nothing was created" eval "! pvctl domid b"
	menu --menu
	if eventually 90 shows 'code 0'; then ok "without a key the default boots"; else not_ok "without a key the default boots"; screen; fi
	t "it is there as well" pvctl domid b
	pvctl destroy b
	$T kill-server 2>/dev/null
else
	skip "the boot menu on a terminal" "tmux is not installed"
fi

# Disks that mean harm: an error, soon, and by its name.
mkdir -p "$W/h/boot/grub/d" "$W/h/loader/entries"
fs() { truncate -s 24M "$W/evil"; mke2fs -q -F -t ext4 -O ^metadata_csum,^has_journal -d "$W/h" "$W/evil" 24M; } # as h is now
cp "$R/boot/grub/grub.cfg" "$W/h/boot/grub/"
fs
debugfs -w -R 'ln /boot /boot/grub/d/up' "$W/evil" >/dev/null 2>&1
refused "a directory within itself" 1 'not on the disk' pvctl bootloader --entry 0 "$W/evil"
printf 'menuentry a { linux /boot/huge }\n' >"$W/h/boot/grub/grub.cfg"
truncate -s 1T "$W/h/boot/huge" 2>/dev/null || truncate -s 300M "$W/h/boot/huge"
fs
refused "a kernel of a terabyte" 1 'larger than 256 MiB' pvctl bootloader --entry 0 "$W/evil"
rm "$W/h/boot/huge" "$W/h/boot/grub/grub.cfg"
truncate -s 100M "$W/h/boot/grub/grub.cfg"
fs
refused "a grub.cfg of 100 MiB" 1 'limits' pvctl bootloader "$W/evil"
rm "$W/h/boot/grub/grub.cfg"
ln -s b "$W/h/boot/grub/grub.cfg"
ln -s grub.cfg "$W/h/boot/grub/b"
fs
refused "links that go round" 1 'no boot config|no entry|cannot be read' pvctl bootloader "$W/evil"
rm "$W/h/boot/grub/grub.cfg" "$W/h/boot/grub/b"
printf 'source /boot/grub/grub.cfg\n' >"$W/h/boot/grub/grub.cfg"
fs
refused "a file that includes itself" 1 'limits' pvctl bootloader "$W/evil"
rm "$W/h/boot/grub/grub.cfg"
for i in $(seq 100); do printf 'title %s\nlinux /k\n' "$i" >"$W/h/loader/entries/$i.conf"; done
fs
refused "boot loader entries without end" 1 'limits|no boot config' pvctl bootloader "$W/evil"
rm -r "$W/h/loader"
mkdir -p "$W/h/extlinux"
printf 'DEFAULT disk\nLABEL disk\nLOCALBOOT 0\nLABEL l\nLINUX /k\n' >"$W/h/extlinux/extlinux.conf"
: >"$W/h/k"
fs
refused "extlinux: a default that is localboot" 1 '"disk" starts no kernel: localboot' pvctl bootloader --output-dir "$W" "$W/evil"
refused "extlinux: an empty kernel" 1 'empty' pvctl bootloader --entry l "$W/evil"
t "nothing of the helper is left" eval "! pgrep -x pvctl-bootloade"
done_testing
