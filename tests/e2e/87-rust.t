#!/bin/bash
# SPDX-License-Identifier: MIT
# The Rust binding on two real nodes: its suite, the layout of each struct against the header, the examples of its documentation.
# EVENTS=1000 ROUNDS=1000 for more of each.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"
. "$(dirname "$0")/lib-bindings.sh"

# Debian's, where they are installed: whoever has a newer one, too, may set CARGO.
CARGO=${CARGO:-$([ -x /usr/bin/cargo ] && echo /usr/bin/cargo || command -v cargo)}
[ -n "$CARGO" ] || { skip "Rust" "there is no Rust compiler: tools/install-deps bindings"; done_testing; exit; }
# Another one that the machine has is the newest.
newest=$(command -v cargo)
[ "$(readlink -f "$newest")" != "$(readlink -f "$CARGO")" ] || newest=
PATH=$(dirname "$CARGO"):$PATH
export O
rust_copy && cd "$O/bindings/rust-src" || exit 1
features=(--features stream)
if [ "$RUST_REGISTRY" = "$W/registry" ]; then
	skip "Events as a Stream" "there is no futures-core (librust-futures-core-dev): tools/install-deps bindings"
	features=()
fi

if cargo fmt --version >/dev/null 2>&1; then t "rustfmt has nothing to say" cargo fmt --check; fi
t "it builds, and no compiler warns" env RUSTFLAGS="-D warnings" cargo build --all-targets "${features[@]}"
t "nor where nothing is wanted" env RUSTFLAGS="-D warnings" cargo check
if cargo clippy --version >/dev/null 2>&1; then
	t "nor does clippy" env RUSTFLAGS="-D warnings" cargo clippy --all-targets "${features[@]}" -- -D warnings
else
	skip "clippy" "there is no clippy (rust-clippy): tools/install-deps bindings"
fi
t "nor rustdoc" env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps "${features[@]}"
if [ -n "$newest" ]; then
	# A lock file of its own, which the older one could not read.
	on_newest() { (PATH=$(dirname "$newest"):$PATH && CARGO_TARGET_DIR=$CARGO_TARGET_DIR-newest RUSTFLAGS="-D warnings" "$newest" "$@"); }
	cp Cargo.lock "$W/"
	# Clippy says what the compiler does, too.
	what=build
	! on_newest clippy --version >/dev/null 2>&1 || what=clippy
	t "$("$newest" --version | cut -d' ' -f1,2) has nothing to say, either ($what)" on_newest $what --all-targets "${features[@]}"
	cp "$W/Cargo.lock" .
fi
t "no unsafe function is public" eval "! grep -rnE '^ *pub (unsafe|const unsafe)' pvctl/src"
static() { PVCTL_STATIC=1 CARGO_TARGET_DIR=$CARGO_TARGET_DIR-static cargo build --examples "$@"; }
t "its examples build with the static library, too" static
t "which is in them then" not_shared "$CARGO_TARGET_DIR-static/debug/examples/balancer"

block_guest && export RAMDISK || { RAMDISK='' && skip "devices" "there is no module for the guest's kernel"; }
for i in default other; do "$PVCTL" --node $i node start --memory 768 --cpus 2 >/dev/null 2>&1 || not_ok "node $i"; done
RUSTFLAGS="-D warnings" timeout 500 cargo test "${features[@]}" -- --test-threads=3 >"$W/out" 2>&1
suite_rc=$?
while read -r name verdict; do
	case $verdict in
	ok) ok "$name" ;;
	*) not_ok "$name" ;;
	esac
done < <(sed -n 's/^test \(.*[^ ]\) *\.\.\. \([a-zA-Z]*\)$/\1 \2/p' "$W/out" | sed 's/ - compile fail//; s/^\(.*\) - \(.*\) (line \([0-9]*\)) /example:\2:\3 /; s/^.* (line \([0-9]*\)) /example:\1 /')
t "the suite as a whole" [ $suite_rc -eq 0 ]
[ $suite_rc -eq 0 ] || grep -vE '^(test .* ok|running|$)' "$W/out" | tail -n 60 | sed 's/^/#   /'
for i in default other; do "$PVCTL" --node $i node stop --force >/dev/null 2>&1; done

binding_examples "$CARGO_TARGET_DIR/debug/examples/create_and_watch" "$CARGO_TARGET_DIR-static/debug/examples/supervisor" \
	"$CARGO_TARGET_DIR-static/debug/examples/balancer"
done_testing
