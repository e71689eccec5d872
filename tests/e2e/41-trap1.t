#!/bin/bash
# SPDX-License-Identifier: MIT
# Code that was executed, then replaced from a disk, then executed again: the new code must run. QEMU's TCG goes on
# running the old translation of a page that another process wrote to, so that this is the backend's business.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"

truncate -s 4M "$W/a.img"
# A small kernel that lends the page it executes.
printf '%s\n' 'name="trap1"' "kernel=\"$O/guests/blk-trap1.elf\"" 'memory=16' 'vcpus=1' 'on_poweroff="destroy"' \
	'on_crash="destroy"' "disk=[\"$W/a.img,raw,xvda,rw\"]" >"$W/trap1.cfg"
t "create" pvctl create -q "$W/trap1.cfg"
eventually 180 eval "! pvctl domid trap1" || not_ok "it ends by itself"
verdict=$(console_log trap1 | grep -a '^TEST RESULT:' | tail -n 1)
case $verdict in *SUCCESS*) ok "an executed page, lent and filled from the disk" ;; *) not_ok "an executed page, lent and filled from the disk: ${verdict:-no verdict}" ;; esac

# A stock kernel: with persistent grants it copies into its pages itself, without it lends them.
if ! block_guest; then
	skip "a Linux guest" "there is no xen-blkfront.ko for the guest's kernel"
	done_testing
	exit
fi
for persistent in 1 0; do
	g=linux$persistent
	truncate -s 8M "$W/$g.img"
	t "$g: create" pvctl create -q "$(linux $g \
		"insmod+/lib/modules/xen-blkfront.ko+feature_persistent=$persistent;sleep+1;blkprobe+exec-direct+/dev/xvda+2000;blkprobe+exec-mapped+/dev/xvda+400;echo+probes-end;(while+:;do+test+-b+/dev/xvdb&&blkprobe+exec-once+/dev/xvdb;sleep+1;done)&" \
		"disk=[\"$W/$g.img,raw,xvda,rw\"]")"
	eventually 300 console_has $g '^probes-end' || not_ok "$g: the probes end"
	t "$g: the frontend is as asked for" eval "[ \"\$(pvctl store read /local/domain/\$(pvctl domid $g)/device/vbd/51712/feature-persistent)\" = $persistent ]"
	t "$g: read past the page cache into an executed page" console_has $g 'PROBE exec-direct rounds 2000 stale 0'
	t "$g: an executed page of the page cache, evicted and filled again" console_has $g 'PROBE exec-mapped rounds 400 stale 0'
	# The host changes the code while the disk is away.
	out=
	for n in 7 8 9; do
		{ printf '\270'; printf "\\$(printf %03o $n)\\000\\000\\000"; printf '\303'; } | dd of="$W/h$persistent.img" bs=1M count=1 iflag=fullblock conv=notrunc status=none
		truncate -s 1M "$W/h$persistent.img"
		pvctl block-attach $g "$W/h$persistent.img,raw,xvdb,rw" || break
		eventually 60 eval "[ \$(console_log $g | tr -d '\r' | grep -c '^PROBE ran $n, holds $n\$') -ge 2 ]" && out="$out $n"
		pvctl block-detach $g xvdb
		eventually 60 eval "! pvctl block-list $g | grep -q ^51728"
	done
	t "$g: detached, changed by the host, attached: $out" [ "$out" = " 7 8 9" ]
	t "$g: destroy" pvctl destroy $g
done
t "node stop" pvctl node stop
done_testing
