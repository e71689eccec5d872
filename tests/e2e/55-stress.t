#!/bin/bash
# SPDX-License-Identifier: MIT
# Linux guests that work their memory, processes, timers and vCPUs hard, several at once; reboots and
# crashes over and over; nodes of other sizes; and what the scheduler's knobs do.
# alone: what is measured is shared with all of the machine.
. "$(dirname "$0")/lib.sh"
STRESS=$O/stress/initrd.gz
STUB=$O/guests/shutdown.elf
# cpu_ns NAME...: of one and the same moment
cpu_ns() { pvctl list --json | python3 -c 'import json,sys; d=json.load(sys.stdin); d=d.get("domains",d) if isinstance(d,dict) else d; n={x["name"]: x["cpu_ns"] for x in d}; print(*[n[a] for a in sys.argv[1:]])' "$@"; }
well() { ! pvctl dmesg | grep -E 'BUG|panic|watchdog'; }
# The hypervisor's heap keeps an empty page of each of its sizes, and what lives on may lie on one page or two: less
# than 16 pages. What follows ends domains more often than that.
near() { local now; now=$(free_bytes) && [ $((free0 - now)) -lt 65536 ] && [ $((now - free0)) -lt 65536 ]; }
same_free() { eventually 10 near || { echo "$(free_bytes), not $free0"; pvctl list; false; }; }
stub() { # NAME REASON LINE...: the test guest that goes down for a reason
	local name=$1 reason=$2
	shift 2
	printf '%s\n' "name=\"$name\"" "kernel=\"$STUB\"" 'memory=8' "cmdline=\"reason=$reason\"" "$@" >"$W/$name.cfg"
	pvctl create -q "$W/$name.cfg"
}
# The viewer stays when its input ends: the time is the limit.
say_in() { { sleep 0.5; printf '%s\n' "$2"; sleep "${3:-3}"; } | timeout "$((${3:-3} + 1))" "$PVCTL" console "$1" 2>/dev/null; }

t "node start" pvctl node start --memory 3072 --cpus 2
warm_up
free0=$(free_bytes)

# --- all at once, on 1, 2 and 4 vCPUs ---
for v in 1 2 4; do
	pvctl create -q "$(config "s$v" "ramdisk=\"$STRESS\"" "vcpus=$v" 'memory=160' \
		"cmdline=\"console=hvc0 quiet run=stress-run+4+$v+mem+shoot+exec+signal+pipe+clock+hotplug+oom\"")" || not_ok "create s$v"
done
for v in 1 2 4; do
	pvctl domid "s$v" >/dev/null 2>&1 || continue
	if eventually 600 console_has "s$v" 'stress: done'; then ok "$v vCPUs: done"; else not_ok "$v vCPUs: done"; console_log "s$v" | tail -n 15 | sed 's/^/#   /'; fi
	for what in mem shoot exec signal pipe clock oom; do console_has "s$v" "pvstress: $what ok" || not_ok "$v vCPUs: $what"; done
	t "$v vCPUs: nothing failed, the kernel complains of nothing" eval "! console_log s$v | grep -E 'FAILED'"
done

# --- time ---
host=$(date -u +%s)
guest=$(say_in s2 'echo at=$(date -u +%s)' 6 | tr -d '\r' | sed -n 's/^at=\([0-9]*\)$/\1/p' | tail -n 1)
# What is left of a difference is how long the console took, and what Linux lost before it chose its clock: until then
# it counts ticks, of which one that waits for a CPU misses some, on any hypervisor.
boot=$(console_log s2 | sed -n 's/^guest-init: up after \([0-9]*\).*/\1/p' | head -n 1)
boot=${boot:-0}
say "up after $boot s; wall clock: ${guest:-none} in the guest, $host here"
t "the guest's wall clock is the host's" [ "$((${guest:-0} - host))" -ge $((-3 - boot)) ] && t "nor is it ahead" [ "$((guest - host))" -le 8 ]
pvctl pause s2
sleep 5
t "unpause" pvctl unpause s2
say_in s2 'pvstress clock 5; pvstress mem 2; echo bad=$(dmesg | grep -cE "rcu.*stall|soft lockup|BUG:"); date -u +at=%s' 8 | tr -d '\r' >"$W/after"
guest=$(sed -n 's/^at=\([0-9]*\)$/\1/p' "$W/after" | tail -n 1)
t "after a pause it goes on" grep -q 'pvstress: mem ok' "$W/after"
t "and has not noticed" grep -qx 'bad=0' "$W/after"
t "its clock is right again" eval "d=\$((\$(date -u +%s) - ${guest:-0})); [ \$d -ge -1 ] && [ \$d -le $((15 + boot)) ]"

# --- a crash asked for ---
sed 's/^name=.*/name="boom"/' "$(config boom 'on_crash="restart"' 'cmdline="console=hvc0 quiet run=echo+c+>/proc/sysrq-trigger"')" >"$W/b.cfg"
t "a kernel that panics" pvctl create -q "$W/b.cfg"
t "is restarted by on_crash=restart" eventually 90 eval "[ \$(console_log boom | grep -c 'guest-init: up') -ge 2 ]"
# It crashes again and again: there may be no domain of that name for a moment.
t "and can be destroyed" eventually 30 pvctl destroy boom
for v in 1 2 4; do pvctl destroy "s$v"; done
t "no memory is lost" same_free

# --- the ways to go down ---
stub r0 0 && t "poweroff" eventually 10 eval "! pvctl domid r0"
stub r2 2 && t "suspend: it waits for who saves it" eventually 10 eval "pvctl list | grep -qE '^r2 .*s'"
pvctl destroy r2
stub r3 3 'on_crash="preserve"' && t "crash: preserved" eventually 10 eval "pvctl list | grep -qE '^r3 .*c'"
pvctl destroy r3
stub r4 4 && t "watchdog: destroyed" eventually 10 eval "! pvctl domid r4"
stub r9 9 && t "a trap without a handler: destroyed" eventually 10 eval "! pvctl domid r9"
n=0
for i in $(seq 20); do stub "c$i" $((i % 2 * 3)) && eventually 10 eval "! pvctl domid c$i" && n=$((n + 1)); done
t "20 times up and down" [ $n -eq 20 ]
t "no memory is lost by all this" same_free

# --- the scheduler's knobs ---
stub half 8 'cpus="0"' 'cap=25'
stub heavy 8 'cpus="1"' 'cpu_weight=512'
stub light 8 'cpus="1"' 'cpu_weight=256'
t "vcpu-list shows where they may run" eval "pvctl vcpu-list | grep -qE '^half +[0-9]+ +0 +0 .* 0 / all' && pvctl vcpu-list | grep -qE '^heavy +[0-9]+ +0 +1 .* 1 / all'"
sleep 1
read -r a0 b0 c0 <<<"$(cpu_ns half heavy light)"
at=$(date +%s%N)
sleep 4
read -r a b c <<<"$(cpu_ns half heavy light)"
at=$(($(date +%s%N) - at)) a=$((a - a0)) b=$((b - b0)) c=$((c - c0))
say "cap=25: $((a * 100 / at)) % of a CPU; weights 512 and 256: $((b * 100 / at)) % and $((c * 100 / at)) %"
t "cap=25 gives about a quarter of a CPU" [ $((a * 100 / at)) -ge 10 ] && t "nor more" [ $((a * 100 / at)) -le 40 ]
t "twice the weight, about twice the time" [ $((b * 10)) -ge $((c * 14)) ] && t "nor much more" [ $((b * 10)) -le $((c * 30)) ]
for d in half heavy light; do pvctl destroy $d; done
t "the hypervisor is well" well
t "no memory is lost at the end" same_free
t "node stop" pvctl node stop

# --- other nodes: RAM that ends below and above 4 GiB ---
for node in '1 256 96' '4 1024 128' '2 6144 4600'; do
	read -r cpus ram mem <<<"$node"
	[ "$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)" -gt $((ram + 512)) ] || { skip "a node of $ram MiB" "too little memory here"; continue; }
	t "a node with $cpus CPUs and $ram MiB" pvctl node start --memory "$ram" --cpus "$cpus"
	t "a domain of $mem MiB" pvctl create -q "$(config big "memory=$mem" "vcpus=$cpus")"
	if eventually 120 console_has big 'guest-init: up'; then ok "it reaches init"; else not_ok "it reaches init"; console_log big | tail -n 15 | sed 's/^/#   /'; fi
	t "node stop" pvctl node stop --force
	rm -f "$PVCTL_STATE_DIR"/default/console/*
done
done_testing
