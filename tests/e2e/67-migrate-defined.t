#!/bin/bash
# SPDX-License-Identifier: MIT
# A domain that is defined, starts with its node, and moves away: whatever happens behind the permission, it does not start here again.
. "$(dirname "$0")/lib.sh"

[ -s "$O/guests/save-self.elf" ] || { skip "a defined domain moves" "there is no guest"; done_testing; exit; }
mkdir -p "$W/run-b" "$W/state-b" "$W/fault"
on() { # NODE COMMAND...
	if [ "$1" = a ]; then shift; "$@"; else shift; PVCTL_RUN_DIR=$W/run-b PVCTL_STATE_DIR=$W/state-b "$@"; fi
}
trap 'on b "$PVCTL" node stop --force >/dev/null 2>&1; cleanup' EXIT
cat >"$W/hook" <<'END'
#!/bin/bash
# At one step, once: one of the two is killed.
echo "$PPID" >"$FAULT_DIR/${1%%-*}"
[ "$1" = "$FAULT_POINT" ] && [ ! -e "$FAULT_DIR/done" ] || exit 0
touch "$FAULT_DIR/done"
kill -9 "$(cat "$FAULT_DIR/$FAULT_WHO")"
exit 0
END
chmod 755 "$W/hook"
export PVCTL_MIGRATE_HOOK=$W/hook FAULT_DIR=$W/fault
migrate() { # POINT WHO
	rm -f "$W/fault"/*
	FAULT_POINT=$1 FAULT_WHO=$2 timeout 100 "$PVCTL" migrate -s '' one \
		"exec env PVCTL_RUN_DIR='$W/run-b' PVCTL_STATE_DIR='$W/state-b' '$PVCTL' migrate-receive" >"$W/out" 2>&1
}
state() { on "$1" "$PVCTL" list 2>/dev/null | awk -v n="$2" '$1 == n { print $5 }'; } # NODE DOMAIN
runs() { case $(state "$1" one) in r----- | -b---- | ------) return 0 ;; esac; return 1; }
starts_here() { pvctl defined | awk '$1 == "one" { print $3 }' | grep -qx "$1"; }

printf '%s\n' 'name="one"' "kernel=\"$O/guests/save-self.elf\"" 'memory=8' 'cmdline="linear asked rounds=9"' >"$W/one.cfg"
t "two nodes" eval "pvctl node start --memory 256 && on b pvctl node start --memory 256"
t "defined" pvctl define --autostart "$W/one.cfg"
t "start" eval "pvctl start one && eventually 60 console_has one 'READY 1'"
migrate sender-kept receiver && not_ok "it moves"
t "the receiver is killed before the permission: it is here" eventually 30 runs a
t "and starts with this node" starts_here on
migrate sender-permitted sender && not_ok "the sender ends well"
t "the sender is killed behind it: it is there" eventually 30 runs b
t "and does not start here" starts_here off
t "what is here is suspended" eval "state a one--migratedaway | grep -q s"
done_testing
