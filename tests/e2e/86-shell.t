#!/bin/bash
# SPDX-License-Identifier: MIT
# bindings/shell/README.md: each block is run, and prints what it says.
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || {
	skip "scripts with jq" "there is no jq"
	done_testing
	exit
}
python3 - bindings/shell/README.md "$W" <<'P'
import re, sys
blocks = re.findall(r"^([^\n]+)(?:\n[^\n]+)*\n\n```sh\n(.*?)```\n```text\n(.*?)```\n", open(sys.argv[1]).read(), re.S | re.M)
text = open(sys.argv[1]).read()
assert len(blocks) == text.count("```sh\n") and len(blocks) > 5
for i, (title, script, wanted) in enumerate(blocks):
    open(f"{sys.argv[2]}/{i:02}.sh", "w").write(script)
    open(f"{sys.argv[2]}/{i:02}.wanted", "w").write(wanted)
    open(f"{sys.argv[2]}/{i:02}.title", "w").write(title.split(":")[0])
P
t "the page has its blocks" [ -s "$W/05.sh" ]
t "node start" pvctl node start --memory 512
stub() {
	printf '%s\n' "name=\"$1\"" "kernel=\"$O/guests/shutdown.elf\"" 'memory=8' "cmdline=\"reason=$2\"" 'on_crash="destroy"' >"$W/$1.cfg"
}
stub web1 8 && stub web2 8 && stub crashes 3
t "create" eval "pvctl create -q '$W/web1.cfg' && pvctl create -q '$W/web2.cfg'"
PATH=$O/pvctl:$PATH
run() { # one block: as a script of its own
	(cd "$W" && timeout 120 bash "$1.sh" >"$1.out" 2>"$1.err")
	diff "$1.wanted" "$1.out" >&2 || { cat "$1.err"; return 1; }
}
cd "$W" || exit
for f in ??.sh; do t "$(cat "${f%.sh}.title")" run "${f%.sh}"; done
done_testing
