#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""one.py KERNEL LISTS ROUNDS: as bench.c."""
import sys
import time
from collections.abc import Callable

import pvctl


def each(n: int, f: Callable[[], object]) -> float:
    """The median of n, in milliseconds."""
    took = []
    for _ in range(n):
        start = time.monotonic()
        f()
        took.append(time.monotonic() - start)
    return sorted(took)[n // 2] * 1e3 if n else 0


def main(kernel: str, lists: str, rounds: str) -> None:
    with pvctl.connect() as node:
        def listing() -> int:
            return len([d for d in node.domains() if d.name])

        def making() -> None:
            node.create(name="bench", kernel=kernel, memory=4, cmdline="reason=8").destroy()
        listing()
        listed = each(int(lists), listing)
        print(f"{listed:.4f} {each(int(rounds), making):.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
