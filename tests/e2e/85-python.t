#!/bin/bash
# SPDX-License-Identifier: MIT
# The Python binding on real nodes: types, doctests, then each case of python/cases.py; the examples; no compiler is needed.
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
t "the wheel is for each Python of this ABI, and has no compiler in it" eval "ls '$O'/bindings/dist/*-abi3-linux_*.whl && ! grep -rn 'gcc\|verify(' '$O/bindings/python/pvctl' --include='*.py'"
case_ "each member and each number of the header is there" members

t "node start" pvctl node start --memory 1024 --cpus 2
t "another node" pvctl node start py-b --memory 512 --cpus 1
for c in life devices resize console errors config defined templates boot closed gil threads events save cancel migrate leaks; do
	case_ "$c" $c
done
t "nothing of it is left" eval "[ \$(pvctl list --json | $PYTHON -c 'import json,sys; print(sum(d[\"domid\"] > 0 for d in json.load(sys.stdin)))') = 0 ]"

say "the examples"
