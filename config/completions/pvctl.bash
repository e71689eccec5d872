# SPDX-License-Identifier: MIT
# bash completion for pvctl. What there is comes from pvctl itself (`pvctl help
# --dump-options': command, -x, --long, argument, separated by tabs).

_pvctl_words()
{
	local word
	while IFS= read -r word; do
		[[ $word == "$cur"* ]] && COMPREPLY+=("$word ")
	done
}

_pvctl_files()
{
	local file
	while IFS= read -r file; do
		if [[ -d $file ]]; then COMPREPLY+=("$file/"); else COMPREPLY+=("$file "); fi
	done < <(compgen -f -- "$cur")
}

_pvctl_domains()
{
	_pvctl_words < <("${pvctl[@]}" vm-list 2>/dev/null | awk 'NR > 1 && $2 > 0 && $3 != "(null)" { print $3 }')
}

# The items of a device's text; those that want a value have no blank behind them.
_pvctl_spec()
{
	local word
	case $command in
	network-attach) set -- link=user link=switch link=tap bridge= mac= devid= hostfwd= rate= mtu= script= ip= vifname= trusted untrusted ;;
	block-attach)
		_pvctl_files
		set -- target= format=raw format=qcow2 format=vhd vdev= access=rw access=ro script= cdrom direct-io-safe no-discard sectorsize=
		;;
	*) return ;;
	esac
	for word; do
		[[ $word != "$cur"* ]] && continue
		if [[ $word == *= ]]; then COMPREPLY+=("$word"); else COMPREPLY+=("$word "); fi
	done
}

# The names of arguments as the tables have them.
_pvctl_argument()
{
	case $1 in
	*DOMAIN*) _pvctl_domains ;;
	*FILE*) _pvctl_files ;;
	NODE | '[NODE]') _pvctl_words < <("${pvctl[@]}" node list 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
	VDEV) _pvctl_words < <("${pvctl[@]}" block-list --json "$domain" 2>/dev/null | sed -n 's/^ *"name": "\([a-z0-9]*\)".*/\1/p') ;;
	# Not the MACs: bash divides words at their colons.
	'DEVID|MAC') _pvctl_words < <("${pvctl[@]}" network-list "$domain" 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
	'[SPEC...]' | SPEC...) _pvctl_spec ;;
	TYPE) _pvctl_words <<<pv ;;
	'VCPU|all') _pvctl_words <<<all ;;
	'[COMMAND]') _pvctl_words < <(cut -f1 <<<"$dump" | cut -d' ' -f1 | sort -u) ;;
	'[FIELD]') _pvctl_words < <("${pvctl[@]}" info 2>/dev/null | sed -n 's/^\([a-z_]*\) *: .*/\1/p') ;;
	esac
}

_pvctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command= domain= i=1 line name letter long arg dump n_args=0
	local -a pvctl=("${COMP_WORDS[0]}")
	COMPREPLY=()

	dump=$("${pvctl[@]}" help --dump-options 2>/dev/null) || return
	for (( ; i < COMP_CWORD; i++ )); do
		case ${COMP_WORDS[i]} in
		--node)
			i=$((i + 1))
			[[ $i -lt $COMP_CWORD ]] && pvctl+=(--node "${COMP_WORDS[i]}")
			;;
		-*) ;;
		*)
			if [[ -z $command ]]; then
				command=${COMP_WORDS[i]}
			elif grep -q "^$command ${COMP_WORDS[i]}"$'\t' <<<"$dump"; then
				command+=" ${COMP_WORDS[i]}"
			else
				[[ $n_args -eq 0 ]] && domain=${COMP_WORDS[i]}
				n_args=$((n_args + 1))
			fi
			;;
		esac
	done

	# The argument of an option.
	while IFS= read -r line; do
		IFS='|' read -r name letter long arg <<<"${line//$'\t'/|}"
		if [[ $name == "$command" && -n $arg && $prev == -* && ( $prev == "$letter" || $prev == "$long" ) ]]; then
			[[ $long == --node ]] && arg=NODE
			[[ $long == --accel ]] && _pvctl_words <<<$'auto\nkvm\ntcg'
			_pvctl_argument "$arg"
			return
		fi
	done <<<"$dump"

	if [[ $cur == -* ]]; then
		_pvctl_words < <(awk -F'\t' -v c="$command" '$1 == c { if ($3 != "") print $3; if ($2 != "") print $2 }' <<<"$dump")
	elif [[ -z $command ]]; then
		_pvctl_words < <(cut -f1 <<<"$dump" | cut -d' ' -f1 | sort -u | sed '/^$/d')
	elif ! grep -q "^$command"$'\t' <<<"$dump"; then
		_pvctl_words < <(sed -n "s/^$command \([^	]*\)	.*/\1/p" <<<"$dump" | sort -u)
	elif [[ $command == "config check" || $command == create ]] && (( n_args > 0 )); then
		COMPREPLY=()
		while IFS= read -r name; do
			[[ $name == "$cur"* ]] && COMPREPLY+=("$name=")
		done < <("${pvctl[@]}" config keys | awk 'NR > 1 && /^[a-z]/ { print $1 }')
	else
		# The argument that stands here; one with dots stands for all that follow.
		_pvctl_argument "$(awk -F'\t' -v c="$command" -v n="$n_args" '$1 == c && $2 == "" && $3 == "" {
			gsub(/ \.\.\./, "...", $4); k = split($4, words, " "); if (n >= k && words[k] ~ /\.\.\./) n = k - 1; if (n < k) print words[n + 1]; exit }' <<<"$dump")"
	fi
}
complete -o nospace -F _pvctl pvctl
