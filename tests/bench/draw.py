#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pictures of what things cost, by gnuplot: of one run beside no hypervisor and stock Xen (with the log of writes: beside no log), and of the last runs over time.

  draw.py run FILE.json OUT.svg        what bench.py wrote
  draw.py history FILE.jsonl OUT.svg   one line of each row, as parts of its first figure
"""
import json
import pathlib
import subprocess
import sys

import history

HERE = pathlib.Path(__file__).resolve().parent
RUNS = 10
HIGHER = ("MB/s", "GiB/s", "iops")
ROW = 16  # pixels


def quoted(text):
    return '"' + text.replace("_", " ").replace('"', "") + '"'


def gnuplot(script):
    try:
        r = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True)
    except FileNotFoundError:
        sys.exit("draw.py: gnuplot is not here: apt-get install gnuplot-nox")
    if r.returncode or r.stderr:
        sys.exit(f"draw.py: gnuplot: {r.stderr.strip()}")


def cost(value, base, unit):
    """How many times as much as base; more of a rate is less."""
    if not value or not base:
        return None
    return base / value if unit in HIGHER else value / base


def compared(run, xen):
    """(title, [(row, ours, Xen's)]): both as parts of the native figure."""
    for kind, both in sorted(run["guest"].items(), key=lambda kind: kind[0].startswith("log")):
        is_log = kind.startswith("log")
        ref = {} if is_log else xen["guest_icount" if kind == "icount" else "guest_wall"]
        rows = []
        for name, d in both["domain"].items():
            native = both["native"].get(name, {}).get("value")
            ours = cost(d["value"], native, d["unit"])
            if ours:
                rows.append((name, ours, cost(ref.get(name, [None])[0], native, d["unit"])))
        if rows:
            title = {"icount": "instructions", "wall": "time", "log": "instructions, writes logged",
                     "log_rounds": "time, writes logged in rounds"}.get(kind, kind.replace("_", " "))
            yield f"{title}: times what it costs without {'the log' if is_log else 'a hypervisor'} (left is better)", rows


def draw_run(source, target):
    run = json.loads(pathlib.Path(source).read_text())
    parts = list(compared(run, json.loads((HERE / "xen-4.17.json").read_text())))
    if not parts:
        sys.exit(f"draw.py: {source} has no row that was measured without a hypervisor, too")
    heights = [len(rows) * ROW + 70 for _, rows in parts]
    total = sum(heights)
    lines = [f'set terminal svg size 900,{total} font "sans,11" background "white"', f'set output "{target}"',
             "set multiplot", "set logscale x 2", "set grid x", "set xrange [0.25:64]", "set lmargin at screen 0.25",
             "set rmargin at screen 0.97", "set ytics nomirror", "set key top right horizontal"]
    bottom = 1.0
    for (title, rows), height in zip(parts, heights):
        bottom -= height / total
        lines += [f"set origin 0,{bottom:.5f}", f"set size 1,{height / total:.5f}",
                  f'set title "{title}"',
                  f"set yrange [{len(rows)}:-1]", f"set arrow 1 from 1,-1 to 1,{len(rows)} nohead lc rgb '#888888'",
                  "$rows << EOD"]
        lines += [f"{quoted(name)} {ours:.4f} {xen if xen else 'NaN'}" for name, ours, xen in rows]
        lines += ["EOD", "plot $rows using 3:0:ytic(1) with points pt 6 ps 0.7 lc rgb '#cc6600' title 'Xen 4.17', "
                  "$rows using 2:0 with points pt 7 ps 0.7 lc rgb '#0055aa' title 'xen-like-hv'"]
    gnuplot("\n".join(lines) + "\nunset multiplot\n")


def draw_history(source, target):
    runs = history.read(source)[-RUNS:]
    if len(runs) < 2:
        sys.exit(f"draw.py: {source} has {len(runs)} run: two are needed for a picture over time")
    # A run of some rows alone (bench.py --only) leaves the others blank.
    base = {}
    for r in runs:
        for name, (value, _) in r["rows"].items():
            base.setdefault(name, (value, []))[1].append(r)
    names = [n for n, (_, seen) in base.items() if len(seen) > 1]
    names = [n for n in names if not n.startswith("wall/")] or names
    lines = [f'set terminal svg size 900,{len(names) * ROW + 120} font "sans,11" background "white"',
             f'set output "{target}"', "set lmargin at screen 0.3", "set rmargin at screen 0.86", "set xtics rotate by -30",
             f"set xrange [-0.5:{len(runs) - 0.5}]", f"set yrange [{len(names) - 0.5}:-0.5]",
             "set palette defined (-1 '#2166ac', 0 '#f7f7f7', 1 '#b2182b')", "set cbrange [-1:1]",
             "set cbtics ('half' -1, 'as before' 0, 'twice' 1)", "set title 'what each run cost, beside the first one that has the row'"]
    ticks = ", ".join(f"{quoted(n)} {i}" for i, n in enumerate(names))
    lines += [f"set ytics ({ticks})", "set xtics (" + ", ".join(f"{quoted(r['commit'])} {i}" for i, r in enumerate(runs)) + ")",
              "$rows << EOD"]
    for y, name in enumerate(names):
        for x, r in enumerate(runs):
            value, unit = r["rows"].get(name, (None, None))
            c = cost(value, base[name][0], unit)
            lines.append(f"{x} {y} {c if c else 'NaN'}")
    lines += ["EOD", "plot $rows using 1:2:(log($3)/log(2)) with image pixels notitle"]
    gnuplot("\n".join(lines) + "\n")


def main():
    what = {"run": draw_run, "history": draw_history}
    if len(sys.argv) != 4 or sys.argv[1] not in what:
        sys.exit(__doc__)
    what[sys.argv[1]](sys.argv[2], sys.argv[3])


if __name__ == "__main__":
    main()
