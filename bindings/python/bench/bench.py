#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench.py KERNEL C-PROGRAM: on a node with 50 domains, what listing them and creating and destroying one take, in C and in Python.
Rounds take turns, and the best of five counts: the machine is not alone. Printed, not asserted."""
import subprocess
import sys
import time

import pvctl

LISTS, ROUNDS, TURNS = 100, 20, 5


def measure(kernel: str) -> tuple[float, float]:
    with pvctl.connect() as node:
        node.domains()
        start = time.monotonic()
        for _ in range(LISTS):
            sum(bool(d.name) for d in node.domains())
        listed = (time.monotonic() - start) / LISTS
        start = time.monotonic()
        for _ in range(ROUNDS):
            node.create(name="bench", kernel=kernel, memory=4, cmdline="reason=8").destroy()
        return listed * 1e3, (time.monotonic() - start) / ROUNDS * 1e3


def main(kernel: str, program: str) -> None:
    with pvctl.connect() as node:
        there = [node.create(name=f"bench-{i}", kernel=kernel, memory=4, paused=True) for i in range(50)]
        runs: list[list[tuple[float, float]]] = [[], []]
        for _ in range(TURNS):
            out = subprocess.run([program, kernel, str(LISTS), str(ROUNDS)], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
            runs[0].append((float(out[0]), float(out[1])))
            runs[1].append(measure(kernel))
        for domain in there:
            domain.destroy()
    for i, what in enumerate(("list of 50 domains", "create and destroy")):
        c, python = (min(run[i] for run in side) for side in runs)
        print(f"{what}: C {c:.2f} ms, Python {python:.2f} ms: {100 * (python / c - 1):+.0f}%")


if __name__ == "__main__":
    main(*sys.argv[1:])
