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
PVCTL_CONF='' t "PVCTL_CONF empty: none is read" start
t "node stop" pvctl node stop
done_testing
