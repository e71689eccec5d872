#!/bin/bash
# SPDX-License-Identifier: MIT
# Migration between two nodes of one machine: under load, many times, many domains, and with every kind of death at every step.
. "$(dirname "$0")/netlib.sh"
. "$(dirname "$0")/lib.sh"

need_modules "migration" xen-blkfront xen-netfront
net_guest
cp "$O/demo/modules/xen-blkfront.ko" "$W/root/lib/modules/"
# Block after block to the disk, each flushed before its number is told; each has its number in it.
cat >"$W/root/bin/load" <<'END'
#!/bin/sh
insmod /lib/modules/xen-blkfront.ko
until [ -b /dev/xvda ]; do sleep 0.1; done
[ -n "$1" ] || /bin/net-up
(i=0
while :; do
	yes "block $i" | head -c 65536 >/tmp/b
	dd if=/tmp/b of=/dev/xvda bs=64k seek=$((i % 400)) conv=notrunc,fsync 2>/dev/null || echo "WRITE $i FAILS"
	echo "BLOCK $i"
	i=$((i + 1))
	sleep 0.05
done) &
END
chmod 755 "$W/root/bin/load"
pack_guest

# Two nodes: on NODE COMMAND...
mkdir -p "$W/b/run" "$W/b/state"
on() {
	if [ "$1" = a ]; then shift; "$@"; else shift; PVCTL_RUN_DIR=$W/b/run PVCTL_STATE_DIR=$W/b/state "$@"; fi
}
other() { [ "$1" = a ] && echo b || echo a; }
state_dir() { if [ "$1" = a ]; then echo "$PVCTL_STATE_DIR"; else echo "$W/b/state"; fi; }
run_dir() { if [ "$1" = a ]; then echo "$PVCTL_RUN_DIR"; else echo "$W/b/run"; fi; }
trap 'PVCTL_RUN_DIR=$W/b/run PVCTL_STATE_DIR=$W/b/state "$PVCTL" node stop --force >/dev/null 2>&1; cleanup' EXIT
cat >"$W/relay" <<'END'
#!/usr/bin/env python3
# The connection, as a process that can die: the command's standard input and output, passed on.
import os, subprocess, sys, threading
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def copy(src, dst):
    try:
        while b := os.read(src, 1 << 16):
            while b:
                b = b[os.write(dst, b):]
    except OSError:
        pass
    os.close(dst)
t = threading.Thread(target=copy, args=(p.stdout.fileno(), 1))
t.start()
copy(0, p.stdin.fileno())
t.join()
sys.exit(p.wait())
END
cat >"$W/hook" <<'END'
#!/bin/bash
# pvctl is at the step $1. FAULT_POINT, FAULT_ACTION: what is to happen where, once.
side=${1%%-*}
echo "$PPID" >"$FAULT_DIR/$side"
echo "$1" >>"$FAULT_DIR/steps"
# A receiver that is fast is ready before the sender has come to the end of its own: what is to happen there happens before.
[ "$FAULT_POINT $1" = "sender-saved receiver-restored" ] && until [ -e "$FAULT_DIR/done" ]; do sleep 0.01; done
[ "$1" = "$FAULT_POINT" ] && [ ! -e "$FAULT_DIR/done" ] || exit 0
[ "$FAULT_ACTION" != stop ] || echo stop >"$FAULT_DIR/done"
case $FAULT_ACTION in
sender | receiver) kill -9 "$(cat "$FAULT_DIR/$FAULT_ACTION")" ;;
connection) kill -9 "$(pgrep -f "$FAULT_DIR/../relay " | head -n 1)" ;;
stop) touch "$FAULT_DIR/stopped"; while [ -e "$FAULT_DIR/stopped" ]; do sleep 0.01; done ;;
*) kill -9 "$FAULT_ACTION" ;;
esac
# Not before: who waits for it would go on, and be further than he is to be.
echo "$FAULT_ACTION" >"$FAULT_DIR/done"
exit 0
END
chmod 755 "$W/relay" "$W/hook"
export PVCTL_MIGRATE_HOOK=$W/hook FAULT_DIR=$W/fault FAULT_POINT=none FAULT_ACTION=none
mkdir -p "$FAULT_DIR"
# migrate FROM DOMAIN [OPTION...]
migrate() {
	local from=$1 name=$2 to
	shift 2
	to=$(other "$from")
	on "$from" timeout 100 "$PVCTL" migrate "$@" -s '' "$name" \
		"exec '$W/relay' env PVCTL_RUN_DIR='$(run_dir "$to")' PVCTL_STATE_DIR='$(state_dir "$to")' '$PVCTL' migrate-receive ${RECEIVE:-}"
}
state() { on "$1" "$PVCTL" list 2>/dev/null | awk -v n="$2" '$1 == n { print $5 }'; } # NODE DOMAIN
is_running() { case $(state "$1" "$2") in r----- | -b---- | ------) return 0 ;; esac; return 1; }
blocks() { cat "$(state_dir a)"/default/console/"$1".log "$(state_dir b)"/default/console/"$1".log 2>/dev/null | tr -d '\r' | awk '/^BLOCK/ && $2 > n { n = $2 } END { print n + 0 }'; }
more_blocks() { [ "$(blocks "$1")" -gt "$2" ]; } # DOMAIN THAN
goes_on() { local n; n=$(blocks "$1"); eventually 30 more_blocks "$1" "$n"; }
# What was told to be on the disk is: DISK LAST
disk_has() {
	python3 - "$1" "$2" <<-'END'
		import sys
		last = int(sys.argv[2])
		f = open(sys.argv[1], "rb")
		for i in range(max(0, last - 399), last + 1):
		    f.seek(i % 400 * 65536)
		    got = f.read(65536)
		    # The next round may have begun.
		    want = [(b"block %d\n" % n * 20000)[:65536] for n in (i, i + 400)]
		    if got not in want and i % 400 != (last + 1) % 400:
		        sys.exit("block %d is not there: %r" % (i, got[:20]))
	END
}

pvctl node start --memory 2G >/dev/null 2>&1 && on b "$PVCTL" node start --memory 2G >/dev/null 2>&1 || not_ok "two nodes"
truncate -s 32M "$W/one.img"
create() { on "$1" "$PVCTL" create -q "$(net_config one "load${3:++$3}" "disk=[\"$W/one.img,raw,xvda,rw\"]" "${2:-vif=[\"link=user\"]}")"; }
t "create" create a
if eventually 120 more_blocks one 3; then ok "it writes"; else not_ok "it writes"; console_log one | tail -n 20; fi

# ---- as it should be ----
t "migrate" migrate a one --json
t "it is there" is_running b one
t "and is no more here" [ -z "$(state a one)" ]
t "it goes on" goes_on one
t "its network does" eval "PVCTL_RUN_DIR=$W/b/run; guest one 'ping -c 2 10.0.2.2' | grep -q '2 packets received'"
refused "one that is not here" '*' 'is an invalid domain|no domain' pvctl migrate one nowhere
refused "no such command" '*' 'ended before its banner' on b "$PVCTL" migrate -s '' one 'exec false'
refused "one that says something else" '*' 'sent "hello' on b "$PVCTL" migrate -s '' one 'echo hello; cat >/dev/null'
t "it goes on" goes_on one
at=b failed=0 pauses=
for i in $(seq "${ROUNDS:-8}"); do
	if migrate $at one --json >"$W/result" 2>"$W/err"; then
		pauses="$pauses $(python3 -c 'import json,sys; print(json.load(sys.stdin)["pause_ns"] // 1000000)' <"$W/result")"
		at=$(other $at)
	else
		failed=$((failed + 1))
		sed 's/^/#   /' "$W/err"
	fi
done
say "pauses in ms:$pauses"
t "${ROUNDS:-8} times, back and forth" [ $failed = 0 ]
id=$(on $at "$PVCTL" domid one)
t "with its number" migrate $at one -D
at=$(other $at)
t "it has that" [ "$(on $at "$PVCTL" domid one)" = "$id" ]
t "it goes on" goes_on one
t "it goes on" goes_on one
last=$(blocks one)
t "all that it flushed is there" disk_has "$W/one.img" "$last"
t "no write failed" eval "! cat $W/state/default/console/one.log $W/b/state/default/console/one.log | grep -a FAILS"
t "it is the only one" eval "is_running $at one && [ -z \"\$(state $(other $at) one)\" ]"

# ---- every step, every death of a client ----
# settled: the sender has ended; what is left of the domain is $where, "both" or "none", as it runs; or suspended in $kept.
settled() {
	local n
	where=none kept=none
	for n in a b; do
		is_running $n one && { [ $where = none ] && where=$n || where=both; }
		case $(state $n one)$(state $n one--migratedaway) in *ss-) kept=$n ;; esac
	done
	[ $where != none ] || [ $kept != none ]
}
quiet() { settled && [ $where != none ]; }
# fault POINT ACTION may|must: it must run afterwards, or may be suspended, where its owner says so
fault() {
	local from=$at last why
	rm -rf "$FAULT_DIR"; mkdir -p "$FAULT_DIR"
	last=$(blocks one)
	FAULT_POINT=$1 FAULT_ACTION=$2 migrate $from one >"$W/out" 2>&1
	# Who holds it has ended; the daemons see that at once.
	eventually 10 quiet || settled
	[ -e "$FAULT_DIR/done" ] || { not_ok "$1, death of $2: the step was not made"; return 1; }
	if [ $where = both ] || { [ $where = none ] && [ $kept = none ]; } || { [ $where = none ] && [ "$3" = must ]; }; then
		not_ok "$1, death of $2: runs on $where, is suspended on $kept"
		sed 's/^/#   /' "$W/out" "$(state_dir $from)/default/daemon.log" | tail -n 20
		[ $where = both ] || [ $kept = none ] || on $kept "$PVCTL" resume one || on $kept "$PVCTL" resume one--migratedaway
		return 1
	fi
	if [ $where = none ]; then
		why=$(cat "$W/out" "$(state_dir $from)/default/daemon.log" | grep -aE 'is suspended, as|stays suspended')
		[ -n "$why" ] || not_ok "$1, death of $2: nobody says why it is suspended"
		on $kept "$PVCTL" resume one--migratedaway 2>/dev/null || on $kept "$PVCTL" resume one || not_ok "$1, death of $2: it cannot be resumed"
		where=$kept
	fi
	# Who died before it could destroy what it had given away has left it: its disks are another's.
	if [ "$kept" != none ] && [ "$kept" != "$where" ]; then
		refused "$1, death of $2: of the two left, one cannot run" '*' 'in use by|being destroyed|does not exist' on $kept "$PVCTL" resume one--migratedaway
		on $kept "$PVCTL" destroy one--migratedaway
	fi
	is_running $where one || on $where "$PVCTL" rename one--migratedaway one || not_ok "$1, death of $2: no name"
	at=$where
	disk_has "$W/one.img" "$last" || not_ok "$1, death of $2: lost what was flushed"
	more_blocks one "$last" || goes_on one || { not_ok "$1, death of $2: it does not go on"; return 1; }
	say "$1, death of $2: runs on $at"
}
bad=$BAD
early='receiver-connected sender-connected sender-saved receiver-restored'
late='receiver-ready sender-acknowledged sender-kept sender-renamed sender-permitted receiver-permitted receiver-started receiver-reported
	sender-reported'
for death in $(each_death "$early" 'sender receiver connection'); do fault "${death%:*}" "${death#*:}" must; done
for death in $(each_death "$late" 'sender receiver connection'); do fault "${death%:*}" "${death#*:}" may; done
t "deaths of sender, receiver or connection at each step" [ "$BAD" = "$bad" ]

# ---- deaths of nodes ----
pid_of() { # NODE daemon|qemu
	on "$1" "$PVCTL" node info --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$([ "$2" = qemu ] && echo qemu_pid || echo pid)"
}
start_again() {
	on "$1" "$PVCTL" node stop --force >/dev/null 2>&1
	eventually 20 eval "! on $1 '$PVCTL' node info >/dev/null 2>&1"
	on "$1" "$PVCTL" node start --memory 2G >/dev/null 2>&1 || not_ok "node $1 starts again"
}
# node_fault POINT here|there daemon|qemu runs|one|lost: of the two nodes that one's; where the domain is then
node_fault() {
	local from=$at to dead last ok=
	to=$(other "$from")
	dead=$([ "$2" = here ] && echo "$from" || echo "$to")
	rm -rf "$FAULT_DIR"; mkdir -p "$FAULT_DIR"
	last=$(blocks one)
	FAULT_POINT=$1 FAULT_ACTION=$(pid_of "$dead" "$3") migrate "$from" one >"$W/out" 2>&1
	[ -e "$FAULT_DIR/done" ] || not_ok "$1, death of the $3 $2: the step was not made"
	eventually 10 quiet || settled
	case $4 in
	runs) [ $where = "$(other "$dead")" ] && [ $kept = none ] && ok=1 ;;
	one) # or it says that it is suspended
		if [ $where = none ] && [ $kept = "$from" ] && grep -q 'is suspended, as' "$W/out"; then
			on "$from" "$PVCTL" resume one--migratedaway && on "$from" "$PVCTL" rename one--migratedaway one && where=$from
		fi
		[ $where != none ] && [ $where != both ] && ok=1 ;;
	lost) [ $where = none ] && [ $kept = none ] && ok=1 ;;
	esac
	if [ -n "$ok" ]; then ok "$1, death of the $3 $2: $4"; else not_ok "$1, death of the $3 $2: runs on $where, is suspended on $kept, not: $4"; sed 's/^/#   /' "$W/out"; fi
	# Another daemon may have taken over.
	[ "$3" = daemon ] && on "$dead" "$PVCTL" list >/dev/null 2>&1 || start_again "$dead"
	disk_has "$W/one.img" "$last" || not_ok "lost what was flushed"
	if [ $where = none ] || [ $where = both ]; then
		on a "$PVCTL" destroy one >/dev/null 2>&1; on b "$PVCTL" destroy one >/dev/null 2>&1
		at=a
		rm -f "$W/state/default/console/one.log" "$W/b/state/default/console/one.log"
		create a && eventually 120 more_blocks one 3 || not_ok "another"
	else
		at=$where
		goes_on one || not_ok "it goes on"
	fi
}
for who in daemon qemu; do
	node_fault receiver-connected there $who runs
	node_fault receiver-restored there $who runs
	node_fault receiver-permitted there $who one
	# Where a node died, the other has all of it, and is told to go on.
	node_fault sender-acknowledged here $who one
done
# A node that dies takes its domains with it, as without a migration; nothing is left of a copy that is not whole.
node_fault sender-connected here qemu lost

# ---- the rest ----
FAULT_POINT=none
t "a name that is taken there" eval "on $(other $at) '$PVCTL' create -q -p '$(printf '%s\n' 'name="one"' "kernel=\"$O/guests/version.elf\"" 'memory=8' >"$W/taken.cfg"; echo "$W/taken.cfg")'"
refused "is refused" '*' 'has this name already' migrate $at one
on "$(other $at)" "$PVCTL" destroy one
t "and it goes on" goes_on one
rm -rf "$FAULT_DIR"; mkdir -p "$FAULT_DIR"
FAULT_POINT=sender-saved FAULT_ACTION=stop migrate $at one >"$W/out" 2>&1 & job=$!
eventually 60 test -e "$FAULT_DIR/stopped" || not_ok "it is at that step"
kill -TERM "$(cat "$FAULT_DIR/sender")"
rm "$FAULT_DIR/stopped"
wait $job
t "interrupted" eval "[ $? != 0 ] && grep -q 'goes on here' '$W/out'"
t "it goes on" goes_on one
RECEIVE=-p
t "paused there" migrate $at one
RECEIVE=
at=$(other $at)
t "it is" [ "$(state $at one)" = --p--- ]
t "unpause" on $at "$PVCTL" unpause one
t "it goes on" goes_on one
refused "one that is paused" '*' 'unpause it first' eval "on $at '$PVCTL' pause one; migrate $at one"
on $at "$PVCTL" unpause one
t "it goes on" goes_on one

# ---- ten at once ----
on $at "$PVCTL" destroy one
# Each looks at its memory, page tables and registers itself, behind the hypercall.
all10() { for i in 1 2 3 4 5 6 7 8 9 10; do "$@" || return; done; }
ten_create() {
	printf '%s\n' "name=\"ten$i\"" "kernel=\"$O/guests/save-self.elf\"" 'memory=8' 'cmdline="linear asked rounds=3"' >"$W/ten$i.cfg"
	pvctl create -q "$W/ten$i.cfg"
}
ten_said() { eventually 60 grep -aq "$1" "$(state_dir "$2")/default/console/ten$i.log"; }
ten_start() { migrate "$1" "ten$i" >"$W/out.$i" 2>&1 & job[i]=$!; }
ten_wait() { wait "${job[i]}" || { sed 's/^/#   /' "$W/out.$i"; return 1; }; }
if [ -s "$O/guests/save-self.elf" ]; then
	t "ten small ones" all10 ten_create
	t "they wait" all10 ten_said 'READY 1' a
	all10 ten_start a
	all10 ten_wait && ok "ten at once" || not_ok "ten at once"
	t "each is there, as it was" all10 ten_said 'BACK 1 elsewhere' b
	all10 ten_said 'READY 2' b
	all10 ten_start b
	all10 ten_wait && ok "and back" || not_ok "and back"
	t "each is here, as it was" all10 ten_said 'BACK 2 elsewhere' a
	t "nothing is left there" [ "$(on b "$PVCTL" list | grep -c ten)" = 0 ]
	t "none complains" eval "! grep -aE 'FAIL|ERROR' $W/state/default/console/ten*.log $W/b/state/default/console/ten*.log"
fi

done_testing
