#!/bin/bash
# SPDX-License-Identifier: MIT
# The images of domains' disks are on a file system that is full: they move there and back all the same, and what their guests flushed is there.
. "$(dirname "$0")/netlib.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/blocklib.sh"

need_modules "migration" xen-blkfront xen-netfront
command -v qemu-img >/dev/null || { skip "full disks" "qemu-utils is not installed"; done_testing; exit; }
mkdir -p "$W/shared" "$W/b/run" "$W/b/state"
mount -t tmpfs -o size=20m none "$W/shared" 2>/dev/null || { skip "full disks" "no file system can be mounted here"; done_testing; exit; }
trap 'on b "$PVCTL" node stop --force >/dev/null 2>&1; pvctl node stop --force >/dev/null 2>&1; umount -l "$W/shared"; cleanup' EXIT
on() {
	if [ "$1" = a ]; then shift; "$@"; else shift; PVCTL_RUN_DIR=$W/b/run PVCTL_STATE_DIR=$W/b/state "$@"; fi
}
other() { [ "$1" = a ] && echo b || echo a; }
migrate() { # FROM NAME
	local to run=$PVCTL_RUN_DIR state=$PVCTL_STATE_DIR
	to=$(other "$1")
	[ "$to" = a ] || run=$W/b/run state=$W/b/state
	on "$1" timeout 100 "$PVCTL" migrate -s '' "$2" "exec env PVCTL_RUN_DIR='$run' PVCTL_STATE_DIR='$state' '$PVCTL' migrate-receive"
}
# Under the names that it has on the way, too.
logs() { ls "$PVCTL_STATE_DIR/default/console/$1"{,--*}.log "$W/b/state/default/console/$1"{,--*}.log 2>/dev/null; }
count() { on "$1" cat "$([ "$1" = a ] && echo "$PVCTL_STATE_DIR" || echo "$W/b/state")/default/console/$2.log" 2>/dev/null | grep -ac '^BLOCK '; }
more() { [ "$(count "$1" "$2")" -gt "$3" ]; }
goes_on_at() { local n; n=$(count "$1" "$2"); eventually 60 more "$1" "$2" $((${n:-0} + 5)); } # NODE NAME
alone_at() { eventually 20 eval "on $1 pvctl domid $2 && ! on $(other "$1") pvctl domid $2"; }
failed() { grep -aq 'WRITE [0-9]* FAILS' $(logs "$1"); }
# Each block that it told of without a failure. What stands before the first line of a log may be at the end of another.
flushed() { # NAME IMAGE FORMAT
	contents "$2" "$3" "$W/flushed.img" && python3 - "$W/flushed.img" $(logs "$1") <<'END'
import re, sys
d, logs = open(sys.argv[1], 'rb').read(), [open(f, errors='replace').read() for f in sys.argv[2:]]
bad = {i for l in logs for i in re.findall(r'WRITE (\d+) FAILS', l)}
good = [int(i) for l in logs for i in re.findall(r'^BLOCK (\d+) ', l, re.M)[1:] if i not in bad]
assert good and bad, (len(good), len(bad))
for i in good:
    assert d[i * 4096:(i + 1) * 4096] == (b'block %d\n' % i * 4096)[:4096], i
END
}

block_guest
truncate -s 16M "$W/shared/raw.img"
qemu-img create -q -f qcow2 "$W/shared/disk.qcow2" 16M
t "two nodes" eval "pvctl node start --memory 512 && on b pvctl node start --memory 512"
t "create" eval "pvctl create -q '$(guest raw "$W/shared/raw.img,raw,xvda,w")' && pvctl create -q '$(guest qcow "$W/shared/disk.qcow2,qcow2,xvda,w")'"
t "they write" eval "eventually 120 more a raw 3 && eventually 120 more a qcow 3"
cat /dev/zero >"$W/shared/rest" 2>/dev/null
for name in raw qcow; do
	t "$name: its writes fail" eventually 120 failed $name
	t "$name: migrate" migrate a $name
	t "$name: it is there, and there alone" alone_at b $name
	t "$name: it goes on there" goes_on_at b $name
	t "$name: and back" migrate b $name
	t "$name: it goes on here" eval "alone_at a $name && goes_on_at a $name"
done
rm "$W/shared/rest"
t "with room again they go on" eval "goes_on_at a raw && goes_on_at a qcow"
t "end" eval "pvctl destroy raw && pvctl destroy qcow"
t "what was flushed is on the raw disk" flushed raw "$W/shared/raw.img" raw
t "and on the qcow2 one" flushed qcow "$W/shared/disk.qcow2" qcow2
done_testing
