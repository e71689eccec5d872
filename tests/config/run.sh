#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh CFGDUMP SPECDUMP: compares what is read from each pass-*.cfg and fail-*.cfg with its .ok file, and what each text of the
# devices in devices/ says: in a pass file all of them are good, in a fail file none is.
# UPDATE=1 writes the .ok files instead. A name with -strict- in it is checked strictly.
cfgdump=$1 specdump=$2
here=$(dirname "$0")
tmp=$(mktemp) || exit 1
trap 'rm -f "$tmp"' EXIT
n=0 bad=0
for cfg in "$here"/pass-*.cfg "$here"/fail-*.cfg "$here"/devices/pass-*.cfg "$here"/devices/fail-*.cfg; do
	n=$((n + 1))
	base=$(basename "$cfg" .cfg)
	case $cfg in */devices/*) dump=$specdump ;; *) dump=$cfgdump ;; esac
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
		cp "$tmp" "${cfg%.cfg}.ok"
	elif ! diff -u "${cfg%.cfg}.ok" "$tmp"; then
		echo "not ok $n - $base"
		bad=$((bad + 1))
	else
		echo "ok $n - $base"
	fi
done
# The examples have nothing to complain of, even strictly.
for cfg in "$here"/../../config/examples/*.cfg; do
	n=$((n + 1))
	if out=$("$cfgdump" --strict "$cfg" 2>&1) && ! printf '%s\n' "$out" | grep -q 'warning:'; then
		echo "ok $n - example $(basename "$cfg")"
	else
		echo "not ok $n - example $(basename "$cfg")"
		printf '%s\n' "$out" | head -n 20
		bad=$((bad + 1))
	fi
done
echo "1..$n"
[ $bad -eq 0 ]
