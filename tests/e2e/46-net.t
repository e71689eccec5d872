#!/bin/bash
# SPDX-License-Identifier: MIT
# Network interfaces of stock Linux guests on a switch of the node's own; and a hostile frontend beside them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"

NETFRONT=${NETFRONT:-$O/demo/modules/xen-netfront.ko}
if [ ! -s "$NETFRONT" ]; then
	skip "network interfaces" "there is no xen-netfront.ko for the guest's kernel"
	done_testing
	exit
fi
mkdir -p "$W/root/lib/modules"
cp "$NETFRONT" "$W/root/lib/modules/xen-netfront.ko"
(cat "$RAMDISK"; cd "$W/root" && find lib | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$W/initrd.gz"
RAMDISK=$W/initrd.gz

# guest NAME COMMAND: on its console; what it printed
guest() {
	local name=$1 mark=$RANDOM$RANDOM out=$W/guest.out pid
	shift
	[ -p "$W/guest.in" ] || mkfifo "$W/guest.in"
	exec 9<>"$W/guest.in"
	"$PVCTL" console "$name" <"$W/guest.in" >"$out" 2>/dev/null &
	pid=$!
	printf 'echo begin-"%s"; %s; echo end-"%s"\n' "$mark" "$*" "$mark" >&9
	eventually "${WAIT:-60}" grep -q "end-$mark" "$out"
	kill $pid 2>/dev/null
	wait $pid 2>/dev/null
	exec 9>&-
	tr -d '\r' <"$out" | awk -v b="begin-$mark" -v e="end-$mark" '$0 ~ b"$" {on = 1; next} $0 ~ e"$" {exit} on'
}
# says NAME PATTERN COMMAND
says() {
	local name=$1 pattern=$2 out
	shift 2
	out=$(guest "$name" "$@")
	grep -qE -- "$pattern" <<<"$out" || { echo "$out"; return 1; }
}
# vif NAME FIELD: of its first interface
vif() { pvctl network-list "$1" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["vifs"][0][sys.argv[1]])' "$2" 2>/dev/null || echo 0; }
# address NAME N: what the guest does with its interface
up="ip+link+set+eth0+up;ip+addr+add+10.9.0.%d/24+dev+eth0;ip+addr+add+fd00:9::%d/64+dev+eth0"
setup() { printf "insmod+/lib/modules/xen-netfront.ko;$up" "$1" "$1"; }
again() { printf "for i in 1 2 3 4 5 6 7 8 9; do [ -d /sys/class/net/eth0 ] && break; sleep 1; done; ${up//+/ }; sleep 2" "$1" "$1"; }
net_linux() {
	local name=$1 n=$2 cpus=$3
	shift 3
	printf '%s\n' "name=\"$name\"" ${TYPE:+"type=\"$TYPE\""} "kernel=\"$KERNEL\"" "ramdisk=\"$RAMDISK\"" 'memory=160' "vcpus=$cpus" "$@" \
		"cmdline=\"console=hvc0 quiet run=$(setup "$n");httpd+-p+80+-h+/tmp\"" >"$W/$name.cfg"
	echo "$W/$name.cfg"
}
LAN=link=switch,bridge=lan

t "node start" pvctl node start --memory 1024 --cpus 2
daemon=$(daemon_pid)
t "create a" pvctl create -q "$(net_linux a 1 1 "vif=[\"$LAN,mac=00:16:3e:00:00:01\"]")"
t "create b, two vCPUs" pvctl create -q "$(net_linux b 2 2 "vif=[\"$LAN,mac=00:16:3e:00:00:02\"]" 'on_reboot="restart"')"
refused "a mac twice" '*' '00:16:3e:00:00:01|mac' pvctl network-attach b "$LAN,mac=00:16:3e:00:00:01"
for g in a b; do
	if eventually 120 eval "[ \"\$(vif $g state)\" = 4 ]"; then ok "$g is connected"; else not_ok "$g is connected"; console_log $g | tail -n 5 | sed 's/^/#   /'; fi
done
eventually 60 console_has b '^guest-init: insmod'
t "a queue for each vCPU" [ "$(vif a queues) $(vif b queues)" = "1 2" ]
t "ping, IPv4" says a ' 0% packet loss' 'sleep 1; ping -c 3 -W 5 10.9.0.2'
t "ping, IPv6" says a ' 0% packet loss' 'sleep 2; ping -c 3 -W 5 fd00:9::2'
t "ping in fragments" says a ' 0% packet loss' 'ping -c 2 -W 5 -s 9000 10.9.0.2'

sum=$(guest b 'dd if=/dev/urandom of=/tmp/x bs=1M count=20 2>/dev/null; md5sum </tmp/x' | tail -n 1)
t "20 MB, IPv4" says a "^${sum:-none}" 'wget -q -O - http://10.9.0.2/x | md5sum'
t "in large packets" [ "$(vif b tx_gso_packets)" -gt 0 -a "$(vif a rx_gso_packets)" -gt 0 ]
before=$(vif b tx_gso_packets)
t "20 MB, IPv6" says a "^${sum:-none}" 'wget -q -O - "http://[fd00:9::2]/x" | md5sum'
t "in large packets, too" [ "$(vif b tx_gso_packets)" -gt "$before" ]
say "a: $(vif a rx_bytes) bytes in $(vif a rx_packets) packets, of which $(vif a rx_gso_packets) large, $(vif a rx_drops) dropped"

t "network-detach" pvctl network-detach b 0
t "the guest has none" says b '^none' 'i=0; while [ -d /sys/class/net/eth0 -a $((i += 1)) -lt 20 ]; do sleep 1; done; [ -d /sys/class/net/eth0 ] || echo none'
t "network-attach, to another switch" pvctl network-attach b link=switch,bridge=other,mac=00:16:3e:00:00:02
t "it finds nobody there" says b '100% packet loss' "$(again 2); ping -c 2 -W 1 10.9.0.1"
t "detached again" pvctl network-detach b 0
t "network-attach" pvctl network-attach b "$LAN,mac=00:16:3e:00:00:02"
t "it is reached" says b ' 0% packet loss' "$(again 2); ping -c 2 -W 5 10.9.0.1"

# One sends while the other goes away and comes back.
guest a '(while :; do ping -c 200 -i 0.05 -s 1400 -q 10.9.0.2; dd if=/dev/zero bs=1k count=1000 | nc -u -w 1 10.9.0.2 9; done) >/dev/null 2>&1 &
echo' >/dev/null
id=$(pvctl domid b)
t "reboot" pvctl reboot b
if eventually 120 eval "i=\$(pvctl domid b) && [ \$i != $id ] && [ \"\$(vif b state)\" = 4 ]"; then ok "it is connected again"; else not_ok "it is connected again"; fi
t "with the same mac" [ "$(vif b mac)" = 00:16:3e:00:00:02 ]
# The sender goes on: where a queue is full, packets are dropped.
SOME=', [1-9][0-9]* packets received'
t "it is reached again" says a "$SOME" 'killall ping; for i in 1 2 3 4 5 6 7 8 9; do ping -c 1 -W 3 10.9.0.2 >/dev/null && break; done; ping -c 2 -W 5 10.9.0.2'

# On the same switch, all the while.
printf '%s\n' 'name="abuse"' "kernel=\"$O/guests/net-abuse.elf\"" 'memory=16' 'vcpus=2' 'on_poweroff="destroy"' \
	'on_crash="destroy"' "vif=[\"$LAN\",\"$LAN\"]" >"$W/abuse.cfg"
t "create a hostile one" pvctl create -q "$W/abuse.cfg"
t "the others reach each other" says a "$SOME" 'ping -c 5 -W 10 10.9.0.2'
verdict() {
	eventually 180 eval "! pvctl domid abuse" || not_ok "the abuse ends by itself"
	case $(console_log abuse | grep -a '^TEST RESULT:' | tail -n 1) in *SUCCESS*) ok "$1" ;; *)
		not_ok "$1"
		console_log abuse | tail -n 20 | sed 's/^/#   /' ;;
	esac
}
verdict "the hostile frontend: errors and disconnections only"
t "the others still do" says b "$SOME" 'ping -c 3 -W 10 10.9.0.1'
t "the daemon is the same process" [ "$(daemon_pid)" = "$daemon" ]

t "destroyed while it sends" pvctl destroy a
t "and the other" pvctl destroy b
t "no page is lent any more" eventually 10 no_dying
# The hypervisor keeps an empty page of its heap, or gives it back: no less than before is what counts.
free0=$(free_bytes)
t "the hostile one again" pvctl create -q "$W/abuse.cfg"
verdict "alone"
t "no page is lent any more" eventually 10 no_dying
say "free memory: $free0 bytes before, $(free_bytes) after"
t "no memory is lost" eventually 10 eval "[ \"\$(free_bytes)\" -ge '$free0' ]"
t "node stop" pvctl node stop
done_testing
