#!/bin/bash
# SPDX-License-Identifier: MIT
# Folders use those below them alone, as each component's LAYERS says.
cd "$(dirname "$0")/../.." || exit 1
O=${O:-build}
n=0 bad=0
for l in xen-like-hv/LAYERS libpvctl/src/LAYERS pvctld/LAYERS config/LAYERS pvctl/LAYERS; do
	c=${l%/LAYERS} n=$((n + 1))
	if out=$(tools/check-layers "$c" "$O/$c" 2>&1); then
		echo "ok $n - $out"
	else
		echo "not ok $n - $c"
		printf '%s\n' "$out" | head -n 40 | sed 's/^/#   /'
		bad=1
	fi
done
echo "1..$n"
exit $bad
