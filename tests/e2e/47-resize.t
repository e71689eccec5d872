#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory and vCPUs of a running stock kernel: less and more, where they run, how much.
. "$(dirname "$0")/lib.sh"

ask() { { sleep 0.3; printf '%s\n' "$2"; sleep "${3:-1.5}"; } | timeout 20 "$PVCTL" console "$1" 2>/dev/null | tr -d '\r'; }
# Each answer is marked: the console repeats what was said before.
K=0
guest() { # guest COMMAND: its output, one line
	K=$((K + 1))
	ask dyn "echo A''NS$K=\$($1)" | sed -n "s/.*ANS$K=//p" | tail -n 1
}
in_range() { [ -n "$1" ] && [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; }
mem_total() { guest "awk '/MemTotal/{print int(\$2/1024)}' /proc/meminfo"; }
guest_mem() { in_range "$(mem_total)" "$1" "$2"; }
guest_cpus() { [ "$(guest nproc)" = "$1" ]; }
listed() { pvctl list dyn | tail -n 1 | awk '{print $3, $4}'; }
listed_mem() { [ "$(listed | cut -d' ' -f1)" = "$1" ]; }
listed_cpus() { [ "$(listed | cut -d' ' -f2)" = "$1" ]; }

t "node start" pvctl node start --memory 1024 --cpus 2
t "a domain with room to grow" pvctl create -q "$(config dyn 'memory=256' 'maxmem=512' 'vcpus=1' 'maxvcpus=2' 'cpus="0"' 'cpus_soft="1"')"
eventually 180 console_has dyn 'guest-init: up'
t "it starts with one vCPU of two" eventually 30 guest_cpus 1
t "and with its memory, not with maxmem" guest_mem 150 256
t "the list says so" eventually 5 eval "[ \"\$(listed)\" = '256 1' ]"
base=$(mem_total)
say "MemTotal $base MiB"
t "the guest cannot take more by itself" eval "guest 'echo 524288 >/sys/devices/system/xen_memory/xen_memory0/target_kb; sleep 2; echo x' >/dev/null; listed_mem 256"

before=$(pvctl info free_memory)
t "mem-set down" pvctl mem-set dyn 160
t "the domain shrinks" eventually 30 listed_mem 160
t "free in the guest shrinks" eventually 60 guest_mem $((base - 100)) $((base - 90))
t "the node has it back" [ "$(pvctl info free_memory)" -ge $((before + 90)) ]
t "mem-set up, beyond what it started with" pvctl mem-set dyn 400m
t "the domain grows" eventually 60 listed_mem 400
t "free in the guest grows" eventually 60 guest_mem $((base + 140)) $((base + 148))
t "the limit follows" eval "pvctl list --json | grep -A12 '\"dyn\"' | grep -q '\"max_memory_bytes\": $((400 << 20))'"
t "the store has target and static-max" eval "[ \$(pvctl store read /local/domain/1/memory/target) = 409600 ] && [ \$(pvctl store read /local/domain/1/memory/static-max) = 524288 ]"
t "mem-set in KiB" pvctl mem-set dyn 262144k
t "back to the start" eventually 60 listed_mem 256
refused "mem-set above maxmem" 1 'more than the domain.s maxmem of 512 MiB' pvctl mem-set dyn 513
refused "mem-set to nothing" 1 'at least 1 MiB' pvctl mem-set dyn 0
refused "mem-set of no size" 1 'invalid memory size: 12x' pvctl mem-set dyn 12x
refused "mem-set of the host" 1 'domain 0 is the host' pvctl mem-set 0 100
refused "mem-set of nobody" 1 'invalid domain identifier' pvctl mem-set nobody 100
t "mem-max" pvctl mem-max dyn 300
refused "mem-max below the target" 1 'less than the domain.s memory target' pvctl mem-max dyn 255
refused "mem-max without a size" 2 'missing' pvctl mem-max dyn
t "mem-set again" pvctl mem-set dyn 256

t "vcpu-set 2" pvctl vcpu-set dyn 2
t "the guest brings it up" eventually 40 guest_cpus 2
t "the list has two" eventually 5 listed_cpus 2
t "vcpu-set 1" pvctl vcpu-set dyn 1
t "the guest takes it down" eventually 40 guest_cpus 1
t "vcpu-list shows it off line" eventually 5 eval "pvctl vcpu-list dyn | grep -qE '^dyn +1 +1 +- +--p '"
t "vcpu-set 2 once more" pvctl vcpu-set dyn 2
t "it comes back" eventually 40 guest_cpus 2
refused "vcpu-set above the node" 1 'overcommits' pvctl vcpu-set dyn 3
refused "vcpu-set above maxvcpus" 1 'has 1 to 2' pvctl vcpu-set -i dyn 3
refused "vcpu-set 0" 1 'invalid number' pvctl vcpu-set dyn 0

pinned() { pvctl vcpu-list dyn | awk -v v="$1" '$3 == v { print $(NF - 2), $NF }'; }
t "cpus and cpus_soft" [ "$(pinned 0)" = '0 1' ]
t "vcpu-pin all, hard" pvctl vcpu-pin dyn all all
t "vcpu-pin one, both" pvctl vcpu-pin dyn 1 1 0
t "vcpu-list shows them" eval "[ \"\$(pinned 0)\" = 'all 1' ] && [ \"\$(pinned 1)\" = '1 0' ]"
t "vcpu-pin with -" eval "pvctl vcpu-pin dyn 1 - all && [ \"\$(pinned 1)\" = '1 all' ]"
eventually 5 guest_cpus 2
t "the vCPU runs where it was put" eval "guest 'taskset 2 true' >/dev/null; [ \"\$(pvctl vcpu-list dyn | awk '\$3 == 1 { print \$4 }')\" = 1 ]"
t "-N changes nothing" eval "pvctl -N vcpu-pin dyn all 0 >/dev/null && [ \"\$(pinned 0)\" = 'all 1' ]"
refused "vcpu-pin to a CPU that is not there" 1 'none of the node.s 2 CPUs' pvctl vcpu-pin dyn 0 7
refused "vcpu-pin of a vCPU that is not there" 1 'no vCPU 5' pvctl vcpu-pin dyn 5 0
refused "vcpu-pin to no list" 1 'no list of CPUs' pvctl vcpu-pin dyn 0 x-y
refused "vcpu-pin to an empty list" 1 'leaves no CPU' pvctl vcpu-pin dyn 0 '0,^0'

t "sched-credit2 lists" eval "pvctl sched-credit2 | grep -qE '^dyn {30} {4}1    256    0\$'"
t "sched-credit2 sets" pvctl sched-credit2 -d dyn -w 512 -c 150
t "and shows it" eval "pvctl sched-credit2 -d dyn | grep -qE '^dyn +1 +512 +150\$'"
t "sched-credit is the same" eval "pvctl sched-credit --domain=dyn --cap=0 && pvctl sched-credit2 --json | grep -q '\"weight\": 512'"
t "the cap is off again" eval "pvctl sched-credit -d dyn | grep -qE '^dyn +1 +512 +0\$'"
refused "a weight of 0" 1 'weight of 0' pvctl sched-credit2 -d dyn -w 0
refused "a cap above its vCPUs" 1 'cap of 201' pvctl sched-credit2 -d dyn -c 201
refused "-w for nobody" 1 'Must specify a domain' pvctl sched-credit2 -w 100

t "sysrq" pvctl sysrq dyn h
t "its kernel hears it" eventually 10 console_has dyn 'sysrq: HELP'
refused "sysrq of a word" 1 'invalid sysrq' pvctl sysrq dyn hello
t "debug-keys" pvctl debug-keys m
t "its answer is in the log" eval "pvctl dmesg | grep -q 'pages free'"
t "claims" eval "pvctl claims | head -n 1 | grep -q 'Time(s)  Claimed\$' && pvctl claims | grep -qE '^dyn .* 0\$'"
t "shutdown" pvctl shutdown -w dyn
done_testing
