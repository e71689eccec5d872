#!/bin/bash
# SPDX-License-Identifier: MIT
# User-mode network of a stock Linux guest: DHCP, names, TCP and UDP both ways, what it must not reach, its helper's death.
. "$(dirname "$0")/netlib.sh"
net_namespace "$0" any
. "$(dirname "$0")/lib.sh"
net_guest

ip link set lo up
ip addr add 192.0.2.1/32 dev lo
echo 'nameserver 192.0.2.1' >"$W/resolv.conf"
mount --bind "$W/resolv.conf" /etc/resolv.conf || { skip "user-mode network" "/etc/resolv.conf cannot be replaced"; done_testing; exit; }
head -c 10M /dev/urandom >"$W/big"
python3 tests/e2e/net-server.py "$W" &
server=$!
trap 'kill $server 2>/dev/null; cleanup' EXIT
eventually 10 test -e "$W/serving" || not_ok "the test's own servers"
helper() { pgrep -f "^pvctl-usernet .*mac=$1"; }
# Through a forwarded port of the host.
fetch() { python3 -c 'import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=60).read())' "$1"; }

refused "an unknown parameter" '*' 'did you mean bridge' pvctl create -q "$(config x 'vif=["brigde=x"]')"
t "create with an interface" pvctl create -q "$(net_config net 'net-up;httpd+-p+80+-h+/tmp' \
	'vif=["hostfwd=tcp:22080-80,hostfwd=udp::22007-:7"]')"
mac=$(pvctl network-list net | awk '$1 == 0 { print $3 }')
t "its MAC is one of Xen's" eval "[[ $mac == 00:16:3e:* ]]"
if eventually 120 console_has net 'LEASE 10.0.2.15 from 10.0.2.2 dns 10.0.2.3'; then ok "a lease"; else not_ok "a lease"; console_log net | tail -n 5; fi
t "it is connected" eval "pvctl network-list net | grep -q '^0   0  $mac 0      4 '"
t "as JSON" eval "pvctl network-list --json net | python3 -c 'import json,sys; v = json.load(sys.stdin)[\"vifs\"][0]; assert v[\"link\"] == \"user\" and v[\"rx_packets\"] > 0'"
t "a name, by UDP" eval "guest net 'nslookup host.test' | grep -q 'Address.*192.0.2.1'"
guest net 'nc 192.0.2.1 9000 </dev/null >/tmp/big; md5sum /tmp/big' >"$W/sums"
t "10 MiB from the host" grep -q "^$(sum "$W/big")" "$W/sums"
guest net 'nc 192.0.2.1 9002 </tmp/big >/dev/null' >/dev/null
t "and back" eval "eventually 60 test -e '$W/got' && cmp '$W/big' '$W/got'"
t "by a forwarded port" eval "fetch http://127.0.0.1:22080/big | cmp - '$W/big'"
# The router stands for the host's loopback, the name server for the host's own, which may be there, too.
for to in 10.0.2.2 10.0.2.3 192.0.2.1; do guest net "echo $to \$(nc -w 3 $to 9000 </dev/null 2>/dev/null | head -c 10 | wc -c)"; done >"$W/reached"
t "the host's loopback is not reached" [ "$(tr '\n' ' ' <"$W/reached")" = "10.0.2.2 0 10.0.2.3 0 192.0.2.1 10 " ]

# Ports that are taken: nothing begins, nothing stays.
refused "a forwarded port that is taken" '*' 'hostfwd tcp port 22080 of 127.0.0.1: Address already in use' \
	pvctl create -q "$(net_config second net-up 'vif=["hostfwd=tcp:22080-80"]')"
t "there is no such domain" eval "! pvctl domid second 2>/dev/null"
refused "also when it is attached" '*' 'hostfwd udp port 22007' pvctl network-attach net hostfwd=udp:22007-1
t "there is still one" [ "$(pvctl network-list net | wc -l)" = 2 ]

# The helper's death is no more than a pause.
pid=$(helper "$mac")
t "the helper is there" [ -n "$pid" ]
t "it can gain nothing" eval "grep -q 'NoNewPrivs:.*1' /proc/$pid/status && grep -q 'Seccomp:.*2' /proc/$pid/status && grep -q 'CapEff:.*0000000000000000' /proc/$pid/status"
kill -9 "$pid"
if eventually 30 eval "n=\$(helper $mac) && [ \$n != $pid ]"; then ok "another one"; else not_ok "another one"; fi
t "and the network with it" eval "fetch http://127.0.0.1:22080/big | cmp - '$W/big'"

t "network-attach" pvctl network-attach net mtu=1400 mac=00:16:3e:00:00:77
t "the guest has it" eval "eventually 20 eval \"pvctl network-list net | grep -q '00:16:3e:00:00:77 1      4 '\""
t "network-detach by MAC" pvctl network-detach net 00:16:3e:00:00:77
t "it is gone" eval "! pvctl network-list net | grep -q 00:16:3e:00:00:77 && ! helper 00:16:3e:00:00:77"
refused "network-detach of none" '*' 'has no vif "7"' pvctl network-detach net 7

t "reboot" pvctl reboot net
if eventually 120 eval "[ \$(console_log net | grep -c LEASE) -ge 2 ]"; then ok "a lease again"; else not_ok "a lease again"; fi
t "with the same MAC" eval "pvctl network-list net | grep -q $mac"
id=$(pvctl domid net)
t "destroy" pvctl destroy net
t "the helper ended" eval "eventually 10 eval '! helper $mac'"
t "nothing of it is left in the store" eval "! pvctl store read /local/domain/0/backend/vif/$id 2>/dev/null"
t "node stop" pvctl node stop
done_testing
