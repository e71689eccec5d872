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
t "options" completes '--columns --context --cpupool ' list --c
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

# The same inside the other shells, as somebody at their prompt has it.
mkdir "$W/bin"
ln -s "$PVCTL" "$W/bin/pvctl"
pvctl completion zsh >"$W/_pvctl"
pvctl completion fish >"$W/pvctl.fish"
cat >"$W/driver.zsh" <<'Z'
# DIRECTORY LINE KEYS...: types each line and Tab into a zsh of its own; prints what its command line is then.
dir=$1; shift
zmodload zsh/zpty
zpty z "PATH=$dir/bin:$PATH TERM=dumb zsh -f -i"
zpty -w z "PROMPT= RPS1=; unsetopt beep; setopt no_auto_menu; cd $dir; fpath=($dir \$fpath); autoload -Uz compinit && compinit -u -d $dir/zcompdump"
zpty -w z "report() { print -r -- \"<\${BUFFER% }>\" >$dir/zsh-line.new; mv $dir/zsh-line.new $dir/zsh-line; BUFFER=; }; zle -N report; bindkey '^X' report"
for line; do
	rm -f $dir/zsh-line
	zpty -n -w z "$line"$'\t'
	for i in {1..1200}; do
		# What it echoes must be read, or it waits for us. Asked again while it is still at the completion, it answers afterwards.
		while zpty -r -t z x; do :; done
		(( i % 20 == 1 )) && zpty -n -w z $'\x18'
		[[ -e $dir/zsh-line ]] && break
		sleep 0.05
	done
	cat $dir/zsh-line
done
zpty -d z
Z
zsh_completes() { # WANTED LINE: what Tab makes of the line
	local got
	got=$(zsh -f "$W/driver.zsh" "$W" "$2" 2>"$W/zsh.err" | tail -n 1)
	[ "$got" = "<$1>" ] || { echo "$got"; cat "$W/zsh.err"; return 1; }
}
fish_completes() { # WANTED LINE: what is offered, less the descriptions
	local got
	got=$(HOME=$W PATH=$W/bin:$PATH fish --no-config -c "source '$W/pvctl.fish'; complete -C '$2'" | cut -f1 | sort | tr '\n' ' ')
	case $got in
	$1) ;;
	*) echo "$got"; return 1 ;;
	esac
}
if command -v zsh >/dev/null; then
	t "zsh: commands" zsh_completes 'pvctl shutdown' 'pvctl shut'
	t "zsh: of a group" zsh_completes 'pvctl node restart-daemon' 'pvctl node r'
	t "zsh: options" zsh_completes 'pvctl list --columns' 'pvctl list --col'
	t "zsh: domains" zsh_completes 'pvctl shutdown web' 'pvctl shutdown w'
	t "zsh: disks" zsh_completes 'pvctl block-detach web1 xvdb' 'pvctl block-detach web1 '
	t "zsh: values of options" zsh_completes 'pvctl list --format csv' 'pvctl list --format c'
	t "zsh: files" zsh_completes 'pvctl create disk.img' 'pvctl create dis'
else
	skip "inside zsh" "no zsh"
fi
if command -v fish >/dev/null; then
	t "fish: commands" fish_completes 'shutdown ' 'pvctl shut'
	t "fish: of a group" fish_completes 'info list restart-daemon start stop ' 'pvctl node '
	t "fish: options" fish_completes '--columns --context --cpupool ' 'pvctl list --c'
	t "fish: domains" fish_completes 'web1 web2 ' 'pvctl shutdown we'
	t "fish: disks" fish_completes 'xvdb ' 'pvctl block-detach web1 '
	t "fish: values of options" fish_completes 'csv json table ' 'pvctl list --format '
	t "fish: files" eval "cd '$W' && fish_completes '*disk.img*' 'pvctl create dis'"
	t "fish: descriptions" eval "HOME=$W PATH=$W/bin:\$PATH fish --no-config -c \"source '$W/pvctl.fish'; complete -C 'pvctl shut'\" | grep -q 'power off'"
else
	skip "inside fish" "no fish"
fi
t "node stop" pvctl node stop --force
done_testing
