#!/bin/bash
# SPDX-License-Identifier: MIT
# A whole Debian from its own disk, with systemd, that writes files, looks at its clock and talks over a connection all the
# time: it is moved twenty times, saved and restored, and moved with less memory and a vCPU less. For root: it is on a bridge.
# alone: systemd gives up on what takes too long.
. "$(dirname "$0")/netlib.sh"
net_namespace "$0" root
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-debian.sh"
PATH=$PATH:/usr/sbin:/sbin
if [ ! -w /dev/net/tun ] || ! ip link add br0 type bridge 2>/dev/null; then
	skip "Debian on a bridge" "there is no /dev/net/tun, or the kernel makes no bridges"
	done_testing
	exit
fi
debian_disk
ip link set lo up
ip addr add 198.51.100.1/24 dev br0
ip link set br0 up

# ---- its disk ----
img=$W/debian.img
cp --reflink=auto --sparse=always "$O/debian/base.img" "$img"
cat >"$W/load" <<'END'
#!/bin/bash
# A file is told of, with its sum, when it is flushed. Who answers is on the bridge, and tells his time: how far he is ahead, which
# is between two bounds, stays the same. At first it may be anything: a kernel that boots counts ticks, and misses some.
cd /var/tmp || exit
complain() { echo "$*" | tee -a complaints >/dev/hvc0; }
until { exec 5<>/dev/tcp/198.51.100.1/9000; } 2>/dev/null; do sleep 1; done
clock() { now=${EPOCHREALTIME/./}; }
before=0
for ((i = 0; ; i++)); do
	f=part$((i % 64))
	head -c 131072 /dev/urandom >$f
	sum=$(md5sum <$f)
	sync $f || complain "WRITE $i FAILS"
	clock
	[ "$now" -ge "$before" ] || complain "BACKWARDS from $before to $now"
	before=$now
	echo "$i ${sum%% *}" >&5
	read -r answer there <&5 || complain "CONNECTION LOST at $i"
	[ "$answer" = "$i" ] || complain "ANSWER at $i ALTERED"
	clock
	low=$((there - now - 1000000)) high=$((there - before + 1000000))
	[ "$low" -le "${highest=$high}" ] && [ "$high" -ge "${lowest=$low}" ] || complain "CLOCK: he is $low to $high ahead, and was $lowest to $highest"
	((highest = high < highest ? high : highest, lowest = low > lowest ? low : lowest))
done
END
printf '%s\n' '[Service]' 'ExecStart=/bin/bash /root/load' 'KillMode=mixed' >"$W/load.service"
printf '%s\n' '[Match]' 'Driver=vif' '[Network]' 'Address=198.51.100.2/24' >"$W/10-bridge.network"
debugfs -w -f - "$img?offset=1048576" >"$W/debugfs.log" 2>&1 <<END
write $W/load /root/load
write $W/load.service /etc/systemd/system/load.service
symlink /etc/systemd/system/multi-user.target.wants/load.service /etc/systemd/system/load.service
write $W/10-bridge.network /etc/systemd/network/10-bridge.network
END
cat >"$W/answer.py" <<'END'
# Keeps each line, and answers with its number and the time in microseconds.
import socket, sys, time
c, _ = socket.create_server(("198.51.100.1", 9000)).accept()
f = c.makefile("rwb")
kept = open(sys.argv[1], "wb", 0)
for line in f:
    kept.write(line)
    f.write(b"%s %d\n" % (line.split()[0], time.time_ns() // 1000))
    f.flush()
END
: >"$W/parts"
python3 "$W/answer.py" "$W/parts" 2>"$W/answer.log" &
server=$!

# ---- two nodes ----
mkdir -p "$W/b/run" "$W/b/state"
on() { if [ "$1" = a ]; then shift; "$@"; else shift; PVCTL_RUN_DIR=$W/b/run PVCTL_STATE_DIR=$W/b/state "$@"; fi; }
run_dir() { if [ "$1" = a ]; then echo "$PVCTL_RUN_DIR"; else echo "$W/b/run"; fi; }
state_dir() { if [ "$1" = a ]; then echo "$PVCTL_STATE_DIR"; else echo "$W/b/state"; fi; }
trap 'kill $server 2>/dev/null; on b "$PVCTL" node stop --force >/dev/null 2>&1; cleanup' EXIT
at=a
move() {
	local to=b
	[ $at = a ] || to=a
	on $at timeout 200 "$PVCTL" migrate --json -s '' debian "exec env PVCTL_RUN_DIR='$(run_dir $to)' PVCTL_STATE_DIR='$(state_dir $to)' '$PVCTL' migrate-receive" \
		>"$W/result" 2>"$W/err" || { sed 's/^/#   /' "$W/err"; return 1; }
	at=$to
}
said() { cat "$W"/state/default/console/debian*.log "$W"/b/state/default/console/debian*.log 2>/dev/null | tr -d '\r'; }
parts() { wc -l <"$W/parts"; }
more_parts() { [ "$(parts)" -gt "$1" ]; }
goes_on() { local n; n=$(parts); eventually 120 more_parts "$n"; }
complaints() { said | grep -aE 'FAILS|BACKWARDS|CLOCK|LOST|ALTERED|Call Trace|I/O error|soft lockup'; }
t "two nodes" eval "pvctl node start --memory 1G && on b '$PVCTL' node start --memory 1G"
# Taps are called after the domain's number, and both nodes are on one host here.
printf '%s\n' 'name="number"' "kernel=\"$O/guests/version.elf\"" 'memory=8' >"$W/n.cfg"
t "whose numbers differ" eval "for n in $(seq -s ' ' 40); do on b '$PVCTL' create -q -p '$W/n.cfg' && on b '$PVCTL' destroy number || exit; done"
printf '%s\n' 'name="debian"' 'bootloader="pygrub"' 'memory=384' 'vcpus=2' "disk=[\"$img,raw,xvda,rw\"]" 'vif=["bridge=br0"]' >"$W/debian.cfg"
t "create" pvctl create -q "$W/debian.cfg"
if eventually 600 more_parts 3; then ok "it works"; else not_ok "it works"; said | tail -n 20 | sed 's/^/# /'; done_testing; exit 1; fi

failed=0 pauses=
for _ in $(seq "${ROUNDS:-20}"); do
	move || { failed=1; break; }
	pauses="$pauses $(python3 -c 'import json,sys; print(json.load(sys.stdin)["pause_ns"] // 1000000)' <"$W/result")"
	goes_on || { failed=1; break; }
done
say "pauses in ms:$pauses"
t "${ROUNDS:-20} times moved, back and forth, and it goes on" [ $failed = 0 ]
t "no write failed, no clock, no connection" eval "! complaints"
t "save" on $at "$PVCTL" save debian "$W/debian.save"
t "restore" on $at "$PVCTL" restore "$W/debian.save"
t "it goes on" goes_on
t "no write failed, no clock, no connection" eval "! complaints"

cpus() { on $at "$PVCTL" list --json debian | python3 -c 'import json,sys; print(json.load(sys.stdin)["domains"][0]["vcpus_online"])'; }
has_cpus() { [ "$(cpus)" = "$1" ]; }
mib() { on $at "$PVCTL" list debian | awk 'NR == 2 { print $3 }'; }
t "less memory" on $at "$PVCTL" mem-set --wait 120 debian 320
t "a vCPU less" eval "on $at '$PVCTL' vcpu-set debian 1 && eventually 120 has_cpus 1"
move && goes_on && ok "it is moved so" || not_ok "it is moved so"
t "and is there as it was here" eval "[ \$(mib) = 320 ] && has_cpus 1"
t "both come back there" eval "on $at '$PVCTL' vcpu-set debian 2 && on $at '$PVCTL' mem-set --wait 120 debian 384 && eventually 120 has_cpus 2"
move && goes_on && ok "and back" || not_ok "and back"
t "as it was there" eval "[ \$(mib) = 384 ] && has_cpus 2"
t "no write failed, no clock, no connection" eval "! complaints"

# ---- what is on the disk ----
t "shutdown" on $at timeout 300 "$PVCTL" shutdown -w debian
t "its file system is clean" eval "debugfs -R 'show_super_stats -h' '$img?offset=1048576' 2>/dev/null | grep -q '^Filesystem state: *clean$'"
on_disk() { debugfs -R "cat /var/tmp/$1" "$img?offset=1048576" 2>/dev/null; }
t "nor did it ever complain" [ -z "$(on_disk complaints)" ]
altered=0
while read -r i sum; do
	[ "$(on_disk "part$((i % 64))" | md5sum)" = "$sum  -" ] || { altered=1; say "part $i"; }
done < <(tail -n 63 "$W/parts")
t "the last of $(parts) files have their sums" [ $altered = 0 ]
done_testing
