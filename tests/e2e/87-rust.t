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
PATH=$(dirname "$CARGO"):$PATH
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$O/bindings/rust} CARGO_NET_OFFLINE=true O
cd bindings/rust || exit 1
if cargo fmt --version >/dev/null 2>&1; then t "rustfmt has nothing to say" cargo fmt --check; fi
t "it builds, and no compiler warns" env RUSTFLAGS="-D warnings" cargo build --all-targets
if cargo clippy --version >/dev/null 2>&1; then
	t "nor does clippy" env RUSTFLAGS="-D warnings" cargo clippy --all-targets -- -D warnings
else
	skip "clippy" "there is no clippy"
fi
t "nor rustdoc" env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
t "no unsafe function is public" eval "! grep -rnE '^ *pub (unsafe|const unsafe)' pvctl/src"

block_guest && export RAMDISK || { RAMDISK='' && skip "devices" "there is no module for the guest's kernel"; }
for i in default other; do "$PVCTL" --node $i node start --memory 768 --cpus 2 >/dev/null 2>&1 || not_ok "node $i"; done
RUSTFLAGS="-D warnings" timeout 500 cargo test -- --test-threads=3 >"$W/out" 2>&1
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

binding_examples "$CARGO_TARGET_DIR/debug/examples/create_and_watch" "$CARGO_TARGET_DIR/debug/examples/supervisor" \
	"$CARGO_TARGET_DIR/debug/examples/balancer"
done_testing
