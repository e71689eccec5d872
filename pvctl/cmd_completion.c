/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/complete.h"

/* The shells ask pvctl itself: what it answers cannot be older than its tables. Bash divides words at `=' and `:'. */
static const char bash_script[] =
"# bash completion for pvctl: made by `pvctl completion bash'\n"
"_pvctl()\n"
"{\n"
"	local -a words=()\n"
"	local i word join= cur cut line\n"
"	for ((i = 1; i <= COMP_CWORD; i++)); do\n"
"		word=${COMP_WORDS[i]}\n"
"		if [[ ${#words[@]} -gt 0 && ( -n $join || $word == [=:] ) ]]; then words[-1]+=$word; else words+=(\"$word\"); fi\n"
"		if [[ $word == [=:] ]]; then join=1; else join=; fi\n"
"	done\n"
"	cur=${words[-1]} cut=${words[-1]%\"${words[-1]##*[=:]}\"}\n"
"	COMPREPLY=()\n"
"	while IFS= read -r line; do\n"
"		case $line in\n"
"		:files)\n"
"			compopt -o filenames 2>/dev/null\n"
"			while IFS= read -r word; do COMPREPLY+=(\"$word\"); done < <(compgen -f -- \"${cur#\"$cut\"}\")\n"
"			;;\n"
"		:nospace) compopt -o nospace 2>/dev/null ;;\n"
"		*)\n"
"			word=${line%%$'\\t'*}\n"
"			COMPREPLY+=(\"${word#\"$cut\"}\")\n"
"			;;\n"
"		esac\n"
"	done < <(\"${COMP_WORDS[0]}\" completion --words -- \"${words[@]}\" 2>/dev/null)\n"
"}\n"
"complete -F _pvctl pvctl\n";

static const char zsh_script[] =
"#compdef pvctl\n"
"# zsh completion for pvctl: made by `pvctl completion zsh'\n"
"_pvctl()\n"
"{\n"
"	local -a found\n"
"	local line files=\n"
"	for line in ${(f)\"$(${words[1]} completion --words -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"}; do\n"
"		case $line in\n"
"		:files) files=1 ;;\n"
"		:nospace) ;;\n"
"		*) found+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
"		esac\n"
"	done\n"
"	(( $#found )) && _describe pvctl found\n"
"	[[ -n $files ]] && _files\n"
"	return 0\n"
"}\n"
"if [[ $funcstack[1] == _pvctl ]]; then _pvctl \"$@\"; else compdef _pvctl pvctl; fi\n";

static const char fish_script[] =
"# fish completion for pvctl: made by `pvctl completion fish'\n"
"function __pvctl_complete\n"
"	set -l words (commandline -opc) (commandline -ct)\n"
"	for line in ($words[1] completion --words -- $words[2..-1] 2>/dev/null)\n"
"		switch $line\n"
"			case ':files'\n"
"				__fish_complete_path (commandline -ct)\n"
"			case ':nospace'\n"
"			case '*'\n"
"				echo $line\n"
"		end\n"
"	end\n"
"end\n"
"complete -c pvctl -f -a '(__pvctl_complete)'\n";

enum { OPT_WORDS };
static const struct option_def options[] = {
	[OPT_WORDS] = { 0, "words", NULL, "" },
	{ 0 }
};

static int completion_run(const struct command *cmd, const struct parsed *in)
{
	if (in->count[OPT_WORDS]) {
		complete_words(in->argv, in->argc);
		return EXIT_OK;
	}
	if (in->argc == 1 && !strcmp(in->argv[0], "bash"))
		fputs(bash_script, stdout);
	else if (in->argc == 1 && !strcmp(in->argv[0], "zsh"))
		fputs(zsh_script, stdout);
	else if (in->argc == 1 && !strcmp(in->argv[0], "fish"))
		fputs(fish_script, stdout);
	else
		return command_usage(cmd, "bash, zsh or fish is needed");
	return EXIT_OK;
}

const struct command cmd_completion = {
	.name = "completion", .args = "SHELL", .summary = "Print what makes a shell complete pvctl's commands",
	.example = "  . <(pvctl completion bash)\n  pvctl completion fish > ~/.config/fish/completions/pvctl.fish",
	.options = options, .args_min = 0, .args_max = -1, .run = completion_run,
};
