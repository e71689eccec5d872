#!/bin/bash
# SPDX-License-Identifier: MIT
# The test guests: each asserts part of the ABI, or tries to break out, and says how it went.
. "$(dirname "$0")/lib.sh"
. tests/e2e/guests.sh

t "node start" pvctl node start --memory 1024 --cpus 2
t "a domain to warm up" warm_up
free0=$(free_pages)
for g in $(guest_names); do
	guest_config "$g" >/dev/null
	if ! pvctl create -q "$W/$g.cfg" >"$W/out" 2>&1; then
		not_ok "guest $g: create"
		sed 's/^/#   /' "$W/out"
		continue
	fi
	guest_judge "$g"
done
t "the hypervisor is well after all of them" eval "pvctl info total_memory && ! pvctl dmesg | grep -E 'BUG|panic'"
say "free memory: $free0 bytes at first, $(free_pages) after"
t "no memory is lost" eventually 5 eval "[ \"\$(free_pages)\" = '$free0' ]"
t "no domain is left" eval "[ \$(pvctl list | wc -l) -le 2 ]"
done_testing
