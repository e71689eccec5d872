#!/bin/bash
# SPDX-License-Identifier: MIT
# The sizes of disks, and copies of images: those that nobody uses, and those of a domain that runs.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"

size() { stat -c %s "$1"; }
virtual() { qemu-img info -U --output=json "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["virtual-size"])'; }
is() { [ "$1" = "$2" ] || { echo "$1, not $2"; return 1; }; }
sum() { md5sum <"$1" | cut -d' ' -f1; }
left() { find "$W/d" -mindepth 1 -printf '%f\n' | sort | tr '\n' ' '; }

mkdir "$W/d"
head -c 3M /dev/urandom >"$W/d/a.img"
truncate -s 8M "$W/d/a.img"
t "grow a file" pvctl disk resize "$W/d/a.img" 12m
t "it has grown" is "$(size "$W/d/a.img")" $((12 << 20))
t "by so much" pvctl disk resize "$W/d/a.img" +4m
t "and by that" is "$(size "$W/d/a.img")" $((16 << 20))
refused "smaller is refused" 1 '--shrink' pvctl disk resize "$W/d/a.img" 8m
t "and nothing is done" is "$(size "$W/d/a.img")" $((16 << 20))
t "unless told" sh -c "$PVCTL disk resize --shrink --json $W/d/a.img 8m | python3 -c 'import json,sys; d=json.load(sys.stdin); assert (d[\"bytes_before\"],d[\"bytes\"])==(16<<20,8<<20), d'"
refused "no size" 2 'no size' pvctl disk resize "$W/d/a.img" large
refused "no such file" 1 'No such file' pvctl disk resize "$W/d/none.img" 8m
refused "no such domain" 1 'no file, no domain' pvctl disk resize none xvda 8m
sum=$(sum "$W/d/a.img")

t "clone" pvctl disk clone "$W/d/a.img" "$W/d/b.img"
t "it is the same" cmp "$W/d/a.img" "$W/d/b.img"
refused "nothing is overwritten" 1 'exists already' pvctl disk clone "$W/d/a.img" "$W/d/b.img"
refused "an unknown format" 1 'no format' pvctl disk convert --to vmdk "$W/d/a.img" "$W/d/c.vmdk"
refused "which format" 2 '--to is missing' pvctl disk convert "$W/d/a.img" "$W/d/c"

# flock.py FILE: has it as the daemon has a raw disk
python3 - "$W/d/a.img" <<'END' &
import fcntl, struct, sys, time
f = open(sys.argv[1], 'r+b')
fcntl.fcntl(f, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 1 << 62, 0))
open(sys.argv[1] + '.locked', 'w')
time.sleep(600)
END
locker=$!
eventually 20 test -e "$W/d/a.img.locked"
rm -f "$W/d/a.img.locked"
refused "what another has is not resized" 1 'in use' pvctl disk resize "$W/d/a.img" 32m
refused "nor cloned" 1 'in use' pvctl disk clone "$W/d/a.img" "$W/d/c.img"
refused "nor based upon" 1 'in use' pvctl disk clone --overlay "$W/d/a.img" "$W/d/c.img"
kill $locker; wait $locker 2>/dev/null
t "it is as it was" is "$(sum "$W/d/a.img")" "$sum"

if command -v qemu-img >/dev/null; then
	# What takes longer than a second shows how far it is, here also without a terminal.
	head -c 160M /dev/urandom >"$W/large.img"
	begun=$(date +%s%N)
	pvctl -t disk convert --compress --to qcow2 "$W/large.img" "$W/large.qcow2" 2>"$W/bar"
	if [ $(($(date +%s%N) - begun)) -gt 2000000000 ]; then
		t "a bar" eval "tr '\r' '\n' <'$W/bar' | grep -qE '^disk \.\.\. \[#* *\] [0-9]+% ' && tail -c 4 '$W/bar' | grep -q 'K\$'"
	else
		skip "a bar" "it took less than two seconds"
	fi
	rm -f "$W"/large.*
	t "convert" sh -c "$PVCTL disk convert --to qcow2 --json $W/d/a.img $W/d/a.qcow2 | python3 -c 'import json,sys; d=json.load(sys.stdin); assert d[\"format\"]==\"qcow2\" and d[\"bytes\"]==8<<20 and d[\"base\"] is None, d'"
	t "and back" sh -c "$PVCTL disk convert --format qcow2 --to raw $W/d/a.qcow2 $W/d/back.img && cmp $W/d/a.img $W/d/back.img"
	t "to vhd" pvctl disk convert --format qcow2 --to vhd "$W/d/a.qcow2" "$W/d/a.vhd"
	refused "vhd keeps its size" 1 'convert' pvctl disk resize --format vhd "$W/d/a.vhd" 64m
	t "compressed" pvctl disk convert --to qcow2 --compress "$W/d/a.img" "$W/d/small.qcow2"
	before=$(cksum "$W/d/a.qcow2")
	refused "a qcow2 image is not taken for a raw one: resize" 1 'format qcow2: --format qcow2' pvctl disk resize --shrink "$W/d/a.qcow2" 64k
	refused "clone" 1 'format qcow2: --format qcow2' pvctl disk clone "$W/d/a.qcow2" "$W/d/c.img"
	refused "convert" 1 'format vhd: --format vhd' pvctl disk convert --to raw "$W/d/a.vhd" "$W/d/c.img"
	refused "template create" 1 'format qcow2: --format qcow2' env PVCTL_DATA_DIR="$W/data" "$PVCTL" template create no --from "$W/d/a.qcow2"
	t "it is as it was" is "$(cksum "$W/d/a.qcow2")" "$before"
	t "but if somebody says that it is raw" eval "$PVCTL disk clone --format raw $W/d/a.qcow2 $W/d/c.img && cmp $W/d/a.qcow2 $W/d/c.img && rm $W/d/c.img"
	t "grow a qcow2 image" pvctl disk resize --format qcow2 "$W/d/a.qcow2" 20m
	t "it has grown" is "$(virtual "$W/d/a.qcow2")" $((20 << 20))
	refused "smaller is refused" 1 '--shrink' pvctl disk resize --format qcow2 "$W/d/a.qcow2" 8m
	mkdir "$W/block"
	qemu-img create -q -f qcow2 "$W/block/a.qcow2" 1M
	t "what fails below a directory with lock in its name is not in use" eval "! pvctl disk resize --format qcow2 '$W/block/a.qcow2' 8000000t >/dev/null 2>'$W/err' && grep -q qemu-img '$W/err' && ! grep -q 'in use' '$W/err'"
	t "overlay" pvctl disk clone --overlay --format qcow2 "$W/d/a.qcow2" "$W/d/over.qcow2"
	t "it is small" sh -c "[ \$(stat -c %s $W/d/over.qcow2) -lt 1000000 ]"
	t "a copy of an overlay is based on nothing" sh -c "$PVCTL disk clone --format qcow2 $W/d/over.qcow2 $W/d/whole.qcow2 && ! qemu-img info $W/d/whole.qcow2 | grep -q backing"
	if strace -o /dev/null true 2>/dev/null; then
		t "an overlay flattened" strace -f -s 0 -e trace=pwrite64,pwritev,fdatasync -o "$W/flatten.out" "$PVCTL" disk flatten "$W/d/over.qcow2"
		# Whatever ends it: the header, which says that there is no base, is written when all is on the disk that was copied of it.
		t "first the copy, then the header" awk '
			/pwrite/ && !/resumed/ { match($0, /, [0-9]+(\)| <)/); if (substr($0, RSTART + 2) + 0) { copied++; dirty = 1 } else { headers++; if (dirty) bad++ } }
			/fdatasync/ && !/unfinished/ { dirty = 0 }
			END { exit bad || !copied || !headers }' "$W/flatten.out"
	else
		t "an overlay flattened" pvctl disk flatten "$W/d/over.qcow2"
		skip "first the copy, then the header" "strace is not installed or not permitted"
	fi
	t "it is based on nothing" eval "! qemu-img info '$W/d/over.qcow2' | grep -q backing"
	t "and has what it had" qemu-img compare -q -f qcow2 -F qcow2 "$W/d/over.qcow2" "$W/d/whole.qcow2"
	t "once more does nothing" pvctl disk flatten "$W/d/over.qcow2"
	refused "a raw image is none" 1 . pvctl disk flatten "$W/d/a.img"
	printf 'no image at all' >"$W/d/bad.qcow2"
	refused "what is no image" 1 . pvctl disk convert --format qcow2 --to raw "$W/d/bad.qcow2" "$W/d/c.img"
	# A header that is fine and tables that are not.
	cp "$W/d/a.qcow2" "$W/d/torn.qcow2"
	dd if=/dev/urandom of="$W/d/torn.qcow2" bs=64k seek=1 count=8 conv=notrunc status=none
	refused "a torn one" 1 . pvctl disk convert --format qcow2 --to raw "$W/d/torn.qcow2" "$W/d/c.img"
	if mkdir "$W/d/full" && mount -t tmpfs -o size=2m none "$W/d/full" 2>/dev/null; then
		refused "no room" 1 . pvctl disk clone "$W/d/a.img" "$W/d/full/c.img"
		t "nothing is left of it" is "$(ls -A "$W/d/full")" ''
		umount "$W/d/full"
	else
		skip "no room" "nothing can be mounted here"
	fi
	rmdir "$W/d/full"
	t "nothing is left of what failed" is "$(left)" 'a.img a.qcow2 a.vhd b.img back.img bad.qcow2 over.qcow2 small.qcow2 torn.qcow2 whole.qcow2 '
else
	skip "formats" "qemu-utils is not installed"
fi

mkdir -p "$W/root/bin"
# It writes without an end, says each size that it sees, and what it cannot write.
cat >"$W/root/bin/grow" <<'END'
#!/bin/sh
n=0
while true; do
	n=$((n + 1))
	for d in xvda xvdc; do
		[ -e /dev/$d ] || continue
		dd if=/dev/zero of=/dev/$d bs=64k count=16 seek=$((n % 8 * 16)) conv=notrunc,fsync 2>/dev/null || echo cannot-write-$d
		echo $d-$(cat /sys/block/$d/size)-$n
	done
	sleep 0.2
done
END
chmod +x "$W/root/bin/grow"
if ! block_guest; then
	skip "a running domain" "there is no xen-blkfront.ko for the guest's kernel"
	done_testing
	exit
fi

truncate -s 16M "$W/r.img" "$W/ro.img"
disks="\"$W/r.img,raw,xvda,rw\",\"$W/ro.img,raw,xvdb,ro\""
qemu-img create -q -f qcow2 "$W/q.qcow2" 16M 2>/dev/null && disks="$disks,\"$W/q.qcow2,qcow2,xvdc,rw\""
t "create" pvctl create -q "$(linux grow "insmod+/lib/modules/xen-blkfront.ko;sleep+1;sh+/bin/grow" "disk=[$disks]")"
eventually 120 console_has grow 'xvda-32768-2' || { not_ok "it writes"; console_log grow; done_testing; exit; }
t "grow, while it writes" pvctl disk resize grow xvda 24m
t "the file has grown" is "$(size "$W/r.img")" $((24 << 20))
t "the guest sees it" eventually 60 console_has grow "xvda-$((24 << 11))-"
refused "it cannot become smaller" 1 'only grow' pvctl disk resize grow xvda 8m
refused "nor with --shrink" 2 'shut it down' pvctl disk resize --shrink grow xvda 8m
refused "one that may only be read" 1 'only read' pvctl disk resize grow xvdb 32m
refused "one that is not there" 1 'no such disk' pvctl disk resize grow xvdx 32m
refused "nor by its file" 1 'in use' pvctl disk resize "$W/r.img" 48m
t "the file's size alone" truncate -s 28M "$W/r.img"
t "is taken over" pvctl disk resize grow xvda
t "and seen" eventually 60 console_has grow "xvda-$((28 << 11))-"
t "by so much, by another of its names" sh -c "$PVCTL disk resize --json grow d0 +4m | python3 -c 'import json,sys; d=json.load(sys.stdin); assert d[\"bytes_before\"] > 4<<20 and d[\"bytes\"]-d[\"bytes_before\"]==4<<20, d'"
if [ -e "$W/q.qcow2" ]; then
	t "grow a qcow2 image" pvctl disk resize grow xvdc +8m
	t "the guest sees it" eventually 60 console_has grow "xvdc-$((24 << 11))-"
	refused "nor by its file" 1 'in use' pvctl disk resize --format qcow2 "$W/q.qcow2" 48m
	# A client that ends in the midst: the daemon has the disk again.
	for i in 1 2 3 4 5 6; do
		timeout -s KILL 0.0$i "$PVCTL" disk resize grow xvdc +1m >/dev/null 2>&1
	done
	t "a client that was killed leaves a disk that works" eventually 90 pvctl disk resize grow xvdc 64m
	t "the guest sees it" eventually 60 console_has grow "xvdc-$((64 << 11))-"
	t "a domain whose disk grew suspends" pvctl suspend grow
	t "and goes on" pvctl resume grow
fi
n=$(console_log grow | grep -c 'xvda-')
more() { [ "$(console_log grow | grep -c 'xvda-')" -gt $((n + 2)) ]; }
t "it goes on writing" eventually 60 more
t "no write failed" eval "! console_has grow cannot-write"
t "destroy" pvctl destroy grow
refused "then by its file again" 1 'shrink' pvctl disk resize "$W/r.img" 16m
t "as it likes" pvctl disk resize --shrink "$W/r.img" 16m
pvctl define "$(linux grow x "disk=[\"$W/r.img,raw,xvda,rw\"]")" >/dev/null
t "of one that is defined" pvctl disk resize grow xvda 32m
t "is its file" is "$(size "$W/r.img")" $((32 << 20))
t "by its number" pvctl disk resize grow 51712 +1m
t "is its file" is "$(size "$W/r.img")" $((33 << 20))
done_testing
