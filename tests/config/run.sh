#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh CFGDUMP: compares what is read from each pass-*.cfg and fail-*.cfg with its .ok file.
# UPDATE=1 writes the .ok files instead. A name with -strict- in it is checked strictly.
dump=$1
here=$(dirname "$0")
tmp=$(mktemp) || exit 1
trap 'rm -f "$tmp"' EXIT
n=0 bad=0
for cfg in "$here"/pass-*.cfg "$here"/fail-*.cfg; do
	n=$((n + 1))
	base=$(basename "$cfg" .cfg)
	strict=
	case $base in *-strict-*) strict=--strict ;; esac
	"$dump" $strict "$cfg" >"$tmp" 2>&1
	rc=$?
	case $base in pass-*) want=0 ;; *) want=1 ;; esac
	if [ $rc -ne $want ]; then
		echo "not ok $n - $base: exit code $rc"
		cat "$tmp"
		bad=$((bad + 1))
	elif [ -n "$UPDATE" ]; then
		cp "$tmp" "$here/$base.ok"
	elif ! diff -u "$here/$base.ok" "$tmp"; then
		echo "not ok $n - $base"
		bad=$((bad + 1))
	else
		echo "ok $n - $base"
	fi
done
# The examples have nothing to complain of, even strictly.
for cfg in "$here"/../../config/examples/*.cfg; do
	n=$((n + 1))
	if out=$("$dump" --strict "$cfg" 2>&1) && ! printf '%s\n' "$out" | grep -q 'warning:'; then
		echo "ok $n - example $(basename "$cfg")"
	else
		echo "not ok $n - example $(basename "$cfg")"
		printf '%s\n' "$out" | head -n 20
		bad=$((bad + 1))
	fi
done
echo "1..$n"
[ $bad -eq 0 ]
