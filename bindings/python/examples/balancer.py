#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""balancer.py NODE NODE [ROUNDS]: moves domains, live, from the node that has less free memory to the other, while that makes the
difference smaller. It looks every 5 s, or ROUNDS times; what cannot be moved is left alone from then on."""
import sys
import time
from datetime import timedelta

import pvctl

EVERY_S = 5.0


def free_bytes(node: pvctl.Context) -> int:
    host = node.host()
    return host.free_bytes - host.outstanding_bytes


def candidate(full: pvctl.Context, gap_bytes: int, stuck: set[int]) -> pvctl.DomainInfo | None:
    """The largest that fits into the gap twice: with it moved, the gap is smaller."""
    fits = [d for d in full.domains()
            if d.domid and d.state in (pvctl.RunState.RUNNING, pvctl.RunState.BLOCKED)
            and d.memory_bytes < gap_bytes and d.unique_id not in stuck]
    return max(fits, key=lambda d: d.memory_bytes) if fits else None


def balance(a: pvctl.Context, b: pvctl.Context, stuck: set[int]) -> bool:
    """One domain moved, or none."""
    full, empty = sorted((a, b), key=free_bytes)
    chosen = candidate(full, free_bytes(empty) - free_bytes(full), stuck)
    if chosen is None:
        return False
    try:
        moved = full.domain(chosen.domid).migrate(empty)
    except pvctl.Error as e:
        stuck.add(chosen.unique_id)
        where = e.migration.end.name.lower() if e.migration else "here"
        print(f"{chosen.name}: not moved ({where}): {e}", file=sys.stderr, flush=True)
        return True
    pause = moved.result.pause / timedelta(milliseconds=1)
    print(f"{chosen.name}: {full.node} -> {empty.node}, {moved.result.sent_bytes >> 20} MiB, {pause:.0f} ms still", flush=True)
    return True


def main(first: str, second: str, rounds: str = "0") -> None:
    left, stuck = int(rounds), set[int]()
    with pvctl.connect(first) as a, pvctl.connect(second) as b:
        while True:
            while balance(a, b, stuck):
                pass
            left -= 1
            if left == 0:
                return
            time.sleep(EVERY_S)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except pvctl.Error as e:
        sys.exit(f"{sys.argv[0]}: {e}")
