#!/bin/bash
# SPDX-License-Identifier: MIT
# Other stock PV kernels than the one of the other tests, as far as apt can download them, and other
# forms of that one.
. "$(dirname "$0")/lib.sh"
store=$O/kernels
mkdir -p "$store"

# fetch PACKAGE FILE NAME: FILE of PACKAGE as $store/NAME, kept for the next time
fetch() {
	local tmp rc=1
	[ -s "$store/$3" ] && return 0
	command -v apt-get >/dev/null && [ -n "$1" ] || return 1
	tmp=$(mktemp -d)
	if (cd "$tmp" && timeout 120 apt-get download "$1") >/dev/null 2>&1 && dpkg-deb -x "$tmp"/*.deb "$tmp/x"; then
		# shellcheck disable=SC2086
		cp "$tmp"/x/$2 "$store/$3.tmp" && mv "$store/$3.tmp" "$store/$3" && rc=0
	fi
	rm -rf "$tmp"
	return $rc
}
depends_on() { apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-[^ ]*\).*/\1/p' | head -n 1; }
quiet_kernel() { ! console_log "$1" | grep -E '\] (BUG:|WARNING:|.*Oops|Call Trace|.*soft lockup|.*rcu.*stall)'; }
boots() { # NAME WHAT: starts and shuts down
	if eventually 150 console_has "$1" 'guest-init: up after'; then ok "$2 reaches init"; else not_ok "$2 reaches init"; console_log "$1" | tail -n 15 | sed 's/^/#   /'; fi
	t "$2 complains of nothing" quiet_kernel "$1"
	t "$2 shuts down" timeout 60 "$PVCTL" shutdown -w "$1"
}

t "node start" pvctl node start --memory 2048 --cpus 2
warm_up
free0=$(free_bytes)

# xz payload, the largest configuration
if fetch "$(depends_on linux-image-amd64)" 'boot/vmlinuz-*' generic; then
	t "Debian's generic kernel: create" pvctl create -q "$(config generic "kernel=\"$store/generic\"" 'memory=256' 'vcpus=2')"
	boots generic "Debian's generic kernel"
else
	skip "Debian's generic kernel" "apt cannot download it"
fi

# Notes in sections, linked at 0, the hypercall page, an MMU of its own.
if fetch grub-xen-host usr/lib/grub-xen/grub-x86_64-xen.bin grub; then
	printf '%s\n' 'name="grub"' "kernel=\"$store/grub\"" 'memory=64' >"$W/grub.cfg"
	t "PV GRUB: create" pvctl create -q "$W/grub.cfg"
	t "PV GRUB comes to its prompt" eventually 60 console_has grub 'grub> '
	{ sleep 0.5; for c in ls help; do printf '%s\n' "$c"; sleep 2; done; } | timeout 20 "$PVCTL" console grub >"$W/grub.out" 2>/dev/null
	t "ls and help answer" eval "grep -qa '(memdisk)' '$W/grub.out' && grep -qa 'xen_ls' '$W/grub.out'"
	t "it is destroyed" pvctl destroy grub
else
	skip "PV GRUB" "apt cannot download it"
fi

# The stock kernel as ELF, plain and compressed. The cache has what was unpacked.
if command -v lz4 >/dev/null && command -v zstd >/dev/null && tool=$(python3 - "$KERNEL" "$W/payload" <<'P'
import struct, sys
d = open(sys.argv[1], "rb").read()
at = (d[0x1f1] or 4) * 512 + 512 + struct.unpack_from("<I", d, 0x248)[0]
p = d[at:at + struct.unpack_from("<I", d, 0x24c)[0]]
open(sys.argv[2], "wb").write(p[:-4])
print({b"\x02\x21\x4c\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd"}[p[:4]])
P
); then
	$tool -dcq "$W/payload" >"$W/vmlinux" 2>/dev/null
	gzip -1c "$W/vmlinux" >"$W/vmlinux.gz"
	for k in vmlinux vmlinux.gz; do
		t "the kernel as $k: create" pvctl create -q "$(config "elf-${k/./-}" "kernel=\"$W/$k\"")"
		boots "elf-${k/./-}" "the kernel as $k"
	done
else
	skip "the kernel as ELF" "no lz4 or zstd here, or another payload"
fi

t "no memory is lost" eventually 10 eval "[ \"\$(free_bytes)\" = '$free0' ]"
t "the hypervisor is well" eval "! pvctl dmesg | grep -E 'BUG|panic'"
done_testing
