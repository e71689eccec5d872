#!/bin/bash
# SPDX-License-Identifier: MIT
# A machine that stands still for a while (here: QEMU is stopped) kills nothing: clients are told, and then all goes on.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"

if ! block_guest; then
	skip "a slow machine" "there is no xen-blkfront.ko for the guest's kernel"
	done_testing
	exit
fi
alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }
flushed() { console_log writer | tr -d '\r' | sed -n "s/^FLUSHED 7 \([0-9]*\)\$/\1/p" | tail -n 1; }
silent() { [ "$(node_pid silent_ns)" -gt 0 ]; }
event() { grep -q "$1" "$W/events"; }
# Within SECONDS, counted with room for a busy host, it says what is the matter.
told() {
	local seconds=$1
	shift
	timeout "$seconds" "$PVCTL" "$@"
}
truncate -s 128M "$W/disk.img"

t "node start" pvctl node start --memory 512 --slow-after 2
q=$(qemu_pid) d=$(daemon_pid)
pvctl events >"$W/events" &
listener=$!
t "a domain that writes" pvctl create -q "$(linux writer "insmod+/lib/modules/xen-blkfront.ko;sleep+1;blkprobe+durable+/dev/xvda+7+" \
	"disk=[\"$W/disk.img,raw,xvda,rw\"]")"
t "one beside it" pvctl create -q "$(config idle)"
t "it is up" eventually 120 console_has idle 'guest-init: up'
t "it writes" eventually 120 eval "[ -n \"\$(flushed)\" ]"

kill -STOP "$q"
t "that is noticed" eventually 30 silent
refused "a list says so" 1 'has not answered for [0-9]+ s: QEMU .*stopped, or the host is overloaded' told 30 list
refused "and what would change something" 1 'has not answered for' told 30 pause idle
refused "creation" '*' 'has not answered for' told 30 create -q -p "$(config late)"
t "node info says so" eval "pvctl node info | grep -q 'has not answered for' && pvctl node info | grep -q '^state *: slow'"
t "an event says so" eventually 5 event node-slow
sleep 3
t "nothing was killed" eval "alive $q && alive $d && ! event node-down && ! event destroyed"
kill -CONT "$q"
t "it is back" eventually 60 event node-back
t "node info says so, too" eval "pvctl node info | grep -q '^state *: running'"
t "both are there" eval "pvctl domid writer && pvctl domid idle && ! pvctl domid late"
n=$(flushed)
t "the writer goes on" eventually 60 eval "[ \$(flushed) -gt ${n:-0} ]"
t "the other, too" eval "pvctl pause idle && pvctl unpause idle"
t "which is told" eventually 20 event ' unpaused '
t "nothing came of what was refused" eval "[ \$(grep -c ' paused ' '$W/events') -eq 1 ] && [ \$(pvctl list | wc -l) -eq \$(pvctl list | grep -cE '^(Name|Domain-0|writer|idle) ') ]"
t "the writer is destroyed" pvctl destroy writer
n=$(flushed)
t "all ${n:-} flushed blocks are there" "$PROBE" verify "$W/disk.img" 7 "${n:-none}"

# Many short stops, below and above what is called slow.
for _ in 1 2 3 4 5; do
	kill -STOP "$q"
	sleep 0.$((RANDOM % 10))
	kill -CONT "$q"
	pvctl list >/dev/null || not_ok "a list between stops"
done
ok "short stops go unnoticed"

kill -STOP "$q"
t "slow again" eventually 30 silent
t "a node that is slow can be stopped" told 20 node stop --force
t "QEMU is gone" eventually 10 eval "! alive $q"
t "so is the daemon" eventually 10 eval "! alive $d"
wait $listener
t "nothing is left" eval "[ -z \"\$(ls -A '$PVCTL_RUN_DIR')\" ]"

t "the node starts again" pvctl node start --memory 512 --slow-after 2
q=$(qemu_pid) d=$(daemon_pid)
kill -STOP "$q"
t "slow" eventually 30 silent
kill -KILL "$q"
t "its death is found" eventually 10 eval "! alive $d"
t "and named" grep -q 'the node is down: .*QEMU' "$PVCTL_STATE_DIR/default/daemon.log"
t "once more" pvctl node start --memory 512 --slow-after 2
q=$(qemu_pid) d=$(daemon_pid)
kill -STOP "$q"
t "slow" eventually 30 silent
kill -TERM "$d"
t "a daemon whose node is slow ends when it is told to" eventually 10 eval "! alive $d && ! alive $q"

# 35 s, with what is usual: whatever a client asks for at its beginning or later, he is told before he gives up.
asked() { # NAME SECONDS COMMAND...: in the background; its status and words are kept
	local name=$1
	shift
	{ told "$@" >"$W/$name.out" 2>&1; echo $? >"$W/$name.rc"; } &
	askers+=($!)
}
ask_all() { # SUFFIX
	askers=()
	asked "list$1" 30 list
	asked "info$1" 30 info
	asked "pause$1" 30 pause one
	asked "unpause$1" 30 unpause two
	asked "block$1" 30 block-attach one "$W/more.img,raw,xvdb,rw"
	asked "network$1" 30 network-attach one link=switch,bridge=lan
	asked "rename$1" 30 rename two three
	asked "mem$1" 30 mem-set one 60
	asked "save$1" 30 save one "$W/one.save"
	asked "create$1" 30 create -q -p "$(config late)"
	asked "destroy$1" 30 destroy two
	wait "${askers[@]}"
}
was_told() { # NAME
	[[ $(cat "$W/$1.rc") =~ ^[1-9] ]] && grep -q 'has not answered for [0-9]* s: QEMU' "$W/$1.out" && return
	sed "s/^/# $1: /" "$W/$1.rc" "$W/$1.out"
	return 1
}
sleeps_on() { # PID of `timeout`: what it runs has been asleep for a second
	local status before
	status=/proc/$(pgrep -P "$1")/status
	before=$(grep ctxt "$status") && sleep 1 && grep -q '^State:.*sleeping' "$status" && [ "$(grep ctxt "$status")" = "$before" ]
}
truncate -s 16M "$W/more.img"
t "a node for a long pause" pvctl node start --memory 512
q=$(qemu_pid) d=$(daemon_pid)
t "a domain" pvctl create -q "$(linux one "sleep+1" "disk=[\"$W/disk.img,raw,xvda,rw\"]")"
t "and another" pvctl create -q "$(config two)"
t "both are up" eval "eventually 120 console_has one 'guest-init: up' && eventually 120 console_has two 'guest-init: up'"
pvctl events >"$W/events" &
listener=$!
kill -STOP "$q"
stopped=$SECONDS
# What is in the hypervisor's hands already will be done: that is to be something harmless.
timeout 30 "$PVCTL" list >/dev/null 2>&1 &
first=$!
t "somebody waits" eventually 20 sleeps_on "$first"
ask_all 1
ask_all 2
for c in list info pause unpause block network rename mem save create destroy; do
	t "at the beginning: $c" was_told ${c}1
	t "later: $c" was_told ${c}2
done
t "node info is answered" eval "told 30 node info | grep -q '^state *: slow'"
while [ $((SECONDS - stopped)) -lt 35 ]; do sleep 1; done
t "all are alive" eval "alive $q && alive $d && ! event node-down"
kill -CONT "$q"
t "it is back after 35 s" eventually 60 event node-back
t "nothing of what was asked for was done" eval "pvctl domid one && pvctl domid two && ! pvctl domid late && ! pvctl domid three &&
	! pvctl block-list one | grep -q xvdb && ! event ' paused ' && ! event destroyed"
t "all goes on" eval "pvctl pause one && pvctl unpause one && pvctl block-attach one '$W/more.img,raw,xvdb,rw' && pvctl destroy two"
t "it stops" pvctl node stop --force
wait $listener "$first"
done_testing
