# SPDX-License-Identifier: MIT
"""What happens on a node, one after the other."""
from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

from ._pvctl import ffi, lib
from .errors import ClosedError, check, new_error
from .info import Event, EventType, read, result


class Events(Iterator[Event], AsyncIterator[Event]):
    """``for event in events`` and ``async for event in events``; both end with the node, or when it is closed.

    An event of type LOST says that this reader was too slow, and that the state must be looked at anew.
    """

    def __init__(self, c: Any) -> None:
        self._c: Any = ffi.gc(c, lib.pvctl_events_close)
        self._fd: int = lib.pvctl_events_fd(c)
        self._lock = threading.Lock()
        self._wake, self._waker = os.pipe()
        self._event, self._err = result("pvctl_event"), new_error()
        self._pid = os.getpid()
        self._waiting: asyncio.Future[None] | None = None
        self._down = False

    def fileno(self) -> int:
        self._open()
        return self._fd

    def poll(self) -> Event | None:
        """The next one, or None when there is none now."""
        with self._lock:
            rc = check(lib.pvctl_events_next(self._open(), self._event, self._err), self._err)
            event = read(Event, self._event) if rc else None
            if event is not None and event.type == EventType.NODE_DOWN:
                self._down = True
        return event

    def next(self, timeout: timedelta | None = None) -> Event | None:
        """Waits for the next one; None: not within the timeout, or the node went down and that was told already."""
        end = None if timeout is None else time.monotonic() + timeout.total_seconds()
        while not self._down:
            event = self.poll()
            if event is not None:
                return event
            if not self._wait(None if end is None else max(0.0, end - time.monotonic())):
                return None
        return None

    def _wait(self, seconds: float | None) -> bool:
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        ready = poller.poll(None if seconds is None else seconds * 1000)
        self._open()
        return bool(ready)

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> Event:
        event = self.next()
        if event is None:
            raise StopIteration
        return event

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> Event:
        while not self._down:
            event = self.poll()
            if event is not None:
                return event
            await self._readable()
        raise StopAsyncIteration

    async def _readable(self) -> None:
        if self._waiting is not None:
            raise RuntimeError("these events are awaited already")
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        try:
            loop.add_reader(self._fd, self._arrived)
            await self._waiting
        finally:
            self._waiting = None
            if self._c is not None:
                loop.remove_reader(self._fd)

    def _arrived(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def close(self) -> None:
        """Who waits in another thread, or in a task of this one, is told by ClosedError."""
        if self._c is None:
            return
        if self._waiting is not None:
            self._waiting.get_loop().remove_reader(self._fd)
            self._arrived()
        os.write(self._waker, b"!")
        with self._lock:
            c, self._c = self._c, None
            if c is not None:
                ffi.release(c)

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_waker"):
            os.close(self._wake)
            os.close(self._waker)

    def _open(self) -> Any:
        if self._c is None:
            raise ClosedError("these events are closed")
        if self._pid != os.getpid():
            raise ClosedError("these events are another process's")
        return self._c
