#!/bin/bash
# SPDX-License-Identifier: MIT
# pvctl shell: lines from a pipe, and on a terminal with completion and a history.
. "$(dirname "$0")/lib.sh"

lines() { printf '%s\n' "$@" | pvctl shell; }
t "commands, comments and empty lines" eval "lines '# nothing' '' '  version # what' | grep -qx 'libpvctl 0.*'"
lines 'domid nobody' 2>/dev/null
t "the exit code is the last command's" [ $? -eq 1 ]
t "which may be good again" lines 'domid nobody' 'version'
t "exit ends it" eval "[ \$(lines version exit version | grep -c libpvctl) -eq 1 ]"
t "quotes" eval "lines 'config show \"$W/a b.cfg\"' 2>&1 | grep -q 'a b.cfg: No such file' && lines \"config show $W/a\\\\ b.cfg\" 2>&1 | grep -q 'a b.cfg: No such file'"
refused "one without an end" 2 'a quote has no end' eval "lines 'list \"x'"
refused "no shell in a shell" 1 'this is one' eval "lines shell"
# More than is read ahead at once.
for i in $(seq 300); do echo "config show $W/nobody-$i"; done >"$W/long"
t "a long file, each line once" eval "[ \$(pvctl shell <'$W/long' 2>&1 | grep -c 'nobody-[0-9]*: No such file') -eq 300 ]"
if ! command -v python3 >/dev/null; then
	skip "on a terminal" "python3 is not installed"
	done_testing
	exit
fi
t "node start" pvctl node start --memory 512
t "two domains" eval "for n in web1 web2; do pvctl create -q -p \"\$(config \$n 'memory=72')\" || exit 1; done"
truncate -s 4M "$W/disk.img"
t "a disk" pvctl block-attach web1 "$W/disk.img,raw,xvdb,rw"
# Types, and waits for what should come: TEXT=>PATTERN in turn.
cat >"$W/type.py" <<'P'
import os, pty, re, select, sys, time
pid, fd = pty.fork()
if not pid:
    os.environ["TERM"] = "vt100"
    os.execv(sys.argv[1], [sys.argv[1], "shell"])
seen = ""
def expect(pattern):
    global seen
    end = time.time() + 60
    while not re.search(pattern, seen):
        if time.time() > end or not select.select([fd], [], [], 60)[0]:
            sys.exit(f"no {pattern!r} in {seen!r}")
        try: seen += os.read(fd, 4096).decode(errors="replace")
        except OSError: sys.exit(f"no {pattern!r} in {seen!r}, and it ended")
expect("pvctl> ")
for pair in sys.argv[2:]:
    text, pattern = pair.split("=>", 1)
    seen = ""
    os.write(fd, text.encode().decode("unicode_escape").encode())
    expect(pattern)
os.write(fd, b"\x15exit\r")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P
types() { python3 "$W/type.py" "$PVCTL" "$@"; }
# What is shown is redrawn in pieces: what comes of it counts.
t "a command is completed" types 'domna\t1\r=>\nweb1'
t "an option" types 'list --form\tcsv\r=>\nname,id'
t "a group's command" types 'node restart-\t--help\r=>Usage: .*node restart-daemon'
t "domains are offered" types 'pause web\t\t=>web1 +web2'
t "a device of the domain that stands there" types 'block-detach --force web1 xv\t\r=>\n.*pvctl> '
t "it was that one" eval "! pvctl block-list web1 | grep '^51728'"
t "a config key" types 'create x.cfg max_event\t=>channels='
t "a file" types "config show $W/web1.c\\t\\r=>name = .web1"
t "what is completed runs" types 'domi\tweb2\r=>\n2\r?\n'
t "Ctrl-C ends the command, not the shell" types 'events\r=>events' '\x03=>pvctl> ' 'domid web1\r=>\n1\r?\n'
t "the history is there the next time" types '\x10\x10=>exit|domid web1|events'
t "and nobody else's to read" eval "[ \$(stat -c %a '$PVCTL_STATE_DIR/shell-history') = 600 ] && grep -q '^domid.*web1' <(sed 's/.040/ /g' '$PVCTL_STATE_DIR/shell-history')"
t "node list does not take it for a node" eval "! pvctl node list | grep shell-history"
t "node stop" pvctl node stop --force
done_testing
