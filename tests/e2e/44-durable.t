#!/bin/bash
# SPDX-License-Identifier: MIT
# What a guest was told is flushed is on the disk, however the host's processes end. The guest writes blocks that name
# themselves, each place once, and says on its console which are flushed; the daemon or QEMU is killed meanwhile.
# A power cut is not made here: that a flush waits for the disk is seen in the daemon's system calls instead.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"

if ! block_guest; then
	skip "flushed blocks" "there is no xen-blkfront.ko for the guest's kernel"
	done_testing
	exit
fi
ROUNDS=${ROUNDS:-3}
seed=0
flushed() { console_log "$1" | tr -d '\r' | sed -n "s/^FLUSHED $2 \([0-9]*\)\$/\1/p" | tail -n 1; }
# begin [discard]: a guest that writes; sets g, img, seed
begin() {
	seed=$((seed + 1))
	g=writer$seed img=$W/$seed.img
	truncate -s 128M "$img"
	pvctl create -q "$(linux $g "insmod+/lib/modules/xen-blkfront.ko;sleep+1;blkprobe+durable+/dev/xvda+$seed+${1:-}" \
		"disk=[\"$img,raw,xvda,rw\"]")" || return 1
	eventually 90 eval "[ -n \"\$(flushed $g $seed)\" ]" || return 1
	sleep $((RANDOM % 3)).$((RANDOM % 1000))
}
check() {
	local n
	n=$(flushed $g $seed)
	t "$1: all ${n:-} flushed blocks are there" "$PROBE" verify "$img" $seed "${n:-none}"
	rm -f "$img"
}
for round in $(seq "$ROUNDS"); do
	mix=
	[ $((round % 2)) -eq 1 ] || mix=discard
	begin $mix || not_ok "a guest that writes"
	kill -9 "$(daemon_pid)"
	# QEMU ends with its daemon; nobody writes any more.
	eventually 10 eval "! pvctl node info >/dev/null" || true
	pvctl node stop --force >/dev/null 2>&1
	check "kill -9 of the daemon${mix:+, with discard}"

	begin $mix || not_ok "a guest that writes"
	kill -9 "$(qemu_pid)"
	sleep 1
	pvctl node stop --force >/dev/null 2>&1
	check "kill -9 of QEMU${mix:+, with discard}"
done
begin discard || not_ok "a guest that writes"
t "destroy while it writes" pvctl destroy $g
check "destroy"
pvctl node stop --force >/dev/null 2>&1

# The order of system calls, where strace may look. io_uring is refused, because what it carries out is not in a trace:
# tests/unit/daemon/test_flush.c has the same about it.
if ! command -v strace >/dev/null || ! strace -o /dev/null true 2>/dev/null; then
	skip "a flush waits for the disk" "strace is not installed or not permitted"
	done_testing
	exit
fi
t "node start" pvctl node start
pid=$(daemon_pid)
strace -f -qq -tt -p "$pid" -e trace=pwritev,pwrite64,pwritev2,fdatasync,fsync,io_uring_enter -e inject=io_uring_enter:error=ENOSYS \
	-o "$W/strace.out" 2>"$W/strace.err" &
tracer=$!
sleep 1
begin || not_ok "a guest that writes"
eventually 60 eval "[ \$(flushed $g $seed) -ge 320 ]"
n=$(flushed $g $seed)
pvctl destroy $g
kill $tracer 2>/dev/null
wait $tracer 2>/dev/null
say "$(grep -c fdatasync "$W/strace.out") flushes for $((n / 16)) of the guest's"
t "a flush of the guest's is one of the host's" eval "[ \$(grep -cE '(fdatasync|fsync)(\(| resumed).* = 0' '$W/strace.out') -ge $((n / 16)) ]"
t "no write is under way while the guest waits for a flush" python3 - "$W/strace.out" <<'END'
import re, sys
# Between two flushes of the one writer there are its 16 writes, all of them complete before the flush begins.
writes = under_way = flushes = bad = 0
for line in open(sys.argv[1]):
    w = re.search(r"pwrite(v|64|v2)", line)
    f = re.search(r"f(data)?sync", line)
    if w and ("resumed" in line or "unfinished" not in line):
        writes += 1
    if w and "unfinished" in line:
        under_way += 1
    if w and "resumed" in line:
        under_way -= 1
    if f and "resumed" not in line:
        flushes += 1
        bad += under_way != 0
print(f"{writes} writes, {flushes} flushes, {bad} with a write under way")
sys.exit(bad or not flushes or writes > 17 * 16 * (flushes + 1))
END

# The host's disk fails once, when a flush is to write the page cache back; the kernel then takes the pages for written.
img=$W/failing.img
truncate -s 8M "$img"
once='dd+if=/dev/zero+of=/dev/xvda+bs=4096+count=1+conv=notrunc,fsync'
t "a guest with a disk" pvctl create -q "$(linux failing "insmod+/lib/modules/xen-blkfront.ko;sleep+1;$once&&echo+FLUSH-1;while+$once;do+sleep+1;done;echo+NO-FLUSH-2;sleep+1;$once||echo+NO-FLUSH-3;dd+if=/dev/xvda+of=/dev/null+bs=4096+skip=8+count=1&&echo+READ;sleep+600" \
	"disk=[\"$img,raw,xvda,rw\"]")"
t "it flushes" eventually 90 console_has failing '^FLUSH-1'
strace -f -qq -p "$pid" -e trace=fdatasync -e inject=fdatasync:error=EIO:when=1 -o "$W/fail.out" 2>/dev/null &
tracer=$!
t "the guest is told of a flush that failed" eventually 60 console_has failing '^NO-FLUSH-2'
t "and of the next, which the host would carry out" eventually 60 console_has failing '^NO-FLUSH-3'
kill $tracer 2>/dev/null
wait $tracer 2>/dev/null
t "what is there can be read" eventually 60 console_has failing '^READ'
t "block-list knows" eval "pvctl block-list --json failing | grep -q '\"failed\": *true'"
t "the log, too" grep -q 'takes no more writes until it is attached anew' "$PVCTL_STATE_DIR/default/daemon.log"

# What is saved has been written as far as its memory knows: it is on the disk before there is a file of it and no domain.
img=$W/saved.img
truncate -s 8M "$img"
t "a guest that writes without a flush" pvctl create -q "$(linux saved "insmod+/lib/modules/xen-blkfront.ko;sleep+1;dd+if=/dev/zero+of=/dev/xvda+bs=4096+count=64+conv=notrunc&&echo+WROTE;sleep+600" \
	"disk=[\"$img,raw,xvda,rw\"]")"
t "it has written" eventually 90 console_has saved '^WROTE'
strace -f -qq -p "$pid" -e trace=fdatasync,fsync -o "$W/save.out" 2>/dev/null &
tracer=$!
eventually 20 grep -q '^TracerPid:	[1-9]' "/proc/$pid/status" || not_ok "it is traced"
t "save" pvctl save saved "$W/saved.save"
kill $tracer 2>/dev/null
wait $tracer 2>/dev/null
t "its disk was flushed" grep -qE 'f(data)?sync(\(| resumed).* = 0' "$W/save.out"
t "node stop" pvctl node stop --force
done_testing
