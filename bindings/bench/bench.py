#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench.py [-i] KERNEL NAME=COMMAND...: on a node with 50 domains, what listing them and creating and destroying one take: the first
command's (C's), and of each other how much more, and how much more it may take. Rounds take turns, and the best of five medians (TURNS) counts: the
machine is not alone. -i: instructions of a list instead of times, by valgrind: a busy machine does not change them. Printed, not asserted."""
import os
import re
import shlex
import subprocess
import sys

import pvctl

LISTS, ROUNDS, TURNS = 2000, 20, int(os.environ.get("TURNS", "5"))
#: Percent more than C, at most.
LIMITS = {"Python": 30, "Go": 10, "Rust": 10}


def run(command: str, kernel: str, lists: int, rounds: int, *before: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*before, *shlex.split(command), kernel, str(lists), str(rounds)], check=True, capture_output=True, text=True)


def times(commands: dict[str, str], kernel: str) -> dict[str, list[float]]:
    """Milliseconds of the two."""
    runs: dict[str, list[tuple[float, ...]]] = {name: [] for name in commands}
    for _ in range(TURNS):
        for name, command in commands.items():
            runs[name].append(tuple(map(float, run(command, kernel, LISTS, ROUNDS).stdout.split()[-2:])))
    return {name: [min(column) for column in zip(*of)] for name, of in runs.items()}


def instructions(commands: dict[str, str], kernel: str) -> dict[str, list[float]]:
    """Thousands of one list: those of many, without those of none."""
    def counted(command: str, lists: int) -> int:
        err = run(command, kernel, lists, 0, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null").stderr
        return int(re.findall(r"Collected : (\d+)", err)[-1])
    # Go's runtime does not run under valgrind.
    return {name: [(counted(c, 50) - counted(c, 0)) / 50e3] for name, c in commands.items() if name != "Go"}


def main(kernel: str, *commands: str, count: bool = False) -> None:
    table = dict(command.split("=", 1) for command in commands)
    with pvctl.connect() as node:
        there = [node.create(name=f"bench-{i}", kernel=kernel, memory=4, paused=True) for i in range(50)]
        measured = (instructions if count else times)(table, kernel)
        for domain in there:
            domain.destroy()
    what = ["list of 50 domains, 1000 instructions"] if count else ["list of 50 domains, ms", "create and destroy, ms"]
    base = next(iter(measured.values()))
    for i, title in enumerate(what):
        print(f"{title}: " + ", ".join(row(name, of[i], base[i]) for name, of in measured.items()))


def row(name: str, value: float, base: float) -> str:
    if name not in LIMITS:
        return f"{name} {value:.3f}"
    more = round(100 * (value / base - 1), 1)
    return f"{name} {value:.3f} ({more:+.0f}%; {'within' if more <= LIMITS[name] else 'above'} {LIMITS[name]}%)"


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "-i"]
    main(*arguments, count="-i" in sys.argv)
