#!/bin/bash
# SPDX-License-Identifier: MIT
# PVH domains: a stock kernel with page tables of its own beside a PV one, what is told of it, and what is refused by name.
. "$(dirname "$0")/lib.sh"
. tests/e2e/pvhlib.sh

t "node start" pvctl node start --memory 1024 --cpus 2
pvh_or_done
t "doctor says that it can" eval "pvctl doctor | grep -q '^ok  *pvh '"

# By name, before anything is made.
none_made() { [ "$(pvctl list --json | field 'len(d["domains"])')" = 1 ]; }
field() { python3 -c 'import json,sys; d=json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }
refused "type=hvm" '*' 'type="hvm"' pvctl create -q "$(config x 'type="hvm"')"
refused "with what to use instead" '*' 'use type="pvh" or "pv"' pvctl create -q "$(config x 'type="hvm"')"
refused "a kernel that cannot" '*' 'PHYS32_ENTRY' pvctl create -q <(printf '%s\n' 'name="x"' "kernel=\"$O/guests/version.elf\"" 'memory=16' 'type="pvh"')
refused "a PVH kernel as PV" '*' 'type="pvh" only' pvctl create -q <(printf '%s\n' 'name="x"' "kernel=\"$O/guests/pvh/basic.elf\"" 'memory=16')
refused "room to grow" '*' 'maxmem=256' pvctl create -q "$(config x 'type="pvh"' 'maxmem=256')"
refused "cpuid" '*' 'cpuid' pvctl create -q "$(config x 'type="pvh"' 'cpuid="host,avx2=0"')"
refused "too little memory" '*' 'at least [0-9]+ MiB are needed' pvctl create -q "$(config x 'type="pvh"' 'memory=24')"
t "nothing was made" none_made

before=$(free_bytes)
t "a PVH domain and a PV one" eval "pvctl create -q '$(config virt 'type="pvh"' 'vcpus=2' 'on_crash="preserve"')' && pvctl create -q '$(config para)'"
eventually 180 console_has virt 'guest-init: up'
eventually 180 console_has para 'guest-init: up'
t "both reach init" eval "console_has virt '2 CPUs, xen hypervisor' && console_has para '1 CPUs, xen hypervisor'"
t "the PVH kernel complains of nothing" eval "! console_log virt | grep -aE '\] (BUG:|WARNING:|.*Oops|Call Trace)'"
t "list --json tells them apart" [ "$(pvctl list --json | field '[x["type"] for x in d["domains"] if x["domid"]]')" = "['pvh', 'pv']" ]
t "list -l, as libxl has it" [ "$(pvctl list -l virt | field 'd[0]["config"]["c_info"]["type"]')" = pvh ]
t "the store has the type" [ "$(pvctl store read "/libxl/$(pvctl domid virt)/type")" = pvh ]

say_in virt 'echo TYPE=$(cat /sys/hypervisor/guest_type 2>/dev/null)'
t "the guest knows what it is" eventually 10 console_has virt 'TYPE=PVH'

for c in "save --live virt $W/x.save" "snapshot create virt s" "clone virt copy" "migrate virt ssh://localhost"; do
	refused "${c%% *}" '*' 'PVH domain' pvctl $c
done
refused "a warm template" "*" "PVH domain" pvctl template create --from virt --warm tpl
say_in virt 'echo GOES""ON'
say_in para 'echo GOES""ON'
t "both go on" eval "eventually 20 console_has virt '^GOESON' && eventually 20 console_has para '^GOESON'"

t "a vCPU less" pvctl vcpu-set virt 1
t "is what it has" eventually 30 eval "[ \"\$(pvctl list virt | tail -n 1 | awk '{print \$4}')\" = 1 ]"
t "and again two" eval "pvctl vcpu-set virt 2 && eventually 30 eval '[ \"\$(pvctl list virt | tail -n 1 | awk \"{print \\\$4}\")\" = 2 ]'"
t "memory given up" pvctl mem-set --wait 60 virt 96
t "and had back" pvctl mem-set --wait 60 virt 128
t "where it runs" eval "pvctl vcpu-pin virt 0 1 && pvctl vcpu-pin virt all all"
t "weight and cap" eval "pvctl sched-credit2 -d virt -w 512 && pvctl sched-credit2 -d virt -w 256"
t "pause, and no time passes for it" eval "pvctl pause virt && a=\$(pvctl list --json virt | field 'd[\"domains\"][0][\"cpu_ns\"]') && sleep 0.5 && [ \"\$a\" = \"\$(pvctl list --json virt | field 'd[\"domains\"][0][\"cpu_ns\"]')\" ] && pvctl unpause virt"
t "all counts are right" audit_is_clean
say_in virt 'echo c >/proc/sysrq-trigger'
t "a crash is one" eventually 30 eval "[ \"\$(pvctl list --json virt | field 'd[\"domains\"][0][\"reason\"]')\" = crash ]"
t "destroy both" eval "pvctl destroy virt && pvctl destroy para"
t "no page is lost" eventually 20 eval "[ \$((before - \$(free_bytes))) -le 1048576 ]"

t "type=auto is PVH for a kernel that can" eval "pvctl create -q -p '$(config auto 'type="auto"')' && [ \"\$(pvctl list --json auto | field 'd[\"domains\"][0][\"type\"]')\" = pvh ] && pvctl destroy auto"
t "and PV with what PVH has not" eval "pvctl create -q -p '$(config auto 'type="auto"' 'maxmem=256')' && [ \"\$(pvctl list --json auto | field 'd[\"domains\"][0][\"type\"]')\" = pv ] && pvctl destroy auto"
printf '%s\n' 'name="auto"' "kernel=\"$O/guests/version.elf\"" 'memory=16' 'type="auto"' >"$W/auto.cfg"
t "and for one that cannot" eval "pvctl create -q -p '$W/auto.cfg' && [ \"\$(pvctl list --json auto | field 'd[\"domains\"][0][\"type\"]')\" = pv ] && pvctl destroy auto"

# Many that come and go, some of which have run.
cfg=$(config gone 'type="pvh"' 'vcpus=2')
pvctl create -q -p "$cfg" && pvctl destroy gone
before=$(free_bytes)
hundred() {
	local i
	for i in $(seq 100); do
		if [ $((i % 4)) -eq 0 ]; then pvctl create -q "$cfg" && sleep 0.2; else pvctl create -q -p "$cfg"; fi && pvctl destroy gone || return 1
	done
}
t "a hundred come and go" hundred
t "no page of theirs is lost" eventually 20 eval "[ \"\$(free_bytes)\" = $before ]"
t "all counts are right" audit_is_clean
done_testing
