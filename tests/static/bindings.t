#!/bin/bash
# SPDX-License-Identifier: MIT
# Each symbol of the library is called by each binding, or bindings/SKIP says why not.
. "$(dirname "$0")/lib.sh"
T=$(mktemp -d "${TMPDIR:-/tmp}/pvctl-bindings.XXXXXX")
trap 'rm -rf "$T"' EXIT
exported() { sed -n 's/^[[:space:]]*\(pvctl_[a-z0-9_]*\);.*/\1/p' libpvctl/libpvctl.map | sort -u; }
# A call, not a mention: what the binding's language puts before the name of a function of C. Tests and examples do not count.
called() { # LANGUAGE
	case $1 in
	python) grep -rhoE --include='*.py' 'lib\.pvctl_[a-z0-9_]+' bindings/python/pvctl ;;
	# From the C of cgo's comments, too.
	go) grep -rhoE --include='*.go' --exclude='*_test.go' 'C\.pvctl_[a-z0-9_]+|^// 	.*[=(] ?pvctl_[a-z0-9_]+\(' bindings/go | tr -d '(' ;;
	rust) grep -rhoE --include='*.rs' '\b(sys|pvctl_sys|ffi)::pvctl_[a-z0-9_]+' bindings/rust/pvctl/src ;;
	esac | sed 's/.*[.: ]//' | sort -u
}
skipped() { awk -v l="$1" '!/^#/ && ($1 == l || $1 == "all") { print $2 }' "${2:-bindings/SKIP}" | sort; }
covered() { # LANGUAGE [SKIP]: neither called nor skipped
	local left
	left=$(comm -23 <(exported) <(sort -u <(called "$1") <(skipped "$1" "${2:-bindings/SKIP}")))
	[ -z "$left" ] || { echo "neither called by $1 nor in SKIP:" $left; return 1; }
}
stale() { # LANGUAGE: skipped and called
	local both
	both=$(comm -12 <(called "$1") <(skipped "$1"))
	[ -z "$both" ] || { echo "in SKIP, but called by $1:" $both; return 1; }
}
well_formed() {
	local unknown
	awk '!/^#/ && NF && ($1 !~ /^(python|go|rust|all)$/ || NF < 4) { print "SKIP:" NR ": LANGUAGE SYMBOL REASON: " $0; bad = 1 } END { exit bad }' bindings/SKIP || return 1
	unknown=$(comm -13 <(exported) <(awk '!/^#/ && NF { print $2 }' bindings/SKIP | sort -u))
	[ -z "$unknown" ] || { echo "no symbol of the library:" $unknown; return 1; }
}
t "bindings/SKIP has languages, symbols and reasons" well_formed
for l in python go rust; do
	[ -d "bindings/$l" ] || continue
	t "$l: each symbol is called, or skipped with a reason" covered $l
	t "$l: nothing is skipped that is called" stale $l
	# The check can fail: without SKIP and with a symbol more.
	one=$(comm -12 <(called $l) <(exported) | head -n 1)
	t "$l: one symbol not called is seen" eval "called() { command true; }; ! covered $l >/dev/null && [ -n '$one' ]"
done
done_testing
