#!/bin/bash
# SPDX-License-Identifier: MIT
# Domains that are destroyed while another gives them pages leave nothing behind.
. "$(dirname "$0")/lib.sh"
CYCLES=${CYCLES:-40}

guest() {
	printf '%s\n' "name=\"$1\"" "kernel=\"$O/guests/$2.elf\"" 'memory=8' 'vcpus=1' "$3" >"$W/$1.cfg"
	pvctl create -q "$W/$1.cfg"
}

t "node start" pvctl node start --memory 512 --cpus 2
t "a domain to warm up" warm_up
free0=$(free_pages)
t "a domain that gives pages" guest src xfer-src
src=$(pvctl domid src)
t "it does" eventually 20 console_has src giving
came=0
for ((i = 0; i < CYCLES; i++)); do
	guest dst xfer-dst "cmdline=\"$src\"" >"$W/out" 2>&1 || { not_ok "cycle $i: create"; break; }
	eventually 5 console_has dst 'pages come' && came=$((came + 1))
	pvctl destroy dst >"$W/out" 2>&1 || { not_ok "cycle $i: destroy"; break; }
	: >"$PVCTL_STATE_DIR/default/console/dst.log"
done
say "$i domains, pages came to $came"
t "pages came" [ "$came" -gt $((CYCLES / 2)) ]
t "no domain is left but the one" eventually 5 eval "[ \$(pvctl list | wc -l) -le 3 ]"
t "the one goes as well" pvctl destroy src
t "no memory is lost" eventually 5 eval "[ \"\$(free_pages)\" = '$free0' ]"
t "no domain is left" eventually 5 eval "[ \$(pvctl list | wc -l) -le 2 ]"
done_testing
