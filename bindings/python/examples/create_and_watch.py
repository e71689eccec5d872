#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""create_and_watch.py CONFIG [NODE]: creates a domain and says what happens to it, until it is gone."""
import sys

import pvctl


def main(path: str, node_name: str = "default") -> int:
    try:
        config = pvctl.Config.from_file(path)
    except pvctl.ConfigTextError as e:
        for message in e.messages:
            print(message, file=sys.stderr)
        return 1
    with pvctl.connect(node_name) as node, node.events() as events:
        domain = node.create(config, progress=lambda p: print(f"{p.what}: {p.done} of {p.total} bytes"))
        for event in events:
            if event.type == pvctl.EventType.NODE_DOWN:
                return 1
            if event.domid != domain.domid:
                continue
            reason = f" ({event.reason.name.lower()})" if event.type == pvctl.EventType.SHUTDOWN else ""
            print(f"{event.time:%H:%M:%S} {event.name}: {(event.type.name or 'unknown').lower()}{reason}", flush=True)
            if event.type == pvctl.EventType.DESTROYED:
                return 0
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except pvctl.Error as e:
        sys.exit(f"{sys.argv[0]}: {e}")
