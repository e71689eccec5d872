#!/bin/bash
# SPDX-License-Identifier: MIT
# PVH domains suspended, saved and restored: a stock kernel with a disk and an interface, memory that must hold, vCPUs and balloons.
. "$(dirname "$0")/netlib.sh"
. "$(dirname "$0")/lib.sh"
. tests/e2e/pvhlib.sh

need_modules "save and restore" xen-blkfront xen-netfront
pvctl node start --memory 1024 --cpus 2 >/dev/null 2>&1 || not_ok "node start"
pvh_or_done
net_guest
pack_guest
TYPE=pvh
t "a domain to warm up" eval "pvctl create -q -p '$(config warm 'vcpus=2')' && pvctl save -c warm '$W/none' 2>/dev/null; pvctl destroy warm"
free0=$(free_bytes)
counts() { console_log one | tr -d '\r' | grep -c '^COUNT='; }
more() { [ "$(counts)" -gt $((before + 2)) ]; }
goes_on() { before=$(counts); if eventually 30 more; then ok "$1"; else not_ok "$1"; console_log one | tail -n 15 | sed 's/^/#   /'; fi; }
truncate -s 8M "$W/disk.img"
t "create" pvctl create -q "$(net_config one net-up 'type="pvh"' 'vcpus=2' 'vif=["link=user"]' "disk=[\"$W/disk.img,raw,xvda,w\"]")"
t "its network is up" eventually 120 console_has one 'LEASE 10.0.2.15'
guest one '(i=0; while :; do i=$((i+1)); echo COUNT=$i >/dev/hvc0; sleep 0.5; done) & head -c 8000000 /dev/urandom >/tmp/r; md5sum </tmp/r >/tmp/s; head -c 4000000 /tmp/r >/dev/xvda; sync' >/dev/null
goes_on "it counts"
t "suspend" pvctl suspend one
t "resume" pvctl resume one
goes_on "it goes on where it was"
t "save -c" pvctl save -c one "$W/c.save"
goes_on "and after save -c"
t "save" pvctl save one "$W/one.save"
t "it is gone" eval "! pvctl domid one"
t "the file is sound" python3 tests/stream/verify.py "$W/one.save"
t "restore" pvctl restore "$W/one.save"
goes_on "it goes on elsewhere"
t "it is a PVH domain" eval "pvctl list --json one | grep -q '\"type\": *\"pvh\"'"
guest one 'md5sum </tmp/r | cmp - /tmp/s && cmp -n 4000000 /dev/xvda /tmp/r && echo HELD""WELL; nproc | sed s/^/CPUS=/; ping -c 1 10.0.2.2 | grep received' >"$W/out"
t "memory and disk are as they were" grep -q HELDWELL "$W/out"
t "both CPUs are there" grep -q CPUS=2 "$W/out"
t "its network works" grep -q '1 packets received' "$W/out"
t "balloon down, a CPU less" eval "pvctl mem-set --wait 60 one 100 && pvctl vcpu-set one 1"
sleep 1
t "save of a ballooned one" pvctl save one "$W/one.save"
t "restore" pvctl restore "$W/one.save"
goes_on "it goes on"
t "with what it had" eval "[ \$(pvctl list one | tail -n 1 | awk '{print \$3}') -le 101 ]"
t "the kernel complains of nothing" eval "! console_log one | grep -aE '\] (BUG:|WARNING:|.*Oops|Call Trace)'"
t "destroy" pvctl destroy one
head -c 3000000 "$W/one.save" >"$W/short"
refused "a stream that ends early" '*' 'ends here' pvctl restore "$W/short"
t "no count of a page is wrong" audit_is_clean
say "$free0 bytes free at first, $(free_bytes) now"
t "no memory is lost" eventually 5 eval "[ \$(($free0 - \$(free_bytes))) -le 1048576 ]"
done_testing
