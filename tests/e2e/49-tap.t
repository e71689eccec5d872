#!/bin/bash
# SPDX-License-Identifier: MIT
# Taps and bridges: two guests and the host on a bridge, hotplug scripts by Xen's contract. For root; the bridge is in a
# namespace of the test's own.
. "$(dirname "$0")/netlib.sh"
net_namespace "$0" root
. "$(dirname "$0")/lib.sh"
if [ ! -w /dev/net/tun ]; then
	skip "taps" "/dev/net/tun is not there"
	done_testing
	exit
fi
ip link set lo up
if ! ip link add br0 type bridge 2>/dev/null; then
	skip "taps" "the kernel makes no bridges"
	done_testing
	exit
fi
net_guest
ip addr add 198.51.100.1/24 dev br0
ip link set br0 up
head -c 10M /dev/urandom >"$W/big"
python3 tests/e2e/net-server.py "$W" &
server=$!
trap 'kill $server 2>/dev/null; cleanup' EXIT
eventually 10 test -e "$W/serving" || not_ok "the test's own servers"

refused "a bridge that is not there" '*' 'no bridge "br7".*ip link add' pvctl create -q "$(config x 'vif=["link=tap,bridge=br7"]')"
refused "a script that is not there" '*' '/etc/xen/scripts/vif-none.* cannot be run' pvctl create -q "$(config x 'vif=["script=vif-none"]')"
refused "hostfwd on a bridge" '*' 'hostfwd is for link=user' pvctl create -q "$(config x 'vif=["bridge=br0,hostfwd=tcp:1-1"]')"

t "create on the bridge" pvctl create -q "$(net_config one 'net-up+198.51.100.2/24;httpd+-p+80+-h+/tmp' 'vif=["bridge=br0"]')"
one=$(pvctl domid one)
t "a second one, with a name" pvctl create -q "$(net_config two 'net-up+198.51.100.3/24;ip+link+set+eth0+mtu+1400' 'vif=["bridge=br0,vifname=two0,mtu=1400"]')"
t "both are the bridge's ports" eval "ip -o link show master br0 | grep -q 'vif$one.0' && ip -o link show master br0 | grep -q two0"
t "with the MTU" eval "ip -o link show two0 | grep -q 'mtu 1400'"
refused "the name again" '*' 'already' pvctl network-attach one bridge=br0,vifname=two0
eventually 120 console_has one 'UP 198' || not_ok "the first guest is up"
eventually 120 console_has two 'UP 198' || not_ok "the second guest is up"
guest one 'nc 198.51.100.1 9000 </dev/null >/tmp/big; md5sum /tmp/big' >"$W/sums"
t "10 MiB from the host" grep -q "^$(sum "$W/big")" "$W/sums"
guest one 'nc 198.51.100.1 9002 </tmp/big >/dev/null' >/dev/null
t "and back" eval "eventually 60 test -e '$W/got' && cmp '$W/big' '$W/got'"
t "the host reaches a guest" eval "python3 -c 'import sys, urllib.request
sys.stdout.buffer.write(urllib.request.urlopen(\"http://198.51.100.2/big\", timeout=60).read())' | cmp - '$W/big'"
guest two 'wget -q -O /tmp/big http://198.51.100.2/big; md5sum /tmp/big' >"$W/sums"
t "and to the other guest" grep -q "^$(sum "$W/big")" "$W/sums"
t "network-detach" pvctl network-detach two 0
t "its tap is gone" eval "! ip link show two0 2>/dev/null"

# Scripts. xenstore-utils are what Xen's own scripts use.
cat >"$W/vif-test" <<END
#!/bin/sh
{ echo "\$1 \$2 vif=\$vif"; for k in script bridge ip mac; do echo "\$k=\$(xenstore-read "\$XENBUS_PATH/\$k")"; done; } >>"$W/script.log" 2>&1
[ "\$1" = offline ] && exit 0
ip link set "\$vif" up && ip link set "\$vif" master br0
xenstore-write "\$XENBUS_PATH/hotplug-status" connected
END
cat >"$W/vif-bad" <<'END'
#!/bin/sh
[ "$1" = offline ] && exit 0
xenstore-write "$XENBUS_PATH/hotplug-error" "no such weather today" "$XENBUS_PATH/hotplug-status" error
exit 1
END
chmod 755 "$W/vif-test" "$W/vif-bad"
if command -v xenstore-read >/dev/null; then
	t "network-attach with a script" pvctl network-attach two "script=$W/vif-test" bridge=br0 'ip=198.51.100.3' mac=00:16:3e:00:00:03 devid=5
	two=$(pvctl domid two)
	t "it was called by the contract" eval "tr '\\n' ' ' <'$W/script.log' | grep -qF 'online type_if=vif vif=vif$two.5 script=$W/vif-test bridge=br0 ip=198.51.100.3 mac=00:16:3e:00:00:03'"
	t "and did its work" eval "ip -o link show master br0 | grep -q vif$two.5"
	refused "a script that fails" '*' 'vif-bad.*no such weather' pvctl network-attach two "script=$W/vif-bad"
	t "nothing of it is left" eval "eventually 10 eval '[ \$(pvctl network-list two | wc -l) = 2 ] && ! ip link show vif$two.0 2>/dev/null'"
	refused "also at create" '*' 'vif-bad.*no such weather' pvctl create -q "$(config bad "vif=['script=$W/vif-bad']")"
	t "there is no such domain" eval "! pvctl domid bad 2>/dev/null"
	t "destroy" pvctl destroy two
	t "offline was called, with what it needs" eval "eventually 20 eval \"tr '\\\\n' ' ' <'$W/script.log' | grep -qF 'offline type_if=vif vif=vif$two.5 script=$W/vif-test bridge=br0 ip=198.51.100.3'\""
	t "the tap is gone" eval "eventually 10 eval '! ip link show vif$two.5 2>/dev/null'"
	t "and its nodes" eval "eventually 10 eval '! pvctl store read /local/domain/0/backend/vif/$two/5/script 2>/dev/null'"
	t "and their directory" eval "eventually 10 eval '! pvctl store read /local/domain/0/backend/vif/$two 2>/dev/null'"
else
	skip "scripts" "package xenstore-utils is not installed"
fi
# Its interface is deleted while the guest takes nothing, and much waits for it.
mac=$(pvctl network-list one | awk '$1 == 0 { print $3 }')
ip neigh replace 198.51.100.2 lladdr "$mac" dev br0 nud permanent
t "pause" pvctl pause one
python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(3000): s.sendto(b"x", ("198.51.100.2", 9))'
sleep 1
ip link delete "vif$one.0"
t "unpause" pvctl unpause one
t "the daemon sees that the tap is gone" eventually 10 grep -q "tap \"vif$one.0\": " "$PVCTL_STATE_DIR/default/daemon.log"
t "node stop" pvctl node stop --force
t "no tap is left" eval "! ip -o link show | grep -E ': (vif|two)'"
done_testing
