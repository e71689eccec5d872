#!/bin/bash
# SPDX-License-Identifier: MIT
# Files that are saved here and restored by stock Xen's xl 4.17, and the reverse: Debian's Xen runs in QEMU, with the packages' own xl. What it
# restores it saves again, and that is restored here. For a while of its own (make check-xen-peer): it downloads 100 MB once.
. "$(dirname "$0")/../e2e/lib.sh"

PEER=${XEN_PEER_CACHE:-$O/xen-peer}
none() { skip "Xen's xl" "$1"; done_testing; exit; }
[ -s "$O/guests/save-self.elf" ] || none "there is no guest"
[ ! -e /etc/os-release ] || grep -q bookworm /etc/os-release || none "only Debian 12 has the packages of Xen 4.17"
mkdir -p "$PEER"
tests/xen-peer/build "$PEER" 2>"$W/why" || none "$(tail -n 1 "$W/why")"

config_of() { # NAME KERNEL
	printf '%s\n' "name=\"$1\"" "kernel=\"$2\"" 'memory=8' 'on_poweroff="destroy"' 'on_crash="destroy"' 'extra="linear asked rounds=4"'
}
t "node start" pvctl node start --memory 512 --cpus 1
config_of ours "$O/guests/save-self.elf" >"$W/ours.cfg"
t "create" pvctl create -q "$W/ours.cfg"
t "it waits" eventually 60 console_has ours 'READY 1'
mkdir -p "$W/job/job"
t "save" pvctl save ours "$W/job/job/ours.save"
t "save, live" eval "config_of live '$O/guests/save-self.elf' >'$W/live.cfg' && pvctl create -q '$W/live.cfg' && eventually 60 console_has live 'READY 1' &&
	pvctl save --live live '$W/job/job/live.save'"

# What runs beside Xen's xl: both are restored, look at themselves, and are saved again; one is xl's own.
cp "$O/guests/save-self.elf" "$W/job/job/"
install -m755 tests/xen-peer/dom0 "$W/job/init"
config_of theirs /job/save-self.elf >"$W/job/job/theirs.cfg"
cat >"$W/job/job/run" <<'END2'
said() { # NAME WHAT
	n=0
	until grep -aq "$2" /var/log/xen/console/guest-$1.log 2>/dev/null; do
		n=$((n + 1))
		[ $n -lt 300 ] || { echo "PEER $1 does not say $2"; return 1; }
		sleep 0.2
	done
}
give() { # FILE
	echo "PEER begin $1"
	gzip -c "$1" | base64
	echo "PEER end $1"
}
xl -v create theirs.cfg >log 2>&1 && said theirs 'READY 1' && xl save theirs theirs.save >>log 2>&1 && echo "PEER ok create" || cat log
for name in ours live; do
	xl -v restore $name.save >log 2>&1 && echo "PEER ok restore $name" || cat log
	said $name 'BACK 1 elsewhere' && said $name 'READY 2' && echo "PEER ok back $name"
	xl save $name $name.again >log 2>&1 && echo "PEER ok save $name" || cat log
done
cat /var/log/xen/console/guest-*.log
for f in theirs.save ours.again live.again; do give $f; done
END2
(cd "$W/job" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$W/job.gz"
cat "$PEER/initrd.gz" "$W/job.gz" >"$W/initrd.gz"
timeout "${PEER_SECONDS:-280}" qemu-system-x86_64 -accel tcg,thread=multi -M q35 -cpu max,-smap,-la57 -m 2048 -smp 1 -nographic -no-reboot -nic none -kernel "$PEER/xen" \
	-append 'console=com1 dom0_mem=768M,max:768M bootscrub=0' -initrd "$PEER/vmlinuz console=hvc0 quiet loglevel=4,$W/initrd.gz" </dev/null 2>&1 |
	tr -d '\r' >"$W/xen.log"
heard() { grep -aq "PEER $1" "$W/xen.log"; }
t "Xen and its xl are up" heard up || tail -n 20 "$W/xen.log" | sed 's/^/#   /'
t "they came to an end" heard 'done'
for name in ours live; do
	t "xl restores $name" heard "ok restore $name" || grep -a "xl:\|libxl\|xc:" "$W/xen.log" | tail -n 20 | sed 's/^/#   /'
	t "it is as it was" heard "ok back $name"
	t "xl saves it" heard "ok save $name"
done
t "xl saves one of its own" heard 'ok create'

# take FILE: what Xen's side gave
take() { sed -n "/^PEER begin $1$/,/^PEER end $1$/p" "$W/xen.log" | grep -v '^PEER' | tr -cd 'A-Za-z0-9+/=\n' | base64 -d | gzip -dc >"$W/$1"; }
gone() { ! pvctl domid "$1" >/dev/null 2>&1; }
back() { # NAME FILE ROUND: it goes on to its end
	local n
	t "$2: it came whole" take "$2"
	t "$2: it is sound" python3 tests/stream/verify.py "$W/$2"
	t "$2: restore" pvctl restore "$W/$2"
	t "$2: it is as it was" eventually 30 console_has "$1" "BACK $3 elsewhere"
	for n in $(seq $(($3 + 1)) 4); do
		eventually 30 console_has "$1" "READY $n" && pvctl save -c "$1" "$W/more" || { not_ok "$2: round $n"; return; }
	done
	t "$2: it ends well" eventually 30 gone "$1"
	t "$2: with all checks passed" eval "console_log $1 | grep -a '^TEST RESULT:' | tail -n 1 | grep -q SUCCESS"
}
back ours ours.again 2
back live live.again 2
back theirs theirs.save 1
pvctl node stop --force >/dev/null 2>&1
done_testing
