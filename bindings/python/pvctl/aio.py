# SPDX-License-Identifier: MIT
"""Long operations: cancelled by a token, awaited from asyncio."""
from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_current = threading.local()


class Cancel:
    """Ends what a thread does under `with`: from any thread, `cancel` makes it raise `CanceledError` within about 0.1 s,
    where the library listens: creating, saving, restoring, migrating, waiting for a domain's end, copying templates.

    >>> stop = Cancel()
    >>> stop.cancel()
    >>> stop.cancelled
    True
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._outer: list[Cancel | None] = []

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def __enter__(self) -> Cancel:
        self._outer.append(current())
        _current.token = self
        return self

    def __exit__(self, *exc: object) -> None:
        _current.token = self._outer.pop()


def current() -> Cancel | None:
    token: Cancel | None = getattr(_current, "token", None)
    return token


async def run(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs one call in a thread: ``await pvctl.run(domain.save, "web1.save")``. When the task is cancelled the call is, too, and
    what it began is undone before this raises CancelledError; a call that was done already is not."""
    loop = asyncio.get_running_loop()
    token = Cancel()

    def work() -> T:
        with token:
            return function(*args, **kwargs)

    future = loop.run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        token.cancel()
        await _ended(future)
        raise


async def _ended(future: asyncio.Future[T]) -> None:
    # Another cancellation must not leave the thread behind with a context that the caller is about to close.
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            continue
    if not future.cancelled():
        future.exception()
