#!/bin/bash
# SPDX-License-Identifier: MIT
# Snapshots of a domain that is defined and does not run, with a node and without: its disks alone.
. "$(dirname "$0")/lib.sh"

command -v qemu-img >/dev/null && command -v qemu-io >/dev/null || { skip "snapshots" "qemu-utils is not installed"; done_testing; exit; }
SNAPSHOTS=$PVCTL_STATE_DIR/default/snapshots
mkdir "$W/d" "$W/fault" "$W/full"
field() { python3 -c "import json,sys; d=json.load(sys.stdin); print($1)"; }
is() { [ "$1" = "$2" ] || { echo "\"$1\", not \"$2\""; return 1; }; }
files() { find "$W/d" -type f -printf '%f\n' | sort | tr '\n' ' '; }
# The disks as the definition has them; what is in their first sector.
path_of() { grep -oE "$W/d/[a-zA-Z0-9.-]+" "$PVCTL_STATE_DIR/default/defined/one.json" | sed -n "$1p"; }
format_of() { qemu-img info -U --output=json "$1" | field 'd["format"]'; }
put() { # LETTER: to both
	qemu-io -f "$(format_of "$(path_of 1)")" -c "write -q -P $(printf %d "'$1") 0 512" "$(path_of 1)" &&
		qemu-io -f qcow2 -c "write -q -P $(printf %d "'$1") 0 512" "$(path_of 2)"
}
has() { # LETTER
	local k
	for k in 1 2; do
		qemu-img convert -U -O raw "$(path_of $k)" "$W/raw" && [ "$(head -c 1 "$W/raw")" = "$1" ] || return 1
	done
}
cat >"$W/hook" <<'END'
#!/bin/bash
# pvctl is at the step $1.
[ "$1" = "$FAULT_POINT" ] && [ ! -e "$FAULT_DIR/done" ] || exit 0
touch "$FAULT_DIR/done"
case $FAULT_ACTION in
start) "$PVCTL" start one >"$FAULT_DIR/started" 2>&1 && touch "$FAULT_DIR/runs" ;;
*) kill -9 "$PPID" ;;
esac
END
chmod 755 "$W/hook"
export PVCTL PVCTL_SNAPSHOT_HOOK=$W/hook FAULT_DIR=$W/fault FAULT_POINT=none FAULT_ACTION=none

truncate -s 8M "$W/d/raw.img"
qemu-img create -q -f qcow2 "$W/d/disk.qcow2" 8M
printf '%s\n' 'name="one"' "kernel=\"$O/guests/version.elf\"" 'memory=16' 'on_poweroff="preserve"' \
	"disk=['$W/d/raw.img,raw,xvda,w', '$W/d/disk.qcow2,qcow2,xvdb,w', '$W/d/cd.iso,raw,xvdc,ro']" >"$W/one.cfg"
truncate -s 1M "$W/d/cd.iso"
printf '%s\n' 'name="bare"' "kernel=\"$O/guests/version.elf\"" 'memory=16' >"$W/bare.cfg"

say "no node runs"
t "define" eval "pvctl define '$W/one.cfg' && pvctl define '$W/bare.cfg'"
put A
t "its disks alone" pvctl snapshot one first
t "it has no memory" is "$(pvctl snapshot info --json one first | field 'd["memory"], [x["vdev"] for x in d["disks"]]')" "False ['xvda', 'xvdb']"
t "list" is "$(pvctl snapshot list --json one | field '[x["name"] for x in d["snapshots"]]')" "['first']"
t "info --verify" pvctl snapshot info --verify one first
t "an image that is based upon is not where it could be written by mistake" [ ! -e "$W/d/raw.img" ]
t "its disks are as they were" has A
put B
t "one by the time; --no-memory is no other" eval "[ \$(pvctl snapshot create --no-memory --json one | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"pause_ns\"])') = 0 ]"
t "five more by the time, some within a second" eval "for i in 1 2 3 4 5; do pvctl snapshot one || return 1; done"
refused "a name that is taken" 1 'already' pvctl snapshot one first
refused "no disk" 1 'no disk' pvctl snapshot bare
refused "no domain" 1 . pvctl snapshot nobody
t "nothing is left of what was refused" eval "! find '$SNAPSHOTS' -name '.*' | grep ."
put C

say "with a node"
t "node start" pvctl node start --memory 256 --cpus 1
t "revert" is "$(pvctl snapshot revert --yes --json one first | field 'd["domid"]')" 0
t "it is as it was" has A
t "it is not started" eval "! pvctl domid one"
put D
t "one more" pvctl snapshot one later
refused "a clone is one of what runs: it says what is to be done" 1 'defined, and does not run: .pvctl start one' pvctl clone one two
rm -f "$W/fault/done"
FAULT_POINT=begun FAULT_ACTION=start t "while one is made" pvctl snapshot one busy
t "nobody starts the domain" eval "[ ! -e '$W/fault/runs' ] && grep -qi 'in use' '$W/fault/started'"
t "then it can be started" pvctl start one
t "it has these disks" is "$(pvctl block-list --json one | field '[x["target"] for x in d["disks"]][:2]')" "['$(path_of 1)', '$(path_of 2)']"
refused "it has no kernel that could be suspended: with its memory it is no snapshot" 1 . pvctl snapshot --timeout 1 one running
printf '%s\n' 'name="two"' "kernel=\"$O/guests/version.elf\"" 'memory=16' "disk=['$(path_of 1),qcow2,xvda,w']" >"$W/two.cfg"
t "another domain with the same disk" pvctl define "$W/two.cfg"
refused "of another's disks" 1 'in use' pvctl snapshot two
pvctl undefine two
pvctl destroy one
t "its disks are as they were" has D

say "deaths, full disks"
bad=$BAD
for point in begun prepared switched finished written published; do
	rm -f "$W/fault/done"
	put E
	FAULT_POINT=$point FAULT_ACTION=kill pvctl snapshot one "at-$point" >"$W/out" 2>&1
	[ -e "$W/fault/done" ] || { not_ok "$point: the step was not made"; cat "$W/out"; }
	has E || not_ok "death at $point: its disks are not as they were"
	pvctl snapshot one "after-$point" >"$W/out" 2>&1 || { not_ok "death at $point: no other can be made"; cat "$W/out"; }
	has E || not_ok "death at $point: its disks are not as they were after one more"
	find "$SNAPSHOTS" -name '.*' | grep . && not_ok "death at $point: something is left"
	say "death at $point: $(pvctl snapshot info --verify one at-$point >/dev/null 2>&1 && echo a snapshot || echo none)"
done
t "deaths at each step" [ "$BAD" = "$bad" ]
bad=$BAD
for s in $(pvctl snapshot list --json one | field '" ".join(x["name"] for x in d["snapshots"])'); do
	pvctl snapshot delete one "$s" >"$W/out" 2>&1 || { not_ok "delete $s"; cat "$W/out"; }
done
t "all are deleted" [ "$BAD" = "$bad" ]
t "its disks are as they were" has E
# A raw disk once more: what the first one was is an overlay by now.
for point in begun prepared switched finished; do
	rm -f "$W/fault/done" "$W"/d/*
	truncate -s 8M "$W/d/raw.img"
	truncate -s 1M "$W/d/cd.iso"
	qemu-img create -q -f qcow2 "$W/d/disk.qcow2" 8M
	pvctl define "$W/one.cfg" 2>/dev/null
	put F
	FAULT_POINT=$point FAULT_ACTION=kill pvctl snapshot one "raw-$point" >"$W/out" 2>&1
	has F || not_ok "death at $point: a raw disk is not as it was"
	pvctl snapshot delete one nothing >"$W/out" 2>&1
	has F || not_ok "death at $point: a raw disk is not as it was when that was put in order"
	case $point in
	begun) t "death at $point: its files are the only ones" is "$(files)" 'cd.iso disk.qcow2 raw.img ' ;;
	*) t "death at $point: the old name is gone" [ ! -e "$W/d/raw.img" ] ;;
	esac
done
trap 'umount -l "$W/full" 2>/dev/null; cleanup' EXIT
if mount -t tmpfs -o size=2m none "$W/full" 2>/dev/null; then
	truncate -s 8M "$W/full/raw.img"
	printf '%s\n' 'name="small"' "kernel=\"$O/guests/version.elf\"" 'memory=16' "disk=['$W/full/raw.img,raw,xvda,w']" >"$W/small.cfg"
	pvctl define "$W/small.cfg" 2>/dev/null
	cat /dev/zero >"$W/full/rest" 2>/dev/null
	refused "a full disk: its file is named" 1 "$W/full/.*[Nn]o space|[Nn]o space.*$W/full/" pvctl snapshot small one
	t "nothing is left over" is "$(find "$W/full" -type f -printf '%f\n' | sort | tr '\n' ' ')" 'raw.img rest '
	t "no snapshot" is "$(pvctl snapshot list --json small | field 'd["snapshots"]')" '[]'
	rm "$W/full/rest"
	t "with room there is one" pvctl snapshot small one
else
	skip "full disks" "no file system can be mounted here"
fi
pvctl node stop --force >/dev/null 2>&1
done_testing
