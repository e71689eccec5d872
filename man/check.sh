#!/bin/sh
# SPDX-License-Identifier: MIT
# check.sh PVCTL CFGDUMP: the pages are clean, and name all commands, options, keys and library calls.
pvctl=$1 cfgdump=$2
here=$(dirname "$0")
bad=0

complain() { echo "$1"; bad=1; }

for page in "$here"/*.[1358]; do
	# Names of pages that are not installed here, and our own, are no mistake.
	out=$(mandoc -Tlint -W warning "$page" 2>&1 | grep -v 'referenced manual not found') && complain "$out"
done

plain=$(mandoc -Tascii "$here/pvctl.1" | col -b)
tab=$(printf '\t')
"$pvctl" help --dump-options | while IFS= read -r line; do
	command=$(printf '%s' "$line" | cut -d"$tab" -f1)
	letter=$(printf '%s' "$line" | cut -d"$tab" -f2)
	long=$(printf '%s' "$line" | cut -d"$tab" -f3)
	for option in $letter $long; do
		printf '%s' "$plain" | grep -q -e "$option\([^a-z-]\|\$\)" || echo "pvctl.1: $command: $option is missing"
	done
	if [ -z "$letter$long" ]; then
		grep -q "^\.It Ic $command\( \|\$\)" "$here/pvctl.1" || echo "pvctl.1: the command $command is missing"
	fi
done | sort -u | grep . && bad=1

for key in $("$cfgdump" --names); do
	grep -q "^\.It Ic $key Ns" "$here/pvctl.cfg.5" || complain "pvctl.cfg.5: the key $key is missing"
done

for key in $(sed -n 's/^	{ "\([a-z_.]*\)", CONF_.*/\1/p' "$here/../pvctl/conf.c"); do
	grep -q "^\.It Ic $key Ns" "$here/pvctl.conf.5" || complain "pvctl.conf.5: the key $key is missing"
done

header=$here/../libpvctl/include/libpvctl.h
for call in $(sed -n 's/^PVCTL_API.*[ *]\(pvctl_[a-z_]*\)(.*/\1/p' "$header" | grep -v '_count$\|_at$\|_free$\|_get_str\|_get_int\|version'); do
	grep -q "^\.Fn $call" "$here/libpvctl.3" || complain "libpvctl.3: $call is missing"
done
exit $bad
