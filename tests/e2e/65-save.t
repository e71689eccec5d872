#!/bin/bash
# SPDX-License-Identifier: MIT
# Saved and restored: a mini kernel that looks at everything, streams that are kept, hostile streams, a stock kernel with devices.
. "$(dirname "$0")/netlib.sh"
net_namespace "$0" any
. "$(dirname "$0")/lib.sh"

self() { # self WORDS: starts the mini kernel with them
	printf '%s\n' 'name="self"' "kernel=\"$O/guests/save-self.elf\"" 'memory=8' 'on_poweroff="destroy"' 'on_crash="destroy"' \
		"cmdline=\"$1\"" >"$W/self.cfg"
	pvctl create -q "$W/self.cfg"
}
gone() { ! pvctl domid "$1" >/dev/null 2>&1; }
verdict() { console_log self | grep -a '^TEST RESULT:' | tail -n 1 | grep -q SUCCESS; }
lines() { console_log "$1" | tr -d '\r' | grep -ac "$2"; }
sound() { python3 tests/stream/verify.py "$1"; }

t "node start" pvctl node start --memory 1024 --cpus 2
t "a domain to warm up" warm_up
self "linear asked rounds=1"
t "and one that is saved while it runs" eval "eventually 20 console_has self 'READY 1' && pvctl save --live self '$W/s0'"
free0=$(free_bytes)

say "a kernel that checks its memory, tables, traps and registers"
for how in "asked" "linear asked"; do
	t "create ($how)" self "$how rounds=4"
	t "it waits" eventually 20 console_has self 'READY 1'
	t "save" pvctl save self "$W/s1"
	t "the domain is gone" gone self
	t "the file is sound" sound "$W/s1"
	t "it is nobody else's to read" eval "[ \$(stat -c %a '$W/s1') = 600 ]"
	t "restore" pvctl restore "$W/s1"
	t "it is as it was" eventually 20 console_has self 'BACK 1 elsewhere'
	t "save -c" eval "eventually 20 console_has self 'READY 2' && pvctl save -c self '$W/s2'"
	t "it went on where it was" eventually 20 console_has self 'BACK 2 here'
	t "save -p" eval "eventually 20 console_has self 'READY 3' && pvctl save -p self '$W/s3'"
	t "it is paused" eval "pvctl list self | grep -q -- '--p---'"
	refused "a paused one cannot be saved" 1 'is paused' pvctl save self "$W/none"
	t "unpause" pvctl unpause self
	t "it went on" eventually 20 console_has self 'BACK 3 here'
	t "save --compress" eval "eventually 20 console_has self 'READY 4' && pvctl save -z self '$W/s4'"
	t "that is smaller" [ "$(stat -c %s "$W/s4")" -lt "$(stat -c %s "$W/s1")" ]
	t "restore of a packed one, from a pipe" eval "pvctl restore - <'$W/s4'"
	t "it ends well" eventually 20 gone self
	t "with all checks passed" verdict
done
t "the first file is good for another copy" pvctl restore -p "$W/s1"
refused "but not for two at once" 6 'has this name already' pvctl restore "$W/s1"
t "destroy" pvctl destroy self

say "its number"
has_number() { [ "$(pvctl domid "$1")" = "$2" ]; }
# numbered FILE OLD NEW: the same stream for another number, which must be no longer
numbered() { python3 -c 'import sys; f, a, b = sys.argv[1:]; a = b"\"domid\":" + a.encode(); d = open(f, "rb").read(); assert d.count(a) == 1
sys.stdout.buffer.write(d.replace(a, (b"\"domid\":" + b.encode()).ljust(len(a))))' "$@"; }
t "create" pvctl create -q -p "$(config before)"
t "create" self "asked rounds=3"
id=$(pvctl domid self)
t "save -D" eval "eventually 20 console_has self 'READY 1' && pvctl save -D self '$W/d1'"
t "the file is sound" sound "$W/d1"
t "restore" pvctl restore "$W/d1"
t "it has the number that it had" has_number self "$id"
t "save without" eval "eventually 20 console_has self 'READY 2' && pvctl save self '$W/d2'"
t "restore" pvctl restore "$W/d2"
t "it has another" eval "! has_number self $id"
t "destroy" pvctl destroy self
other=$(pvctl domid before)
numbered "$W/d1" "$id" "$other" >"$W/d3"
refused "another has that number" '*' "saved with its domain id .* there is a domain $other here already" pvctl restore "$W/d3"
t "that one is as it was" has_number before "$other"
t "nothing is left" gone self
t "with a configuration of its own it gets any" pvctl restore -p "$W/self.cfg" "$W/d3"
t "it has another" eval "! has_number self $other"
t "both end" eval "pvctl destroy self && pvctl destroy before"

say "refusals before anything is done"
refused "save of domain 0" 1 'domain 0 is the host' pvctl save 0 "$W/none"
refused "save of nobody" 1 'invalid domain identifier' pvctl save nobody "$W/none"
refused "restore of no file" 3 'No such file' pvctl restore "$W/none"
echo "this is a text file, and no domain was ever in it, whatever one does" >"$W/text"
refused "restore of a text" 3 'this is no saved domain' pvctl restore "$W/text"
refused "restore of nothing" 3 'the stream ends here' pvctl restore /dev/null
t "one whose page tables map its grants" self "grants asked rounds=1"
t "it waits" eventually 20 console_has self 'READY 1'
refused "it cannot be saved" 1 'maps memory that is not its own' pvctl save self "$W/none"
t "it went on, and no file is there" eval "eventually 20 verdict && [ ! -e '$W/none' ]"
t "it ends" eventually 20 gone self

say "a full disk, a client that is killed"
t "create" self "asked rounds=3"
t "it waits" eventually 20 console_has self 'READY 1'
refused "the disk is full" 1 'No space left' pvctl save self /dev/full
t "it went on where it was" eventually 20 console_has self 'BACK 1 here'
mkfifo "$W/fifo"
(exec 3<>"$W/fifo"; timeout 60 "$PVCTL" save self "$W/fifo" & echo $! >"$W/pid"; wait) 2>/dev/null >"$W/out" &
t "a reader that reads nothing" eventually 20 eval "pvctl list self | grep -q 's-'"
kill -9 "$(cat "$W/pid")" "$(pgrep -P "$(cat "$W/pid")" 2>/dev/null)" 2>/dev/null
t "the client is killed: it goes on where it was" eventually 20 console_has self 'BACK 2 here'
t "create one more" eval "pvctl destroy self && self 'asked rounds=2'"
t "it waits" eventually 20 console_has self 'READY 1'
mkfifo "$W/fifo2"
exec 4<>"$W/fifo2"
"$PVCTL" save self "$W/fifo2" 2>"$W/err" &
pid=$!
t "a reader that reads nothing" eventually 20 eval "pvctl list self | grep -q 's-'"
sleep 1
kill -INT $pid
{ sleep 20; kill -9 $pid; } 2>/dev/null &
wait $pid
t "Ctrl-C: it says so" grep -q 'interrupted; the domain goes on' "$W/err"
exec 4<&-
t "and it goes on where it was" eventually 20 console_has self 'BACK 1 here'
t "destroy" pvctl destroy self
mkdir "$W/small"
if mount -t tmpfs -o size=64k tmpfs "$W/small" 2>/dev/null; then
	t "create one more" self 'asked rounds=2'
	t "it waits" eventually 20 console_has self 'READY 1'
	refused "a file system that fills up" 1 "$W/small/s: .*No space left" pvctl save self "$W/small/s"
	t "it went on where it was" eventually 20 console_has self 'BACK 1 here'
	t "it waits again" eventually 20 console_has self 'READY 2'
	refused "one that fills up while it runs" 1 "$W/small/s: .*No space left" pvctl save --live self "$W/small/s"
	t "nothing is left there" [ -z "$(ls -A "$W/small")" ]
	t "it can still be saved" pvctl save -c self "$W/s5"
	t "it ends well" eventually 20 gone self
	t "with all checks passed" verdict
	umount "$W/small"
else
	skip "a file system that fills up" "none can be mounted here"
fi

say "streams of this release and of Xen's xl"
for f in tests/stream/*.zst; do
	t "restore $(basename "$f")" pvctl restore "$f"
	t "it goes on" eventually 20 console_has self 'BACK 1 elsewhere'
	pvctl destroy self >/dev/null 2>&1
	eventually 10 gone self
done

say "hostile streams"
mkdir "$W/hostile"
t "they are made" python3 tests/stream/hostile.py "$W/s1" "$W/hostile"
count=0 wrong=0
while IFS=$'\t' read -r name pattern; do
	count=$((count + 1))
	if out=$(timeout 30 "$PVCTL" restore "$W/hostile/$name" 2>&1) || ! grep -qE -- "$pattern" <<<"$out"; then
		wrong=$((wrong + 1))
		say "$name: wanted /$pattern/, got: $(tail -n 1 <<<"$out")"
	fi
done <"$W/hostile/index"
t "all $count are refused, with record and offset" [ $count -gt 80 -a $wrong -eq 0 ]
t "no domain is left" eval "[ \$(pvctl list | wc -l) -eq 2 ]"
t "no memory is lost" eventually 5 eval "[ \"\$(free_bytes)\" = '$free0' ]"
t "the counts of all pages are right" eval "pvctl debug-keys t && sleep 1 && ! pvctl dmesg | grep -E 'BUG|panic|differs'"

if [ ! -e "$KERNEL" ]; then
	skip "a stock kernel" "no demo kernel: make guest"
	done_testing
	exit
fi

say "a stock kernel with a disk and a network interface"
net_guest
# Memory that holds, and memory that is never the same twice: what is older than it should be is found. In a script, as
# the words that it says would else be on the console as they are typed.
cat >"$W/root/bin/rewrite" <<'END'
#!/bin/sh
dd if=/dev/urandom of=/tmp/r bs=1M count=12 2>/dev/null
md5sum </tmp/r >/tmp/r.sum
i=0
while [ -e /tmp/r ]; do
	yes "round $i" | head -c 4194304 >/tmp/w
	[ "$(md5sum </tmp/w)" = "$(yes "round $i" | head -c 4194304 | md5sum)" ] || echo "ALTERED in round $i"
	[ "$(md5sum </tmp/r)" = "$(cat /tmp/r.sum)" ] || [ ! -e /tmp/r ] || echo "ALTERED what held"
	i=$((i + 1))
	echo "REWRITTEN $i"
done
END
chmod 755 "$W/root/bin/rewrite"
pack_guest
truncate -s 16M "$W/disk.img"
t "create" pvctl create -q "$(net_config one net-up 'vcpus=2' 'maxmem=192' 'vif=["link=user"]' "disk=[\"$W/disk.img,raw,xvda,w\"]")"
t "its network is up" eventually 180 console_has one 'LEASE 10.0.2.15'
guest one '(i=0; while :; do i=$((i+1)); echo COUNT=$i >/dev/hvc0; sleep 1; done) & sleep 1' >/dev/null
guest one 'dd if=/dev/zero bs=4096 count=256 2>/dev/null | tr "\000" s >/dev/xvda; sync; md5sum /dev/xvda' >"$W/sum"
t "the disk has a sum" grep -q '^[0-9a-f]\{32\} ' "$W/sum"
sum=$(grep -ao '^[0-9a-f]\{32\} ' "$W/sum")
say "its configuration was changed: what is saved has what it has now"
vif='vif=["link=user"]' disk="disk=[\"$W/disk.img,raw,xvda,w\"]"
changed() { pvctl config-update one "$(net_config one net-up "$@")"; }
t "config-update without its disk" changed "$vif" vcpus=2
refused "it cannot be saved" 1 'disk xvda, which its changed configuration' pvctl save one "$W/none"
t "without its interface" changed "$disk" vcpus=2
refused "it cannot be saved" 1 'vif 0, which its changed configuration' pvctl save one "$W/none"
t "nothing is left of that" [ ! -e "$W/none" ]
refused "a configuration that is given has too few vCPUs" 1 'has 2 vCPUs' pvctl save one "$W/none" "$(net_config one net-up "$disk" "$vif" vcpus=1)"
t "config-update with fewer vCPUs" changed "$vif" "$disk" vcpus=1 maxmem=192
t "save" pvctl save --json one "$W/one.save"
t "the file is sound" sound "$W/one.save"
t "it is not as large as the memory" [ "$(stat -c %s "$W/one.save")" -lt $((100 << 20)) ]
counts() { lines one "COUNT="; }
before=$(counts)
more() { [ "$(counts)" -gt $((before + 3)) ]; }
t "restore" pvctl restore "$W/one.save"
t "the counter goes on" eventually 30 more
t "it did not begin anew" [ "$(lines one 'COUNT=1$')" -le 1 ]
t "the disk is connected, and as it was" eval "guest one 'md5sum /dev/xvda' | grep -q '^$sum'"
t "its interface is connected" eventually 20 eval "pvctl network-list one | grep -q ' 0      4 '"
t "its network works" eval "guest one 'udhcpc -i eth0 -n -q -t 10 -T 1' | grep -q 'LEASE 10.0.2.15\|lease of 10.0.2.15'"
t "it has two CPUs" eval "guest one nproc | grep -q '^2'"
guest one 'rewrite >/dev/hvc0 2>&1 & sleep 1' >/dev/null
t "it rewrites its memory" eventually 60 console_has one 'REWRITTEN 1'
before=$(counts)
t "save --live, while it writes" pvctl save --live --json one "$W/live.save"
t "the file is sound" sound "$W/live.save"
t "restore" pvctl restore "$W/live.save"
t "the counter goes on" eventually 30 more
rounds=$(lines one REWRITTEN)
t "it looks at its memory" eventually 60 eval "[ \$(lines one REWRITTEN) -gt $((rounds + 1)) ]"
t "what was in memory is as it was" eval "! console_has one ALTERED && guest one 'wc -c </tmp/r' | grep -q 12582912"
t "save --live -c" pvctl save --live -c one "$W/live.save"
before=$(counts)
t "the counter goes on" eventually 30 more
guest one 'rm -f /tmp/r; sleep 1; rm -f /tmp/w' >/dev/null
t "nor was it afterwards" eval "! console_has one ALTERED"
t "balloon down" pvctl mem-set --wait 60 one 100
t "save of a ballooned one" pvctl save one "$W/one.save"
t "the file is sound" sound "$W/one.save"
before=$(counts)
t "restore" pvctl restore "$W/one.save"
t "it has what it had" eval "[ \$(pvctl list one | tail -n 1 | awk '{print \$3}') = 100 ]"
t "the counter goes on" eventually 30 more
t "balloon up" pvctl mem-set --wait 60 one 180
t "a CPU less" eval "pvctl vcpu-set one 1 && eventually 40 eval \"pvctl vcpu-list one | grep -q -- '--p'\""
t "save" pvctl save one "$W/one.save"
t "restore" pvctl restore "$W/one.save"
t "it has one CPU" eval "guest one nproc | grep -q '^1'"
t "and takes the other again" eval "pvctl vcpu-set one 2 && eventually 40 eval \"guest one nproc | grep -q '^2'\""
printf '%s\n' 'name="other"' 'memory=180' 'maxmem=192' 'vcpus=2' >"$W/other.cfg"
t "save -c" pvctl save -c one "$W/one.save"
t "restore with another configuration: another name, no devices" pvctl restore -p "$W/other.cfg" "$W/one.save"
t "both are there" eval "pvctl domid one && pvctl domid other"
t "destroy" eval "pvctl destroy other && pvctl destroy one"
t "no memory is lost" eventually 5 eval "[ \"\$(free_bytes)\" = '$free0' ]"
done_testing
