#!/bin/bash
# SPDX-License-Identifier: MIT
# Nothing that a guest writes into a share gives somebody on the host rights: no set-uid files, no devices, no capabilities.
. "$(dirname "$0")/lib.sh"

why=
command -v diod >/dev/null || [ -x /usr/sbin/diod ] || why="package diod is not installed"
[ -n "$why" ] || why=$("$O/pvctl-p9" --check "$W" 2>&1)
if [ -n "$why" ]; then
	skip "what a share takes" "$why"
	done_testing
	exit
fi
mkdir "$W/share"
timeout 60 python3 tests/e2e/p9-client.py "$O/pvctl-p9" "$W/share" >"$W/out" 2>"$W/err" || { not_ok "the client talks to the server"; sed 's/^/#   /' "$W/err" "$W/out"; }
for what in create chmod mkdir mkdir-sticky mknod-file mknod-fifo; do
	t "$what is done" grep -qx "$what 0" "$W/out"
done
for what in chmod-suid chmod-sgid create-suid create-sgid mknod-suid mknod-whiteout mknod-char mknod-block xattr-caps; do
	t "$what is refused" grep -qE "^$what -[0-9]+$" "$W/out"
done
# A directory with that bit hands it on to those made below: its kernel asks for it, and is not let down.
t "mkdir-sgid makes a directory" grep -qx "mkdir-sgid 0" "$W/out"
t "no bits, no devices" [ -z "$(find "$W/share" -perm /6000 -o -type c -o -type b)" ]
t "the sticky bit is there" [ -k "$W/share/sticky" ]
t "no capabilities" [ -z "$(getcap -r "$W/share" 2>/dev/null)" ]
done_testing
