#!/bin/bash
# SPDX-License-Identifier: MIT
# Each document is what docs/json.md says, member by member.
. "$(dirname "$0")/lib.sh"
as_documented() { # COMMAND [ARGUMENT...]: the command is one word or two in quotes
	local c=$1
	shift
	# shellcheck disable=SC2086
	pvctl $c --json "$@" | python3 tests/e2e/json-check.py "$c"
}
t "node start" pvctl node start --memory 512
"$PVCTL" events --snapshot --json >"$W/events" &
events=$!
truncate -s 4M "$W/disk.img"
t "create" pvctl create -q -p "$(config web 'memory=72' "disk=[\"$W/disk.img,raw,xvda,rw\"]" 'vif=["link=user"]' 'channel=["name=agent,connection=pty"]')"
t "define" pvctl define "$(config kept)"
t "define what runs" pvctl define "$(config web)"
for c in list vm-list claims vcpu-list uptime info dmesg version "node list" "node info" "config keys" doctor defined cpupool-list sched-credit sched-credit2; do
	t "$c" as_documented "$c"
done
for c in block-list network-list channel-list xenstore-quota-get limits; do t "$c" as_documented "$c" web; done
t "domid" as_documented domid web
t "domname" as_documented domname "$(pvctl domid web)"
t "store read" as_documented "store read" "/local/domain/$(pvctl domid web)/name"
t "a byte of a guest's that is no text" eval "pvctl store write /tool/odd \$'a\\xffb' && pvctl store read --json /tool/odd | grep -q '\"value\": \"a?b\"'"
t "config show" as_documented "config show" "$W/web.cfg"
t "top" as_documented top -i 2 -d 0.2
t "wait" eval "pvctl wait web --for gone --timeout 0.2 --json | python3 tests/e2e/json-check.py wait"
say "what is saved, copied and moved"
export PVCTL_DATA_DIR=$W/data
there() { PVCTL_RUN_DIR=$W/there PVCTL_STATE_DIR=$W/there-state "$@"; }
mkdir "$W/there" "$W/there-state"
t "another node" there pvctl node start --memory 256
printf '%s\n' 'name="self"' "kernel=\"$O/guests/save-self.elf\"" 'memory=8' 'on_poweroff="destroy"' 'on_crash="destroy"' 'cmdline="linear asked rounds=9"' >"$W/self.cfg"
t "a guest that suspends" eval "pvctl create -q '$W/self.cfg' && eventually 60 console_has self 'READY 1'"
t "save" as_documented save -c self "$W/self.save"
t "it goes on" eventually 60 console_has self 'READY 2'
t "clone" as_documented clone self self-2
t "snapshot create" as_documented "snapshot create" self one
t "snapshot list" as_documented "snapshot list"
t "snapshot info" as_documented "snapshot info" self one
t "snapshot revert" as_documented "snapshot revert" --yes self one
t "migrate" as_documented migrate -s '' self "PVCTL_RUN_DIR=$W/there PVCTL_STATE_DIR=$W/there-state $PVCTL migrate-receive"
t "restore" as_documented restore "$W/self.save"
t "template create" pvctl template create made --from "$W/web.cfg"
t "template list" as_documented "template list"
t "template show" as_documented "template show" made
truncate -s 1M "$W/image"
t "disk resize" as_documented "disk resize" "$W/image" 2m
t "disk clone" as_documented "disk clone" "$W/image" "$W/image.copy"
PATH=$PATH:/usr/sbin:/sbin
if command -v qemu-img >/dev/null; then t "disk convert" as_documented "disk convert" --to qcow2 "$W/image" "$W/image.qcow2"; else skip "disk convert" "qemu-utils is not installed"; fi
if command -v mke2fs >/dev/null; then
	mkdir -p "$W/root/boot/grub"
	cp tests/fuzz/corpus/grubcfg/debian "$W/root/boot/grub/grub.cfg"
	truncate -s 8M "$W/boots"
	mke2fs -q -F -t ext4 -d "$W/root" "$W/boots"
	t "bootloader" as_documented bootloader "$W/boots"
else
	skip "bootloader" "mke2fs is not installed"
fi
t "the other node stops" there pvctl node stop --force
t "another check fails" eval "! pvctl list --json | python3 tests/e2e/json-check.py uptime"
pvctl unpause web && pvctl pause web && pvctl rename web other && pvctl destroy other
t "node stop" pvctl node stop --force
wait $events
t "events" eval "[ \$(wc -l <'$W/events') -ge 7 ] && python3 tests/e2e/json-check.py events <'$W/events'"
# Nothing that prints JSON is left out, here neither.
for c in $(pvctl help --dump-options | awk -F'\t' '$3 == "--json" { gsub(" ", "_", $1); print $1 }'); do
	grep -qE "(\"|as_documented |[a-z\"] )${c//_/ }(\"| |;|\$)" "$0" || untried+=" $c"
	grep -qE "^## (.*, )?${c//_/ }(,|\$)" docs/json.md || undocumented+=" $c"
done
t "each command is documented" [ -z "$undocumented" ]
[ -z "$undocumented" ] || say "$undocumented"
t "each is looked at" [ -z "$untried" ]
[ -z "$untried" ] || say "$untried"
done_testing
