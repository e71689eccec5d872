#!/bin/bash
# SPDX-License-Identifier: MIT
# Snapshots of running domains: memory and disk of one moment, to go back to; chains of them, and what is left when somebody is killed.
. "$(dirname "$0")/netlib.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/blocklib.sh"

need_modules "snapshots" xen-blkfront xen-netfront
command -v qemu-img >/dev/null || { skip "snapshots" "qemu-utils is not installed"; done_testing; exit; }
block_guest
# chain NAME DISK: three snapshots, back to each, and away with each
chain() {
	local name=$1 n1 n2 before mine head
	t "$name: create" pvctl create -q "$(guest "$1" "$2")" || return 1
	eventually 120 console_has "$name" 'BLOCK 3 ' || { not_ok "$name writes"; console_log "$name" | tail -n 5; return 1; }
	pvctl snapshot --json -d 'the first' "$name" one >"$W/snap.json" 2>"$W/snap.err" && ok "$name: snapshot" || { not_ok "$name: snapshot"; cat "$W/snap.err"; return 1; }
	say "$name: $(field '"pause %.0f ms, all %.0f ms, %.1f MiB" % (d["pause_ns"]/1e6, d["total_ns"]/1e6, d["bytes"]/2**20)' <"$W/snap.json")"
	t "$name: it goes on" goes_on "$name"
	t "$name: info" pvctl snapshot info --verify "$name" one
	n1=$(blocks_on "$(file_of "$name" one)" "$(format_of "$name" one)")
	t "$name: the snapshot's disk has what was written by then ($n1)" [ "$n1" -gt 3 ]
	t "$name: and no more" [ "$n1" -lt "$(last "$name")" ]
	t "$name: twice" pvctl snapshot create "$name" two
	t "$name: it goes on" goes_on "$name"
	n2=$(blocks_on "$(file_of "$name" two)" "$(format_of "$name" two)")
	t "$name: the second is later ($n2)" [ "$n2" -gt "$n1" ]
	t "$name: three times" pvctl snapshot create "$name" three
	t "$name: it goes on" goes_on "$name"
	t "$name: all are listed" is "$(snapshots "$name")" "one two three"
	refused "$name: a name that is taken" 1 'already' pvctl snapshot "$name" two

	# Back, while it runs.
	before=$(lines "$name")
	refused "$name: it is asked before" 1 '--yes' pvctl snapshot revert "$name" two
	t "$name: back to the second" pvctl snapshot revert --yes "$name" two
	t "$name: its memory is back" went_back "$name" "$before"
	t "$name: it has a new generation" eval "node $name vm-generation-id | grep -qE '^[0-9a-f-]{36}$'"
	t "$name: it goes on" goes_on "$name"
	t "$name: no write fails" no_write_fails "$name"
	mine=$(target "$name")
	pvctl destroy "$name"
	t "$name: its disk has what it told of" whole "$mine" "$3" "$(last "$name")"
	t "$name: the first snapshot has what it had" is "$(blocks_on "$(file_of "$name" one)" "$(format_of "$name" one)")" "$n1"

	# Back, after the node was stopped; its disk is as it was, not as it is.
	pvctl node stop --force >/dev/null 2>&1
	t "$name: listed without a node" is "$(snapshots "$name")" "one two three"
	before=$(lines "$name")
	t "$name: back to the first, paused, on another node" pvctl snapshot revert --yes --paused "$name" one
	head=$(target "$name")
	t "$name: its disk is as it was" is "$(blocks_on "$head" "$3")" "$n1"
	pvctl unpause "$name"
	t "$name: its memory is back" went_back "$name" "$before"
	t "$name: it goes on" goes_on "$name"

	# Away with the one in the midst, while it runs. With the later one it can be gone back to that.
	t "$name: delete the second, while it runs" pvctl snapshot delete "$name" two
	t "$name: it goes on" goes_on "$name"
	t "$name: the third is whole" pvctl snapshot info --verify "$name" three
	before=$(lines "$name")
	t "$name: on to the third" pvctl snapshot revert -y "$name" three
	t "$name: it goes on" goes_on "$name"
	t "$name: delete the first, while it runs" pvctl snapshot delete "$name" one
	t "$name: it goes on" goes_on "$name"
	t "$name: no write fails" no_write_fails "$name"
	t "$name: only the third is there" is "$(snapshots "$name")" "three"
	mine=$(target "$name")
	pvctl destroy "$name"
	t "$name: its disk has what it told of" whole "$mine" "$3" "$(last "$name")"
}
# last_one NAME FORMAT DIR: it is deleted, and the disk stands alone
last_one() {
	local disk
	disk=$(pvctl snapshot info --json "$1" three | field 'd["disks"][0]["disk"]')
	t "$1: delete the last" pvctl snapshot delete "$1" three
	t "$1: the disk has what the domain told of" whole "$disk" "$2" "$(last "$1")"
	t "$1: the disk is the only file" is "$(find "$3" -type f)" "$disk"
	t "$1: nothing is left of them" [ ! -e "$SNAPSHOTS/$1" ]
}

mkdir "$W/d" "$W/q"
truncate -s 16M "$W/d/raw.img"
chain raw "$W/d/raw.img,raw,xvda,w" qcow2 && last_one raw qcow2 "$W/d"
qemu-img create -q -f qcow2 "$W/q/disk.qcow2" 16M
if chain qcow "$W/q/disk.qcow2,qcow2,xvda,w" qcow2; then
	t "a qcow2 image keeps its name" is "$(pvctl snapshot info --json qcow three | field 'd["disks"][0]["disk"]')" "$W/q/disk.qcow2"
	last_one qcow qcow2 "$W/q"
fi
trap 'pvctl node stop --force >/dev/null 2>&1; umount "$W/xfs" 2>/dev/null; cleanup' EXIT
if truncate -s 400M "$W/xfs.img" && mkdir "$W/xfs" && mkfs.xfs -q -f "$W/xfs.img" 2>/dev/null && mount -o loop "$W/xfs.img" "$W/xfs" 2>/dev/null; then
	truncate -s 16M "$W/xfs/raw.img"
	if chain shared "$W/xfs/raw.img,raw,xvda,w" raw; then
		t "blocks are shared: it has the file that it had" is "$(pvctl snapshot info --json shared three | field 'd["disks"][0]["disk"]')" "$W/xfs/raw.img"
		last_one shared raw "$W/xfs"
	fi
	pvctl node stop --force >/dev/null 2>&1
	umount "$W/xfs"
else
	skip "a file system that shares blocks" "none can be made or mounted here"
fi
done_testing
