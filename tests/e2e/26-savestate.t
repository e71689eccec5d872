#!/bin/bash
# SPDX-License-Identifier: MIT
# What a domain is saved with, as the hypervisor gives and takes it: vCPUs, time, CPUID, and the log of writes.
. "$(dirname "$0")/lib.sh"
savestate() { timeout 120 "$O/tests/e2e/savestate" "$@"; }
# is WHAT WANT COMMAND...
is() {
	local what=$1 want=$2 got
	shift 2
	got=$("$@" 2>&1)
	if [ "$got" = "$want" ]; then ok "$what"; else not_ok "$what: \"$got\", not \"$want\""; fi
}
# guest NAME ELF LINE...
guest() {
	local name=$1 elf=$2
	shift 2
	printf '%s\n' "name=\"$name\"" "kernel=\"$O/guests/$elf.elf\"" 'memory=16' 'vcpus=2' 'cmdline="long"' \
		'on_poweroff="destroy"' 'on_crash="destroy"' "$@" >"$W/$name.cfg"
	pvctl create -q ${PAUSED:+-p} "$W/$name.cfg" 2>"$W/$name.err" || { cat "$W/$name.err"; return 1; }
}
well() { ! pvctl dmesg | grep -E 'BUG|panic'; }
no_difference() { pvctl debug-keys t && eventually 20 eval "pvctl dmesg | grep -a 'audit:' | tail -n 1 | grep -q ': 0 differ'"; }

t "node start" pvctl node start --memory 256 --cpus 2

# --- vCPUs, time ---
t "a guest that keeps its registers" guest k state-keeper
id=$(pvctl domid k)
t "it holds them" eventually 20 console_has k holding
for i in 1 2 3; do t "state out, other state in, and back: $i" savestate vcpu "$id"; done
t "a system time that cannot be is refused" savestate tsc "$id"
# Which ends its two minutes.
t "a day later" savestate tsc "$id" later
t "the guest has missed nothing" eventually 100 console_has k 'TEST RESULT: SUCCESS'
t "a guest whose registers are spoiled" guest k2 state-keeper
id=$(pvctl domid k2)
t "it holds them" eventually 20 console_has k2 holding
t "all of them" savestate vcpu "$id" spoil
t "a day later" savestate tsc "$id" later
t "it does notice" eventually 100 console_has k2 'TEST RESULT: FAILURE'
pvctl destroy k2 2>/dev/null
t "a guest that is given what no CPU had" guest k3 state-keeper
t "it holds its own" eventually 20 console_has k3 holding
t "hostile state is refused, or the guest's own harm" savestate hostile "$(pvctl domid k3)"
pvctl destroy k3
t "the hypervisor is well" well
t "the counts of all pages are right" no_difference

# --- CPUID ---
t "a domain of 32 vCPUs that has not run" eval "PAUSED=1 guest p version vcpus=32"
t "what CPUID is to tell it" savestate policy "$(pvctl domid p)"
t "its frames' names, types and pins" savestate foreign "$(pvctl domid p)"
is "state of all vCPUs that have any" "32 vCPUs" savestate vcpu "$(pvctl domid p)"
pvctl destroy p

# --- the log of writes ---
t "a guest that writes by all ways" guest w dirty-writer
id=$(pvctl domid w)
t "it writes" eventually 20 console_has w writing
is "its vCPUs, in the midst of it, out and back" "2 vCPUs" savestate vcpu "$id"
is "no log, no round" "error 22" savestate log "$id" clean
is "off: it is" none savestate log "$id" off
is "the log of no domain" "error 3" savestate log 4000 clean
is "on" none savestate log "$id" enable
is "not twice" "error 22" savestate log "$id" enable
is "only this kind of log" "error 22" savestate log "$id" test
is "it writes all the time" some savestate log "$id" clean
is "told, and kept" some savestate log "$id" peek
is "nobody wants to know" none savestate log "$id" forget
is "off again" none savestate log "$id" off
for i in 1 2 3; do t "followed, and nothing missed: $i" savestate dirty "$id" 1500; done
t "the counts of all pages are right" no_difference
t "on, when it ends" savestate log "$id" enable
pvctl destroy w
t "the guest saw nothing of it" eval "! console_has w 'FAIL'"
t "its memory is all given back" eventually 20 eval "! pvctl domid w"

# --- Linux ---
t "Linux with 2 vCPUs" pvctl create -q "$(config l 'vcpus=2' 'cmdline="console=hvc0 quiet"')"
t "it is up" eventually 150 console_has l 'guest-init'
id=$(pvctl domid l)
# The viewer stays when its input ends: the time is the limit.
{ sleep 1; echo '(while :; do ls -lR /proc/1; cp /bin/busybox /tmp/b; done) >/dev/null 2>&1 & echo busy'; sleep 3; } |
	timeout 5 "$PVCTL" console l >/dev/null 2>&1
t "it forks, execs and writes" eventually 20 console_has l '^busy'
for i in 1 2; do
	is "its vCPUs out and back: $i" "2 vCPUs" savestate vcpu "$id"
	t "followed, and nothing missed: $i" savestate dirty "$id" 3000
done
t "it is well, too" eval "[ \"\$({ sleep 1; echo 'echo a\$((6*7))b'; sleep 4; } | timeout 8 $PVCTL console l 2>/dev/null | grep -ac a42b)\" -ge 1 ]"
t "the counts of all pages are right" no_difference
pvctl destroy l
t "the hypervisor is well" well
done_testing
