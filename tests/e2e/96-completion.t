#!/bin/bash
# SPDX-License-Identifier: MIT
# Completion, as bash would ask for it.
. "$(dirname "$0")/lib.sh"
eval "$(pvctl completion bash)"
# completes WANTED WORD...: the last word may be empty; wanted is a list, or a part of it with "*" behind
completes() {
	local want=$1 got
	shift
	COMP_WORDS=("$PVCTL" "$@") COMP_CWORD=$#
	_pvctl
	got=$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ')
	case $got in
	$want) ;;
	*) echo "$got"; return 1 ;;
	esac
}
t "the script is sound" bash -n <(pvctl completion bash)
if command -v zsh >/dev/null; then t "that for zsh, too" zsh -n <(pvctl completion zsh); else skip "that for zsh, too" "no zsh"; fi
if command -v fish >/dev/null; then t "and for fish" fish -n <(pvctl completion fish); else skip "and for fish" "no fish"; fi
refused "no other shell" 2 'bash, zsh or fish' pvctl completion csh
t "without a node nothing is started" eval "completes ' ' console '' && ! pvctl node info"
t "node start" pvctl node start --memory 512
truncate -s 4M "$W/disk.img"
t "create" eval "for n in web1 web2 db; do pvctl create -q -p \"\$(config \$n 'memory=72')\" || exit 1; done"
t "block-attach" pvctl block-attach web1 "$W/disk.img,raw,xvdb,rw"
t "define" pvctl define "$(config kept)"
t "commands" completes 'shutdown ' shut
t "groups" completes 'node ' nod
t "of a group" completes 'info list restart-daemon start stop ' node ''
t "options" completes '--columns --cpupool ' list --c
# Those that are taken for xl's sake alone are not offered.
all_options() {
	local c l missing=
	while IFS=$'\t' read -r c l; do
		# shellcheck disable=SC2086
		pvctl completion --words -- $c "$l" | grep -q -- "^$l" && continue
		# shellcheck disable=SC2086
		pvctl help $c | grep -A1 -- "$l\>" | grep -q 'accepted; has no effect' || missing+=" $c:$l"
	done < <(pvctl help --dump-options | awk -F'\t' '$1 != "" && $3 != "" { print $1 "\t" $3 }')
	[ -z "$missing" ] || { echo "$missing"; return 1; }
}
t "each command completes each of its options" all_options
t "domains" completes 'web1 web2 ' shutdown we
t "of many, too" completes 'web1 web2 ' list db we
t "what is defined" completes 'kept ' start ''
t "disks of the domain that stands there" completes 'xvdb ' block-detach web1 ''
t "nodes" completes 'default ' --node ''
t "behind an option, too" completes 'default ' list --node def
t "values of options" completes 'csv json table ' list --format ''
t "with =" completes 'csv ' list --format = c
t "conditions" completes 'console: ' wait web1 --for cons
t "config keys" completes 'max_event_channels= *maxmem= maxvcpus= ' create x.cfg max
t "files" eval "cd '$W' && completes 'disk.img ' create dis"
t "node stop" pvctl node stop --force
done_testing
