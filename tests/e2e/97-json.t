#!/bin/bash
# SPDX-License-Identifier: MIT
# Each document is what docs/json.md says, member by member.
. "$(dirname "$0")/lib.sh"
cat >"$W/check.py" <<'P'
import json, re, sys
command, lines = sys.argv[1], [l for l in sys.stdin.read().split("\n")]
docs, where, array = {}, None, None
for line in open("docs/json.md"):
    if line.startswith("## "):
        where = [c.strip() for c in line[3:].split(",")]
        array = None
        for c in where: docs[c] = {}
    elif where and re.match(r"`\w+\[\]`", line):
        array = re.match(r"`(\w+)\[\]`", line).group(1)
        for c in where: docs[c].setdefault(array, docs["node info"][None] if "as `node info`" in line else {})
    elif where and (m := re.match(r"\| (\w+) \| ([a-z ,]+) \|", line)) and m.group(1) != "member":
        for c in where: docs[c].setdefault(array, {})[m.group(1)] = m.group(2)
names = {str: "text", bool: "bool", int: "number", type(None): "null", list: "list", dict: "map"}
def same(value, table, at):
    for k, v in value.items():
        assert k in table, f"{command}: {at}{k} is not documented"
        kinds = re.split(" or |, ", table[k])
        assert names[type(v)] in kinds, f"{command}: {at}{k} is {names[type(v)]}, not {table[k]}"
    for k, kind in table.items():
        assert k in value or "optional" in kind, f"{command}: {at}{k} is missing"
text = "\n".join(lines)
for d in [json.loads(text)] if command not in ("events", "top") else [json.loads(l) for l in lines if l]:
    assert list(d)[0] == "schema" and d.pop("schema") == 1, command
    table = docs[command]
    arrays = [a for a in table if a]
    assert arrays or None in table, f"{command} is not documented"
    for a in arrays:
        assert d[a], f"{command}: no {a} to look at"
        for item in d[a]: same(item, table[a], a + "[].")
    if None in table: same(d, table[None], "")
    else: assert list(d) == arrays, (command, list(d))
P
as_documented() { # COMMAND [ARGUMENT...]: the command is one word or two in quotes
	local c=$1
	shift
	# shellcheck disable=SC2086
	pvctl $c --json "$@" | python3 "$W/check.py" "$c"
}
t "node start" pvctl node start --memory 512
"$PVCTL" events --snapshot --json >"$W/events" &
events=$!
truncate -s 4M "$W/disk.img"
t "create" pvctl create -q -p "$(config web 'memory=72' "disk=[\"$W/disk.img,raw,xvda,rw\"]" 'vif=["link=user"]' 'channel=["name=agent,connection=pty"]')"
t "define" pvctl define "$(config kept)"
t "define what runs" pvctl define "$(config web)"
for c in list vm-list claims vcpu-list uptime info "node list" "node info" "config keys" doctor defined cpupool-list sched-credit sched-credit2; do
	t "$c" as_documented "$c"
done
for c in block-list network-list channel-list xenstore-quota-get limits; do t "$c" as_documented "$c" web; done
t "config show" as_documented "config show" "$W/web.cfg"
t "top" as_documented top -i 2 -d 0.2
t "wait" eval "pvctl wait web --for gone --timeout 0.2 --json | python3 '$W/check.py' wait"
t "another check fails" eval "! pvctl list --json | python3 '$W/check.py' uptime"
pvctl unpause web && pvctl pause web && pvctl rename web other && pvctl destroy other
t "node stop" pvctl node stop --force
wait $events
t "events" eval "[ \$(wc -l <'$W/events') -ge 7 ] && python3 '$W/check.py' events <'$W/events'"
# Nothing that prints JSON is left out; what save and its like print is progress, bootloader needs a disk that boots.
for c in $(pvctl help --dump-options | awk -F'\t' '$3 == "--json" { gsub(" ", "_", $1); print $1 }'); do
	case $c in save | restore | migrate | bootloader) continue ;; esac
	grep -qE "^## (.*, )?${c//_/ }(,|\$)" docs/json.md || undocumented+=" $c"
done
t "each command is documented" [ -z "$undocumented" ]
[ -z "$undocumented" ] || say "$undocumented"
done_testing
