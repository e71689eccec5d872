#!/bin/bash
# SPDX-License-Identifier: MIT
# Commands with their Nth allocation, system call or hypercall failing: each ends by itself, says what failed, and leaves nothing
# behind: what there was is there, what was begun is gone. Samples of all N; "make check-inject" takes all.
. "$(dirname "$0")/lib.sh"
export PVCTL_DATA_DIR=$W/data
SAMPLES=${INJECT_SAMPLES:-3}
mkdir -p "$W/out"
names() { pvctl list --format csv -o name | tail -n +3 | tr '\n' ' '; }
list_is() { [ "$(names)" = "$1" ] || { echo "domains: $(names), wanted $1"; return 1; }; }
runs() { pvctl list --format csv -o name,state | grep -qE '^self,(running|blocked)$' || { echo "self does not run: $(pvctl list)"; return 1; }; }
# What is run before a command, and after it with its exit code; both leave no domain.
none_before() { :; }
none_after() { list_is ''; }
self_before() { pvctl restore "$W/self.save"; }
# Who lost his connection is forgotten by the daemon, which resumes what he suspended: that takes a moment.
self_stays() { list_is 'self ' && { eventually 20 runs || runs; } && pvctl destroy self; }
# A failure leaves it as it was, a success takes it away. That it is saved and not gone, or that the last answer was lost, is said.
save_after() {
	if [ "$1" -eq 0 ]; then
		list_is ''
	elif grep -q 'is saved, and stays suspended' "$W/stderr"; then
		for d in $(names); do pvctl destroy "$d"; done
	else
		self_stays
	fi || return 1
	rm -f "$W/out/self"
}
keep_after() { rm -f "$W/out/self"; self_stays; }
# A failure leaves none, a success leaves one; or a failure does whose last answer alone was lost, which it says.
new_after() {
	if [ "$1" -eq 0 ] || { grep -q 'answer:' "$W/stderr" && [ -n "$(names)" ]; }; then pvctl destroy self; fi && list_is ''
}
# It may have been done where the answer alone was lost.
suspend_after() {
	if [ "$1" -eq 0 ] || { grep -q 'answer:' "$W/stderr" && ! eventually 5 runs; }; then pvctl destroy self; else self_stays; fi && list_is ''
}
# Somewhere the other side may have it already: then exactly one of the two runs, and the command says where.
on_b() { PVCTL_RUN_DIR=$W/b PVCTL_STATE_DIR=$W/bs "$@"; }
running() { pvctl list --format csv -o name,state | grep -cE '^self[^,]*,(running|blocked)'; }
migrate_after() {
	local n
	# What was received and not given away goes with the connection.
	eventually 20 eval '! on_b pvctl list | grep -q -- --incoming'
	eventually 20 eval '[ $(($(running) + $(on_b running))) -eq 1 ]'
	n=$(($(running) + $(on_b running)))
	[ "$n" -le 1 ] || { echo "$n run"; return 1; }
	[ "$n" -eq 1 ] || { [ "$1" -ne 0 ] && grep -q 'suspended' "$W/stderr"; } || { echo "none runs"; return 1; }
	for n in $(names); do pvctl destroy "$n" || return 1; done
	for n in $(on_b names); do on_b pvctl destroy "$n" || return 1; done
}
cleanup_b() { on_b pvctl node stop --force >/dev/null 2>&1; cleanup; }
define_after() { pvctl undefine other >/dev/null 2>&1 || [ "$1" -ne 0 ] || { echo "it was not defined"; return 1; }; }
template_after() { pvctl template delete made >/dev/null 2>&1 || [ "$1" -ne 0 ] || { echo "no template"; return 1; }; }

run_one() { # KIND:N COMMAND...
	local what=$1
	shift
	timeout -k 5 "${LIMIT:-120}" env INJECT="$what" INJECT_COUNT="$W/count" LD_PRELOAD="$O/tests/inject.so" "$PVCTL" "$@" \
		>"$W/stdout" 2>"$W/stderr" </dev/null
}
each() { # WHAT BEFORE AFTER KIND COMMAND...
	local what=$1 before=$2 after=$3 kind=$4 total n step rc end=$((SECONDS + ${INJECT_SECONDS:-10})) done_=0
	shift 4
	$before || { echo "before: $what"; return 1; }
	run_one "$kind:0" "$@"
	rc=$?
	$after $rc && [ $rc -eq 0 ] || { echo "without a failure: exit $rc"; cat "$W/stderr"; return 1; }
	total=$(cat "$W/count")
	[ "$total" -gt 0 ] || { echo "none to fail"; return 1; }
	step=$((total / SAMPLES + 1))
	[ -z "${INJECT_ALL:-}" ] || step=1
	# The first always; from then on other ones each time.
	for ((n = 1; n <= total && SECONDS < end; n += 1 + (step > 1 ? RANDOM % (2 * step - 1) : 0))); do
		$before || { echo "before $kind:$n"; return 1; }
		run_one "$kind:$n" "$@"
		rc=$?
		done_=$((done_ + 1))
		[ $rc -lt 124 ] || { echo "$kind:$n of $total: exit $rc"; tail -n 5 "$W/stderr"; return 1; }
		[ $rc -eq 0 ] || [ -s "$W/stderr" ] || { echo "$kind:$n of $total: exit $rc and not a word"; return 1; }
		$after $rc || { echo "$kind:$n of $total: exit $rc"; cat "$W/stderr"; return 1; }
		[ -z "$(ls -A "$W/out")" ] || { echo "$kind:$n of $total: left: $(ls -A "$W/out")"; return 1; }
	done
	echo "$done_ of $total places" >"$W/covered"
}
inject() { # WHAT BEFORE AFTER COMMAND...: with each kind
	local what=$1 kind d
	for kind in memory memory-on call ${HYPERCALLS:-hypercall}; do
		t "$what: $kind" each "$what" "$2" "$3" "$kind" "${@:4}" && say "$(cat "$W/covered")" && continue
		for d in $(names); do pvctl destroy "$d"; done
	done
}

[ -s "$O/tests/inject.so" ] || { skip "failures" "make e2e-tools was not run"; done_testing; exit; }
t "node start" pvctl node start --memory 512
printf '%s\n' 'name="self"' "kernel=\"$O/guests/save-self.elf\"" 'memory=8' 'on_poweroff="destroy"' 'on_crash="destroy"' \
	'cmdline="linear asked rounds=4"' 'cpuid="host,aes=0"' >"$W/self.cfg"
mkdir -p "$W/b" "$W/bs"
trap cleanup_b EXIT
t "another node" on_b pvctl node start --memory 256
t "warm up" warm_up
t "what is restored" eval "pvctl create -q '$W/self.cfg' && eventually 20 console_has self 'READY 1' && pvctl save self '$W/self.save'"
# What the hypervisor keeps of a first time is none of what is looked for.
t "each once" eval "self_before && pvctl destroy self && pvctl create -q '$W/self.cfg' && pvctl destroy self && self_before && pvctl suspend self && pvctl destroy self && eventually 20 list_is ''"
before=$(free_bytes)

inject create none_before new_after create -q "$W/self.cfg"
inject restore none_before new_after restore "$W/self.save"
inject save self_before save_after save self "$W/out/self"
inject 'save -c' self_before keep_after save -c self "$W/out/self"
inject dump-core self_before keep_after dump-core self "$W/out/self"
inject suspend self_before suspend_after suspend self
inject migrate self_before migrate_after migrate -s '' self "PVCTL_RUN_DIR=$W/b PVCTL_STATE_DIR=$W/bs $PVCTL migrate-receive"
inject list self_before self_stays list --json
inject 'mem-max' self_before self_stays mem-max self 8
inject 'xenstore-quota-set' self_before self_stays xenstore-quota-set self nodes=900
inject wait self_before self_stays wait self --for running --timeout 5
HYPERCALLS=' ' inject define none_before define_after define "$(config other)"
HYPERCALLS=' ' inject template none_before template_after template create made --from "$(config made)"
# Each heap keeps an empty page once it has had one; what is lost with each failure, and a domain's memory, is more than that.
same_bytes() { [ $((before - $(free_bytes))) -le 65536 ] || { echo "free: $(free_bytes), before: $before"; return 1; }; }
t "no memory is lost" eval "eventually 20 same_bytes || same_bytes"
t "the node's account is right" eval "pvctl debug-keys t && pvctl dmesg | tail -n 5"
t "node stop" eval "pvctl node stop --force && on_b pvctl node stop --force"
done_testing
