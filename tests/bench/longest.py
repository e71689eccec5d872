#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make bench-longest: the longest times that any test guest can make the hypervisor busy without a look at what else is to be done.

The debug build keeps them (debug key l), on a node of one CPU that counts instructions: 1 instruction is 1 ns there, so the
figures do not depend on the machine. A row is bad above 1 ms. --json has all, with the functions where each began and ended.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LIMIT_NS = 1000000
LINE = re.compile(r"longest: (interrupts off|hypercall \d+|exception \d+) (\d+) ns from ([0-9a-f]+) to ([0-9a-f]+)")
CONFIG = '. tests/e2e/guests.sh; guest_config "$1"'


class Node:
    def __init__(self, out, image, limit):
        self.out, self.image, self.limit = out, image, limit
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="pvctl-longest."))
        self.env = dict(os.environ, O=str(out), W=str(self.tmp), PVCTL_RUN_DIR=str(self.tmp / "run"),
                        PVCTL_STATE_DIR=str(self.tmp / "state"))
        for d in ("run", "state"):
            (self.tmp / d).mkdir(mode=0o700)

    def pvctl(self, *args):
        return subprocess.run([str(self.out / "pvctl" / "pvctl"), *args], env=self.env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)

    def must(self, *args):
        r = self.pvctl(*args)
        if r.returncode:
            log = self.tmp / "state" / "default" / "hv.log"
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""
            sys.exit(f"longest: pvctl {' '.join(args)}: {r.stderr.strip()}\n{tail}")
        return r.stdout

    def longest(self):
        """What there was since the last call."""
        seen = self.must("dmesg").count("longest: interrupts off")
        self.must("debug-keys", "l")
        for _ in range(100):
            lines = self.must("dmesg").splitlines()
            at = [i for i, l in enumerate(lines) if "longest: interrupts off" in l]
            if len(at) > seen:
                found = [LINE.search(l) for l in lines[at[-1]:]]
                return {m[1]: (int(m[2]), m[3], m[4]) for m in found if m}
            time.sleep(0.1)
        raise RuntimeError("key l shows nothing: is this the debug build?")

    def where(self, *addresses):
        r = subprocess.run(["addr2line", "-f", "-i", "-s", "-e", str(self.image), *[hex(int(a, 16) - 1) for a in addresses]],
                           capture_output=True, text=True)
        lines = r.stdout.splitlines()
        # Functions and lines by turns; inlined ones come first.
        return [f"{lines[i]} ({lines[i + 1].split(' ')[0]})" for i in range(0, len(lines) - 1, 2)]

    def run(self, guest):
        print(f"# {guest}", file=sys.stderr, flush=True)
        cfg = subprocess.run(["bash", "-c", CONFIG, "-", guest], cwd=ROOT, env=self.env, capture_output=True, text=True,
                             check=True).stdout.strip()
        self.must("create", "-q", cfg)
        end = time.monotonic() + self.limit
        while self.pvctl("domid", guest).returncode == 0:
            if time.monotonic() > end:
                self.pvctl("destroy", guest)
                break
            time.sleep(0.05)

    def close(self):
        self.pvctl("node", "stop", "--force")


def guests(out):
    r = subprocess.run(["bash", "-c", ". tests/e2e/guests.sh; guest_names"], cwd=ROOT, env=dict(os.environ, O=str(out)),
                       capture_output=True, text=True, check=True)
    return r.stdout.split()


def measure(node, names):
    rows = {}
    node.must("node", "start", "--icount", "--memory", "1024", "--cpus", "1", "--hypervisor", str(node.image))
    node.longest()
    for name in names:
        node.run(name)
        for what, (ns, begin, end) in node.longest().items():
            rows.setdefault(what, []).append({"guest": name, "ns": ns, "from": begin, "to": end})
    return rows


def report(node, rows):
    bad = 0
    for what, seen in sorted(rows.items(), key=lambda r: -max(s["ns"] for s in r[1])):
        seen.sort(key=lambda r: -r["ns"])
        worst = seen[0]
        over = [r["guest"] for r in seen if r["ns"] > LIMIT_NS]
        bad += bool(over)
        if worst["ns"] < 10000:
            continue
        print(f"  {what:16s} {worst['ns'] / 1000:10.1f} us  {worst['guest']}{'  OVER: ' + ' '.join(over) if over else ''}")
        if over:
            for r in seen:
                r["from"], r["to"] = node.where(r["from"])[:4], node.where(r["to"])[:4]
            print(f"      from {', '.join(worst['from'])}\n      to   {', '.join(worst['to'])}")
    return bad


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", default="build")
    p.add_argument("--image", help="the hypervisor (default: xen-like-hv-debug.elf of --out)")
    p.add_argument("--limit", type=float, default=60, help="seconds for one guest")
    p.add_argument("--json", help="default: longest.json in --out")
    p.add_argument("guest", nargs="*", help="default: all that run by themselves")
    a = p.parse_args()
    out = pathlib.Path(a.out).resolve()
    node = Node(out, pathlib.Path(a.image).resolve() if a.image else out / "xen-like-hv-debug.elf", a.limit)
    try:
        rows = measure(node, a.guest or guests(out))
        bad = report(node, rows)
        pathlib.Path(a.json or out / "longest.json").write_text(json.dumps(rows, indent=1) + "\n")
    finally:
        node.close()
    print(f"  {bad} above {LIMIT_NS // 1000} us" if bad else "  all at most 1 ms")
    return 1 if bad else 0


sys.exit(main())
