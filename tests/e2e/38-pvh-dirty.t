#!/bin/bash
# SPDX-License-Identifier: MIT
# The log of writes of PVH domains: followed as a live migration would, and all memory compared in the end.
. "$(dirname "$0")/lib.sh"
. tests/e2e/guests.sh
. tests/e2e/pvhlib.sh
SEEDS=${SEEDS:-1 $((EPOCHSECONDS % 1000000))}
logdirty() { timeout 120 "$O/tests/e2e/logdirty" "$@"; }
log_op() { "$O/tests/e2e/savestate" log "$@"; }
# is WHAT WANT COMMAND...
is() {
	local what=$1 want=$2 got
	shift 2
	got=$("$@" 2>&1)
	if [ "$got" = "$want" ]; then ok "$what"; else not_ok "$what: \"$got\", not \"$want\""; fi
}
# writer NAME SECONDS: a guest that writes by all ways
writer() {
	printf '%s\n' "name=\"$1\"" 'type="pvh"' "kernel=\"$O/guests/pvh/dirty.elf\"" memory=8 vcpus=2 "cmdline=\"$2\"" \
		'on_poweroff="destroy"' 'on_crash="destroy"' >"$W/$1.cfg"
	pvctl create -q "$W/$1.cfg" && eventually 60 console_has "$1" writing
}
well() { pvctl info total_memory >/dev/null && ! pvctl dmesg | grep -aE 'BUG|panic|ASSERT|FATAL'; }

t "node start" pvctl node start --memory 256 --cpus 2
pvh_or_done
t "one to warm up" writer w0 0
guest_judge w0 120 must

# --- the operations ---
t "a guest that writes by all ways" writer w 20
id=$(pvctl domid w)
is "no log, no round" "error 22" log_op "$id" clean
is "off: it is" none log_op "$id" off
is "on" none log_op "$id" enable
is "not twice" "error 22" log_op "$id" enable
is "only this kind of log" "error 22" log_op "$id" test
is "it writes all the time" some log_op "$id" clean
is "told, and kept" some log_op "$id" peek
is "nobody wants to know" none log_op "$id" forget
is "off again" none log_op "$id" off
for i in 1 2 3; do t "followed, and nothing missed: $i" logdirty "$id" 1000; done
t "no count of a page is wrong" audit_is_clean
is "on, when it ends" none log_op "$id" enable
guest_judge w 120 must

# Without the flush at a round's end one in three of these misses something.
t "a guest that does not leave its loop" writer q '20 still'
for i in 1 2 3 4 5 6 7 8; do t "followed, and nothing missed: $i" logdirty "$(pvctl domid q)" 300; done
guest_judge q 120 must

# --- the end of a domain in the middle of it ---
free0=$(free_pages)
for i in 1 2 3 4 5; do
	t "a guest that is destroyed: $i" writer "d$i" 600
	id=$(pvctl domid "d$i")
	logdirty "$id" 60000 >"$W/followed" 2>&1 &
	sleep "0.$((3 + RANDOM % 6))"
	pvctl destroy "d$i"
	wait
	t "who follows it hears of that: $i" grep -qE 'clean|frames|types|pause' "$W/followed"
	t "it is gone: $i" eventually 20 eval "! pvctl domid d$i"
done
t "no memory is lost" eventually 10 eval "[ \"\$(free_pages)\" = '$free0' ]"
t "one that is destroyed when it was stopped with its log on" writer s 600
t "followed, and left" logdirty "$(pvctl domid s)" 500 leave
t "no count of a page is wrong" audit_is_clean
pvctl destroy s
t "no memory is lost" eventually 10 eval "[ \"\$(free_pages)\" = '$free0' ]"

# --- Linux ---
t "Linux with 2 vCPUs" pvctl create -q "$(config l 'type="pvh"' 'vcpus=2' 'cmdline="console=hvc0 quiet"')"
t "it is up" eventually 150 console_has l 'guest-init'
say_in l '(while :; do ls -lR /proc/1; cp /bin/busybox /tmp/b; done) >/dev/null 2>&1 & echo busy'
t "it forks, execs and writes" eventually 20 console_has l '^busy'
for i in 1 2; do t "followed, and nothing missed: $i" logdirty "$(pvctl domid l)" 3000; done
say_in l 'echo a$((6*7))b'
t "it is well" eventually 20 console_has l a42b
t "no count of a page is wrong" audit_is_clean
t "the hypervisor is well" well
t "node stop" pvctl node stop --force

# --- where races are wide ---
for seed in $SEEDS; do
	t "a node with delays of seed $seed" pvctl node start --memory 256 --cpus 2 --hypervisor "$O/xen-like-hv-delays.elf" \
		--hypervisor-options "delays=$seed delay_scale=20"
	t "a guest that writes" writer "x$seed" 15
	for i in 1 2; do t "followed with seed $seed, and nothing missed: $i" logdirty "$(pvctl domid "x$seed")" 3000; done
	guest_judge "x$seed" 240 must
	t "no count of a page is wrong" audit_is_clean
	t "the hypervisor is well" well
	t "node stop" pvctl node stop --force
done
done_testing
