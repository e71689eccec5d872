#!/bin/bash
# SPDX-License-Identifier: MIT
# A running domain becomes two, or several: each goes on from the same moment, with a disk of its own.
. "$(dirname "$0")/netlib.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/blocklib.sh"

need_modules "clone" xen-blkfront xen-netfront
command -v qemu-img >/dev/null || { skip "clone" "qemu-utils is not installed"; done_testing; exit; }
block_guest
uuid() { pvctl list -v "$1" | tail -n 1 | awk '{print $7}'; }
mac() { pvctl network-list "$1" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["vifs"][0]["mac"])'; }
# trial NAME DISK: it is cloned while it writes
trial() {
	local name=$1 at
	t "$name: create" pvctl create -q "$(guest "$@")"
	eventually 120 console_has "$name" 'BLOCK 3 ' || { not_ok "$name writes"; console_log "$name" | tail -n 5; return 1; }
	pvctl clone --json "$name" "$name-copy" >"$W/clone.json" 2>"$W/clone.err" && ok "$name: clone" || { not_ok "$name: clone"; cat "$W/clone.err"; return 1; }
	say "$name: $(python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print("pause %.0f ms, restore %.0f ms, all %.0f ms, state %.1f MiB" % (d["pause_ns"]/1e6, d["restore_ns"]/1e6, d["total_ns"]/1e6, d["bytes"]/2**20))' "$W/clone.json")"
	at=$(first "$name-copy")
	eventually 60 eval "[ -n \"\$(first $name-copy)\" ]"
	t "$name: the copy does not boot" eval "! console_has $name-copy 'guest-init: up' && [ $(($(first "$name-copy"))) -gt 0 ]"
	t "$name: the original goes on" goes_on "$name"
	t "$name: the copy goes on" goes_on "$name-copy"
	t "$name: no write fails" no_write_fails "$name" "$name-copy"
	t "$name: another uuid" eval "[ \$(uuid $name) != \$(uuid $name-copy) ]"
	t "$name: another mac" eval "[ \$(mac $name) != \$(mac $name-copy) ]"
	t "$name: the guest has that" eventually 30 console_has "$name-copy" "mac $(mac "$name-copy")"
	t "$name: another file" eval "[ \$(target $name) != \$(target $name-copy) ]"
	t "$name: a generation to watch" eval "node $name-copy vm-generation-id | grep -qE '^[0-9a-f-]{36}$' && node $name-copy platform/generation-id | grep -qE '^[0-9]+:[0-9]+$'"
}
after() { # NAME FORMAT COPY-FORMAT: what is on the disks
	local name=$1 mine its
	mine=$(target "$name") its=$(target "$name-copy")
	pvctl destroy "$name"; pvctl destroy "$name-copy"
	t "$name: its disk has what it told of" whole "$mine" "$2" "$(last "$name")"
	t "$name: the copy's disk has what that told of" whole "$its" "$3" "$(last "$name-copy")"
}

mkdir "$W/d" "$W/q"
truncate -s 16M "$W/d/raw.img"
if trial one "$W/d/raw.img,raw,xvda,w"; then
	t "an image that is based upon is not where it could be written by mistake" [ ! -e "$W/d/raw.img" ]
	refused "a name that is taken" 1 'already' pvctl clone one one-copy
	t "twice" pvctl clone one one-second
	t "the second goes on" goes_on one-second
	t "a copy of a copy" pvctl clone -p one-copy deep
	t "it is paused" eval "$PVCTL list deep | tail -n 1 | grep -q -- '--p---'"
	pvctl destroy deep; pvctl destroy one-second
	after one qcow2 qcow2
fi

qemu-img create -q -f qcow2 "$W/q/disk.qcow2" 16M
pvctl define "$(guest two "$W/q/disk.qcow2,qcow2,xvda,w")" >/dev/null
if trial two "$W/q/disk.qcow2,qcow2,xvda,w"; then
	t "a qcow2 image keeps its name" is "$(target two)" "$W/q/disk.qcow2"
	pvctl clone --json -n 3 two more >"$W/clone.json" || not_ok "three at once"
	t "three at once" eval "goes_on more-1 && goes_on more-2 && goes_on more-3 && goes_on two"
	for i in 1 2 3; do pvctl destroy more-$i; done
	before=$(find "$W/q" | sort)
	refused "one name of many is taken: none is made" 1 'already' sh -c "$PVCTL create -q -p $(config many-2) && $PVCTL clone -n 3 two many"
	t "and there is no file more" is "$(find "$W/q" | sort)" "$before"
	# The node has no memory for the copy.
	free=$(($(free_bytes) >> 20))
	pvctl create -q -p "$(config big "memory=$((free - 100))")" && refused "no memory" 1 'MiB free' pvctl clone two two-copy2 && pvctl destroy big
	t "the original goes on" goes_on two
	t "no copy is left" eval "! $PVCTL domid two-copy2"
	t "nor a file of it" eval "! find $W/q | grep two-copy2"
	# Each start of qemu-img costs more than all else that is done with an image's header.
	mkdir "$W/bin"
	printf '#!/bin/sh\necho "$@" >>"%s/started"\nexit 1\n' "$W" >"$W/bin/qemu-img"
	chmod +x "$W/bin/qemu-img"
	t "a chain of plain images: no program looks at it" eval "PATH='$W/bin:$PATH' '$PVCTL' clone two two-plain && [ ! -e '$W/started' ]"
	t "the copy goes on" goes_on two-plain
	pvctl destroy two-plain
	after two qcow2 qcow2
	t "it starts again, from its definition" pvctl start two
	pvctl destroy two
fi

# Whoever clones is killed, anywhere: the original has a disk that is whole, and goes on.
truncate -s 16M "$W/d/kill.img"
qemu-img create -q -f qcow2 "$W/q/kill.qcow2" 16M
killed() { # NAME
	local n=0 s
	for s in 0.3 0.6 0.9 1.3 2; do
		n=$((n + 1))
		timeout -s KILL $s "$PVCTL" clone "$1" "$1-kill-$n" >/dev/null 2>&1
		goes_on "$1" || { echo "killed after $s s: it does not go on"; return 1; }
		pvctl destroy "$1-kill-$n" 2>/dev/null
	done
	return 0
}
for k in "$W/d/kill.img,raw,xvda,w" "$W/q/kill.qcow2,qcow2,xvda,w"; do
	format=${k#*,} format=${format%%,*}
	t "victim-$format: create" pvctl create -q "$(guest "victim-$format" "$k")"
	eventually 120 console_has "victim-$format" 'BLOCK 3 '
	t "victim-$format: the client is killed, again and again" killed "victim-$format"
	t "victim-$format: no write fails" no_write_fails "victim-$format"
	mine=$(target "victim-$format")
	case $mine in *.img) now=raw ;; *) now=qcow2 ;; esac
	pvctl destroy "victim-$format"
	t "victim-$format: its disk has what it told of" whole "$mine" "$now" "$(last "victim-$format")"
done

# A definition follows where the file is another one.
truncate -s 16M "$W/d/def.img"
pvctl define "$(guest defd "$W/d/def.img,raw,xvda,w")" >/dev/null
t "start" pvctl start defd
eventually 120 console_has defd 'BLOCK 3 '
t "clone" pvctl clone defd defd-copy
file=$(target defd)
n=$(last defd)
pvctl destroy defd; pvctl destroy defd-copy
t "start again" pvctl start defd
t "with what it had written" is "$(target defd)" "$file"
pvctl destroy defd

refused "a domain that is paused" 1 'paused' sh -c "$PVCTL create -q -p $(config still) && $PVCTL clone still other"
refused "a channel that is a socket" 1 'connection=pty' sh -c "$PVCTL create -q $(config chan "channel=['connection=socket,path=$W/chan.sock,name=a']") && $PVCTL clone chan other"
refused "no such domain" 1 . pvctl clone nobody other
pvctl destroy still; pvctl destroy chan

trap 'pvctl node stop --force >/dev/null 2>&1; umount "$W/xfs" 2>/dev/null; cleanup' EXIT
if truncate -s 400M "$W/xfs.img" && mkdir "$W/xfs" && mkfs.xfs -q -f "$W/xfs.img" 2>/dev/null && mount -o loop "$W/xfs.img" "$W/xfs" 2>/dev/null; then
	truncate -s 16M "$W/xfs/raw.img"
	if trial three "$W/xfs/raw.img,raw,xvda,w"; then
		t "blocks are shared: the original has the file that it had" is "$(target three)" "$W/xfs/raw.img"
		after three raw raw
	fi
	pvctl destroy three 2>/dev/null; pvctl destroy three-copy 2>/dev/null
	pvctl node stop --force >/dev/null 2>&1
	umount "$W/xfs"
else
	skip "a file system that shares blocks" "none can be made or mounted here"
fi
done_testing
