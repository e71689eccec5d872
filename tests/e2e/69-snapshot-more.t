#!/bin/bash
# SPDX-License-Identifier: MIT
# Snapshots of disks alone, what is refused, and what is left when somebody is killed or a disk is full.
. "$(dirname "$0")/netlib.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/blocklib.sh"

need_modules "snapshots" xen-blkfront xen-netfront
command -v qemu-img >/dev/null || { skip "snapshots" "qemu-utils is not installed"; done_testing; exit; }
block_guest

# A domain that is called like a command; disks alone.
mkdir "$W/l"
truncate -s 16M "$W/l/raw.img"
pvctl define "$(guest list "$W/l/raw.img,raw,xvda,w" 'vcpus=2')" >/dev/null
pvctl start list
eventually 120 console_has list 'BLOCK 3 '
t "a domain called list" pvctl snapshot create --no-memory list delete
t "it goes on" goes_on list
t "it has a snapshot without memory" is "$(pvctl snapshot info --json list delete | field 'd["memory"]')" False
n1=$(blocks_on "$(file_of list delete)" "$(format_of list delete)")
mine=$(target list)
t "its definition has the disk that it has" eval "pvctl snapshot info list delete | grep -q '$mine' && pvctl destroy list && pvctl start list && [ \$(target list) = '$mine' ]"
eventually 120 console_has list 'BLOCK 3 '
t "back, to boot from the disk" pvctl snapshot revert --yes --paused list delete
t "its disk is as it was" is "$(blocks_on "$mine" qcow2)" "$n1"
pvctl destroy list
t "back, where it does not run: its disk alone" pvctl snapshot revert --yes --json list delete
refused "it does not run" '*' . pvctl domid list
t "delete" pvctl snapshot delete list delete
t "the disk is the only file" is "$(find "$W/l" -type f)" "$mine"

refused "a domain that does not run" 1 . pvctl snapshot nobody
refused "no such snapshot" 1 'has no snapshot' pvctl snapshot revert --yes list gone
refused "none to delete" 1 'has no snapshot' pvctl snapshot delete list gone
refused "a bad name" 1 'letters, digits' eval '"$PVCTL" create -q -p "$(config still)" && "$PVCTL" snapshot still ../x'
refused "one that is paused" 1 'paused' pvctl snapshot still
refused "without a disk and without memory" 1 'no disk' pvctl snapshot --no-memory still
pvctl destroy still
t "nothing is left of what was refused" eval "! find '$SNAPSHOTS' -mindepth 1 | grep ."


# ---- deaths ----
mkdir "$W/k" "$W/fault"
cat >"$W/hook" <<'END'
#!/bin/bash
# pvctl is at the step $1. FAULT_POINT, FAULT_ACTION: who is to die where, once.
[ "$1" = "$FAULT_POINT" ] && [ ! -e "$FAULT_DIR/done" ] || exit 0
echo "$1" >"$FAULT_DIR/done"
case $FAULT_ACTION in
pvctl) kill -9 "$PPID" ;;
*) kill -9 "$FAULT_ACTION" ;;
esac
END
chmod 755 "$W/hook"
export PVCTL_SNAPSHOT_HOOK=$W/hook FAULT_DIR=$W/fault FAULT_POINT=none FAULT_ACTION=none
# at POINT WHO COMMAND...: pvctl, or the daemon, dies there
at() {
	local point=$1 who=$2 action=pvctl
	shift 2
	[ "$who" = pvctl ] || action=$(pvctl node info --json | field 'd["pid"]') || return 1
	rm -f "$FAULT_DIR/done"
	FAULT_POINT=$point FAULT_ACTION=$action timeout 100 "$PVCTL" "$@" >"$W/out" 2>&1
	[ -e "$FAULT_DIR/done" ] || { not_ok "$1, $point: the step was not made"; cat "$W/out"; return 1; }
	eventually 60 pvctl node info || { not_ok "$1, $point: the node is gone"; return 1; }
}
listed() { pvctl snapshot list "$1" --json | field "'$2' in [x['name'] for x in d['snapshots']]" | grep -q True; }
# It goes on, and there is a whole snapshot or none.
sound() { # NAME SNAPSHOT WHAT
	goes_on "$1" || { not_ok "$3: it does not go on"; sed 's/^/#   /' "$W/out"; tail -n 5 "$PVCTL_STATE_DIR/default/daemon.log"; return 1; }
	! listed "$1" "$2" || pvctl snapshot info --verify "$1" "$2" >"$W/out" 2>&1 || { not_ok "$3: the snapshot is not whole"; cat "$W/out"; return 1; }
}
deaths() { # NAME DISK STEPS-OF-CREATE STEPS-OF-DELETE STEPS-OF-REVERT
	local name=$1 death point who i=0 bad=$BAD mine n s opts
	pvctl define "$(guest "$1" "$2")" >/dev/null
	t "$name: start" pvctl start "$name" || return 1
	eventually 120 console_has "$name" 'BLOCK 3 ' || { not_ok "$name writes"; return 1; }
	for death in $(each_death "$3" 'pvctl daemon'); do
		point=${death%:*} who=${death#*:}
		i=$((i + 1)) opts=--no-memory
		[ $who$name = pvctldie-raw ] && opts=
		# shellcheck disable=SC2086
		at $point $who snapshot create $opts "$name" s$i && sound "$name" s$i "death of $who at $point"
		say "death of $who at $point: $(listed "$name" s$i && echo a snapshot || echo none)"
	done
	t "$name: deaths of pvctl or of the daemon at each step" [ "$BAD" = "$bad" ]
	t "$name: one more" pvctl snapshot --no-memory "$name" more
	t "$name: what was begun is put in order" eval "! find '$SNAPSHOTS/$name' -name '.*' | grep ."

	bad=$BAD
	for death in $(each_death "$4" 'daemon pvctl'); do
		point=${death%:*} who=${death#*:}
		s=$point-$who
		pvctl snapshot --no-memory "$name" a-$s 2>/dev/null && pvctl snapshot --no-memory "$name" b-$s 2>/dev/null || not_ok "two more"
		at $point $who snapshot delete "$name" a-$s && sound "$name" a-$s "delete: death of $who at $point"
		pvctl snapshot info --verify "$name" b-$s >/dev/null || not_ok "delete: death of $who at $point: the later one is not whole"
		! listed "$name" a-$s || pvctl snapshot delete "$name" a-$s || not_ok "delete: death of $who at $point: again"
		goes_on "$name" || not_ok "delete: death of $who at $point: it does not go on"
	done
	t "$name: deaths at each step of a deletion" [ "$BAD" = "$bad" ]
	t "$name: no write fails" no_write_fails "$name"
	refused "$name: the newest cannot be deleted while it runs" 1 'shut the domain down first' pvctl snapshot delete "$name" "b-$s"

	bad=$BAD
	pvctl snapshot "$name" back || not_ok "a last one"
	for death in $(each_death "$5" 'pvctl daemon'); do
		point=${death%:*} who=${death#*:}
		goes_on "$name" || not_ok "it does not go on"
		at $point $who snapshot revert --yes "$name" back
		s=$(lines "$name")
		pvctl snapshot revert --yes "$name" back >"$W/out" 2>&1 || { not_ok "revert: death of $who at $point: again"; cat "$W/out"; }
		eventually 60 eval "[ \$(lines $name) -gt $((s + 3)) ]" || not_ok "revert: death of $who at $point: it does not go on"
	done
	t "$name: deaths at each step of a revert: it can be done again" [ "$BAD" = "$bad" ]
	mine=$(target "$name")
	pvctl destroy "$name"
	n=$(last "$name")
	t "$name: its disk has what it told of" whole "$mine" qcow2 "$n"
	t "$name: its definition has that disk" eval "pvctl start '$name' && [ \$(target '$name') = '$mine' ]"
	pvctl destroy "$name"
	bad=$BAD
	for s in $(snapshots "$name"); do pvctl snapshot delete "$name" "$s" || not_ok "delete $s"; done
	t "$name: all are deleted" [ "$BAD" = "$bad" ]
	t "$name: its disk has what it told of" whole "$mine" qcow2 "$n"
}
truncate -s 16M "$W/k/raw.img"
deaths die-raw "$W/k/raw.img,raw,xvda,w" 'begun prepared saved released switched resumed finished written published' \
	'merging copied merged gone dropped' 'staged ended placed started'
qemu-img create -q -f qcow2 "$W/k/disk.qcow2" 16M
deaths die-qcow "$W/k/disk.qcow2,qcow2,xvda,w" 'saved released switched resumed' 'merged gone' 'placed'

# ---- full disks ----
mkdir "$W/full" "$W/templates"
trap 'pvctl node stop --force >/dev/null 2>&1; umount -l "$W/full" "$W/templates" "$SNAPSHOTS" 2>/dev/null; cleanup' EXIT
if mount -t tmpfs -o size=24m none "$W/full" 2>/dev/null; then
	dd if=/dev/zero of="$W/full/raw.img" bs=1M count=16 status=none
	t "create" pvctl create -q "$(guest full "$W/full/raw.img,raw,xvda,w")"
	eventually 120 console_has full 'BLOCK 3 '
	dd if=/dev/zero of="$W/full/rest" bs=64k status=none 2>/dev/null
	refused "no space for an overlay: its file is named" 1 "$W/full/full-xvda-[0-9]+.qcow2.*: .*No space" pvctl snapshot --no-memory full one
	refused "nor for a clone" 1 "$W/full/full-xvda-[0-9]+.qcow2.*: .*No space" pvctl clone full full-copy
	t "it goes on" goes_on full
	t "there is no copy" eval "! $PVCTL domid full-copy"
	t "no file is left" is "$(find "$W/full" -type f | sort | tr '\n' ' ')" "$W/full/raw.img $W/full/rest "
	rm "$W/full/rest"
	t "a small file system for templates" mount -t tmpfs -o size=24m none "$W/templates"
	refused "no space for a template with its memory" 1 "$W/templates/.*/[a-z.]+: .*No space" env PVCTL_DATA_DIR="$W/templates" "$PVCTL" template create big --from full --warm
	t "it goes on" goes_on full
	t "nothing is left of that" eval "! find '$W/templates' -type f | grep ."
	mkdir -p "$SNAPSHOTS"
	t "a small file system for snapshots" mount -t tmpfs -o size=4m,mode=700 none "$SNAPSHOTS"
	refused "no space for its memory" 1 "$SNAPSHOTS/full/one/memory.save: .*No space" pvctl snapshot full one
	t "it goes on" goes_on full
	t "there is none" is "$(snapshots full)" ""
	t "its disks alone have room" pvctl snapshot --no-memory full one
	t "it goes on" goes_on full
	t "no write fails" no_write_fails full
	mine=$(target full)
	pvctl destroy full
	t "its disk has what it told of" whole "$mine" qcow2 "$(last full)"
	pvctl node stop --force >/dev/null 2>&1
else
	skip "full disks" "no file system can be mounted here"
fi
done_testing
