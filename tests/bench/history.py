# SPDX-License-Identifier: MIT
"""One line of JSON for each run of the benchmark: what was measured, where, and of which commit."""
import json
import os
import platform
import subprocess
import time


def commit():
    try:
        r = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    except OSError:
        return "?"
    return r.stdout.strip() if r.returncode == 0 else "?"


def cpu():
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            return next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
    except OSError:
        return platform.machine()


def rows_of(tools, guest):
    """Every figure by one name: (value, unit)."""
    rows = {name: (r["median"], r["unit"]) for name, r in tools.items()}
    for kind, both in guest.items():
        rows.update({f"{kind}/{name}": (r["value"], r["unit"]) for name, r in both["domain"].items()})
        rows.update({f"{kind}/pvh/{name}": (r["value"], r["unit"]) for name, r in both.get("pvh", {}).items()})
    return rows


def append(path, tools, guest):
    line = {"schema": 1, "time": int(time.time()), "commit": commit(), "cpu": cpu(), "cpus": os.cpu_count(),
            "load": round(os.getloadavg()[2], 1), "rows": rows_of(tools, guest)}
    with open(path, "a", encoding="utf-8") as f:
        f.write(json.dumps(line) + "\n")


def read(path):
    """Runs in order; a line that is not one is named."""
    runs = []
    with open(path, encoding="utf-8") as f:
        for n, text in enumerate(f, 1):
            try:
                runs.append(json.loads(text))
                if runs[-1]["schema"] != 1:
                    raise ValueError(f"schema {runs[-1]['schema']}")
            except (ValueError, KeyError, TypeError) as e:
                raise SystemExit(f"{path}, line {n}: not a run of the benchmark ({e})") from None
    return runs
