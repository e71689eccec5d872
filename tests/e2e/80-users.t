#!/bin/bash
# SPDX-License-Identifier: MIT
# Ordinary users: all of it without root, in their own directories, each for himself.
. "$(dirname "$0")/lib.sh"

UID1=61234 UID2=61235
H=$W/home

# Why these tests cannot run here.
why=
if [ "$(id -u)" -ne 0 ]; then
	why="only root can be two users"
elif ! command -v setpriv >/dev/null; then
	why="setpriv (package util-linux) is not installed"
elif getent passwd $UID1 $UID2 >/dev/null; then
	why="somebody has the user ids of this test"
fi
if [ -n "$why" ]; then
	skip "two users" "$why"
	done_testing
	exit
fi

# The build tree may lie where others must not look.
chmod 755 "$W"
mkdir -m 755 "$W/bin" "$H"
cp "$O/pvctl/pvctl" "$O/pvctld/pvctld" "$O/pvctl-jail" "$O/pvctl-jail.so" "$O/xen-like-hv.elf" "$O/libpvctl.so.0" "$KERNEL" "$RAMDISK" "$W/bin/"
chmod 755 "$W"/bin/*
KERNEL=$W/bin/$(basename "$KERNEL") RAMDISK=$W/bin/$(basename "$RAMDISK")
for u in $UID1 $UID2; do
	mkdir -m 700 "$H/$u" "$W/runtime-$u"
	chown $u:$u "$H/$u" "$W/runtime-$u"
done
unset PVCTL_RUN_DIR PVCTL_STATE_DIR XDG_CACHE_HOME XDG_STATE_HOME XDG_RUNTIME_DIR PVCTL_NODE

# as UID [NAME=VALUE...] COMMAND...: with nothing of root's environment
as() {
	local u=$1
	shift
	(cd / && setpriv --reuid "$u" --regid "$u" --clear-groups --no-new-privs \
		env -i HOME="$H/$u" PATH="$PATH" LD_LIBRARY_PATH="$W/bin" "$@")
}
one() { as $UID1 "$W/bin/pvctl" "$@"; }
two() { as $UID2 XDG_RUNTIME_DIR="$W/runtime-$UID2" "$W/bin/pvctl" "$@"; }
leave() {
	one node stop --force
	two node stop --force
	rm -rf "/tmp/pvctl-$UID1" "/tmp/pvctl-$UID2" "$W/runtime-$UID2"
} >/dev/null 2>&1
trap 'leave; [ $BAD -eq 0 ] && rm -rf "$W"' EXIT
files_of() { find / -xdev \( -path /proc -o -path /sys \) -prune -o -uid "$1" -print 2>/dev/null | LC_ALL=C sort; }
owned() { ps -o pid= -u "$1" | wc -l; }

files_of $UID1 >"$W/before1"
files_of $UID2 >"$W/before2"
for u in $UID1 $UID2; do config "user$u" 'memory=96' >/dev/null; done
chmod 644 "$W"/*.cfg
mkdir -m 777 "/tmp/pvctl-$UID1"
chown $UID2:$UID2 "/tmp/pvctl-$UID1"
refused "a directory that another user made for him" '*' 'belongs to another user' one list
refused "is not used by the node, either" '*' 'another user' one node start
rmdir "/tmp/pvctl-$UID1"
mkdir -m 700 "/tmp/pvctl-$UID1" "/tmp/pvctl-$UID1/default"
python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); time.sleep(5)' "/tmp/pvctl-$UID1/default/control.sock" &
eventually 5 [ -S "/tmp/pvctl-$UID1/default/control.sock" ]
chown -R $UID1:$UID1 "/tmp/pvctl-$UID1"
refused "a socket at which another user listens" '*' 'another user answers there' one list
kill $!
rm -rf "/tmp/pvctl-$UID1"
t "a user without XDG_RUNTIME_DIR creates a domain; the node starts by itself" one create -q "$W/user$UID1.cfg"
t "his sockets are under /tmp" [ -S /tmp/pvctl-$UID1/default/control.sock ]
t "a user with XDG_RUNTIME_DIR starts a node" two node start --memory 512
t "his sockets are there" [ -S "$W/runtime-$UID2/pvctl/default/control.sock" ]
t "and nothing of his is under /tmp" [ ! -e /tmp/pvctl-$UID2 ]
t "he creates a domain of his own" two create -q "$W/user$UID2.cfg"
t "pvctld and QEMU run as the user" eval "[ \$(owned $UID1) -ge 2 ] && [ \$(owned $UID2) -ge 2 ]"
t "the first sees his domain alone" eval "one list | grep -q '^user$UID1 ' && ! one list | grep -q '^user$UID2 '"
t "the second as well" eval "two list | grep -q '^user$UID2 ' && ! two list | grep -q '^user$UID1 '"
log1=$H/$UID1/.local/state/pvctl/default/console/user$UID1.log
log2=$H/$UID2/.local/state/pvctl/default/console/user$UID2.log
t "Linux comes up for the first" eventually 60 grep -q 'guest-init: up' "$log1"
t "and for the second" eventually 60 grep -q 'guest-init: up' "$log2"
out=$({ sleep 0.5; printf 'expr 6 \\* 7\n'; sleep 2; } | timeout 20 setpriv --reuid $UID1 --regid $UID1 --clear-groups \
	env -i HOME="$H/$UID1" PATH="$PATH" LD_LIBRARY_PATH="$W/bin" "$W/bin/pvctl" console "user$UID1" 2>/dev/null)
t "the console works" grep -qx '42.\?' <<<"$out"

# The other user, who knows where everything is.
refused "another user cannot use the node" '*' '.' as $UID2 PVCTL_RUN_DIR=/tmp/pvctl-$UID1 PVCTL_STATE_DIR="$H/$UID2/x" "$W/bin/pvctl" list
refused "nor put his own directory in its place" '*' 'another user|denied' as $UID2 PVCTL_RUN_DIR=/tmp/pvctl-$UID1 PVCTL_STATE_DIR="$H/$UID2/x" "$W/bin/pvctl" node start evil
refused "nor read the console's log" '*' 'denied' as $UID2 cat "$log1"
refused "nor the daemon's" '*' 'denied' as $UID2 cat "$H/$UID1/.local/state/pvctl/default/daemon.log"
connects() { # UID SOCKET
	as "$1" python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$2"
}
refused "nor connect to the control socket" '*' 'denied' connects $UID2 /tmp/pvctl-$UID1/default/control.sock
refused "nor to the store's" '*' 'denied' connects $UID2 /tmp/pvctl-$UID1/default/store.sock
t "its owner can" connects $UID1 /tmp/pvctl-$UID1/default/control.sock
# Were the directories open, SO_PEERCRED would still tell.
chmod 755 /tmp/pvctl-$UID1 /tmp/pvctl-$UID1/default
chmod 666 /tmp/pvctl-$UID1/default/*.sock
refused "even with the directories open he is not served" '*' '.' as $UID2 PVCTL_RUN_DIR=/tmp/pvctl-$UID1 "$W/bin/pvctl" list
t "files are for their owner only" eval "[ -z \"\$(find '$H/$UID1' -mindepth 1 -perm /077 ! -type l -path '*pvctl*')\" ]"

t "shutdown -w" one shutdown -w --timeout 120 "user$UID1"
t "node stop" one node stop
t "the second user's node goes on" eval "two list | grep -q '^user$UID2 '"
t "node stop --force" two node stop --force
t "no process is left" eventually 5 eval "[ \$(owned $UID1) -eq 0 ] && [ \$(owned $UID2) -eq 0 ]"
t "the run directories are empty" eval "[ -z \"\$(ls -A /tmp/pvctl-$UID1)\" ] && [ -z \"\$(ls -A '$W/runtime-$UID2/pvctl')\" ]"
t "nothing was written elsewhere" eval "! { files_of $UID1 | LC_ALL=C comm -13 '$W/before1' -; files_of $UID2 | LC_ALL=C comm -13 '$W/before2' -; } | grep -vE '^($H/$UID1|$H/$UID2)(/\.(local|cache)(/.*)?|/x(/.*)?)?\$|^/tmp/pvctl-$UID1\$|^$W/runtime-($UID1|$UID2)(/pvctl)?\$'"
refused "where a user may write nothing, an error says so" 1 'denied|/nonexistent' as $UID1 HOME=/nonexistent "$W/bin/pvctl" node start
done_testing
