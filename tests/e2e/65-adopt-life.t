#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon is killed while domains come, end and come back: none is lost, none is there twice, and nothing is left over.
. "$(dirname "$0")/lib.sh"
ROUNDS=${ROUNDS:-3}
info() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$PVCTL_RUN_DIR/default/node.json" "$1"; }
is_another() { [ "$(info pid)" != "$1" ] && kill -0 "$(info pid)" && pvctl list >/dev/null; }
kill_daemon() {
	local pid
	pid=$(info pid)
	kill -9 "$pid"
	eventually 20 is_another "$pid"
}
took_over() { grep -c 'takes over' "$PVCTL_STATE_DIR/default/daemon.log"; }

t "node start" pvctl node start --memory 512
# One that is asleep, to come through all of it; one that ends at once and is started again, for ever.
printf '%s\n' 'name="keep"' "kernel=\"$KERNEL\"" "ramdisk=\"$RAMDISK\"" 'memory=96' 'cmdline="console=hvc0 quiet"' >"$W/keep.cfg"
t "a domain that stays" pvctl create -q "$W/keep.cfg"
eventually 60 console_has keep 'guest:/#' || not_ok "it is up"
unique() { pvctl list --json keep | python3 -c 'import json,sys; d=json.load(sys.stdin)["domains"][0]; print(d.get("unique_id", d["domid"]), d["domid"])'; }
was=$(unique)
# What has ended and is left to be looked at is not told of, renamed or started again by who takes over.
guest_that_ends() { printf '%s\n' "name=\"$1\"" "kernel=\"$O/guests/version.elf\"" 'memory=8' "${@:2}" >"$W/$1.cfg"; }
has_said() { grep -qE "$1" "$PVCTL_STATE_DIR/default/daemon.log"; }
ends_of() { grep -cE "\\((left|again)(-[0-9]+)*\\) has shut down" "$PVCTL_STATE_DIR/default/daemon.log"; }
guest_that_ends left 'on_poweroff="preserve"'
guest_that_ends again 'on_poweroff="rename-restart"' 'restart_limit=1'
guest_that_ends after 'on_poweroff="destroy"'
t "one that is preserved" eval "pvctl create -q $W/left.cfg && eventually 20 has_said '\"left\" is preserved'"
t "one that is renamed and started again, once" eval "pvctl create -q $W/again.cfg && eventually 20 has_said '\"again\" has ended 2 times'"
names() { pvctl list | awk 'NR > 2 { print $1 }' | sort | tr '\n' ' '; }
were=$(names) ends=$(ends_of)
kill_daemon || not_ok "another daemon"
t "what ends after that is seen" eval "pvctl create -q $W/after.cfg && eventually 20 has_said '\\(after\\) has shut down' && eventually 20 eval '! pvctl list after'"
t "the others are as they were: $were" [ "$(names)" = "$were" ]
t "and have ended as often: $ends" [ "$(ends_of)" = "$ends" ]
for i in left again again-1; do pvctl destroy "$i" || not_ok "destroy $i"; done
# A death in the middle of its end: who looks at its console sees that it is over.
guest_that_ends seen 'on_poweroff="destroy"'
t "one whose console is looked at" pvctl create -q -p "$W/seen.cfg"
mkfifo "$W/typed"
kept() { ls "/proc/$(ps -o ppid= -p "$(info pid)" | tr -d ' ')/fd" | wc -l; }
had=$(kept)
pvctl console seen <"$W/typed" >"$W/seen.out" 2>&1 &
viewer=$!
exec 8>"$W/typed"
eventually 10 eval "[ \$(kept) -gt $had ]" || not_ok "its viewer is there"
echo 'destroy 1' >"$PVCTL_STATE_DIR/default/die-at"
kill_daemon || not_ok "another daemon"
before=$(took_over)
pvctl unpause seen
t "its daemon died" eventually 20 eval "[ \$(took_over) -gt $before ]"
t "its viewer ends" eventually 20 eval "! kill -0 $viewer"
exec 8>&-
printf '%s\n' 'name="phoenix"' "kernel=\"$O/guests/version.elf\"" 'memory=8' 'on_poweroff="restart"' 'restart_limit=0' >"$W/phoenix.cfg"
t "one that is started again and again" pvctl create -q "$W/phoenix.cfg"
starts() { grep -c 'domain "phoenix" was restarted' "$PVCTL_STATE_DIR/default/daemon.log"; }
restarted() { [ "$(starts)" -gt "$1" ]; }
for i in $(seq "$ROUNDS"); do
	sleep 0.$((RANDOM % 1000))
	if ! kill_daemon; then not_ok "round $i: another daemon"; break; fi
	n=$(starts)
	if ! eventually 30 restarted "$n"; then not_ok "round $i: it is started again"; tail -n 20 "$PVCTL_STATE_DIR/default/daemon.log"; break; fi
done
# At named places; one that is armed comes from a kill.
for point in destroy commit adopt-domain; do
	# Deaths in a row end the node, as they should; who has served for a second is not part of the row before.
	sleep 1
	echo "$point 1" >"$PVCTL_STATE_DIR/default/die-at"
	before=$(took_over)
	kill_daemon
	if ! eventually 30 eval "[ \$(took_over) -ge $((before + 2)) ]"; then not_ok "$point: nobody came there"; continue; fi
	eventually 20 pvctl list >/dev/null
	n=$(starts)
	if eventually 30 restarted "$n"; then ok "killed at $point: it is started again"; else not_ok "killed at $point: it is started again"; tail -n 20 "$PVCTL_STATE_DIR/default/daemon.log"; fi
done
t "there is one of it at most" eval "[ \$(pvctl list | grep -c '^phoenix ') -le 1 ]"
t "the other one is as it was" [ "$(unique)" = "$was" ]
pvctl list | sed 's/^/# /'
# A domain under construction goes with its daemon; its client says so.
for i in 1 2 3; do
	printf '%s\n' 'name="new"' "kernel=\"$KERNEL\"" "ramdisk=\"$RAMDISK\"" 'memory=64' >"$W/new.cfg"
	pvctl create -q -p "$W/new.cfg" 2>"$W/new.err" &
	client=$!
	sleep 0.0$((RANDOM % 100))
	kill_daemon || not_ok "another daemon"
	if wait $client; then pvctl destroy new || not_ok "one that was whole is there"; else t "its client says why" [ -s "$W/new.err" ]; fi
	t "nothing of it is there" eval "eventually 10 eval \"! pvctl list | grep -E '^(new|\\(null\\)) '\""
done
# What was given up is given up.
until pvctl destroy phoenix 2>/dev/null; do [ $SECONDS -lt 300 ] || break; sleep 0.05; done
sleep 1
until ! pvctl list | grep -q '^phoenix '; do pvctl destroy phoenix; [ $SECONDS -lt 300 ] || break; sleep 0.1; done
t "one domain is there" [ "$(pvctl list | tail -n +3 | wc -l)" = 1 ]
t "and the store has no other" eval "[ \"\$(pvctl store ls /local/domain 2>/dev/null || echo \"0 \$(pvctl domid keep)\")\" ]"
t "the hypervisor's counts are right" eval "pvctl debug-keys t && ! pvctl dmesg | grep -i 'audit.*wrong'"
# What cannot take over today may tomorrow: the domains wait for it.
log=$PVCTL_STATE_DIR/default/daemon.log old=$(info pid)
mv "$log" "$log.aside" && mkdir "$log"
kill -9 "$old"
t "the next one cannot" eventually 20 grep -q 'ended without having said so (status 0x100)' "$log.aside"
rmdir "$log" && mv "$log.aside" "$log"
t "one after it can" eventually 20 is_another "$old"
t "the domain is as it was" [ "$(unique)" = "$was" ]
# Nor does it end the node that there is no descriptor to start another with.
old=$(info pid) spawner=$(ps -o ppid= -p "$old" | tr -d ' ')
prlimit --pid "$spawner" --nofile=8:
kill -9 "$old"
t "none can be started" eventually 20 has_said 'cannot be started again'
prlimit --pid "$spawner" --nofile=4096:
t "one can be later" eventually 20 is_another "$old"
t "and the domain is as it was" [ "$(unique)" = "$was" ]
# Nor that there is no room for the file that tells who it is.
json=$PVCTL_RUN_DIR/default/node.json
daemon() { pgrep -P "$spawner" pvctld | head -n 1; }
serves() { local pid; pid=$(daemon); [ -n "$pid" ] && [ "$pid" != "$1" ] && pvctl list >/dev/null; }
rm "$json" && mkdir -p "$json/in-the-way"
old=$(daemon)
kill -9 "$old"
t "one serves without" eventually 20 serves "$old"
rm -r "$json"
old=$(daemon)
kill -9 "$old"
t "and the next one has it" eventually 20 eval "serves $old && [ -f '$json' ]"
t "the domain is there still" [ "$(unique)" = "$was" ]
t "a stop that was begun is finished" eval "pvctl node stop --force & sleep 0.05; kill -9 $(info pid); eventually 20 eval '! [ -e $PVCTL_RUN_DIR/default/node.json ]'; wait; true"
t "nothing is left" eval "[ -z \"\$(ls -A '$PVCTL_RUN_DIR')\" ]"
done_testing
