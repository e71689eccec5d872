#!/bin/bash
# SPDX-License-Identifier: MIT
# pvctl.conf: whose files are read, what is said of mistakes, and that node start takes what they say.
. "$(dirname "$0")/lib.sh"

unset PVCTL_CONF
export XDG_CONFIG_HOME=$W/config
own=$XDG_CONFIG_HOME/pvctl/pvctl.conf
mkdir -p "$(dirname "$own")"
start() { pvctl node start --memory 512 --cpus 1 "$@"; }

echo 'qemu_path = "/nowhere/qemu" # mine' >"$own"
refused "the user's own QEMU is looked for" 1 '/nowhere/qemu not found' start
refused "doctor names it, too" '*' '/nowhere/qemu cannot be run' eval 'pvctl doctor >&2'
echo 'qemu_path = "/elsewhere/qemu"' >"$W/other.conf"
refused "PVCTL_CONF names another file" 1 '/elsewhere/qemu not found' env PVCTL_CONF="$W/other.conf" "$PVCTL" node start
refused "--qemu counts more" 1 '/third/qemu not found' start --qemu /third/qemu
refused "PVCTL_CONF of a file that is not there" 1 'none.conf: No such file' env PVCTL_CONF="$W/none.conf" "$PVCTL" node start
printf 'qemu_path = "bin/qemu"\n' >"$own"
refused "a path that begins nowhere" 1 'pvctl.conf:1:13: error.*' start
printf 'qemu_path = [ "x" ]\n' >"$own"
refused "a list" 1 'pvctl.conf:1:13: error' start
printf 'qemu_path = "x\n' >"$own"
refused "no config at all" 1 'pvctl.conf:1:' start
echo 'qemu_path = "/nowhere/qemu"' >"$own"
chmod o+w "$own"
refused "a file that everybody may write" 1 'another user can write it' start
chmod o-w "$own"
if [ "$(id -u)" = 0 ]; then
	chown 12345 "$own"
	refused "another user's file" 1 'another user can write it' start
	chown 0 "$own"
fi
rm "$own"
mkfifo "$own"
refused "a fifo" 1 'it is no file' start
rm "$own"
qemu=$(command -v qemu-system-x86_64)
printf 'qemu_path = "/nowhere/qemu"; qemu_path = "%s"\nqemu_pth = 1\n' "$qemu" >"$own"
out=$(start 2>&1)
t "it starts with the right one" [ $? -eq 0 ]
t "an unknown key is told, with what may be meant" grep -q 'did you mean `qemu_path' <<<"$out"
t "other commands read no such file" eval "! pvctl list 2>&1 >/dev/null | grep ."
t "node stop" pvctl node stop
# xl.conf's keys, as Debian ships them and otherwise.
printf '%s\n' 'max_grant_frames = 32' 'vif.default.bridge = "xenbr9"' 'vif.default.script = "vif-x"' 'autoballoon = "off"' 'claim_mode = 1' >"$own"
printf '%s\n' 'name = "x"' 'memory = 64' 'kernel = "/x"' 'vif = [ "", "mac=00:16:3e:00:00:01", "link=user", "bridge=mine,script=y" ]' >"$W/x.cfg"
as_json() { pvctl config convert "$W/x.cfg" 2>/dev/null | python3 -c 'import json,sys; d = json.load(sys.stdin); sys.exit(not ('"$1"'))'; }
t "a default of all domains" as_json 'd["max_grant_frames"] == 32'
t "of all interfaces that do not say" as_json 'd["vif"] == ["bridge=xenbr9,script=vif-x", "mac=00:16:3e:00:00:01,bridge=xenbr9,script=vif-x", "link=user", "bridge=mine,script=y"]'
t "config show knows whence" eval "pvctl config show '$W/x.cfg' | grep -qx 'max_grant_frames = 32  # $own:1'"
t "the config counts more" eval "pvctl config show '$W/x.cfg' max_grant_frames=7 | grep -qx 'max_grant_frames = 7  # command line'"
t "what is so anyway is no matter" eval "! pvctl config show '$W/x.cfg' 2>&1 >/dev/null | grep ."
for k in 'vif.default.backend="net"' 'vif.default.gatewaydev="eth0"' 'autoballoon="on"' 'run_hotplug_scripts=0' 'lockfile="/x"' 'output_format="sxp"' \
	'blkdev_start="xvdb"' 'claim_mode=0' 'domid_policy="random"' 'bootloader_restrict=0' 'vm.cpumask="0-1"' 'vm.pv.cpumask="0"' 'vm.hvm.cpumask="0"' \
	'remus.default.netbufscript="/x"' 'colo.default.proxyscript="/x"'; do
	echo "$k" >"$own"
	t "$k is answered by name" eval "pvctl config show '$W/x.cfg' 2>&1 >/dev/null | grep -q 'warning: ${k%%=*}: not used (.\{10\}'"
done
echo 'max_grant_version = 3' >"$own"
refused "a number out of its range" 1 'a number from 1 to 2' pvctl config check "$W/x.cfg"
echo 'type = "auto"' >"$own"
t "the kind of domains whose config does not say" as_json 'd["type"] == "auto"'
t "where that is from" eval "pvctl config show '$W/x.cfg' | grep -qx 'type = \"auto\"  # $own:1'"
t "a config that says counts more" eval "pvctl config show '$W/x.cfg' type=pv | grep -qx 'type = .pv.  # command line'"
echo 'type = "hvm"' >"$own"
refused "a kind that there is not" 1 'one of: pv pvh auto' pvctl config check "$W/x.cfg"
echo 'vif.default.bridge = "a,ip=1.2.3.4"' >"$own"
refused "a bridge that is more than one" 1 'without commas' pvctl config check "$W/x.cfg"
rm "$own"
PVCTL_CONF='' t "PVCTL_CONF empty: none is read" start
t "node stop" pvctl node stop
done_testing
