#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""supervisor.py CONFIG...: keeps a domain of each configuration alive. One that ends is started again, after a pause that doubles
each time it ends within a minute; one that ended well (poweroff) is let go. SIGTERM and SIGINT end it; the domains run on."""
import asyncio
import signal
import sys
import time

import pvctl

FIRST_PAUSE_S, LONGEST_PAUSE_S, LIVED_S = 0.5, 60.0, 60.0


class Kept:
    """What is known of one domain."""

    def __init__(self, config: pvctl.Config) -> None:
        self.config = config
        self.name = str(config["name"])
        self.reason = pvctl.Reason.NONE
        self.started = 0.0
        self.pause_s = FIRST_PAUSE_S


class Supervisor:
    def __init__(self, node: pvctl.Context, kept: list[Kept]) -> None:
        self.node = node
        self.kept = {k.name: k for k in kept}
        self.starting: set[asyncio.Task[None]] = set()

    async def start(self, k: Kept, pause_s: float = 0) -> None:
        await asyncio.sleep(pause_s)
        k.started, k.reason = time.monotonic(), pvctl.Reason.NONE
        try:
            domain = await pvctl.run(self.node.create, k.config)
            print(f"{k.name}: started as {domain.domid}", flush=True)
        except pvctl.ExistsError:
            print(f"{k.name}: runs already", flush=True)
        except pvctl.Error as e:
            print(f"{k.name}: {e}", file=sys.stderr, flush=True)
            self.later(k)

    def later(self, k: Kept) -> None:
        lived = time.monotonic() - k.started
        k.pause_s = FIRST_PAUSE_S if lived > LIVED_S else min(2 * k.pause_s, LONGEST_PAUSE_S)
        print(f"{k.name}: again in {k.pause_s:g} s", flush=True)
        task = asyncio.create_task(self.start(k, k.pause_s))
        self.starting.add(task)
        task.add_done_callback(self.starting.discard)

    async def run(self) -> None:
        # The snapshot says who runs; what is not in it is started. LOST: look again.
        wanted = pvctl.EventType.PRESENT | pvctl.EventType.SHUTDOWN | pvctl.EventType.DESTROYED | pvctl.EventType.LOST
        with self.node.events(wanted) as events:
            await asyncio.gather(*(self.start(k) for k in self.kept.values()))
            async for event in events:
                k = self.kept.get(event.name)
                if event.type == pvctl.EventType.LOST:
                    await asyncio.gather(*(self.start(k) for k in self.kept.values()))
                elif k is not None and event.type == pvctl.EventType.SHUTDOWN:
                    k.reason = event.reason
                elif k is not None and event.type == pvctl.EventType.DESTROYED:
                    if k.reason == pvctl.Reason.POWEROFF:
                        print(f"{k.name}: done", flush=True)
                        del self.kept[k.name]
                    else:
                        self.later(k)
                if not self.kept:
                    return


async def main(paths: list[str]) -> None:
    kept = [Kept(pvctl.Config.from_file(path)) for path in paths]
    with pvctl.connect() as node:
        work = asyncio.create_task(Supervisor(node, kept).run())
        for number in signal.SIGTERM, signal.SIGINT:
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        try:
            await work
        except asyncio.CancelledError:
            print("the domains run on", flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1:]))
    except pvctl.Error as e:
        sys.exit(f"{sys.argv[0]}: {e}")
