# SPDX-License-Identifier: MIT
# For the tests of the network, sourced before lib.sh: they run in a network and a mount namespace of their own, with
# nothing in it but loopback and what the test makes, so that they reach nobody else and leave nothing behind.
net_namespace() { # net_namespace SCRIPT root|any
	[ -z "${PVCTL_NET_NS:-}" ] || return 0
	export PVCTL_NET_NS=1
	if [ "$(id -u)" = 0 ] && unshare -nm true 2>/dev/null; then exec unshare -nm "$1"; fi
	if [ "$2" = any ] && unshare -rnm true 2>/dev/null; then exec unshare -rnm "$1"; fi
	echo "ok 1 - $(basename "$1") # SKIP a network namespace cannot be had here${2:+ ($2 may)}"
	echo 1..1
	exit
}
# The demo guest with xen-netfront and a DHCP client's script; sets RAMDISK, or skips the test.
net_guest() {
	local module=${NETFRONT:-$O/demo/modules/xen-netfront.ko}
	if [ ! -s "$module" ]; then
		skip "network" "there is no xen-netfront.ko for the guest's kernel"
		done_testing
		exit
	fi
	mkdir -p "$W/root/lib/modules" "$W/root/etc/udhcpc" "$W/root/bin"
	cp "$module" "$W/root/lib/modules/xen-netfront.ko"
	cat >"$W/root/etc/udhcpc/default.script" <<-'END'
		#!/bin/sh
		[ "$1" = bound ] || exit 0
		ip addr add "$ip/${mask:-24}" dev "$interface"
		ip route add default via "${router%% *}"
		echo "nameserver ${dns%% *}" >/etc/resolv.conf
		echo "LEASE $ip from ${router%% *} dns ${dns%% *}"
	END
	cat >"$W/root/bin/net-up" <<-'END'
		#!/bin/sh
		insmod /lib/modules/xen-netfront.ko
		until ip link set eth0 up 2>/dev/null; do sleep 0.1; done
		[ -n "$1" ] && ip addr add "$1" dev eth0 && echo "UP $1" && exit
		udhcpc -i eth0 -n -q -t 10 -T 1
	END
	chmod 755 "$W/root/etc/udhcpc/default.script" "$W/root/bin/net-up"
	(cat "$RAMDISK"; cd "$W/root" && find . -mindepth 1 | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$W/initrd.gz"
	RAMDISK=$W/initrd.gz
}
# net_config NAME RUN [LINE...]
net_config() {
	local name=$1 run=$2
	shift 2
	config "$name" "cmdline=\"console=hvc0 quiet run=$run\"" "$@" | xargs sed -i '/console=hvc0 quiet"$/d' >/dev/null
	echo "$W/$name.cfg"
}
# guest NAME COMMAND: on its console; what it printed, at the latest after WAIT seconds
guest() {
	local name=$1 mark=m$RANDOM$RANDOM pid
	shift
	rm -f "$W/in" "$W/out"
	mkfifo "$W/in"
	timeout "${WAIT:-60}" "$PVCTL" console "$name" <"$W/in" >"$W/out" 2>/dev/null &
	pid=$!
	exec 9>"$W/in"
	sleep 0.3
	printf 'echo begin-"%s"; %s; echo end-"%s"\n' "$mark" "$*" "$mark" >&9
	eventually "${WAIT:-60}" grep -q "^end-$mark" "$W/out"
	exec 9>&-
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	tr -d '\r' <"$W/out" | awk -v b="begin-$mark" -v e="end-$mark" '$0 ~ b"$" {on = 1; next} $0 ~ e"$" {exit} on'
}
sum() { md5sum <"$1" | cut -d' ' -f1; }
