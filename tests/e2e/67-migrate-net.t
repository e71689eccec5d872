#!/bin/bash
# SPDX-License-Identifier: MIT
# Migration of what is on a network: a bridge, which is told where the guest is now, and a switch of each node's. For root;
# the bridge is in a namespace of the test's own.
. "$(dirname "$0")/netlib.sh"
net_namespace "$0" root
. "$(dirname "$0")/lib.sh"
if [ ! -w /dev/net/tun ] || ! ip link add br0 type bridge 2>/dev/null; then
	skip "taps" "there is no /dev/net/tun, or the kernel makes no bridges"
	done_testing
	exit
fi
ip link set lo up
ip addr add 198.51.100.1/24 dev br0
ip link set br0 up
net_guest

mkdir -p "$W/b/run" "$W/b/state"
on_b() { PVCTL_RUN_DIR=$W/b/run PVCTL_STATE_DIR=$W/b/state "$@"; }
trap 'on_b "$PVCTL" node stop --force >/dev/null 2>&1; cleanup' EXIT
there="exec env PVCTL_RUN_DIR='$W/b/run' PVCTL_STATE_DIR='$W/b/state' '$PVCTL' migrate-receive"
here="exec env PVCTL_RUN_DIR='$PVCTL_RUN_DIR' PVCTL_STATE_DIR='$PVCTL_STATE_DIR' '$PVCTL' migrate-receive"
t "two nodes" eval "pvctl node start --memory 512 && on_b '$PVCTL' node start --memory 512"
# With a number that no domain of the other node has: taps are called after it, and here both hosts are one.
t "a peer on each node's switch" eval "for n in 1 2 3; do on_b '$PVCTL' create -q -p '$(printf '%s\n' 'name="number"' "kernel=\"$O/guests/version.elf\"" 'memory=8' >"$W/n.cfg"; echo "$W/n.cfg")' && on_b '$PVCTL' destroy number || exit; done"
peer() { net_config "peer" 'net-up+203.0.113.9/24' 'memory=96' 'vif=["link=switch,bridge=lab,mac=00:16:3e:00:00:99"]'; }
t "one here" pvctl create -q "$(peer)"
t "one there" on_b "$PVCTL" create -q "$(peer)"
t "one on the bridge and the switch" pvctl create -q "$(net_config one 'net-up+198.51.100.2/24;httpd+-p+80+-h+/tmp;ip+link+set+eth1+up;ip+addr+add+203.0.113.2/24+dev+eth1' \
	'vif=["bridge=br0,mac=00:16:3e:00:00:02","link=switch,bridge=lab"]')"
eventually 120 console_has one 'UP 198' || not_ok "it is up"
eventually 120 console_has peer 'UP 203' || not_ok "the peer here is up"
eventually 120 on_b grep -aq 'UP 203' "$W/b/state/default/console/peer.log" || not_ok "the peer there is up"

cat >"$W/arp.py" <<'END'
# Until a gratuitous ARP of the address, from that MAC, is on the bridge: prints through which port it came.
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
open(sys.argv[1], "w").close()
end = time.monotonic() + 90
ip, mac = socket.inet_aton("198.51.100.2"), bytes.fromhex("00163e000002")
while time.monotonic() < end:
    s.settimeout(max(0.1, end - time.monotonic()))
    try:
        f, where = s.recvfrom(2000)
    except socket.timeout:
        break
    if f[12:14] == b"\x08\x06" and f[22:28] == mac and f[28:32] == ip and f[38:42] == ip and where[0].startswith("vif"):
        print(where[0])
        sys.exit(0)
sys.exit("none")
END
connects() { python3 -c 'import socket; socket.create_connection(("198.51.100.2", 80), 2)'; }
# Its own words are not the output's: they are on the console, too.
reaches() { guest one 'ping -c 2 203.0.113.9' | grep -q '2 packets received'; }
t "the host reaches it" eventually 30 connects
t "it reaches the switch's peer" eventually 30 reaches
for way in there here; do
	rm -f "$W/listens"
	python3 "$W/arp.py" "$W/listens" >"$W/port" 2>&1 & arp=$!
	eventually 20 test -e "$W/listens" || not_ok "it listens"
	if [ $way = there ]; then
		t "migrate there" timeout 100 "$PVCTL" migrate -s '' one "$there"
		id=$(on_b "$PVCTL" domid one)
	else
		t "migrate back" on_b timeout 100 "$PVCTL" migrate -s '' one "$here"
		id=$(pvctl domid one)
	fi
	if wait $arp; then ok "a gratuitous ARP"; else not_ok "a gratuitous ARP"; sed 's/^/#   /' "$W/port"; fi
	t "from its new port" grep -qx "vif$id.0" "$W/port"
	t "its old one is gone" [ "$(ip -o link show master br0 | grep -c vif)" = 1 ]
	t "the host reaches it" eventually 30 connects
	if [ $way = there ]; then
		t "it reaches the switch's peer there" eval "export PVCTL_RUN_DIR='$W/b/run' PVCTL_STATE_DIR='$W/b/state'; eventually 30 reaches"
		export PVCTL_RUN_DIR=$W/run PVCTL_STATE_DIR=$W/state
	else
		t "it reaches the switch's peer here" eventually 30 reaches
	fi
done
done_testing
