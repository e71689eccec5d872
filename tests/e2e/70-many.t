#!/bin/bash
# SPDX-License-Identifier: MIT
# A second and a tenth domain; create and destroy many times over, without a loss.
# alone: what is measured is shared with all of the machine.
. "$(dirname "$0")/lib.sh"

t "node start" pvctl node start --memory 3072
t "a domain to warm up" warm_up
free0=$(free_pages)
names=$(seq -f 'm%g' 10)
for n in $names; do pvctl create -q "$(config "$n")" || not_ok "create $n"; done
t "ten domains are listed" eval "[ \$(pvctl list | grep -c '^m') -eq 10 ]"
up() { local n; for n in $names; do console_has "$n" 'guest-init: up' || return 1; done; }
if eventually 400 up; then ok "all ten reach init"; else not_ok "all ten reach init"; pvctl list; fi
for n in $names; do pvctl destroy "$n" || not_ok "destroy $n"; done
say "free memory: $free0 bytes at first, $(free_pages) after"
t "no memory is lost" eventually 10 eval "[ \"\$(free_pages)\" = '$free0' ]"
cfg=$(config loop "kernel=\"$O/guests/version.elf\"" 'memory=16')
sed -i '/^ramdisk/d' "$cfg"
bad=0
for i in $(seq 60); do pvctl create -q -p "$cfg" && pvctl destroy loop || bad=1; done
t "60 times create and destroy" [ $bad = 0 ]
t "still no memory is lost" eventually 10 eval "[ \"\$(free_pages)\" = '$free0' ]"
done_testing
