#!/bin/bash
# SPDX-License-Identifier: MIT
# A PVH domain's memory by gfn, without a guest: what domain 0 can do to it, references, the end of the domain.
. "$(dirname "$0")/lib.sh"
physmap() { "$O/tests/e2e/physmap" "$@"; }
audited() { pvctl dmesg | grep -ac 'audit:.* differ'; }
no_difference() {
	local before
	before=$(audited)
	pvctl debug-keys t && eventually 20 eval "[ \$(audited) -gt $before ]" &&
		pvctl dmesg | grep -a 'audit:' | tail -n 1 | grep -q ': 0 differ'
}
free_now() { [ "$(physmap free)" = "$1" ]; }

t "node start" pvctl node start --memory 256 --cpus 2
physmap >/dev/null # what the hypervisor keeps for the next domain it has now
before=$(physmap free)
t "how much is free" [ -n "$before" ]
t "memory by gfn" physmap
t "all that it had is free again" eventually 20 free_now "$before"
t "and no count is wrong" no_difference
mkfifo "$W/go"
physmap hold <"$W/go" >"$W/held" &
exec 9>"$W/go"
t "a domain with entries of all kinds" eventually 20 [ -s "$W/held" ]
t "no count is wrong" no_difference
echo >&9
wait
t "its end is clean" eval '[ "$(wc -l <"$W/held")" = 1 ]'
t "all that it had is free again" eventually 20 free_now "$before"
t "and no count is wrong" no_difference
rounds() { for i in $(seq 20); do physmap || return 1; done; }
t "again and again" rounds
t "nothing is lost" eventually 20 free_now "$before"
t "the hypervisor's log has no complaint" eval '! pvctl dmesg | grep -aE "BUG|panic|ASSERT"'
done_testing
