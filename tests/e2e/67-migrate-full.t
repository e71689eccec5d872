#!/bin/bash
# SPDX-License-Identifier: MIT
# A disk that is full at any step of a migration, here or there, where the node keeps its things: exactly one copy runs, and it reacts.
. "$(dirname "$0")/lib.sh"

[ -s "$O/guests/save-self.elf" ] || { skip "full disks" "there is no guest"; done_testing; exit; }
mkdir -p "$W/full/a" "$W/full/b"
trap 'stop_all; umount -l "$W/full/a" "$W/full/b" 2>/dev/null; cleanup' EXIT
on() { # NODE COMMAND...
	local n=$1
	shift
	PVCTL_RUN_DIR=$W/run-$n PVCTL_STATE_DIR=$W/full/$n "$@"
}
stop_all() { on a "$PVCTL" node stop --force >/dev/null 2>&1; on b "$PVCTL" node stop --force >/dev/null 2>&1; }
other() { [ "$1" = a ] && echo b || echo a; }
if ! mount -t tmpfs -o size=8m,mode=700 none "$W/full/a" 2>/dev/null || ! mount -t tmpfs -o size=8m,mode=700 none "$W/full/b" 2>/dev/null; then
	skip "full disks" "no file system can be mounted here"
	done_testing
	exit
fi
cat >"$W/hook" <<'END'
#!/bin/bash
[ "$1" = "$FAULT_POINT" ] && [ ! -e "$FAULT_DIR/done" ] || exit 0
touch "$FAULT_DIR/done"
cat /dev/zero >"$FAULT_DISK/rest" 2>/dev/null
exit 0
END
chmod 755 "$W/hook"
mkdir "$W/fault"
export PVCTL_MIGRATE_HOOK=$W/hook FAULT_DIR=$W/fault FAULT_POINT=none FAULT_DISK=
migrate() { # FROM
	local to
	to=$(other "$1")
	on "$1" timeout 100 "$PVCTL" migrate -s '' one "exec env PVCTL_RUN_DIR='$W/run-$to' PVCTL_STATE_DIR='$W/full/$to' '$PVCTL' migrate-receive"
}
state() { on "$1" "$PVCTL" list 2>/dev/null | awk -v n="$2" '$1 == n { print $5 }'; } # NODE DOMAIN
runs() { case $(state "$1" one) in r----- | -b---- | ------) return 0 ;; esac; return 1; }
one_of_two() {
	if runs a && ! runs b; then where=a; elif runs b && ! runs a; then where=b; else return 1; fi
	[ -z "$(state a one--migratedaway)$(state b one--migratedaway)$(state a one--incoming)$(state b one--incoming)" ]
}
full() { # POINT NODE
	rm -f "$W/fault/done"
	FAULT_POINT=$1 FAULT_DISK=$W/full/$2 migrate $at >"$W/out" 2>&1
	local rc=$?
	rm -f "$W/full/a/rest" "$W/full/b/rest"
	[ -e "$W/fault/done" ] || { not_ok "$1: the step was not made"; sed 's/^/#   /' "$W/out"; }
	if ! eventually 20 one_of_two; then
		not_ok "$1, the disk of $2 is full: not exactly one runs"
		on a "$PVCTL" list; on b "$PVCTL" list; sed 's/^/#   /' "$W/out"
		return 1
	fi
	[ $rc = 0 ] && [ $where = $at ] && not_ok "$1, the disk of $2 is full: it was said to be there, but is here"
	say "$1, the disk of $([ "$2" = $at ] && echo sender || echo receiver) is full: exit $rc, it runs $([ $where = $at ] && echo here || echo there)"
	at=$where
}
on a "$PVCTL" node start --memory 512 >/dev/null 2>&1 && on b "$PVCTL" node start --memory 512 >/dev/null 2>&1 || not_ok "two nodes"
printf '%s\n' 'name="one"' "kernel=\"$O/guests/save-self.elf\"" 'memory=8' 'cmdline="linear asked rounds=9"' >"$W/one.cfg"
# It looks at its memory and registers whenever it was elsewhere, and ends after nine times.
fresh() {
	[ -z "${at:-}" ] || on $at "$PVCTL" destroy one
	at=a
	on a "$PVCTL" create -q "$W/one.cfg" && eventually 60 runs a
}
t "create" fresh
eventually 60 grep -aq 'READY 1' "$W/full/a/default/console/one.log" || not_ok "it waits"
bad=$BAD
t "as it should be" migrate a
at=b
for point in receiver-connected sender-connected sender-saved receiver-restored receiver-ready sender-acknowledged sender-kept sender-renamed \
	sender-permitted receiver-permitted receiver-started receiver-reported sender-reported; do
	fresh || break
	full $point $at || break
	full $point "$(other $at)" || break
done
t "full disks at each step: exactly one runs" [ "$BAD" = "$bad" ]
t "and reacts" migrate $at
where=
t "it is there" eval "one_of_two && [ \$where = $(other $at) ]"
t "it found itself as it was" eval "! grep -aE 'FAIL|ERROR' '$W'/full/*/default/console/one.log"
done_testing
