#!/bin/bash
# SPDX-License-Identifier: MIT
# QEMU or the spawner killed: a clear message, no left-overs, and the next start works. (The daemon's death: 63-adopt.t.)
. "$(dirname "$0")/lib.sh"
field() { pvctl node info --json | python3 -c 'import json,sys; d=json.load(sys.stdin); d=d.get("nodes",d) if isinstance(d,dict) else d; d=d[0] if isinstance(d,list) else d; print(d[sys.argv[1]])' "$1"; }
alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }

t "node start" pvctl node start --memory 512
q=$(field qemu_pid) d=$(field pid)
t "a domain" pvctl create -q -p "$(config a)"
kill -9 "$q"
sleep 0.2
refused "after QEMU's death a command says so" '*' 'QEMU|ended|died|does not run|not running|pvctl node start' pvctl pause a
if eventually 10 eval "! alive $d"; then ok "the daemon ends, too"; else not_ok "the daemon ends, too"; fi
t "the daemon's log says what happened" grep -qi qemu "$PVCTL_STATE_DIR/default/daemon.log"
t "the run directory is empty" eventually 5 eval "[ -z \"\$(ls -A '$PVCTL_RUN_DIR')\" ]"
t "the node starts again" pvctl node start --memory 512
q=$(field qemu_pid) d=$(field pid) s=$(field spawner_pid)
t "with a domain" pvctl create -q -p "$(config a)"
kill -9 "$s"
if eventually 10 eval "! alive $q"; then ok "QEMU ends with the first process"; else not_ok "QEMU ends with the first process"; fi
if eventually 10 eval "! alive $d"; then ok "and the daemon"; else not_ok "and the daemon"; fi
refused "after the node's death a command says so" '*' 'does not run|not run|died|pvctl node start' pvctl list
t "the node starts once more over what was left" pvctl node start --memory 512
t "and is empty" eval "[ \$(pvctl list | wc -l) -le 2 ]"
kill -9 "$(field qemu_pid)"
t "a node whose QEMU has just died is stopped" pvctl node stop --force
refused "and is gone then" '*' 'does not run' pvctl node stop
t "the node starts" pvctl node start --memory 512
kill -9 "$(field qemu_pid)"
sleep 0.2
t "a node whose QEMU has just died starts again at once" pvctl node start --memory 512
t "and works" pvctl list
refused "a second start" '*' 'runs already|running' pvctl node start
t "a second node beside it" pvctl node start other --memory 256
t "has domains of its own" pvctl --node other create -q -p "$(config b 'memory=96')"
t "that the first does not see" eval "! pvctl list | grep -q '^b '"
t "stop the other" pvctl node stop --force other
t "stop" pvctl node stop
t "nothing is left" eval "[ -z \"\$(ls -A '$PVCTL_RUN_DIR')\" ]"
done_testing
