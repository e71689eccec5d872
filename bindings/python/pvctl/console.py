# SPDX-License-Identifier: MIT
"""A domain's console, as a file."""
from __future__ import annotations

import asyncio
import io
import socket
from typing import Any

from .errors import ClosedError


class Console(io.RawIOBase):
    """Bytes both ways; at the end of file the domain is gone. ``io.TextIOWrapper(io.BufferedReader(console))`` reads lines."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._socket: socket.socket | None = socket.socket(fileno=fd)

    def _open(self) -> socket.socket:
        if self._socket is None:
            raise ClosedError("this console is closed")
        return self._socket

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._open().fileno()

    def settimeout(self, seconds: float | None) -> None:
        """read raises TimeoutError then."""
        self._open().settimeout(seconds)

    def readinto(self, buffer: Any) -> int:
        try:
            return self._open().recv_into(buffer)
        except ConnectionResetError:
            return 0

    def write(self, data: Any) -> int:
        return self._open().send(data)

    def close(self) -> None:
        # RawIOBase calls it at the end of the object's life, too.
        held, self._socket = getattr(self, "_socket", None), None
        if held is not None:
            held.close()
        super().close()

    async def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """For asyncio; the writer closes it, and this object is closed from now on."""
        held, self._socket = self._open(), None
        super().close()
        held.setblocking(False)
        return await asyncio.open_unix_connection(sock=held)
