#!/bin/bash
# SPDX-License-Identifier: MIT
# Domains that are destroyed while another gives them pages leave nothing behind.
. "$(dirname "$0")/lib.sh"
CYCLES=${CYCLES:-40}

guest() {
	printf '%s\n' "name=\"$1\"" "kernel=\"$O/guests/$2.elf\"" 'memory=8' 'vcpus=1' "$3" >"$W/$1.cfg"
	pvctl create -q "$W/$1.cfg"
}

# cycles COUNT: that many receivers come and go
cycles() {
	came=0
	for ((i = 0; i < $1; i++)); do
		guest dst xfer-dst "cmdline=\"$src\"" >"$W/out" 2>&1 || { not_ok "cycle $i: create"; break; }
		eventually 5 console_has dst 'pages come' && came=$((came + 1))
		pvctl destroy dst >"$W/out" 2>&1 || { not_ok "cycle $i: destroy"; break; }
		: >"$PVCTL_STATE_DIR/default/console/dst.log"
	done
}
giver() {
	guest src xfer-src && eventually 20 console_has src giving
}

t "node start" pvctl node start --memory 512 --cpus 2
# Once for the hypervisor's heap, which keeps an empty page of each size.
t "a domain that gives pages" giver
src=$(pvctl domid src)
cycles 3
t "it goes" pvctl destroy src
: >"$PVCTL_STATE_DIR/default/console/src.log"
free0=$(free_pages)
t "and another" giver
src=$(pvctl domid src)
cycles "$CYCLES"
say "$i domains, pages came to $came"
t "pages came" [ "$came" -gt $((CYCLES / 2)) ]
t "no domain is left but the one" eventually 5 eval "[ \$(pvctl list | wc -l) -le 3 ]"
t "the one goes as well" pvctl destroy src
say "free memory: $free0 bytes at first, $(free_pages) after"
t "no memory is lost" eventually 5 eval "[ \"\$(free_pages)\" = '$free0' ]"
t "no domain is left" eventually 5 eval "[ \$(pvctl list | wc -l) -le 2 ]"
done_testing
