# SPDX-License-Identifier: MIT
# For the tests of disks: a ramdisk with the driver and blkprobe, and what is left of a domain.
MODULE=${MODULE:-$O/demo/modules/xen-blkfront.ko}
PROBE=$O/tests/linux/blkprobe

# Sets RAMDISK; fails where the guest's kernel has no driver.
block_guest() {
	[ -s "$MODULE" ] || return 1
	mkdir -p "$W/root/lib/modules" "$W/root/bin"
	cp "$MODULE" "$W/root/lib/modules/xen-blkfront.ko"
	cp "$PROBE" "$W/root/bin/"
	pack_guest
	RAMDISK=$W/initrd.gz
}
# linux NAME COMMANDS [LINE...]: a config whose guest runs these, "+" for blanks; printed path
linux() {
	local name=$1 run=$2
	shift 2
	printf '%s\n' "name=\"$name\"" "kernel=\"$KERNEL\"" "ramdisk=\"$RAMDISK\"" 'memory=128' 'vcpus=1' \
		"cmdline=\"console=hvc0 quiet run=$run\"" "$@" >"$W/$name.cfg"
	echo "$W/$name.cfg"
}
node_pid() { pvctl node info --json | python3 -c 'import json,sys; n=json.load(sys.stdin); n=n[0] if isinstance(n,list) else n; n=n.get("nodes",[n])[0]; print(n[sys.argv[1]])' "$1"; }
daemon_pid() { node_pid pid; }
qemu_pid() { node_pid qemu_pid; }
# A domain whose pages are still lent does not go away: it stays, dying, in the hypervisor's list.
no_dying() {
	local mark
	mark=$(pvctl dmesg | wc -l)
	pvctl debug-keys q >/dev/null && ! pvctl dmesg | tail -n "+$((mark + 1))" | grep -E ' d[1-9][0-9]*: '
}
