#!/bin/bash
# SPDX-License-Identifier: MIT
# A stock Linux kernel, from create to the end of its node.
. "$(dirname "$0")/lib.sh"

t "create starts the default node by itself" pvctl create -q -p "$(config one 'memory=256' 'vcpus=2' 'on_reboot="restart"')"
t "the list has it, paused" eval "pvctl list | grep -qE '^one +1 +256 +[0-9]+ +--p---'"
t "unpause" pvctl unpause one
if eventually 120 console_has one 'guest-init: up'; then ok "Linux reaches init"; else not_ok "Linux reaches init"; console_log one | tail -n 20; fi
t "it sees a Xen hypervisor and both vCPUs" console_has one '2 CPUs, xen hypervisor'

# A viewer that comes late sees what it missed, and its input reaches the guest.
say_in() { { sleep 0.5; printf '%s\n' "$2"; sleep "${3:-2}"; } | timeout 20 "$PVCTL" console "$1" 2>/dev/null; }
out=$(say_in one 'cat /sys/hypervisor/type; uname -r; expr 6 \* 7')
t "the console replays what was missed" grep -q 'guest-init: up' <<<"$out"
t "a shell answers" grep -qx '42.\?' <<<"$out"
say_in one 'cat /proc/interrupts | grep -c "xen-percpu.*timer0"; dmesg | tail -n 3' 2 >"$W/out"
t "the kernel complains of nothing" eval "! console_log one | grep -E '\] (BUG:|WARNING:|.*Oops|Call Trace)'"
# More than a pipe takes, to one that does not wait for its reader.
say_in one 'seq 1 30000' 8 >/dev/null
t "a console that nobody reads ends by a signal" python3 - "$PVCTL" <<'END'
import os, subprocess, sys, time
r, w = os.pipe()
os.set_blocking(w, False)
p = subprocess.Popen([sys.argv[1], "console", "one"], stdin=subprocess.PIPE, stdout=w, stderr=subprocess.DEVNULL)
time.sleep(2)
assert p.poll() is None
p.terminate()
p.wait(5)
END

# The store, by Debian's own tools.
if command -v xenstore-ls >/dev/null; then
	export XENSTORED_PATH=$PVCTL_RUN_DIR/default/store.sock
	t "xenstore-read" eval "[ \"\$(xenstore-read /local/domain/1/name)\" = one ]"
	t "xenstore-ls" eval "xenstore-ls /local/domain/1 | grep -q '^memory'"
	t "xenstore-write and -rm" eval "xenstore-write /tool/x 1 && [ \$(xenstore-read /tool/x) = 1 ] && xenstore-rm /tool/x && ! xenstore-read /tool/x 2>/dev/null"
	timeout 5 xenstore-watch -n 2 /tool/w >"$W/watch" 2>/dev/null &
	sleep 0.3
	xenstore-write /tool/w/a 1
	wait $!
	t "xenstore-watch sees a change" grep -q /tool/w/a "$W/watch"
else
	skip "xenstore-utils" "package xenstore-utils is not installed"
fi

t "pause" pvctl pause one
a=$(pvctl list --json | python3 -c 'import json,sys; d=json.load(sys.stdin); d=d.get("domains",d) if isinstance(d,dict) else d; print([x["cpu_ns"] for x in d if x["name"]=="one"][0])')
sleep 0.5
b=$(pvctl list --json | python3 -c 'import json,sys; d=json.load(sys.stdin); d=d.get("domains",d) if isinstance(d,dict) else d; print([x["cpu_ns"] for x in d if x["name"]=="one"][0])')
t "a paused domain uses no CPU time" [ "$a" = "$b" ]
t "unpause again" pvctl unpause one
t "domid and domname" eval "[ \"\$(pvctl domid one)\" = 1 ] && [ \"\$(pvctl domname 1)\" = one ]"
t "vcpu-list has two lines" eval "[ \$(pvctl vcpu-list one | grep -c '^one') -eq 2 ]"
t "uptime" eval "pvctl uptime | grep -q '^one'"
t "rename" eval "pvctl rename one uno && [ \"\$(pvctl domid uno)\" = 1 ] && pvctl rename uno one"

# reboot: another domain with the same name, up again
t "reboot is asked for" pvctl reboot one
if eventually 120 eval "[ \"\$(pvctl domid one 2>/dev/null)\" != 1 ] && pvctl domid one && [ \$(console_log one | grep -c 'guest-init: up') -ge 2 ]"; then
	ok "it comes up again under its name"
else
	not_ok "it comes up again under its name"
	pvctl list
	console_log one | tail -n 20
fi
t "shutdown -w" pvctl shutdown -w one
if eventually 10 eval "! pvctl domid one"; then ok "it is gone"; else not_ok "it is gone"; pvctl list; fi

# Nobody has said yet that he listens; the request waits until somebody does.
t "create another" pvctl create -q "$(config early)"
t "shutdown while it boots: it is taken up" timeout 180 "$PVCTL" shutdown -w --timeout 120 early
t "create one that never looks" pvctl create -q -p "$(config deaf)"
t "it is asked all the same" pvctl shutdown deaf
refused "and waited for no longer than said" '*' 'not shut down in time' pvctl shutdown --timeout 1 deaf
t "one that refuses" pvctl store write "/local/domain/$(pvctl domid deaf)/control/feature-poweroff" 0
refused "is not asked" '*' 'does not listen' pvctl shutdown deaf
refused "who is interrupted says what goes on" '*' 'interrupted; .*goes on to that size' timeout -s INT 1 "$PVCTL" mem-set --wait 60 deaf 100
t "destroy" pvctl destroy deaf
refused "create -F, interrupted" '*' 'interrupted; domain [0-9]+ goes on' timeout -s INT 3 "$PVCTL" create -q -F "$(config stays)"
t "it goes on" pvctl destroy stays

t "node stop" pvctl node stop
t "nothing is left in the run directory" eval "[ -z \"\$(ls -A '$PVCTL_RUN_DIR')\" ]"
t "no process is left" eval "! pgrep -f 'name pvctl-default.*$W' && ! pgrep -f 'pvctld.*$W'"
t "the console's log stays" console_has one 'guest-init: up'
done_testing
