# SPDX-License-Identifier: MIT
# For the tests of the bindings: what they build with, and the example programs that each of them has.

# The library as it was built, for who asks pkg-config.
make --no-print-directory -s O="$O" bindings-prefix >/dev/null || exit 1
export PKG_CONFIG_PATH=$O/bindings/prefix/lib/pkgconfig LD_LIBRARY_PATH=$O${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

# The crates in $O/bindings/rust-src, since cargo writes a lock file beside what it builds. The one crate from elsewhere, which only the
# feature "stream" compiles, is Debian's, or else one without anything in it, so that cargo finds what is named: RUST_REGISTRY is where.
rust_copy() {
	export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$O/bindings/rust} CARGO_NET_OFFLINE=true CARGO_HOME=$W/cargo
	RUST_REGISTRY=/usr/share/cargo/registry
	rm -rf "$O/bindings/rust-src" && mkdir -p "$CARGO_HOME" && cp -a bindings/rust "$O/bindings/rust-src" || return 1
	if ! compgen -G "$RUST_REGISTRY/futures-core-0.3*" >/dev/null; then
		RUST_REGISTRY=$W/registry
		mkdir -p "$RUST_REGISTRY/futures-core/src" && : >"$RUST_REGISTRY/futures-core/src/lib.rs"
		printf '[package]\nname = "futures-core"\nversion = "0.3.0"\n' >"$RUST_REGISTRY/futures-core/Cargo.toml"
		echo '{"files":{}}' >"$RUST_REGISTRY/futures-core/.cargo-checksum.json"
	fi
	printf '%s\n' 'source.crates-io.replace-with = "debian"' "source.debian.directory = \"$RUST_REGISTRY\"" >"$CARGO_HOME/config.toml"
}

# mini NAME KERNEL [CMDLINE]: a config of a small kernel; printed path
mini() {
	printf '%s\n' "name=\"$1\"" "kernel=\"$O/guests/$2.elf\"" 'memory=8' "cmdline=\"${3:-}\"" >"$W/$1.cfg"
	echo "$W/$1.cfg"
}
count_on() { [ "$("$PVCTL" --node "$1" list | tail -n +3 | wc -l)" = "$2" ]; } # NODE DOMAINS
# not_shared PROGRAM: it has libpvctl in it
not_shared() { [ -s "$1" ] && ! LC_ALL=C readelf -d "$1" | grep 'NEEDED.*libpvctl' && strings -n 8 "$1" | grep -q 'pvctl_domain_migrate_send'; }
restarted() { [ "$(grep -c "$1: started" "$W/supervisor.out")" -ge "$2" ]; } # NAME TIMES

two_nodes() {
	"$PVCTL" node start --memory 256 >/dev/null 2>&1 && "$PVCTL" --node other node start --memory 256 >/dev/null 2>&1 || not_ok "two nodes"
}

# balanced PROGRAM: four domains of one node's are two of each
balanced() {
	local i
	for i in 1 2 3 4; do
		"$PVCTL" create -q "$(mini "moved$i" save-self 'linear asked rounds=9')"
	done
	for i in 1 2 3 4; do eventually 60 console_has "moved$i" 'READY 1' || not_ok "moved$i is ready"; done
	t "balancer" timeout 100 "$1" default other
	t "two are here" eventually 10 count_on default 2
	t "and two there" eventually 10 count_on other 2
}

# binding_examples WATCH SUPERVISOR BALANCER: the programs, on nodes of their own
binding_examples() {
	local watch=$1 supervisor=$2 balancer=$3 pid
	two_nodes
	t "create_and_watch" eval "timeout 100 '$watch' '$(mini watched version)' >'$W/watch.out' 2>'$W/watch.err'"
	t "it shows the console" [ -s "$W/watch.out" ]
	t "and what happened" eval "grep -q 'watched.*created' '$W/watch.err' && grep -q 'watched.*destroyed' '$W/watch.err'"
	timeout 100 "$supervisor" "$(mini crashes shutdown reason=3)" "$(mini ends shutdown reason=0)" >"$W/supervisor.out" 2>&1 &
	pid=$!
	t "supervisor: who crashes is started again, and again" eventually 60 restarted crashes 3
	t "supervisor: who powers off is not" [ "$(grep -c 'ends: started' "$W/supervisor.out")" = 1 ]
	kill -INT $pid
	wait $pid
	"$PVCTL" destroy crashes >/dev/null 2>&1
	balanced "$balancer"
}
