#!/bin/bash
# SPDX-License-Identifier: MIT
# doctor: what is missing is found, and said how to mend.
. "$(dirname "$0")/lib.sh"
# finds CHECK VERDICT COMMAND...: and a cure unless it is fine
finds() {
	local check=$1 verdict=$2
	shift 2
	"$@" | python3 -c 'import json,sys
d = json.load(sys.stdin)
assert d["schema"] == 1
for c in d["checks"]:
    assert c["verdict"] in ("ok", "info", "warning", "error") and c["finding"], c
    assert c["cure"] or c["verdict"] in ("ok", "info"), c
sys.exit(not any((c["check"], c["verdict"]) == (sys.argv[1], sys.argv[2]) for c in d["checks"]))' "$check" "$verdict"
}
t "all that a node needs is here" eval "pvctl doctor >'$W/text'"
t "each check is a line" eval "for c in qemu kvm programs run state namespaces memory limits kernels nodes; do grep -qE \"^(ok|info|warning) +\$c \" '$W/text' || { echo \$c; exit 1; }; done"
t "as JSON" finds qemu ok pvctl doctor --json
mkdir "$W/empty"
t "no QEMU" finds qemu error env PATH="$W/empty" "$PVCTL" doctor --json
t "exits with 1 then" eval "! PATH='$W/empty' '$PVCTL' doctor"
t "no qemu-img" finds qemu-utils warning env PATH="$W/empty" "$PVCTL" doctor --json
printf '#!/bin/sh\necho QEMU emulator version 5.2.0\n' >"$W/empty/qemu-system-x86_64"
chmod +x "$W/empty/qemu-system-x86_64"
t "an old QEMU" finds qemu warning env PATH="$W/empty" "$PVCTL" doctor --json
mkdir -m 777 "$W/open"
t "a directory that others may write" finds directories error env PVCTL_RUN_DIR="$W/open" "$PVCTL" doctor --json
t "few files" finds limits warning bash -c "ulimit -n 200; exec '$PVCTL' doctor --json"
# As after the host went down with a state directory that stays.
mkdir -m 700 "$PVCTL_RUN_DIR/old" && echo '{"memory_bytes": 67108864}' >"$PVCTL_RUN_DIR/old/node.json"
t "a node that was left over" finds nodes warning pvctl doctor --json
t "the cure works" eval "\$(pvctl doctor | grep -o 'pvctl node start old') --memory 64 && pvctl doctor | grep -q '1 run'"
t "node stop" pvctl node stop --force old
done_testing
