#!/bin/bash
# SPDX-License-Identifier: MIT
# Domains that spin or flood do not keep others from running.
# alone: what is measured is shared with all of the machine.
. "$(dirname "$0")/lib.sh"

cpu_ms() {
	pvctl list --json | python3 -c 'import json,sys; d=json.load(sys.stdin); d=d.get("domains",d) if isinstance(d,dict) else d
print([x["cpu_ns"] for x in d if x["name"]==sys.argv[1]][0] // 1000000)' "$1"
}

t "node start, one CPU" pvctl node start --memory 2048 --cpus 1
for i in 1 2 3; do
	pvctl create -q "$(config spin$i 'vcpus=2' 'cmdline="console=hvc0 quiet run=while+:;do+:;done"')"
done
pvctl create -q "$(config flood 'cmdline="console=hvc0 quiet run=while+:;do+cat+/proc/kallsyms;done"')"
t "another boots beside three that spin and one that floods its console" eval "pvctl create -q '$(config calm)' && eventually 300 console_has calm 'guest-init: up'"
t "the tools answer meanwhile" timeout 5 "$PVCTL" list
t "the flood's log is bounded" eval "[ \$(du -k '$PVCTL_STATE_DIR/default/console' | tail -n 1 | cut -f1) -lt 20000 ]"
t "destroy all" eval "for d in spin1 spin2 spin3 flood calm; do pvctl destroy \$d || exit 1; done"
t "they are gone" eventually 10 eval "[ \$(pvctl list | wc -l) -le 2 ]"
t "Domain-0's time is shown" [ "$(cpu_ms Domain-0)" -gt 0 ]
t "node stop" pvctl node stop --force

# Shares on two CPUs. The limits are wide, for a host that is busy with other things: between what is right and what a
# count of vCPUs would give. What is exact is tested in simulated time (tests/unit/hv_sched_event/test_hv_shares.c).
loop='while+:;do+:;done'
spins() { pvctl create -q "$(config "$@")" && eventually 300 console_has "$1" 'guest-init: up'; }
# used DOMAIN...: the CPU time in ms that each used in ten seconds
used() {
	local d before=() i=0
	for d in "$@"; do before+=("$(cpu_ms "$d")"); done
	sleep 10
	for d in "$@"; do echo $(($(cpu_ms "$d") - before[i++])); done
}
t "node start, two CPUs" pvctl node start --memory 2048 --cpus 2
for i in 1 2 3; do t "one$i spins" spins one$i "cmdline=\"console=hvc0 quiet run=$loop\""; done
mapfile -t ms < <(used one1 one2 one3)
say "three with a vCPU each: ${ms[*]} ms"
most=$(printf '%s\n' "${ms[@]}" | sort -n | tail -n 1) least=$(printf '%s\n' "${ms[@]}" | sort -n | head -n 1)
t "three equal ones share two CPUs" [ $((most * 2)) -lt $((least * 3)) ]
for i in 1 2 3; do pvctl destroy one$i; done
for d in light heavy; do
	t "$d spins on two vCPUs" spins $d vcpus=2 "cpu_weight=$([ $d = light ] && echo 256 || echo 512)" "cmdline=\"console=hvc0 quiet run=$loop&$loop\""
done
mapfile -t ms < <(used light heavy)
say "two vCPUs each, of weights 256 and 512: ${ms[*]} ms"
t "the heavier one has more, by its weight" [ $((ms[1] * 10)) -gt $((ms[0] * 14)) ]
t "the lighter one has its share, too" [ $((ms[1] * 10)) -lt $((ms[0] * 30)) ]
done_testing
