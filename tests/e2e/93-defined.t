#!/bin/bash
# SPDX-License-Identifier: MIT
# Domains that are defined: kept, started by name, started with their node in order, shut down in the other.
. "$(dirname "$0")/lib.sh"
order() { pvctl defined --json | python3 -c 'import json,sys; print(*[d["name"] for d in json.load(sys.stdin)["domains"] if d["autostart"]])'; }
uuid() { pvctl list --json "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["domains"][0]["uuid"])'; }
runs() { pvctl wait "$1" --for running --timeout 60; }

t "define, without a node" pvctl define "$(config web)" memory=96
t "no node was started" eval "! pvctl node info"
t "another" pvctl define --autostart "$(config db)"
t "a third" pvctl define "$(config cache)"
t "defined" eval "pvctl defined | grep -qE '^web {37} {5}- off {10}50 {6}0\.0\$' && pvctl defined | grep -qE '^db .*- on '"
t "the configuration is there" eval "pvctl defined --json | grep -q '\"memory\": 96'"
t "a relative kernel is kept as an absolute one" eval "(cd '$(dirname "$KERNEL")' && pvctl define '$(config rel)' kernel=vmlinuz) && pvctl defined --json | grep -A9 '\"name\": \"rel\"' | grep -q '\"kernel\": \"/' && pvctl undefine rel"
refused "a broken one is not defined" 1 'kernel' pvctl define "$(config x)" kernel=/nonexistent
t "nor is it there" eval "! pvctl defined | grep -q '^x '"
refused "no such definition" 1 'no domain "nobody" is defined' pvctl start nobody
refused "neither on nor off" 2 'neither on nor off' pvctl autostart web maybe
refused "a name that is a path" 1 'name=' pvctl undefine ../../etc/passwd
t "autostart on" pvctl autostart web on --order 70
t "with another order and a pause" pvctl autostart cache on --order 10 --delay 1.5
t "in the order in which they start" [ "$(order)" = "cache db web" ]
t "node start" pvctl node start --memory 768
t "they start" eval "runs cache && runs db && runs web"
t "one after the other" [ "$(pvctl list | awk 'NR > 2 { printf "%s ", $1 }')" = "cache db web " ]
log=$PVCTL_STATE_DIR/default/daemon.log
t "the pause is between" python3 - <<P
import re
from datetime import datetime
at = {}
for line in open("$log"):
    m = re.match(r'(\S+ \S+) autostart: "(\w+)" is domain', line)
    if m: at[m.group(2)] = datetime.fromisoformat(m.group(1))
assert (at["db"] - at["cache"]).total_seconds() >= 1.5, at
P
before=$(uuid db)
t "wait until they listen" eval "for n in cache db web; do pvctl wait \$n --for console:'guest-init: up' --timeout 120 || exit 1; done"
t "create one that is not defined" pvctl create -q -p "$(config extra)"
"$PVCTL" events --json >"$W/events" &
events=$!
sleep 0.3
t "node stop --shutdown" pvctl node stop --shutdown --timeout 120
wait $events
t "in the reverse order, and by themselves" [ "$(python3 -c 'import json,sys
print(*[e["name"] for e in map(json.loads, open(sys.argv[1])) if e["event"] == "shutdown" and e["reason"] == "poweroff"])' "$W/events")" = "extra web db cache" ]
t "without autostart none starts" eval "pvctl node start --memory 512 --no-autostart && sleep 1 && [ \$(pvctl list | wc -l) -eq 2 ]"
t "start by name" pvctl start db
t "it has its UUID again" [ "$(uuid db)" = "$before" ]
t "defined tells that it runs" eval "pvctl defined | grep -qE \"^db .* \$(pvctl domid db) on\""
refused "it runs already" 1 'already' pvctl start db
t "autostart off" pvctl autostart web off
t "undefine while it runs" pvctl undefine db
t "it goes on" pvctl domid db
t "what is left" [ "$(order)" = cache ]
t "node stop" pvctl node stop --force
# One that cannot start.
cp "$KERNEL" "$W/kernel"
t "define one whose kernel will be gone" pvctl define --autostart "$(config gone)" kernel="\"$W/kernel\""
rm "$W/kernel"
t "node start" pvctl node start --memory 512
t "the other one starts" runs cache
t "and the log says what is wrong" eventually 20 grep -q 'autostart: "gone": .*kernel' "$log"
t "node stop" pvctl node stop --force
done_testing
