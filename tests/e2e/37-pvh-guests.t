#!/bin/bash
# SPDX-License-Identifier: MIT
# PVH test guests: each asserts part of the ABI, keeps its registers beside others, or tries what ends it and must end nobody else.
. "$(dirname "$0")/lib.sh"
. tests/e2e/guests.sh

# pvh_config NAME GUEST COMMAND-LINE [LINE...]
pvh_config() {
	local name=$1 guest=$2 cmdline=$3
	shift 3
	printf '%s\n' "name=\"$name\"" 'type="pvh"' "kernel=\"$O/guests/pvh/$guest.elf\"" 'memory=8' 'vcpus=2' "cmdline=\"$cmdline\"" \
		'on_poweroff="destroy"' 'on_crash="destroy"' 'on_reboot="destroy"' "$@" >"$W/$name.cfg"
	echo "$W/$name.cfg"
}
ended() { eventually "$1" eval "! pvctl domid $2"; }
passes() { guest_judge "$1" 120 must; }

t "node start" pvctl node start --memory 512 --cpus 2
t "a domain to warm up" warm_up
if ! pvctl create -q "$(pvh_config first basic '')" 2>"$W/out"; then
	grep -q virt_caps "$W/out" && skip "all" "no SVM with nested paging here" || not_ok "a first one: $(cat "$W/out")"
	done_testing
	exit
fi
passes first
pvctl debug-keys t # what the hypervisor keeps for the next time it has now
sleep 1
free0=$(free_pages)
for g in basic apic state physmap fuzz; do
	t "guest $g: create" pvctl create -q "$(pvh_config $g $g '')"
	passes $g
done

# Its state goes out and in while it is paused: it goes on, and has all its registers.
t "a guest that keeps its registers" pvctl create -q "$(pvh_config kept state '')"
id=$(pvctl domid kept)
for i in 1 2 3 4 5; do
	pvctl pause kept
	t "its context set as it was read" eval "[ \"\$($O/tests/e2e/domctl hvmcontext $id)\" = 'the same' ]"
	pvctl unpause kept
	sleep 0.2
done
passes kept

# Three that keep their registers on one CPU, one of them with page tables of the hypervisor's.
for g in k1 k2; do pvctl create -q "$(pvh_config $g state '' 'cpus="1"')"; done
printf '%s\n' 'name="k3"' "kernel=\"$O/guests/state-keeper.elf\"" memory=8 'cpus="1"' 'on_poweroff="destroy"' >"$W/k3.cfg"
pvctl create -q "$W/k3.cfg"
for g in k1 k2 k3; do passes $g; done

for a in hole-read hole-write hole-exec hole-stack hole-idt hole-tables far-tables lapic-page watch-and-leave watch-the-stack cr4-reserved cr4-la57 cr3-far cr0-nw no-pae icebp interrupt-hole debugs triple halt; do
	pvctl create -q "$(pvh_config "h-$a" hostile "$a")" 2>"$W/out" || not_ok "hostile guest $a: create: $(cat "$W/out")"
	ended 30 "h-$a" || pvctl destroy "h-$a"
	console_log "h-$a" 2>/dev/null | grep -q 'TEST RESULT' && not_ok "hostile guest $a: $(guest_verdict "h-$a")" || ok "hostile guest $a is ended"
done
t "those in holes have crashed, and it is said where" eval "[ \$(pvctl dmesg | grep -c 'crashed: .*at guest physical') -ge 7 ]"
t "the triple fault is told" eval "pvctl dmesg | grep -q 'triple fault'"
for a in hole-hypercall-page random-tables; do
	pvctl create -q "$(pvh_config "h-$a" hostile "$a")"
	ended 60 "h-$a" || pvctl destroy "h-$a"
done
t "one that faults for ever" pvctl create -q "$(pvh_config h-faults hostile faults)"
t "it goes" pvctl destroy h-faults
t "a spinner" pvctl create -q "$(pvh_config h-hang hostile hang)"
t "it can be paused" pvctl pause h-hang
t "and go on" pvctl unpause h-hang
t "and be destroyed" pvctl destroy h-hang

t "no count of a page is wrong" eval 'pvctl debug-keys t && eventually 20 eval "pvctl dmesg | grep -aq \"audit:.*: 0 differ\""'
t "the hypervisor is well after all of them" eval "pvctl info total_memory && ! pvctl dmesg | grep -E 'BUG|panic'"
say "free memory: $free0 bytes at first, $(free_pages) after"
t "no memory is lost" eventually 5 eval "[ \"\$(free_pages)\" = '$free0' ]"
t "no domain is left" eval "[ \$(pvctl list | wc -l) -le 2 ]"
done_testing
