#!/bin/bash
# SPDX-License-Identifier: MIT
# on_poweroff, on_reboot, on_crash; consoles of domains that die at once.
. "$(dirname "$0")/lib.sh"
STUB=$O/guests/version.elf

t "node start" pvctl node start --memory 1024
guest() { # NAME LINE...: a test guest that powers off within milliseconds
	local name=$1
	shift
	printf '%s\n' "name=\"$name\"" "kernel=\"$STUB\"" 'memory=8' "$@" >"$W/$name.cfg"
	pvctl create -q "$W/$name.cfg"
}
guest d 'on_poweroff="destroy"'
t "on_poweroff=destroy: it goes" eventually 10 eval "! pvctl domid d"
t "its console is readable after its death" eval "pvctl console 1 </dev/null | grep -a 'TEST RESULT' || console_log d | grep -a 'TEST RESULT'"
t "and by its name, which is no failure" eval "pvctl console d </dev/null 2>&1 | tee '$W/d.out' | grep -a 'TEST RESULT' && grep -a 'powered off' '$W/d.out' && pvctl console d </dev/null"
refused "one that never was is unknown" '*' 'invalid domain identifier' pvctl console never
printf '%s\n' 'name="boom"' "kernel=\"$O/guests/shutdown.elf\"" 'memory=8' 'extra="reason=3"' >"$W/boom.cfg"
pvctl create -q "$W/boom.cfg"
t "one that crashed goes" eventually 10 eval "! pvctl domid boom"
t "its console says so, without failing" eval "pvctl console boom </dev/null 2>&1 | grep -a 'boom ([0-9]*) crashed'"
t "the exit code is 0" eval "pvctl console boom </dev/null"
pvctl console --status boom </dev/null >/dev/null 2>&1
t "with --status it is 3" [ $? -eq 3 ]
guest p 'on_poweroff="preserve"'
t "on_poweroff=preserve: it stays, shut down" eventually 10 eval "pvctl list | grep -qE '^p .* ---s--|^p .* --ps--'"
t "the JSON list has the reason" eval "pvctl list --json | grep -q poweroff"
t "and can be destroyed" pvctl destroy p
guest c 'on_poweroff="coredump-destroy"'
t "on_poweroff=coredump-destroy: it goes" eventually 20 eval "! pvctl domid c"
t "and leaves an ELF core" eval "readelf -h $PVCTL_STATE_DIR/default/dump/c-*.core | grep -q CORE"
guest n 'on_poweroff="rename-restart"'
t "on_poweroff=rename-restart: the old one is kept under another name" eventually 10 eval "pvctl list | grep -qE '^n-1 '"
guest k 'on_poweroff="restart"' 'restart_limit=1'
t "a domain that ends again and again is kept" eventually 20 eval "pvctl list k 2>&1 | grep -q 'k ([0-9]*) ended too often, the last time by poweroff'"
t "the JSON list says so" eval "pvctl list --json k | grep -q '\"kept\": true'"
printf '%s\n' 'name="c2"' "kernel=\"$O/guests/shutdown.elf\"" 'memory=8' 'extra="reason=3"' 'on_crash="restart"' 'restart_limit=1' >"$W/c2.cfg"
t "create -c follows it through its restart, and says that it is kept" eval "timeout 60 '$PVCTL' create -c '$W/c2.cfg' </dev/null >'$W/c2.out' 2>&1; grep -a 'started again' '$W/c2.out' && grep -a 'It is kept' '$W/c2.out'"
sleep 4
t "a restart storm ends" eval "[ \$(pvctl list | grep -c '^n') -le 6 ]"
t "node stop" pvctl node stop --force
ln -s "$PVCTL" "$W/xl"
t "called as xl, a command starts the default node" eval "'$W/xl' list 2>&1 | grep -q '^Domain-0'"
done_testing
