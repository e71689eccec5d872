#!/bin/bash
# SPDX-License-Identifier: MIT
# The models of tests/verify still fit the hypervisor: "make verify", which takes minutes, checks what they say.
set -u
cd "$(dirname "$0")/../.." || exit 1
n=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

result() { # exit code, what
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

tests/verify/sources >"$tmp/log"
rc=$?
sed 's/^/# /' "$tmp/log"
result $rc "what the models restate by hand is as it was (else: correct them, then tests/verify/sources --record)"
if command -v patch >/dev/null; then
	for patch in tests/verify/mutants/*.patch tests/soak/unfixed/*.patch; do
		patch -s -p1 --dry-run <"$patch" >"$tmp/log" 2>&1
		rc=$?
		[ $rc -eq 0 ] || sed 's/^/# /' "$tmp/log"
		result $rc "the bug $(basename "$patch" .patch) can be put back"
	done
else
	n=$((n + 1))
	echo "ok $n - bugs can be put back # SKIP no patch program"
fi
for model in page_type roots grants spinlock sends; do
	tests/verify/build "$tmp/$model" $model >"$tmp/log" 2>&1
	rc=$?
	[ $rc -eq 0 ] || sed 's/^/# /' "$tmp/log"
	result $rc "the model $model builds"
done
echo "1..$n"
