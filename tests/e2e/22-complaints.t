#!/bin/bash
# SPDX-License-Identifier: MIT
# What users of xl complain of, where no other test shows that it is not so here: docs/complaints.md.
. "$(dirname "$0")/lib.sh"

# The library's user, in one process for long: descriptors and memory do not grow.
cat >"$W/embed.py" <<'P'
import ctypes, os, sys
lib = ctypes.CDLL(sys.argv[1])
ctx, lst = ctypes.c_void_p(), ctypes.c_void_p()
def once():
    if lib.pvctl_open(None, ctypes.byref(ctx), None):
        sys.exit("open")
    if lib.pvctl_domain_list(ctx, ctypes.byref(lst), None):
        sys.exit("list")
    lib.pvctl_domain_list_free(lst)
    lib.pvctl_close(ctx)
def used():
    return len(os.listdir("/proc/self/fd")), int(open("/proc/self/statm").read().split()[0])
for i in range(200):
    once()
before = used()
for i in range(3000):
    once()
after = used()
print(before, after)
sys.exit(after[0] != before[0] or after[1] > before[1] + 64)
P

# Creation fails with one message of one line, which says what is wrong.
one_message() { # PATTERN CONFIG
	local out rc=0
	out=$(pvctl create -q -p "$2" 2>&1 >/dev/null) || rc=$?
	say "$out"
	[ $rc -ne 0 ] && [ "$(grep -c . <<<"$out")" -eq 1 ] && grep -qE -- "$1" <<<"$out" && ! pvctl domid "$(basename "$2" .cfg)" 2>/dev/null
}
# Looks at a domain's state while it boots, runs and stops: it always has one.
always_a_state() {
	local end=$((SECONDS + 60)) state seen=0
	while pvctl domid state >/dev/null 2>&1 && [ $SECONDS -lt $end ]; do
		state=$(pvctl list --format csv -o state state 2>/dev/null | tail -n 1) || break
		case $state in running | blocked | paused | shutdown | dying) seen=$((seen + 1)) ;; state | '') ;; *) echo "$state"; return 1 ;; esac
		[ $seen -lt 20 ] || return 0
	done
	[ $seen -ge 20 ]
}

t "node start" pvctl node start --memory 512
t "one failure is one message: no kernel" one_message 'no-such-kernel: No such file' "$(config nokernel 'kernel="/no-such-kernel"')"
t "no bridge" one_message 'no bridge "xenbr77"' "$(config nobridge 'vif=["link=tap,bridge=xenbr77"]')"
t "no disk" one_message 'no-such-disk' "$(config nodisk 'disk=["/no-such-disk,raw,xvda,rw"]')"
t "too much memory" one_message '[0-9]+ MiB' "$(config nomem 'memory=4096')"
t "no environment is needed" env -i PVCTL_RUN_DIR="$PVCTL_RUN_DIR" PVCTL_STATE_DIR="$PVCTL_STATE_DIR" PVCTL_CONF= "$PVCTL" create -q -p "$(config bare)"
t "destroy" pvctl destroy bare
t "create" pvctl create -q "$(config state)"
t "a domain always has a state, in a word" always_a_state
t "destroy it" pvctl destroy state
t "its name is free at once" eval "pvctl create -q -p '$W/state.cfg' && pvctl destroy state"
if command -v python3 >/dev/null; then
	t "a program that uses the library for long does not grow" python3 "$W/embed.py" "$O/libpvctl.so.0"
else
	skip "a program that uses the library for long" "python3 is not installed"
fi
t "node stop" pvctl node stop --force
done_testing
