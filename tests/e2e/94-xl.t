#!/bin/bash
# SPDX-License-Identifier: MIT
# What is there for who knows xl, and what is not, by name; the list in other forms.
. "$(dirname "$0")/lib.sh"
ln -s "$PVCTL" "$W/xl"
xl() { "$W/xl" "$@"; }

t "node start" pvctl node start --memory 512
t "create" pvctl create -q -p "$(config web 'memory=72' 'on_crash="preserve"')"
web=$(pvctl domid web)
t "list --format csv" [ "$(pvctl list --format csv -o name,id,state,reason,mem,vcpus web)" = "name,id,state,reason,mem,vcpus
web,$web,paused,,72,1" ]
t "its usual columns" eval "pvctl list --format csv | head -n 1 | grep -qx name,id,mem,vcpus,state,time"
t "list -o" eval "pvctl list -o id,name web | grep -qxE '   *$web web'"
t "list --format json is --json" eval "diff <(pvctl list --format json web) <(pvctl list --json web)"
t "list --format table is list" eval "diff <(pvctl list --format table) <(pvctl list)"
refused "no such format" 2 'none of table, json, csv' pvctl list --format xml
refused "no such column" 2 'none of name, id' pvctl list -o name,colour
t "list -c is xl's: the pool" eval "pvctl list -c web | grep -q 'Pool-0\$'"

t "cpupool-list" eval "xl cpupool-list | grep -qE '^Pool-0 {13} +[0-9]+ +credit2? +y +2\$'"
t "cpupool-list -c" eval "xl cpupool-list -c | grep -qE '^Pool-0 {13}0(,[0-9]+)*\$'"
t "cpupool-list --json" eval "pvctl cpupool-list --json | grep -q '\"schema\": 1'"
t "config-update" xl config-update web "$(config web 'memory=80' 'on_crash="preserve"')"
t "holds for its next start" eval "pvctl list -l web | grep -q '\"memory\": 80' && pvctl list web | grep -qE ' 72 +1 '"
t "its name stays" eval "xl config-update web '$(config other 'memory=80')' && [ \$(pvctl domid web) = $web ] && pvctl list -l web | grep -q '\"name\": \"web\"'"
refused "a broken one is not taken" 1 'kernel' pvctl config-update web "$(config web)" kernel=/nonexistent

# Every command of xl's is one of ours, or is refused by name, with the reason.
for c in create list destroy shutdown reboot pause unpause console info domid domname help vm-list rename save restore migrate \
	migrate-receive suspend resume dump-core mem-set mem-max vcpu-set vcpu-list vcpu-pin uptime top dmesg block-attach block-detach \
	block-list network-attach network-detach network-list channel-list sysrq config-update claims vncviewer debug-keys set-parameters \
	sched-credit sched-credit2 sched-rtds cpupool-create cpupool-list cpupool-destroy cpupool-rename cpupool-cpu-add cpupool-cpu-remove \
	cpupool-migrate cpupool-numa-split vkb-attach vkb-list vkb-detach vdispl-attach vdispl-list vdispl-detach vsnd-attach vsnd-list \
	vsnd-detach vtpm-attach vtpm-list vtpm-detach usbctrl-attach usbctrl-detach usbdev-attach usbdev-detach usb-list pci-attach \
	pci-detach pci-list pci-assignable-add pci-assignable-remove pci-assignable-list qemu-monitor-command devd xenstore-quota-get \
	xenstore-quota-set trigger button-press cd-insert cd-eject sharing remus getenforce setenforce loadpolicy psr-hwinfo \
	psr-cmt-attach psr-cmt-detach psr-cmt-show psr-cat-set psr-cat-show psr-mba-set psr-mba-show dt-overlay; do
	pvctl "$c" --help >/dev/null 2>"$W/err" && continue
	[ $? -eq 1 ] && head -n 1 "$W/err" | grep -qx 'command not implemented' && grep -qE "^there is no $c: .{10}" "$W/err" || { say "$c"; missing+=" $c"; }
done
t "each command of xl's is there, or is refused by name with a reason" [ -z "$missing" ]
refused "which is no success" 1 'there is no pci-attach: a node has no host devices' xl pci-attach web 00:01.0

# What Ganeti runs. The other names that pvctl has are links to it, too.
ln -s "$PVCTL" "$W/xentop"
t "xentop" eval "'$W/xentop' -f -b -i 1 | awk 'NR == 1 && (\$1 != \"NAME\" || \$3 != \"CPU(sec)\") { exit 1 } \$1 == \"web\" { n++ } END { exit n != 1 }'"
refused "xentop starts no node" 1 'does not run' env PVCTL_RUN_DIR="$W/none" "$W/xentop" -f -b -i 1
fact() { pvctl node info | sed -nE "s/^($1) +: //p" | tr '\n' ' '; }
qemu=$(fact qemu_pid) size=$(fact 'cpus|memory')
t "debug R, which is short for debug-keys" xl debug R
t "is a reset: no domain is left" eval "! pvctl domid web 2>/dev/null"
t "of another hypervisor" [ "$(fact qemu_pid)" != "$qemu" ]
t "as large" [ "$(fact 'cpus|memory')" = "$size" ]
t "node stop" pvctl node stop --force
done_testing
