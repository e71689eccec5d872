#!/bin/bash
# SPDX-License-Identifier: MIT
# examples/: what a program does with libpvctl, on a node. They are built with the public header alone.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-bindings.sh"
E=$O/examples
says() { eventually "${3:-60}" grep -qE -- "$2" "$W/$1"; }
ended() { # WHAT PID [EXIT]
	wait "$2"
	t "$1" [ $? -eq "${3:-0}" ]
}
ids() { for n in "$@"; do pvctl domid "$n" || return 1; done; }

refused "without a node" 1 'does not run|not running' "$E/epoll-loop" web
t "node start" pvctl node start --memory 768

# create-and-watch
"$E/create-and-watch" name=seen kernel="$O/guests/version.elf" memory=16 >"$W/seen" 2>&1
t "create-and-watch: ends with its domain" [ $? -eq 0 ]
t "has its console from the first line to the last" eval "head -n 3 '$W/seen' | grep -q . && grep -q 'TEST RESULT:' '$W/seen'"
t "and why it ended" grep -q 'seen ended: poweroff' "$W/seen"
truncate -s 1M "$W/a.img" "$W/b.img"
"$E/create-and-watch" name=stays kernel="$KERNEL" ramdisk="$RAMDISK" memory=72 cmdline=console=hvc0 \
	disk="$W/a.img,raw,xvda,rw" disk="$W/b.img,raw,xvdb,rw" >"$W/stays" 2>&1 &
p=$!
t "one that stays, with a list" says stays 'guest-init: up' 120
t "has all of it" eval "[ \$(pvctl block-list --json stays | grep -c '\"vdev\"') -eq 2 ]"
kill -INT $p
ended "a signal ends it" $p
t "and takes the domain away" eval "! pvctl domid stays"
refused "what cannot be is told" 1 'memory' "$E/create-and-watch" name=no kernel="$KERNEL" memory=much

# epoll and glib
t "create" pvctl create -q -p "$(config web memory=72)"
"$E/epoll-loop" web >"$W/epoll" 2>&1 &
p=$!
g=
[ -x "$E/glib-loop" ] && { "$E/glib-loop" web >"$W/glib" 2>&1 & g=$!; }
t "epoll: the snapshot, without an event" says epoll "^event 131072 domain $(pvctl domid web) web"
[ -z "$g" ] || t "glib: the snapshot, without an event" says glib "^event 131072 domain $(pvctl domid web) web"
t "unpause" pvctl unpause web
t "epoll: the console" says epoll 'guest-init: up' 120
t "and the event" says epoll '^event 16 .* web'
[ -z "$g" ] || t "glib: the timer" says glib '^web: [0-9.]+ s of CPU time, 72 MiB'
t "destroy" pvctl destroy web
ended "epoll: ends with the domain" $p
if [ -n "$g" ]; then ended "glib: ends with the domain" $g; else skip "glib" "it was built without glib (libglib2.0-dev)"; fi

# supervisor
args=(kernel="$KERNEL" ramdisk="$RAMDISK" memory=72 "cmdline=console=hvc0 quiet")
"$E/supervisor" job 2 "${args[@]}" >"$W/super" 2>&1 &
p=$!
t "supervisor: all are there" eventually 60 ids job0 job1
old=$(pvctl domid job0) other=$(pvctl domid job1)
t "one is destroyed" pvctl destroy job0
t "and is there again, another" eventually 60 eval "[ \"\$(pvctl domid job0)\" -gt $old ]"
t "the other is as it was" eval "[ \$(pvctl domid job1) = $other ]"
t "wait for its console" pvctl wait job1 --for console:'guest-init: up' --timeout 120
t "one shuts down" pvctl shutdown -w --timeout 60 job1
t "and is there again" eventually 60 eval "[ \"\$(pvctl domid job1)\" -gt $other ]"
kill -TERM $p
ended "a signal ends it" $p
t "its domains stay" ids job0 job1
was="$(ids job0 job1)"
t "one ends meanwhile" pvctl destroy job1
"$E/supervisor" job 2 "${args[@]}" >"$W/super2" 2>&1 &
p=$!
t "another supervisor makes what is missing" says super2 '^job1 is domain'
t "and takes over what is there" eval "[ \$(pvctl domid job0) = ${was%%$'\n'*} ] && ! grep -q '^job0 is' '$W/super2'"
t "another daemon takes over" pvctl node restart-daemon
old=$(pvctl domid job0)
t "one is destroyed then" pvctl destroy job0
t "and the supervisor noticed" eventually 60 eval "[ \"\$(pvctl domid job0)\" -gt $old ]"
kill -TERM $p
ended "it ends" $p
t "destroy all" eval "pvctl destroy job0 && pvctl destroy job1"
"$E/supervisor" short 1 kernel="$O/guests/version.elf" memory=16 >"$W/short" 2>&1 &
p=$!
ended "what ends at once is given up" $p
t "after a few times" eval "[ \$(grep -c 'short0 is domain' '$W/short') -eq 6 ] && grep -q 'given up' '$W/short'"
refused "what cannot be is told before anything is started" 1 'kernel' "$E/supervisor" x 2 kernel=/nonexistent memory=16
"$E/supervisor" job 1 "${args[@]}" >"$W/down" 2>&1 &
p=$!
t "one more" eventually 60 ids job0
t "node stop" pvctl node stop --force
ended "without a node it ends" $p 1
t "and says so" grep -q 'supervisor: ' "$W/down"

# balancer
two_nodes
balanced "$E/balancer"
refused "what does not run is told" 1 'balancer: nowhere: ' "$E/balancer" default nowhere
done_testing
