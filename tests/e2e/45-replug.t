#!/bin/bash
# SPDX-License-Identifier: MIT
# Devices that come and go fast, and servers that die or hang: nothing is left over, and what is there works.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"

if ! block_guest; then
	skip "replug" "there is no xen-blkfront.ko for the guest's kernel"
	done_testing
	exit
fi
CYCLES=${CYCLES:-60}
truncate -s 4M "$W/x.img"
t "create" pvctl create -q "$(linux fast "insmod+/lib/modules/xen-blkfront.ko;sleep+1;echo+is-up")"
eventually 90 console_has fast is-up
state() { pvctl block-list "$1" --json | python3 -c 'import json,sys; print(*[d["state"] for d in json.load(sys.stdin)["disks"] if d["name"]==sys.argv[1]])' "$2"; }
connected() { [ "$(state "$1" "$2")" = connected ] || [ "$(state "$1" "$2")" = 4 ]; }
fds() { find "/proc/$(daemon_pid)/fd" | wc -l; }

cycles() {
	local i
	for i in $(seq "$CYCLES"); do
		pvctl block-attach fast "$W/x.img,raw,xvdb,rw" || { echo "attach $i"; return 1; }
		eventually 20 connected fast xvdb || { echo "cycle $i: $(state fast xvdb)"; return 1; }
		pvctl block-detach fast xvdb || { echo "detach $i"; return 1; }
	done
}
before=$(fds)
t "$CYCLES times attached and detached, at once: it connects each time" cycles
# A second client meanwhile. A guest whose disk goes by force while it reads the partition table waits for that for ever.
reads() { pvctl block-list fast --json | python3 -c 'import json,sys; print(*[d["reads"] for d in json.load(sys.stdin)["disks"]])'; }
idle() { local n; n=$(reads); sleep 1; [ "${n:-0}" -gt 0 ] && [ "$n" = "$(reads)" ]; }
t "attach" pvctl block-attach fast "$W/x.img,raw,xvdb,rw"
eventually 30 idle
pvctl pause fast
t "detach by force from a paused guest" pvctl block-detach --force fast xvdb
pvctl block-attach fast "$W/x.img,raw,xvdb,rw" &
first=$!
sleep 0.5
refused "a number that another client waits for" '*' 'already' pvctl block-attach fast "$W/x.img,raw,xvdb,rw"
kill -9 $first
wait $first 2>/dev/null
t "a client that was killed does not keep it from coming" eventually 20 eval "[ -n \"\$(state fast xvdb)\" ]"
pvctl unpause fast
t "and it connects" eventually 30 connected fast xvdb
t "detach" pvctl block-detach fast xvdb
t "no descriptor is left" eventually 10 eval "[ \$(fds) -le $((before + 3)) ]"

if ! command -v qemu-nbd >/dev/null; then
	skip "qemu-nbd" "qemu-utils is not installed"
else
	qemu-img create -q -f qcow2 "$W/q.qcow2" 16M
	busy() { # NAME: a guest that reads without an end
		pvctl create -q "$(linux "$1" "insmod+/lib/modules/xen-blkfront.ko;sleep+1;echo+reads;while+true;do+dd+if=/dev/xvda+of=/dev/null+bs=64k+iflag=direct+2>/dev/null;done" \
			"disk=[\"$W/q.qcow2,qcow2,xvda,rw\"]")" && eventually 90 console_has "$1" reads && eventually 30 connected "$1" xvda
	}
	dying() { # DOMID: it is in the hypervisor's list still
		local mark
		mark=$(pvctl dmesg | wc -l)
		pvctl debug-keys q >/dev/null
		sleep 0.5
		pvctl dmesg | tail -n "+$((mark + 1))" | grep " d$1: "
	}
	server() { pgrep -P "$(node_pid spawner_pid)" qemu-nbd; }
	t "a guest that reads" busy killed
	id=$(pvctl domid killed)
	kill -9 "$(server)"
	t "the hypervisor has it" dying "$id"
	t "its server was killed: destroy" timeout 60 "$PVCTL" destroy killed
	t "no page of it is kept" eventually 20 eval "! dying $id"
	t "a guest that reads" busy hung
	id=$(pvctl domid hung)
	kill -STOP "$(server)"
	sleep 1
	t "its server hangs: destroy" timeout 60 "$PVCTL" destroy hung
	t "no page of it is kept for ever" eventually 60 eval "! dying $id"
	t "nor the server" eventually 120 eval "! server"
	t "the image is free" pvctl block-attach fast "$W/q.qcow2,qcow2,xvdc,rw"
	t "detach" pvctl block-detach fast xvdc
	t "a guest that reads" busy last
	kill -STOP "$(server)"
	sleep 1
fi
t "node stop" timeout 100 "$PVCTL" node stop --force
done_testing
