#!/bin/bash
# SPDX-License-Identifier: MIT
# events and wait: what a manager builds on.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"
# says FILE EVENT [EXPR]: a line of FILE has that event, and EXPR over e
says() {
	python3 - "$@" <<'P'
import json, sys
lines = [json.loads(l) for l in open(sys.argv[1])]
expr = sys.argv[3] if len(sys.argv) > 3 else "True"
sys.exit(not any(e["event"] == sys.argv[2] and eval(expr) for e in lines))
P
}
heard() { eventually 20 says "$@"; }
ended() { # WHAT PID [EXIT]: a command in the background; not in t, whose shell is another
	wait "$2"
	t "$1" [ $? -eq "${3:-0}" ]
}
exits() { # WANTED COMMAND...
	local want=$1 rc
	shift
	"$@" >/dev/null 2>&1
	rc=$?
	[ $rc -eq "$want" ] || { echo "exit $rc"; return 1; }
}

t "node start" pvctl node start --memory 768
t "create one that is there before" pvctl create -q -p "$(config before)"
before=$(pvctl domid before)
"$PVCTL" events --json --snapshot >"$W/all" &
all=$!
"$PVCTL" events --json web >"$W/web" &
web_events=$!
t "the snapshot has the node and the domain" heard "$W/all" present 'e["name"] == "before" and e["state"] == "paused" and e["domid"] == '"$before"
t "the node first" eval "head -n 1 '$W/all' | grep -q node-up"

truncate -s 4M "$W/disk.img"
block_guest && run=" run=insmod+/lib/modules/xen-blkfront.ko"
t "create" pvctl create -q "$(config web 'memory=128' 'maxmem=192' 'vcpus=2' "cmdline=\"console=hvc0$run\"")"
web=$(pvctl domid web)
t "created" heard "$W/all" created 'e["name"] == "web" and e["unique_id"]'
t "its console is ready" heard "$W/all" console 'e["name"] == "web"'
t "it was started" heard "$W/all" unpaused 'e["name"] == "web"'
t "wait for the console" pvctl wait web --for console:'guest-init: up' --timeout 120
t "which is so for who comes later" pvctl wait web --for console:'guest-init: up' --timeout 5
t "wait for it to run" pvctl wait web --for running --timeout 5
t "a text that does not come: 3" exits 3 pvctl wait web --for console:'no such text' --timeout 1
t "a device that is not there: 3" exits 3 pvctl wait web --for device:xvdb --timeout 1
if [ -n "$run" ]; then
	"$PVCTL" wait web --for device:xvdb --timeout 60 &
	waiter=$!
	t "block-attach" pvctl block-attach web "$W/disk.img,raw,xvdb,rw"
	ended "who waited for it is told" $waiter
	t "device-attached" heard "$W/all" device-attached 'e["device_kind"] == "disk" and e["device"] == "xvdb"'
	t "block-detach" pvctl block-detach web xvdb
	t "device-detached" heard "$W/all" device-detached 'e["device"] == "xvdb" and e["name"] == "web"'
	t "attach another" eval "pvctl block-attach web '$W/disk.img,raw,xvdc,rw' && pvctl wait web --for device:xvdc --timeout 60"
else
	skip "devices" "there is no xen-blkfront.ko for the guest's kernel"
fi
t "mem-set" pvctl mem-set web 96
t "wait for its memory" pvctl wait web --for memory --timeout 30
t "memory" heard "$W/all" memory 'e["name"] == "web" and abs(e["memory_bytes"] - (96 << 20)) <= 1 << 20'
t "vcpu-set" pvctl vcpu-set web 1
t "vcpus" heard "$W/all" vcpus 'e["name"] == "web" and e["vcpus_online"] == 1'
t "rename" pvctl rename before other
t "renamed" heard "$W/all" renamed 'e["name"] == "other" and e["old_name"] == "before"'
t "paused: running comes later" eval "pvctl pause web && exits 3 pvctl wait web --for running --timeout 1 && pvctl unpause web"
"$PVCTL" wait --json web --timeout 60 >"$W/waited" &
waiter=$!
"$PVCTL" wait web --for gone --timeout 60 &
gone=$!
"$PVCTL" wait web --for console:'no such text' --timeout 60 2>/dev/null &
never=$!
sleep 0.5
t "shutdown" pvctl shutdown -w --timeout 60 web
ended "who waited for that is told" $waiter
t "and of the reason" eval "grep -q '\"reason\": \"poweroff\"' '$W/waited' && grep -q '\"outcome\": \"met\"' '$W/waited'"
ended "and who waited until it is gone" $gone
ended "and who waits in vain" $never 4
t "shutdown has the reason" heard "$W/all" shutdown 'e["name"] == "web" and e["reason"] == "poweroff"'
t "destroyed" heard "$W/all" destroyed 'e["name"] == "web"'
t "no device of a domain that ended was told of" eval "! says '$W/all' device-detached 'e[\"device\"] == \"xvdc\"'"
t "events of one domain are its own" eval "! grep -q before '$W/web' && ! says '$W/web' present && says '$W/web' destroyed"
t "a domain that is gone: gone is met" pvctl wait web --for gone
t "and shutdown never" exits 4 pvctl wait web
"$PVCTL" wait later --for running --timeout 60 &
waiter=$!
sleep 0.3
t "create what is waited for" pvctl create -q "$(config later)"
ended "a name that comes later is found" $waiter
refused "no such condition" 2 'running, shutdown' pvctl wait later --for sunshine
refused "a text is needed" 2 'console:TEXT' pvctl wait later --for console:

# Who does not read is told that something was lost, and hears what comes then.
t "a reader that falls behind" python3 - "$PVCTL" "$W/slow" <<'P'
import json, os, signal, subprocess, sys, time
p = subprocess.Popen([sys.argv[1], "events", "--json", "--snapshot"], stdout=subprocess.PIPE, text=True)
p.stdout.readline()
p.send_signal(signal.SIGSTOP)
for i in range(1200):
    subprocess.run([sys.argv[1], "pause" if i % 2 == 0 else "unpause", "later"], check=True)
p.send_signal(signal.SIGCONT)
end = time.time() + 20
lost = after = False
deadline = signal.alarm(120)
while not after:
    if lost:
        subprocess.run([sys.argv[1], "pause", "later"], check=True)
    e = json.loads(p.stdout.readline())["event"]
    after = lost and e == "paused"
    lost = lost or e == "lost"
p.kill()
P
t "node stop" pvctl node stop --force
ended "node-down ends the stream" $all
t "and is its last word" eval "tail -n 1 '$W/all' | grep -q node-down"
kill $web_events 2>/dev/null
done_testing
