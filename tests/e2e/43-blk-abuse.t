#!/bin/bash
# SPDX-License-Identifier: MIT
# A hostile block frontend: it gets errors or loses its connection; daemon, hypervisor and the other domain's disk go on.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"

head -c 4M /dev/urandom >"$W/a.img"
head -c 1M /dev/urandom >"$W/b.img"
truncate -s 16M "$W/c.img"
printf '%s\n' 'name="abuse"' "kernel=\"$O/guests/blk-abuse.elf\"" 'memory=16' 'vcpus=2' 'on_poweroff="destroy"' \
	'on_crash="destroy"' "disk=[\"$W/a.img,raw,xvda,rw\",\"$W/b.img,raw,xvdb,ro\"]" >"$W/abuse.cfg"
before=$(md5sum <"$W/b.img")

t "node start" pvctl node start --memory 1024 --cpus 2
t "a domain to warm up" warm_up
daemon=$(daemon_pid)

# Another domain's disk, in use all the time.
steady=
if block_guest; then
	t "another domain with a disk" pvctl create -q "$(linux steady \
		'insmod+/lib/modules/xen-blkfront.ko;sleep+1;while+:;do+dd+if=/dev/zero+of=/dev/xvda+bs=64k+count=64+oflag=direct+2>/dev/null&&echo+turn;done' \
		"disk=[\"$W/c.img,raw,xvda,rw\"]")"
	if eventually 90 console_has steady '^turn'; then ok "it writes"; steady=1; else not_ok "it writes"; console_log steady | tail -n 10 | sed 's/^/#   /'; fi
else
	skip "another domain with a disk" "there is no xen-blkfront.ko for the guest's kernel"
fi
turns() { console_log steady 2>/dev/null | grep -c '^turn'; }

turns0=$(turns)
t "create" pvctl create -q "$W/abuse.cfg"
eventually 180 eval "! pvctl domid abuse" || not_ok "the abuse ends by itself"
verdict=$(console_log abuse | grep -a '^TEST RESULT:' | tail -n 1)
case $verdict in *SUCCESS*) ok "the hostile frontend: errors and disconnections only" ;; *)
	not_ok "the hostile frontend: ${verdict:-no verdict}"
	console_log abuse | tail -n 20 | sed 's/^/#   /' ;;
esac
t "a read-only disk is as it was" [ "$(md5sum <"$W/b.img")" = "$before" ]

# Destroyed in the middle of it, several times; what is free before is free after.
free0=$(free_bytes)
echo 'extra="forever"' >>"$W/abuse.cfg"
for i in 1 2 3 4; do
	t "create, for ever" pvctl create -q "$W/abuse.cfg"
	sleep $((i % 2)).$((i * 17 % 10))
	id=$(pvctl domid abuse)
	t "destroyed while it abuses" pvctl destroy abuse
	t "nothing of it is left in the store" eval "! pvctl store ls /local/domain/0/backend/vbd/$id 2>/dev/null | grep ."
done
t "its disks are free" eval "pvctl create -q -p '$W/abuse.cfg' && pvctl destroy abuse"

say "free memory: $free0 bytes at first, $(free_bytes) after"
t "no memory is lost" eventually 10 eval "[ \"\$(free_bytes)\" = '$free0' ]"
if [ -n "$steady" ]; then
	say "the other domain: $turns0 turns before, $(turns) after"
	t "the other domain's disk went on" [ "$(turns)" -gt "$turns0" ]
	now=$(turns)
	t "and goes on" eventually 30 eval "[ \$(turns) -gt $now ]"
	t "no error in the other domain" eval "! console_log steady | grep -iE 'error|blkfront.*fail'"
	t "its end" pvctl destroy steady
fi
t "the daemon is the same process" [ "$(daemon_pid)" = "$daemon" ]
t "no page is lent any more" eventually 10 no_dying
t "the hypervisor is well" eval "pvctl info total_memory && ! pvctl dmesg | grep -E 'BUG|panic'"
t "node stop" pvctl node stop
done_testing
