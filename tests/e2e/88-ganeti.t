#!/bin/bash
# SPDX-License-Identifier: MIT
# Ganeti, as Debian has it, with pvctl for xl: two machines, which are namespaces over layers of this one's root, a cluster of
# them, and two instances that are started, ballooned, rebooted, moved live and dead, and survive the loss of a machine.
# Packages go into a layer, too; nothing of this machine is changed. For root.
case ${GANETI_STAGE:-} in
'')
	none() { printf 'ok 1 - Ganeti # SKIP %s\n1..1\n' "$*"; exit; }
	[ "$(id -u)" = 0 ] || none "only root can make machines of namespaces"
	unshare -mnpui --fork true 2>/dev/null || none "namespaces cannot be had here"
	[ -w /dev/net/tun ] || none "/dev/net/tun is not there"
	of_machine() { cksum /etc/passwd /etc/group /etc/shadow; ls -d /etc/ganeti /etc/ssh /var/lib/ganeti /var/log/ganeti /usr/sbin/xl 2>/dev/null; }
	before=$(of_machine)
	GANETI_DIR=$(mktemp -d "${TMPDIR:-/tmp}/pvctl-ganeti.XXXXXX")
	export GANETI_DIR
	trap 'rmdir "$GANETI_DIR"' EXIT
	GANETI_STAGE=install unshare -mp --fork --kill-child --mount-proc "$0"
	rc=$?
	[ "$before" = "$(of_machine)" ] && echo "ok - the machine is as it was" || { echo "not ok - the machine is as it was"; rc=1; }
	exit $rc
	;;
install)
	O=${O:-build}
	mount -t tmpfs -o mode=755 tmpfs "$GANETI_DIR"
	tests=$(dirname "$(dirname "$(readlink -f "$0")")")
	case $O in /*) ;; *) O=$(dirname "$tests")/$O ;; esac
	if ! why=$(unshare -m "$tests/ganeti/install" "$GANETI_DIR" "$O/cache/ganeti" 2>&1); then
		printf 'ok 1 - Ganeti # SKIP %s\n1..1\n' "$(echo "$why" | tail -n 1)"
		exit
	fi
	GANETI_STAGE=test exec unshare -n "$0"
	;;
esac
. "$(dirname "$0")/netlib.sh"
. "$(dirname "$0")/lib.sh"

need_modules "Ganeti" xen-blkfront xen-netfront
net_guest
cp "$O/demo/modules/xen-blkfront.ko" "$W/root/lib/modules/"
# Block after block to the disk, each flushed before its number is told.
cat >"$W/root/bin/load" <<'END'
#!/bin/sh
/bin/net-up "$1"
insmod /lib/modules/xen-blkfront.ko
until [ -b /dev/xvda ]; do sleep 0.1; done
dd if=/dev/xvda bs=32 count=1 2>/dev/null
echo
boot=$(cat /proc/sys/kernel/random/boot_id)
(i=1
while :; do
	yes "block $i" | head -c 65536 >/tmp/b
	dd if=/tmp/b of=/dev/xvda bs=64k seek=$((1 + i % 400)) conv=notrunc,fsync 2>/dev/null || echo "WRITE $i FAILS"
	echo "BLOCK $i of $boot"
	i=$((i + 1))
	sleep 0.5
done) &
END
chmod 755 "$W/root/bin/load"
pack_guest

# ---- the machines ----
shared=$W/shared
mkdir -p "$shared"
common=$GANETI_DIR/common
mkdir -p "$common/usr/local/bin" "$common/etc/xen/scripts" "$common/etc/ganeti" "$common/usr/share/ganeti/os/mark"
for p in usr/local/bin/pvctl usr/sbin/xl usr/sbin/xentop; do ln -sf "$PVCTL" "$common/$p"; done
# Ganeti wants all machines to have the same one, though no domain here uses it.
printf '#!/bin/sh\n' >"$common/etc/xen/scripts/vif-bridge"
echo "$shared" >"$common/etc/ganeti/file-storage-paths"
# An operating system that is a mark on the disk.
(
	cd "$common/usr/share/ganeti/os/mark" || exit
	echo 20 >ganeti_api_version
	echo default >variants.list
	touch parameters.list
	cat >create <<'END'
#!/bin/sh
printf "DISK of %-24s" "$INSTANCE_NAME" | dd of="$DISK_0_PATH" conv=notrunc
END
	printf '#!/bin/sh\nexit 0\n' | tee import export rename >verify
	chmod 755 create import export rename verify
)

ip link set lo up
ip link add lan type bridge
ip link set lan up
boot() { # N
	local holder
	unshare -mnpui --fork --kill-child tests/ganeti/machine "$GANETI_DIR" "$1" "$PWD" "$O" "$W" >"$W/machine$1.log" 2>&1 &
	holder=$!
	eventually 10 eval "[ -n \"\$(cat /proc/$holder/task/$holder/children)\" ]" || return
	tr -d ' ' <"/proc/$holder/task/$holder/children" >"$W/first$1"
	ip link add "port$1" type veth peer name eth0 netns "$(cat "$W/first$1")" && ip link set "port$1" master lan up &&
		eventually 30 on "$1" test -e /run/machine-is-up
}
on() { # N COMMAND...
	local pid
	pid=$(cat "$W/first$1")
	shift
	nsenter -t "$pid" -m -n -p -u -i -r -w env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin HOME=/root LANG=C.UTF-8 TERM=dumb "$@" <"${STDIN:-/dev/null}"
}
show_logs() {
	local n
	for n in 1 2; do
		cp -r "$GANETI_DIR/$n/own/var/log/ganeti" "$W/log$n" 2>/dev/null
		cp -r "$GANETI_DIR/$n/own/var/lib/pvctl" "$W/state$n" 2>/dev/null
		tail -n 12 "$W/log$n"/{jobs,node-daemon}.log "$W/machine$n.log" 2>/dev/null | sed "s/^/# $n: /"
	done
}
trap '[ $BAD -eq 0 ] || show_logs; cleanup' EXIT
t "machine 1" boot 1 && t "machine 2" boot 2 || { done_testing; exit 1; }
t "a node on each" eval "on 1 pvctl node start --memory 1G && on 2 pvctl node start --memory 1G"

# ---- the cluster ----
gnt() { # WHAT gnt-COMMAND...: on the first machine
	local what=$1 rc=0
	shift
	t "$what" on 1 timeout 200 "$@" || rc=1
	say "$SECONDS s"
	return $rc
}
cluster() { # what of xen-pvm comes first
	on 1 timeout 200 gnt-cluster init --enabled-hypervisors=xen-pvm --enabled-disk-templates=sharedfile \
		--shared-file-storage-dir="$shared" --master-netdev=xen-br0 --nic-parameters link=xen-br0 \
		-H "xen-pvm:$1kernel_path=$KERNEL,initrd_path=$W/initrd.gz,root_path=,blockdev_prefix=xvd" cluster.example.test 2>&1
}
# Ganeti 3.1 knows xl alone, and no parameter for it.
any_cluster() {
	local out
	out=$(cluster xen_cmd=xl,) && return
	case $out in
	*"Unknown parameter 'xen_cmd'"*) cluster '' ;;
	*) echo "$out"; return 1 ;;
	esac
}
t "gnt-cluster init" any_cluster || { done_testing; exit 1; }
# It has made root a new key.
on 1 sh -c 'cat /root/.ssh/*.pub' >"$W/keys"
on 2 sh -c "cat '$W/keys' >>/root/.ssh/authorized_keys"
gnt "gnt-node add" gnt-node add --no-ssh-key-check node2.example.test || { done_testing; exit 1; }
verified() { # WHAT
	local out
	out=$(on 1 timeout 200 gnt-cluster verify 2>&1)
	# A kernel without that is no fault of the machines'.
	[ -e /proc/sysrq-trigger ] || out=$(grep -v "procfs filesystem doesn't seem" <<<"$out")
	if grep -q 'Hooks Results' <<<"$out" && ! grep -qE 'ERROR|WARNING' <<<"$out"; then ok "$1"; else not_ok "$1"; sed 's/^/#   /' <<<"$out"; fi
}
verified "gnt-cluster verify"

# ---- instances ----
add() { # NAME N ADDRESS
	gnt "gnt-instance add: $1 on node$2" gnt-instance add -t sharedfile --disk 0:size=1G -o mark+default -B minmem=128M,maxmem=192M,vcpus=2 \
		--net 0 -n "node$2.example.test" --no-name-check --no-ip-check -H "xen-pvm:kernel_args=console=hvc0 quiet run=load+$3/24" "$1.example.test"
}
# What it said, on whichever machine; a line only once.
log() { cat "$GANETI_DIR"/[12]/own/var/lib/pvctl/default/console/"$1.example.test.log" 2>/dev/null | tr -d '\r' | awk '!seen[$0]++'; }
count() { log "$1" | grep -ac '^BLOCK '; }
boots() { log "$1" | awk '/^BLOCK/ { print $4 }' | sort -u | wc -l; }
more() { [ "$(count "$1")" -gt "$2" ]; }
anew() { [ "$(boots "$1")" -gt "$2" ]; }
works() { # NAME: it has written once more
	local n
	n=$(count "$1")
	eventually 240 more "$1" "$n" || { log "$1" | tail -n 5; return 1; }
}
facts() { on 1 gnt-instance list --no-headers --separator=: -o "$2" "$1.example.test"; } # NAME FIELDS
has() { [ "$(facts "$1" "$2")" = "$3" ]; }
reached() { on "$1" fping -q -c 1 -t 1000 "$2"; } # N ADDRESS
add one 1 192.0.2.101
add two 2 192.0.2.102
t "one works" works one
t "two works" works two
t "each has its own disk" eval "log one | grep -aq '^DISK of one.example.test' && log two | grep -aq '^DISK of two.example.test'"
t "Ganeti sees them run" eval "has one pnode,status node1.example.test:running && has two pnode,status node2.example.test:running"
t "each machine reaches both" eval "reached 1 192.0.2.101 && reached 1 192.0.2.102 && reached 2 192.0.2.101 && reached 2 192.0.2.102"
console_says() { # NAME: what is typed is answered
	rm -f "$W/enough"
	(until [ -e "$W/enough" ]; do sleep 1; echo 'echo sum-$((40 + 2))'; done; printf '\035') | STDIN=/dev/stdin on 1 timeout 90 gnt-instance console "$1.example.test" >"$W/typed" 2>&1 &
	eventually 60 grep -aq sum-42 "$W/typed"
	local rc=$?
	touch "$W/enough"
	wait $!
	[ $rc -eq 0 ] || cat "$W/typed"
	return $rc
}
t "gnt-instance console" console_says two

gnt "gnt-instance modify: less memory" gnt-instance modify --runtime-memory 128M one.example.test
t "it has less" eventually 60 has one oper_ram 128
gnt "more memory" gnt-instance modify --runtime-memory 160M one.example.test
t "it has more" eventually 60 has one oper_ram 160

# ---- moves ----
n=$(boots one)
gnt "gnt-instance migrate" gnt-instance migrate -f -n node2.example.test one.example.test
t "it is there" eventually 20 has one pnode,status,oper_ram node2.example.test:running:160
t "it works there" works one
t "it was live: nothing began anew" [ "$(boots one)" = "$n" ]
t "it is reached at its new place" eventually 20 reached 1 192.0.2.101
t "nothing of it is left" eval "! on 1 xl list | grep -q one"
gnt "and back" gnt-instance migrate -f -n node1.example.test one.example.test
t "it works" works one
t "that was live, too" eval "has one pnode,status node1.example.test:running && [ \"\$(boots one)\" = $n ]"
failing() { # STEP
	printf '%s\n' '#!/bin/sh' "[ \"\$1\" != $1 ] || { echo \"\$1\" >>/run/died; kill -9 \$PPID; }" >"$W/die"
	printf '%s\n' '#!/bin/bash' "[ \"\$1\" != migrate-receive ] || export PVCTL_MIGRATE_HOOK=/run/die" "exec -a xl '$PVCTL' \"\$@\"" >"$W/dying-xl"
	on 2 sh -c "cp '$W/die' /run/die; rm -f /run/died /usr/sbin/xl; cp '$W/dying-xl' /usr/sbin/xl; chmod 755 /run/die /usr/sbin/xl"
	refused "the receiver dies at $1: gnt-instance migrate fails" '*' . on 1 timeout 200 gnt-instance migrate -f -n node2.example.test one.example.test
	t "it did die there" on 2 test -s /run/died
	on 2 sh -c "rm -f /run/die /usr/sbin/xl; ln -s '$PVCTL' /usr/sbin/xl"
	t "Ganeti says that it is where it was" eventually 20 has one pnode,status,oper_ram node1.example.test:running:160
	t "it works there" works one
	t "and nothing began anew" [ "$(boots one)" = "$2" ]
	t "nothing of it is on the other machine" eventually 20 eval "! on 2 xl list | grep one"
}
failing receiver-connected "$n"
failing receiver-restored "$n"
verified "gnt-cluster verify finds no fault"
gnt "then it can be migrated" gnt-instance migrate -f -n node2.example.test one.example.test
t "there" has one pnode,status node2.example.test:running
t "it works" works one
gnt "and back" gnt-instance migrate -f -n node1.example.test one.example.test
t "that was live" eval "works one && [ \"\$(boots one)\" = $n ]"
gnt "gnt-node migrate: all of a machine, to where hail says" gnt-node migrate -f -I hail node2.example.test
t "two works" works two
t "on the other machine" has two pnode,status node1.example.test:running
n=$(boots two)
gnt "gnt-instance failover" gnt-instance failover -f -n node2.example.test two.example.test
t "it began anew, and works" eval "eventually 240 anew two $n && works two"
t "there" has two pnode,status node2.example.test:running

# ---- ends and beginnings ----
n=$(boots one)
gnt "gnt-instance reboot" gnt-instance reboot --type=soft one.example.test
t "it did" eval "eventually 240 anew one $n && works one"
n=$(boots one)
gnt "a hard one" gnt-instance reboot --type=hard one.example.test
t "it did" eval "eventually 240 anew one $n && works one"
gnt "gnt-instance shutdown" gnt-instance shutdown one.example.test
t "it is down" has one status ADMIN_down
last=$(log one | sed -n 's/^BLOCK \([0-9]*\) .*/\1/p' | tail -n 1)
t "what it flushed is on the disk" eval "dd if='$(echo "$shared"/one.example.test/*)' bs=64k skip=$((1 + last % 400)) count=1 status=none | cmp - <(yes 'block $last' | head -c 65536)"
n=$(boots one)
gnt "gnt-instance startup" gnt-instance startup one.example.test
t "it works" eval "eventually 240 anew one $n && works one"
verified "gnt-cluster verify"

# ---- the loss of a machine ----
n=$(boots two)
kill -9 "$(cat "$W/first2")"
gnt "node2 is gone" gnt-node modify -f --offline=yes node2.example.test
gnt "gnt-instance failover of what it had" gnt-instance failover -f -n node1.example.test two.example.test
t "it began anew, and works" eval "eventually 240 anew two $n && works two"
t "no write of anybody's failed" eval "! log one | grep -a FAILS && ! log two | grep -a FAILS"

done_testing
