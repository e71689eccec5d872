#!/bin/bash
# SPDX-License-Identifier: MIT
# Each test that docs/complaints.md names is there, and each complaint has one.
cd "$(dirname "$0")/../.." || exit 1
n=0 bad=0
while IFS='|' read -r _ number _ _ shown _; do
	number=${number// /} missing=
	[[ $number =~ ^[0-9]+$ ]] || continue
	n=$((n + 1))
	refs=$(grep -oE '`[^`]+`: "[^"]+"' <<<"$shown")
	while IFS= read -r ref; do
		file=$(cut -d '`' -f 2 <<<"$ref") name=${ref#*: \"} name=${name%\"}
		case $file in
		*.c) grep -qF "START_TEST($name)" "$file" || missing+=" $ref" ;;
		*) grep -qF "\"$name" "$file" || missing+=" $ref" ;;
		esac
	done <<<"$refs"
	if [ -n "$refs" ] && [ -z "$missing" ]; then echo "ok $n - complaint $number"; else echo "not ok $n - complaint $number:$missing"; bad=1; fi
done <docs/complaints.md
[ $n -eq 27 ] || { n=$((n + 1)); bad=1; echo "not ok $n - there are 27"; }
echo "1..$n"
exit $bad
