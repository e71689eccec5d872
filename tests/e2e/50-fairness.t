#!/bin/bash
# SPDX-License-Identifier: MIT
# Domains that spin or flood do not keep others from running.
# alone: what is measured is shared with all of the machine.
. "$(dirname "$0")/lib.sh"

t "node start, one CPU" pvctl node start --memory 2048 --cpus 1
for i in 1 2 3; do
	pvctl create -q "$(config spin$i 'vcpus=2' 'cmdline="console=hvc0 quiet run=while+:;do+:;done"')"
done
pvctl create -q "$(config flood 'cmdline="console=hvc0 quiet run=while+:;do+cat+/proc/kallsyms;done"')"
t "another boots beside three that spin and one that floods its console" eval "pvctl create -q '$(config calm)' && eventually 300 console_has calm 'guest-init: up'"
t "the tools answer meanwhile" timeout 5 "$PVCTL" list
t "the flood's log is bounded" eval "[ \$(du -k '$PVCTL_STATE_DIR/default/console' | tail -n 1 | cut -f1) -lt 20000 ]"
t "destroy all" eval "for d in spin1 spin2 spin3 flood calm; do pvctl destroy \$d || exit 1; done"
t "they are gone" eventually 10 eval "[ \$(pvctl list | wc -l) -le 2 ]"
done_testing
