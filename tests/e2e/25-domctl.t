#!/bin/bash
# SPDX-License-Identifier: MIT
# Domctls as other tools than ours use them.
. "$(dirname "$0")/lib.sh"
domctl() { "$O/tests/e2e/domctl" "$@"; }
# is WHAT WANT COMMAND...
is() {
	local what=$1 want=$2 got
	shift 2
	got=$("$@" 2>&1)
	if [ "$got" = "$want" ]; then ok "$what"; else not_ok "$what: \"$got\", not \"$want\""; fi
}

t "node start" pvctl node start --memory 256 --cpus 2
printf '%s\n' 'name="s"' "kernel=\"$O/guests/shutdown.elf\"" 'memory=8' 'cmdline="reason=2"' >"$W/s.cfg"
t "a domain that suspends" pvctl create -q "$W/s.cfg"
id=$(pvctl domid s)
t "it is suspended" eventually 20 eval "[ \"\$($O/tests/e2e/domctl info $id)\" = '$id 2' ]"
is "getdomaininfo of domain 0" "0 -" domctl info 0
is "getdomaininfo answers about the next domain" "$id 2" domctl info 1
is "after the last there is none" "error 3" domctl info $((id + 1))
is "getvcpuinfo of domain 0" "online ran" domctl vcpu 0
is "the weight of domain 0" 256 domctl weight 0
is "its domain's weight" 256 domctl weight "$id"
is "no scheduler parameters of a domain that is not" "error 3" domctl weight $((id + 1))
is "createdomain takes MSR_RELAXED" created domctl create 1
is "and no flag beyond it" "error 22" domctl create 2
is "resumedomain" "" domctl resume "$id"
# That its hypercall came back is a failure to the guest.
t "the domain goes on where it was" eventually 20 console_has s 'it goes on after shutdown for reason 2'
done_testing
