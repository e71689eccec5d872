#!/bin/bash
# SPDX-License-Identifier: MIT
# A domain is kept, copied or saved, and between two steps of that somebody else does something to it.
. "$(dirname "$0")/netlib.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/blocklib.sh"

need_modules "between" xen-blkfront xen-netfront
command -v qemu-img >/dev/null || { skip "between" "qemu-utils is not installed"; done_testing; exit; }
block_guest
cat >"$W/hook" <<'END'
#!/bin/bash
# At one step, once: what the test has in BETWEEN.
[ "$1" = "$BETWEEN_AT" ] && mkdir "$BETWEEN_DIR/done" 2>/dev/null || exit 0
unset PVCTL_SNAPSHOT_HOOK
eval "$BETWEEN" >"$BETWEEN_DIR/out" 2>&1
echo $? >"$BETWEEN_DIR/rc"
END
chmod 755 "$W/hook"
export BETWEEN_DIR=$W/between PVCTL
# snapshot NAME STEP COMMAND: a snapshot with the command between two of its steps
snapshot() {
	rm -rf "$BETWEEN_DIR"
	mkdir "$BETWEEN_DIR"
	BETWEEN_AT=$2 BETWEEN=$3 PVCTL_SNAPSHOT_HOOK=$W/hook pvctl snapshot "$1"
}
came_between() { [ "$(cat "$BETWEEN_DIR/rc")" = 0 ] || { cat "$BETWEEN_DIR/out"; return 1; }; }
was_refused() { [ "$(cat "$BETWEEN_DIR/rc")" != 0 ] && grep -qE "$1" "$BETWEEN_DIR/out" || { cat "$BETWEEN_DIR/out"; return 1; }; }

mkdir "$W/d"
truncate -s 16M "$W/d/raw.img"
qemu-img create -q -f qcow2 "$W/d/disk.qcow2" 16M
truncate -s 1M "$W/d/more.img"
t "node" pvctl node start --memory 1024
for name in raw qcow; do
	disk=$W/d/raw.img,raw,xvda,w
	[ $name = raw ] || disk=$W/d/disk.qcow2,qcow2,xvda,w
	t "$name: create" pvctl create -q "$(guest $name "$disk")"
	eventually 120 console_has $name 'BLOCK 3 ' || not_ok "$name writes"

	say "$name: before it is suspended"
	refused "$name: a copy is made of it" 1 'meanwhile' snapshot $name prepared "\"\$PVCTL\" clone $name $name-copy"
	t "$name: that copy is good" eval "came_between && goes_on $name-copy"
	t "$name: it goes on" goes_on $name
	refused "$name: its disk grows" 1 'meanwhile' snapshot $name prepared "\"\$PVCTL\" disk resize $name xvda 20M"
	t "$name: it has grown" came_between
	t "$name: it goes on with that" goes_on $name
	refused "$name: it gets a disk" 1 'meanwhile' snapshot $name prepared "\"\$PVCTL\" block-attach $name '$W/d/more.img,raw,xvdb,w'"
	t "$name: it has it" came_between
	pvctl block-detach $name xvdb
	eventually 30 eval "! pvctl block-list $name | grep -q xvdb" || pvctl block-detach --force $name xvdb
	refused "$name: it gets another name" 1 'renamed' snapshot $name prepared "\"\$PVCTL\" rename $name $name-other"
	t "$name: it has that" eval "came_between && pvctl rename $name-other $name"
	t "$name: it goes on after all" goes_on $name
	t "$name: there is no snapshot" is "$(snapshots $name)" ""

	say "$name: while it is suspended"
	t "$name: somebody would let it go on" snapshot $name saved "\"\$PVCTL\" resume $name"
	t "$name: and must not" was_refused 'somebody else'
	t "$name: somebody would save it" snapshot $name saved "\"\$PVCTL\" save $name '$W/other.save'"
	t "$name: and must not" eval "was_refused 'somebody else' && [ ! -e '$W/other.save' ]"
	t "$name: it goes on" goes_on $name
	t "$name: no write failed" no_write_fails $name $name-copy
	now=$(target $name) its=$(target $name-copy)
	pvctl destroy $name; pvctl destroy $name-copy
	t "$name: its disk has what it told of" whole "$now" qcow2 "$(last $name)"
	t "$name: the copy's, too" whole "$its" qcow2 "$(last $name-copy)"
done

say "the first disk stays the first"
truncate -s 16M "$W/d/first.img"
qemu-img create -q -f qcow2 "$W/d/second.qcow2" 16M
t "create" pvctl create -q "$(guest order "$W/d/first.img,raw,xvda,w','$W/d/second.qcow2,qcow2,xvdb,w")"
eventually 120 console_has order 'BLOCK 3 ' || not_ok "it writes"
t "snapshot" pvctl snapshot order
first_disk() { pvctl list -l "$1" | python3 -c 'import json,sys; d=json.load(sys.stdin); d=d[0] if isinstance(d,list) else d; print(d["config"]["disks"][0]["vdev"])'; }
t "it is booted from that, and reinstalled" is "$(first_disk order)" xvda
pvctl destroy order

say "a device comes while memory is written"
truncate -s 16M "$W/d/live.img"
t "create" pvctl create -q "$(guest live "$W/d/live.img,raw,xvda,w")"
eventually 120 console_has live 'BLOCK 3 ' || not_ok "it writes"
mkfifo "$W/fifo"
exec 4<>"$W/fifo"
"$PVCTL" save --live live "$W/fifo" 2>"$W/err" &
pid=$!
t "it is being saved" eventually 20 eval "[ \$(timeout 1 head -c 4096 <&4 | wc -c) -gt 0 ]"
t "a disk is attached" pvctl block-attach live "$W/d/more.img,raw,xvdb,w"
cat <&4 >/dev/null & cat=$!
if wait $pid; then not_ok "it is saved without that disk"; else ok "it is not saved"; fi
kill $cat
exec 4<&-
t "that is said" grep -q 'disk=.*was changed meanwhile' "$W/err"
t "it goes on" goes_on live
pvctl destroy live
done_testing
