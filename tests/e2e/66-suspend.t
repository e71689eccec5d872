#!/bin/bash
# SPDX-License-Identifier: MIT
# Suspend and resume: a guest under load, all formats of disks, a network interface, those who do not react, who asked and left.
. "$(dirname "$0")/netlib.sh"
. "$(dirname "$0")/lib.sh"

need_modules "suspend and resume" xen-blkfront xen-netfront
net_guest
cp "$O/demo/modules/xen-blkfront.ko" "$W/root/lib/modules/"
# Blocks that differ, each one's sum to the console, to two disks; then all of it once more, from there.
cat >"$W/root/bin/load" <<'END'
#!/bin/sh
insmod /lib/modules/xen-blkfront.ko
until [ -b /dev/xvdb ]; do sleep 0.1; done
/bin/net-up
i=0
while [ $i -lt ${1:-200} ]; do
	head -c 65536 /dev/urandom >/tmp/b # dd would be content with less, when it is frozen
	dd if=/tmp/b of=/dev/xvda bs=64k seek=$i conv=notrunc,fsync 2>/dev/null || echo "WRITE $i FAILS"
	dd if=/tmp/b of=/dev/xvdb bs=64k seek=$i conv=notrunc,fsync 2>/dev/null || echo "WRITE $i FAILS"
	cat /tmp/b >>/tmp/all
	i=$((i + 1))
	echo "BLOCK $i"
done
echo "SUM $(md5sum </tmp/all)"
END
chmod 755 "$W/root/bin/load"
pack_guest

state() { pvctl list "$1" | awk 'NR == 2 { print $5 }'; }
blocks() { console_log one | tr -d '\r' | awk '/^BLOCK/ { n = $2 } END { print n + 0 }'; }
more_blocks() { [ "$(blocks)" -gt "$1" ]; }

truncate -s 32M "$W/a.img"
second="$W/b.img,raw"
if command -v qemu-img >/dev/null && command -v qemu-nbd >/dev/null; then
	qemu-img create -q -f qcow2 "$W/b.qcow2" 32M
	second="$W/b.qcow2,qcow2"
else
	truncate -s 32M "$W/b.img"
fi
pvctl node start --memory 1G >/dev/null 2>&1 || not_ok "node start"
t "create" pvctl create -q "$(net_config one load "disk=[\"$W/a.img,raw,xvda,rw\",\"$second,xvdb,rw\"]" 'vif=["link=user"]' \
	"channel=[\"name=agent,connection=socket,path=$W/agent\"]")"
if eventually 120 more_blocks 3; then ok "it writes"; else not_ok "it writes"; console_log one | tail -n 20; fi

t "suspend" pvctl suspend one
t "list says so" [ "$(state one)" = "---ss-" ]
n=$(blocks)
refused "suspended again" '*' 'suspended already' pvctl suspend one
truncate -s 1M "$W/none.img"
refused "no device is added" '*' 'it must run' pvctl block-attach one "$W/none.img,raw,xvdc,rw"
sleep 1
t "nothing goes on" [ "$(blocks)" = "$n" ]
t "its disks are still its own" eval "! python3 -c 'import fcntl,os,struct,sys; f=os.open(sys.argv[1], os.O_RDWR); fcntl.fcntl(f, 37, struct.pack(\"hhqqi4x\", fcntl.F_WRLCK, 0, 0, 0, 0))' '$W/a.img' 2>/dev/null"
t "the audit finds all counts right" eval "pvctl debug-keys t && pvctl dmesg | grep 'audit:.* 0 differ'"
t "resume" pvctl resume one
if eventually 30 more_blocks "$n"; then ok "it goes on"; else not_ok "it goes on"; console_log one | tail; fi
refused "what is not suspended" '*' 'not suspended' pvctl resume one
for i in 1 2 3 4 5 6 7 8; do
	pvctl suspend one && pvctl resume one || not_ok "round $i"
done
ok "eight times"
if eventually 240 console_has one '^SUM'; then ok "the load ends"; else not_ok "the load ends"; console_log one | tail; fi
sum=$(console_log one | tr -d '\r' | awk '/^SUM/ { print $2 }')
t "no write failed" eval "! console_has one 'FAILS'"
guest one "echo 3 >/proc/sys/vm/drop_caches; for d in a b; do dd if=/dev/xvd\$d bs=64k count=200 2>/dev/null | md5sum; done" >"$W/sums"
t "both disks have all of it" [ "$(grep -c "$sum" "$W/sums")" = 2 ]
t "the network is there" eval "guest one 'ping -c 2 10.0.2.2' | grep -q '2 packets received'"

t "suspended once more" pvctl suspend one
t "destroyed while suspended" pvctl destroy one
t "what it wrote is in the file" [ "$(head -c $((200 * 65536)) "$W/a.img" | md5sum | cut -d' ' -f1)" = "$sum" ]
case $second in
*qcow2*) t "and in the other" [ "$(qemu-img convert -O raw "$W/b.qcow2" "$W/b.raw" && head -c $((200 * 65536)) "$W/b.raw" | md5sum | cut -d' ' -f1)" = "$sum" ] ;;
esac

# Who asked and left.
t "a second guest" pvctl create -q "$(config two)"
eventually 120 console_has two 'guest-init: up' || not_ok "it is up"
(printf 'while :; do echo alive $(cat /proc/uptime); sleep 0.2; done\n'; sleep 1) | timeout 2 "$PVCTL" console two >/dev/null
alive() { console_log two | grep -c alive; }
goes_on() { local n; n=$(alive); eventually 20 eval "[ \$(alive) -gt $n ]"; }
left=0
for i in 1 2 3 4 5; do
	"$PVCTL" suspend two &
	sleep 0.0$i
	kill -9 $! 2>/dev/null
	{ wait $!; } 2>/dev/null
	[ "$(state two)" = "---ss-" ] || { left=$((left + 1)); goes_on || not_ok "it goes on after $i"; continue; }
	sleep 0.5
	[ "$(state two)" != "---ss-" ] || pvctl resume two || not_ok "it can be resumed after $i"
done
say "$left of 5 were killed before it was theirs to keep"
t "it runs after all" goes_on
t "paused" pvctl pause two
refused "one that is paused" '*' 'is paused.*unpause it first' pvctl suspend two
t "unpaused" pvctl unpause two

# One that does not react: what it was asked is taken back.
shutdown_guest() { # NAME REASON
	printf '%s\n' "name=\"$1\"" "kernel=\"$O/guests/shutdown.elf\"" 'memory=8' "cmdline=\"reason=$2\"" >"$W/$1.cfg"
	pvctl create -q "$W/$1.cfg"
}
if [ -s "$O/guests/shutdown.elf" ]; then
	t "one that does not react" shutdown_guest deaf 8
	refused "it is given up" '*' 'has not suspended in 1 s' pvctl suspend --timeout 1 deaf
	t "it still runs" eval "[[ \$(state deaf) != *s* ]]"
	id=$(pvctl domid deaf)
	t "nobody asks it any more" [ -z "$(pvctl store read "/local/domain/$id/control/shutdown")" ]
	"$PVCTL" suspend deaf & pid=$!
	eventually 10 eval "pvctl store read /local/domain/$id/control/shutdown | grep -q suspend" || not_ok "it is asked"
	kill -9 $pid
	{ wait $pid; } 2>/dev/null
	t "nor when who asked has left" eventually 10 eval "[ -z \"\$(pvctl store read /local/domain/$id/control/shutdown)\" ]"
	pvctl store write "/local/domain/$id/control/feature-suspend" 0
	refused "one that says it cannot" '*' 'does not listen' pvctl suspend deaf
	t "one that suspends by itself" shutdown_guest lonely 2
	t "it is kept" eval "eventually 20 eval '[ \"\$(state lonely)\" = ---ss- ]' && sleep 1 && [ \$(state lonely) = ---ss- ]"
	t "until it is resumed" pvctl resume lonely
	t "it goes on then, to its end" eventually 20 console_has lonely 'goes on after shutdown for reason 2'
else
	skip "one that does not react" "there is no such guest"
fi
done_testing
