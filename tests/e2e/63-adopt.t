#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon is killed, again and again, at named places and anywhere, while a Linux guest uses its disk, network, store
# and console: all goes on, nothing that was acknowledged is lost, and nothing is answered twice.
. "$(dirname "$0")/netlib.sh"
net_namespace "$0" any
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"
net_guest
ip link set lo up
if ! block_guest; then
	skip "taking over" "there is no xen-blkfront.ko for the guest's kernel"
	done_testing
	exit
fi
ROUNDS=${ROUNDS:-5}
cp "$O/tests/linux/pauseprobe" "$W/root/bin/"
cp "$O/demo/modules/xen-netfront.ko" "$W/root/lib/modules/"
pack_guest
RAMDISK=$W/initrd.gz

# The daemon's own file: it is written anew by each.
info() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$PVCTL_RUN_DIR/default/node.json" "$1"; }
is_another() { [ "$(info pid)" != "$1" ] && kill -0 "$(info pid)" && pvctl domid a >/dev/null; }
probe() { console_log a | tr -d '\r' | sed -n 's/^PROBE \([0-9].*\)$/\1/p' | tail -n 1; }
# Done by disk, store and ping.
done_now() { probe | awk '{ print $3, $7, $11 }'; }
goes_on() { # FROM: all three are beyond that
	awk -v a="$1" -v b="$(done_now)" 'BEGIN { n = split(a, x); split(b, y); for (i = 1; i <= n; i++) if (y[i] + 0 <= x[i] + 0) exit 1; exit n != 3 }'
}
no_harm() { ! console_log a | tr -d '\r' | grep -aE 'PROBE-BAD|I/O error|Buffer I/O|blk_update'; }
ticks() { console_log a | tr -d '\r' | sed -n 's/^TICK \([0-9]*\)$/\1/p'; }

# A daemon that can be replaced, beside the helpers.
mkdir "$W/libexec"
cp "$O/pvctld/pvctld" "$O"/pvctl-* "$W/libexec/" 2>/dev/null
export PVCTL_LIBEXEC_DIR=$W/libexec
t "node start" pvctl node start --memory 512 --daemon "$W/libexec/pvctld" --hypervisor "$O/xen-like-hv.elf"
truncate -s 64M "$W/disk.img"
f=$(net_config a 'insmod+/lib/modules/xen-blkfront.ko;net-up;pauseprobe+/dev/xvda+10.0.2.2' \
	"disk=[\"$W/disk.img,raw,xvda,rw\"]" 'vif=["hostfwd=tcp:22080-80"]')
t "a guest" pvctl create -q "$f"
if ! eventually 120 eval '[ -n "$(probe)" ] && goes_on "0 0 0"'; then
	not_ok "the guest works"
	console_log a | tail -n 20
	tail -n 20 "$PVCTL_STATE_DIR/default/daemon.log"
	done_testing
	exit
fi

killed=0
round() { # WHAT [POINT N]
	local pid before
	pid=$(info pid)
	if ! is_another "$pid" 2>/dev/null && ! kill -0 "$pid"; then not_ok "$1: there is a daemon"; return 1; fi
	kill -9 "$pid"
	killed=$((killed + 1))
	if ! eventually 20 is_another "$pid"; then
		not_ok "$1: there is another daemon"
		tail -n 20 "$PVCTL_STATE_DIR/default/daemon.log" | sed 's/^/#   /'
		return 1
	fi
	before=$(done_now)
	if ! eventually 30 goes_on "$before"; then
		not_ok "$1: all goes on"
		say "before $before, now $(probe)"
		tail -n 20 "$PVCTL_STATE_DIR/default/daemon.log" | sed 's/^/#   /'
		return 1
	fi
	sleep 0.$((RANDOM % 1000))
}
rounds() {
	local i
	for i in $(seq "$1"); do round "round $i" || return 1; done
	ok "killed $1 times: disk, store and network go on"
}
rounds "$ROUNDS"
t "the guest saw nothing wrong" no_harm
# One that is armed is killed at a place; it reads that when it begins, so that it comes from a kill of its own.
points='blk-take blk-taken blk-answer blk-answered blk-counted blk-push blk-pushed tx-begun tx-push tx-shown rx-begun rx-push rx-shown
	store-done store-noted store-take store-taken store-out console event hypercall hypercall-done grant-mapped'
for point in ${POINTS:-$(one_in 3 "$points")}; do
	n=$((RANDOM % 20 + 1))
	[ $point != grant-mapped ] || n=$((n % 3 + 1)) # while it takes over
	pid=$(info pid)
	echo "$point $n" >"$PVCTL_STATE_DIR/default/die-at"
	round "before $point" || break
	# The armed one dies by itself.
	armed=$pid
	if eventually 30 eval "[ \$(grep -c 'takes over' '$PVCTL_STATE_DIR/default/daemon.log') -ge $((killed + 1)) ]"; then
		killed=$((killed + 1))
	else
		not_ok "$point $n: nobody came there"
		continue
	fi
	pid=$(info pid)
	before=$(done_now)
	if eventually 30 goes_on "$before"; then ok "killed at $point $n"; else not_ok "killed at $point $n: all goes on"; say "before $before, now $(probe)"; break; fi
done
t "the guest saw nothing wrong" no_harm

# On purpose; and not by a program that could not take over. Who looks at the console and who waits for events goes on.
pvctl events >"$W/events" &
watcher=$!
mkfifo "$W/keys"
timeout 300 "$PVCTL" console a <"$W/keys" >"$W/seen" 2>&1 &
viewer=$!
exec 8>"$W/keys"
t "somebody looks at the console" eventually 20 grep -qa 'TICK' "$W/seen"
pid=$(info pid)
t "node restart-daemon" pvctl node restart-daemon
t "it is another daemon" is_another "$pid"
t "node info says so" eval "pvctl node info | grep -q '^daemon_restarts  *: [0-9]*, the last at 20'"
t "so does an event" eventually 5 grep -q daemon-restarted "$W/events"
last=$(ticks | tail -n 1)
t "who looks at the console goes on" eventually 20 grep -qa "TICK $((last + 20))" "$W/seen"
tr -d '\r' <"$W/seen" | sed -n 's/^TICK \([0-9]*\)$/\1/p' | tail -n +2 >"$W/seen-ticks"
t "and misses nothing" awk 'NR > 1 && $1 != last + 1 { exit 1 } { last = $1 } END { exit NR < 20 }' "$W/seen-ticks"
exec 8>&-
kill $watcher $viewer 2>/dev/null
ticks >"$W/ticks"
t "no line of its console is missing" eval "sort -nu '$W/ticks' | awk 'NR > 1 && \$1 != last + 1 { exit 1 } { last = \$1 } END { exit NR < 50 }'"
t "the hypervisor's counts are right" eval "pvctl debug-keys t && ! pvctl dmesg | grep -i 'audit.*wrong'"
read -r _ _ d _ dm _ s _ sm _ p _ pm <<<"$(probe)"
say "longest: disk $dm ms, store $sm ms, without an answer to a ping $pm ms; $killed daemons"
mv "$W/libexec/pvctld" "$W/good"
printf '%s\n' '#!/bin/sh' 'echo 9.9' >"$W/libexec/pvctld"
chmod 755 "$W/libexec/pvctld"
refused "a program that keeps another state is refused" '*' 'could not take over: .*version 9.9' pvctl node restart-daemon
mv "$W/good" "$W/libexec/pvctld"
t "and nothing was done" pvctl node restart-daemon
t "pvctl shutdown" timeout 60 "$PVCTL" shutdown -w a
# One that never takes over is tried a few times, and then the node ends.
printf '%s\n' '#!/bin/sh' 'exit 1' >"$W/never"
chmod 755 "$W/never"
mv "$W/never" "$W/libexec/pvctld"
kill -9 "$(info pid)"
t "a daemon that cannot begin ends the node" eventually 20 eval "[ -z \"\$(ls -A '$PVCTL_RUN_DIR')\" ]"
done_testing
