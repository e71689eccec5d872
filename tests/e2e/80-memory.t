#!/bin/bash
# SPDX-License-Identifier: MIT
# What a guest used is returned to the host when the guest is gone, and reads as zero to the next.
# alone: what is measured is shared with all of the machine.
. "$(dirname "$0")/lib.sh"
daemon_pid() { pvctl node info --json | python3 -c 'import json,sys; d=json.load(sys.stdin); d=d.get("nodes",d) if isinstance(d,dict) else d; d=d[0] if isinstance(d,list) else d; print(d["pid"])'; }
# MiB that the node's RAM file has of the host
resident() {
	local f
	for f in /proc/"$pid"/fd/*; do
		case $(readlink "$f") in *memfd:pvctl-ram*) echo $(($(stat -L -c %b "$f") / 2048)) && return ;; esac
	done
	return 1
}
shrunk() { [ "$(resident)" -le $(($1)) ]; }

t "node start" pvctl node start --memory 512
pid=$(daemon_pid)
t "a domain to warm up" warm_up
free0=$(free_bytes)
before=$(resident)
t "a guest" pvctl create -q "$(config m)"
if eventually 120 console_has m 'guest-init: up'; then ok "reaches init"; else not_ok "reaches init"; fi
used=$(resident)
say "RAM file: $before MiB at first, $used MiB with the guest"
t "it uses memory" [ "$used" -ge $((before + 20)) ]
t "destroy" pvctl destroy m
t "what is free is the same again at once" [ "$(free_bytes)" = "$free0" ]
t "the host has its memory back" eventually 30 shrunk "before + 16"
say "RAM file: $(resident) MiB"
t "nothing is dirty any more" eventually 10 eval "pvctl info --json | grep -qE '\"scrub_bytes\": *0[,}]?'"
t "and the count is still the same" [ "$(free_bytes)" = "$free0" ]

# All of the memory, at once after it was used, again and again: nothing is missing, nothing is stale.
big=$((free0 / 1048576 - 24))
bad=0
for i in 1 2 3; do
	pvctl create -q "$(config "b$i" "memory=$big")" 2>"$W/err" || { bad=1 && sed 's/^/#   /' "$W/err"; }
	eventually 120 console_has "b$i" 'guest-init: up' || bad=1
	pvctl destroy "b$i" || bad=1
done
t "three guests of $big MiB after one another, each right after the last" [ $bad = 0 ]
t "no memory is lost" eventually 5 eval "[ \"\$(free_bytes)\" = '$free0' ]"
t "the host has that back, too" eventually 60 shrunk "before + 24"
say "RAM file: $(resident) MiB"
t "the hypervisor is well" eval "! pvctl dmesg | grep -E 'BUG|panic'"
done_testing
