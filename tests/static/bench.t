#!/bin/bash
# SPDX-License-Identifier: MIT
# The benchmark's pictures, from made-up runs; and what is said of a file that is none.
. "$(dirname "$0")/lib.sh"
export PYTHONDONTWRITEBYTECODE=1
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
t "runs are noted, without git, too" python3 - "$W" <<'EOF'
import json, os, pathlib, sys
w = pathlib.Path(sys.argv[1])
rows = {"fork_exit": {"value": 20.0, "unit": "us"}, "read_4k": {"value": 50.0, "unit": "iops"}}
native = {"fork_exit": {"value": 10.0, "unit": "us"}, "read_4k": {"value": 100.0, "unit": "iops"}}
(w / "run.json").write_text(json.dumps({"schema": 1, "tools": {}, "guest": {"icount": {"native": native, "domain": rows}}}))
sys.path.insert(0, "tests/bench")
import history
for scale in (1, 2, 4):
    history.append(w / "runs", {"list_1": {"median": 3.0 * scale, "unit": "ms"}}, {"icount": {"domain": rows}} if scale < 4 else {})
assert history.read(w / "runs")[2]["rows"]["list_1"] == [12.0, "ms"]
import draw
assert draw.cost(20.0, 10.0, "us") == 2 and draw.cost(50.0, 100.0, "iops") == 2
os.environ["PATH"] = "/nonexistent"
assert history.commit() == "?"
EOF
t "a line of each run" [ "$(grep -c '"icount/read_4k": \[50.0, "iops"\]' "$W/runs")" = 2 ]
if command -v gnuplot >/dev/null; then
	t "one run" tests/bench/draw.py run "$W/run.json" "$W/run.svg"
	t "its rows are there" grep -q 'fork exit' "$W/run.svg"
	t "runs over time" tests/bench/draw.py history "$W/runs" "$W/runs.svg"
	t "theirs, too, also those that not each run has" eval "grep -q 'list 1' '$W/runs.svg' && grep -q 'fork exit' '$W/runs.svg'"
else
	skip "the pictures" "no gnuplot"
fi
echo '{"schema": 2}' >>"$W/runs"
t "another file is named, with the line" eval "! tests/bench/draw.py history '$W/runs' '$W/x.svg' >'$W/err' 2>&1 && grep -q 'runs, line 4' '$W/err'"
done_testing
