#!/bin/bash
# SPDX-License-Identifier: MIT
# The Python binding on real nodes: types, doctests, then each case of python/cases.py; the examples. EVENT_ROUNDS=1000 and
# LEAK_ROUNDS=1000 take a minute each.
. "$(dirname "$0")/lib.sh"
PYTHON=${PYTHON:-/usr/bin/python3}
[ -x "$PYTHON" ] || PYTHON=python3
for m in cffi setuptools wheel mypy; do
	"$PYTHON" -c "import $m" 2>/dev/null && continue
	skip "the Python binding" "there is no module $m"
	done_testing
	exit
done
t "the wheel and the sdist are built" make -s O="$O" python
export PYTHONPATH=$O/bindings/python LD_LIBRARY_PATH=$O PYTHONDONTWRITEBYTECODE=1 O W HEADER=$PWD/libpvctl/include/libpvctl.h
export XDG_DATA_HOME=$W/data
case_() { local w=$1; shift; t "$w" timeout 900 "$PYTHON" tests/e2e/python/cases.py "$@"; }

t "mypy --strict, as a user sees the package" eval "cd '$W' && MYPYPATH='$O/bindings/python' '$PYTHON' -m mypy --strict --cache-dir='$W/mypy' '$O/bindings/python/pvctl' '$PWD/bindings/python/examples'"
t "its doctests" "$PYTHON" tests/e2e/python/doctests.py
cat >"$W/wrong.py" <<'P'
import pvctl
with pvctl.connect() as node:
    node.domain(1).set_memory_target("much")
P
t "a mistake in a user's types is found" eval "! MYPYPATH='$O/bindings/python' '$PYTHON' -m mypy --strict --cache-dir='$W/mypy' '$W/wrong.py'"
t "the wheel is for each Python of this ABI, and no compiler is needed at run time" eval "ls '$O'/bindings/dist/*-abi3-linux_*.whl && PATH=/nonexistent '$PYTHON' -c 'import pvctl; print(pvctl.version(), pvctl.parse_cpus(\"0-3\"))'"
case_ "each member and each number of the header is there" members

t "node start" pvctl node start --memory 1024 --cpus 2
t "another node" pvctl node start py-b --memory 512 --cpus 1
for c in life devices resize console errors config defined templates images clone snapshots limits boot closed gil threads events save cancel migrate leaks; do
	case_ "$c" $c
done
t "nothing of it is left" eval "[ \$(pvctl list --json | $PYTHON -c 'import json,sys; print(sum(d[\"domid\"] > 0 for d in json.load(sys.stdin)[\"domains\"]))') = 0 ]"

say "the examples"
example() { timeout 300 "$PYTHON" "bindings/python/examples/$1.py" "${@:2}"; }
stub() { # NAME MEMORY CMDLINE [KERNEL]: printed path
	printf '%s\n' "name=\"$1\"" "kernel=\"$O/guests/${4:-shutdown}.elf\"" "memory=$2" "cmdline=\"$3\"" 'on_reboot="destroy"' 'on_crash="destroy"' \
		'on_poweroff="destroy"' >"$W/$1.cfg"
	echo "$W/$1.cfg"
}
t "create_and_watch" eval "example create_and_watch '$(stub watched 4 reason=0)' >'$W/watched.out' && grep -q 'watched: shutdown (poweroff)' '$W/watched.out' && grep -q 'watched: destroyed' '$W/watched.out'"
echo 'memory = "much"' >"$W/wrong.cfg"
t "what is wrong is told with line and column" eval "! example create_and_watch '$W/wrong.cfg' 2>'$W/err' && grep -q 'wrong.cfg:1:10: ' '$W/err'"
"$PYTHON" bindings/python/examples/supervisor.py "$(stub crashes 4 reason=3)" "$(stub stays 4 reason=8)" >"$W/supervisor.out" 2>&1 &
supervisor=$!
t "supervisor: what crashes is started again, later each time" eventually 60 eval "[ \$(grep -c '^crashes: started' '$W/supervisor.out') -ge 3 ] && grep -q 'crashes: again in 2 s' '$W/supervisor.out'"
t "what is destroyed as well" eval "pvctl destroy stays && eventually 60 eval '[ \$(grep -c \"^stays: started\" \"$W/supervisor.out\") -eq 2 ]'"
kill -TERM $supervisor
wait $supervisor
t "it ends when it is asked to, and the domains run on" eval "pvctl domid stays && grep -q 'the domains run on' '$W/supervisor.out' && pvctl destroy stays"
there_has() { tr -d '\r' <"$PVCTL_STATE_DIR/py-b/console/$1.log" 2>/dev/null | grep -q "$2"; }
for i in 1 2 3 4; do pvctl --node py-b create -q "$(stub moved$i 64 'asked rounds=9' save-self)"; done
for i in 1 2 3 4; do t "domain $i on the smaller node" eventually 60 there_has moved$i 'READY 1'; done
t "balancer: it moves some of them to the other" eval "example balancer py-b default 1 >'$W/balancer.out' 2>&1 || true; cat '$W/balancer.out'; grep -q '^moved.: .* -> .* ms still' '$W/balancer.out'"
t "none is lost" eval "[ \$({ pvctl list; pvctl --node py-b list; } | grep -c '^moved') = 4 ]"
done_testing
