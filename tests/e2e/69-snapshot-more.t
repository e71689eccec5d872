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

done_testing
