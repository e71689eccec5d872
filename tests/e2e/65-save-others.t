#!/bin/bash
# SPDX-License-Identifier: MIT
# A live save of a domain that gives memory back meanwhile, which another domain gets: what that has in it is not in the file.
. "$(dirname "$0")/lib.sh"
PYTHON=${PYTHON:-/usr/bin/python3}
[ -x "$PYTHON" ] || PYTHON=python3
export PYTHONPATH=$O/bindings/python LD_LIBRARY_PATH=$O PYTHONDONTWRITEBYTECODE=1
if ! "$PYTHON" -c 'import pvctl' 2>/dev/null; then
	skip "a live save beside a domain that grows" "the Python binding is not built (make python)"
	done_testing
	exit
fi
linux() { # NAME MEMORY COMMAND, blanks as +
	printf '%s\n' "name=\"$1\"" "kernel=\"$KERNEL\"" "ramdisk=\"$RAMDISK\"" "memory=$2" "cmdline=\"console=hvc0 quiet run=$3\"" >"$W/$1.cfg"
	echo "$W/$1.cfg"
}
memory() { pvctl list --json "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["domains"][0]["memory_bytes"] >> 20)'; }
is_small() { [ "$(memory a)" -le 100 ]; }
free_mib() { echo $(($(free_bytes) >> 20)); }

t "node start" pvctl node start --memory 320 --cpus 2
# What a had in a file is no zeroes when it is given back.
t "create a" pvctl create -q "$(linux a 192 'dd+if=/dev/urandom+of=/tmp/x+bs=1M+count=90;rm+/tmp/x;echo+filled')"
t "it wrote to its memory" eventually 120 console_has a '^filled'
t "there is no room for b beside it" [ "$(free_mib)" -lt 128 ]
cat >"$W/saver.py" <<'P'
import os, sys, threading, pvctl
out, go = sys.argv[1], sys.argv[2]
r, w = os.pipe()
def read():
    # The first of it; then, when the other domain is there, the rest.
    with open(out, "wb") as f:
        f.write(os.read(r, 1 << 16))
        open(out + ".begun", "w").close()
        open(go).close()
        while data := os.read(r, 1 << 20):
            f.write(data)
# Who reads ends with the pipe, or, where nothing comes through it, with the program.
t = threading.Thread(target=read, daemon=True)
t.start()
with pvctl.connect() as node:
    s = node.domain("a").save(w, live=True, leave=pvctl.SaveLeave.RUNNING)
    os.close(w)
    t.join()
    print(f"{s.rounds} rounds, {s.pages} pages")
P
mkfifo "$W/go"
"$PYTHON" "$W/saver.py" "$W/a.save" "$W/go" >"$W/saver.out" 2>&1 &
saver=$!
t "a live save begins, and waits for who reads it" eventually 30 [ -e "$W/a.save.begun" ]
t "a is to give memory back" pvctl mem-set a 90
t "it does" eventually 60 is_small
t "b gets it" pvctl create -q "$(linux b 128 'yes+SECRET-OF-B|head+-c+70000000>/tmp/x;echo+written')"
t "b writes what is its own" eventually 120 console_has b '^written'
: >"$W/go"
wait $saver
rc=$?
t "the save ends" [ $rc = 0 ]
sed 's/^/# /' "$W/saver.out"
t "there is nothing of b in it" eval "! grep -aq SECRET-OF-B '$W/a.save'"
t "a runs on" console_has a 'guest:/#'
t "destroy both" eval "pvctl destroy a && pvctl destroy b"
# Paused: running, it may take back at once what its configuration of the save's begin says.
t "and it is whole: a comes back" pvctl restore -p "$W/a.save"
t "with as little memory" is_small
t "and goes on" pvctl unpause a
t "node stop" pvctl node stop --force
done_testing
