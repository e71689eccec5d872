#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory is promised once: to domains that are built at once, that grow, that restart; and the host's is not promised at all
# unless it is there. What domains give up leaves QEMU.
. "$(dirname "$0")/lib.sh"

GUEST=$O/guests/version.elf
small() { # NAME MIB [LINE...]: a config of a domain that is built quickly and is never run
	local name=$1 mib=$2
	shift 2
	printf '%s\n' "name=\"$name\"" "kernel=\"$GUEST\"" "memory=$mib" "$@" >"$W/$name.cfg"
	echo "$W/$name.cfg"
}
node_field() { pvctl node info --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
mib() { echo $(($(node_field "$1") / 1048576)); }
claimed() { pvctl info outstanding_claims; }
listed() { pvctl list "$1" | tail -n 1 | awk '{print $3, $4}'; }
is() { [ "$(eval "$1")" = "$2" ]; }
# The hypervisor's heap keeps an empty page of each of its sizes.
near() { local now; now=$(free_bytes) && [ $((free0 - now)) -lt 65536 ] && [ $((now - free0)) -lt 65536 ]; }
shrunk() { [ "$(mib backed_bytes)" -le "$1" ] && [ "$(mib qemu_resident_bytes)" -le "$2" ]; }

t "node start" pvctl node start --memory 1024 --cpus 2
t "it does not overcommit" is 'node_field overcommit' False
warm_up
free0=$(free_bytes)

# --- two at once ---
bad=0 won=0
for i in 1 2 3 4; do
	a=$(small "a$i" 600) b=$(small "b$i" 600)
	pvctl create -q -p "$a" >"$W/a.out" 2>&1 & pa=$!
	pvctl create -q -p "$b" >"$W/b.out" 2>&1 & pb=$!
	made=0
	wait $pa && made=$((made + 1)) && pvctl destroy "a$i"
	wait $pb && made=$((made + 1)) && pvctl destroy "b$i"
	won=$((won + made))
	[ $made -le 1 ] || bad=1
	# Both may see the other's promise; but none may find out when it is half built.
	cat "$W/a.out" "$W/b.out" | grep -q 'ran out of memory' && bad=1
	is claimed 0 || bad=1
done
say "two at once: one was made $won times of 4"
t "of two domains for which there is room for one, none fails half way" [ $bad = 0 ]
t "and one is made" [ $won -ge 1 ]
t "nothing is lost" eventually 10 near

# --- a client that dies ---
cfg=$(small victim 900)
for delay in 0.01 0.02 0.03 0.05 0.07 0.1 0.15 0.2; do
	"$PVCTL" create -q -p "$cfg" >/dev/null 2>&1 & p=$!
	sleep $delay
	kill -9 $p 2>/dev/null
	wait $p 2>/dev/null
	eventually 10 eval 'pvctl list victim | grep -q "^victim" && pvctl destroy victim; near && is claimed 0' || bad=1
done
t "creators killed at any time leave no claim and no memory" [ $bad = 0 ]
t "all of it can be had" pvctl create -q -p "$cfg"
pvctl destroy victim

# --- growing ---
# It stores to most of its memory, which is free again after that.
t "a guest with room to grow" pvctl create -q "$(config grow 'memory=256' 'maxmem=800' 'vcpus=1' 'maxvcpus=2' \
	'cmdline="console=hvc0 quiet run=dd+if=/dev/zero+of=/x+bs=1M+count=150;rm+/x;echo+filled+it"')"
if eventually 180 console_has grow '^filled it'; then ok "fills its memory"; else not_ok "fills its memory"; fi
t "its memory was there before it ran" [ "$(mib backed_bytes)" -ge 256 ]
pvctl pause grow
t "mem-set claims what a guest may grow by" eval "pvctl mem-set grow 600 && is claimed 344"
t "claims shows whose" eval "pvctl claims | grep -qE '^grow .* 344\$'"
refused "so nobody else is given it" '*' 'has [0-9]+ MiB free' pvctl create -p "$(small other 500)"
refused "a paused guest does not follow" 1 'holds 256 MiB, its target is 700 MiB: it is paused' pvctl mem-set --wait 1 grow 700
t "less is claimed for less" eval "pvctl mem-set grow 300 && is claimed 44"
t "none for none" eval "pvctl mem-set grow 256 && is claimed 0"
refused "more than the node has" 1 'MiB more: node .* has [0-9]+ MiB free' eval 'pvctl create -q -p "$(small full 600)" && pvctl mem-set grow 700'
pvctl destroy full
refused "a paused guest does not shrink" 1 'holds 256 MiB, its target is 128 MiB: it is paused' pvctl mem-set -w 1 grow 128
t "what it still holds is reclaimable" [ "$(pvctl info reclaimable_memory)" -ge 128 ]
refused "mem-set with no time" 2 'no time in seconds' pvctl mem-set -w soon grow 128

# --- shrinking ---
backed=$(mib backed_bytes) resident=$(mib qemu_resident_bytes)
pvctl unpause grow
t "mem-set waits until the guest has shrunk" pvctl mem-set --wait 60 grow 128
t "the host has it back: the RAM file, and QEMU, are smaller" eventually 30 shrunk $((backed - 100)) $((resident - 60))
say "RAM file: $backed MiB, then $(mib backed_bytes); QEMU: $resident MiB, then $(mib qemu_resident_bytes)"
t "nothing of it is reclaimable any more" eventually 10 eval '[ "$(pvctl info reclaimable_memory)" -le 16 ]'
t "and growing again" pvctl mem-set --wait 60 grow 320
t "uses up its claim" is claimed 0

# --- what a restart keeps ---
t "vcpu-set" pvctl vcpu-set grow 2
pvctl mem-max grow 500
old=$(pvctl domid grow)
pvctl reboot grow >/dev/null
restarted() { local id && id=$(pvctl domid grow) && [ "$id" != "$old" ] && is 'listed grow' '320 2'; }
t "a restarted guest has its last target and number of vCPUs" eventually 120 restarted
t "and its maxmem, but not mem-max" eval 'is "pvctl store read /local/domain/$(pvctl domid grow)/memory/static-max" 819200 && pvctl list --json | grep -A14 "\"grow\"" | grep -q "\"max_memory_bytes\": $((320 << 20))"'
pvctl destroy grow
t "nothing is lost at the end" eventually 10 near
pvctl node stop --force

# --- the host's own memory ---
refused "a node larger than the host" 1 'the host has [0-9]+ MiB in all' pvctl node start --memory 400g
group=
for m in /sys/fs/cgroup/memory /sys/fs/cgroup; do
	limit=memory.limit_in_bytes
	[ $m = /sys/fs/cgroup ] && limit=memory.max
	mkdir "$m/pvctl-e2e-$$" 2>/dev/null || continue
	if echo $((600 << 20)) 2>/dev/null >"$m/pvctl-e2e-$$/$limit"; then group=$m/pvctl-e2e-$$; break; fi
	rmdir "$m/pvctl-e2e-$$"
done
within() { (echo $BASHPID >"$group/cgroup.procs" && exec "$PVCTL" "$@"); }
if [ -n "$group" ]; then
	refused "a node larger than its control group" 1 'the host has 600 MiB in all' within node start --memory 601
	t "a smaller one" within node start --memory 590 --cpus 2
	refused "a domain that the group has no memory for" '*' 'may take [0-9]+ MiB more of the host, which can give [0-9]+ MiB .a control group' \
		pvctl create -q -p "$(small wide 560)"
	t "no domain is left of it" eval '! pvctl domid wide'
	t "one that fits" pvctl create -q -p "$(small wide 200 'maxmem=560')"
	refused "nor may that one grow so far" 1 'mem-set.*may take [0-9]+ MiB more of the host' pvctl mem-set wide 560
	refused "or be allowed to" 1 'mem-max.*may take [0-9]+ MiB more of the host' pvctl mem-max wide 560
	t "its limit and its target are the old ones" eval '[ "$(pvctl store read /local/domain/1/memory/target)" = 204800 ] && pvctl list --json | grep -q "\"max_memory_bytes\": $((200 << 20))"'
	pvctl node stop --force
	t "with --overcommit" within node start --memory 601 --overcommit
	t "it may" eval 'is "node_field overcommit" True && pvctl create -q -p "$(small wide 560)" && [ "$(mib backed_bytes)" -lt 200 ]'
	pvctl node stop --force
	eventually 10 rmdir "$group"
else
	skip "what a control group's limit refuses" "no control group can be made here"
	t "with --overcommit" pvctl node start --memory 512 --overcommit
	t "nothing is allocated in advance" eval 'pvctl create -q -p "$(small wide 400)" && [ "$(mib backed_bytes)" -lt 200 ]'
fi
done_testing
