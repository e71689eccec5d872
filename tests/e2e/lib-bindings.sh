# SPDX-License-Identifier: MIT
# For the tests of the bindings: what they build with, and the example programs that each of them has.

# The library as it was built, for who asks pkg-config.
mkdir -p "$W/pkgconfig"
sed -e "s|@PREFIX@|$O|; s|@LIBDIR@|$O|; s|@INCLUDEDIR@|$PWD/libpvctl/include|; s|@VERSION@|0|" libpvctl/libpvctl.pc.in >"$W/pkgconfig/libpvctl.pc"
export PKG_CONFIG_PATH=$W/pkgconfig LD_LIBRARY_PATH=$O${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

# mini NAME KERNEL [CMDLINE]: a config of a small kernel; printed path
mini() {
	printf '%s\n' "name=\"$1\"" "kernel=\"$O/guests/$2.elf\"" 'memory=8' "cmdline=\"${3:-}\"" >"$W/$1.cfg"
	echo "$W/$1.cfg"
}
count_on() { [ "$("$PVCTL" --node "$1" list | tail -n +3 | wc -l)" = "$2" ]; } # NODE DOMAINS
restarted() { [ "$(grep -c "$1: started" "$W/supervisor.out")" -ge "$2" ]; } # NAME TIMES

# binding_examples WATCH SUPERVISOR BALANCER: the programs, on nodes of their own
binding_examples() {
	local watch=$1 supervisor=$2 balancer=$3 i pid
	"$PVCTL" node start --memory 256 >/dev/null 2>&1 && "$PVCTL" --node other node start --memory 256 >/dev/null 2>&1 || not_ok "two nodes"
	t "create_and_watch" eval "timeout 100 '$watch' '$(mini watched shutdown reason=0)' >'$W/watch.out' 2>'$W/watch.err'"
	t "it shows the console" [ -s "$W/watch.out" ]
	t "and what happened" eval "grep -q 'watched.*created' '$W/watch.err' && grep -q 'watched.*destroyed' '$W/watch.err'"
	timeout 100 "$supervisor" "$(mini crashes shutdown reason=3)" "$(mini ends shutdown reason=0)" >"$W/supervisor.out" 2>&1 &
	pid=$!
	t "supervisor: who crashes is started again, and again" eventually 60 restarted crashes 3
	t "supervisor: who powers off is not" [ "$(grep -c 'ends: started' "$W/supervisor.out")" = 1 ]
	kill -INT $pid
	wait $pid
	"$PVCTL" destroy crashes >/dev/null 2>&1
	for i in 1 2 3 4; do
		"$PVCTL" create -q "$(mini "moved$i" save-self 'linear asked rounds=9')"
	done
	for i in 1 2 3 4; do eventually 60 console_has "moved$i" 'READY 1' || not_ok "moved$i is ready"; done
	t "balancer" timeout 100 "$balancer" default other
	t "two are here" eventually 10 count_on default 2
	t "and two there" eventually 10 count_on other 2
}
