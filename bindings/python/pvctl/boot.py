# SPDX-License-Identifier: MIT
"""What a guest's disk would boot: its menu, and a kernel and ramdisk from it, read by a helper in a sandbox."""
from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, BinaryIO

from ._pvctl import ffi, lib
from .config import Config
from .context import milliseconds
from .errors import ClosedError, check, encoded, maybe_text, new_error, text
from .info import result


@dataclass(frozen=True, slots=True)
class BootEntry:
    title: str | None
    id: str | None
    kernel: str | None
    ramdisk: str | None
    cmdline: str | None


class Boot:
    """The menu of a disk, or of a configuration with bootloader=; closed at the end of its `with`.

    wait: how long the menu waits; None: for ever.
    """
    entries: list[BootEntry]
    default_entry: int
    chosen: int | None
    partition: int
    config: str
    wait: timedelta | None

    def __init__(self, disk: str | os.PathLike[str] | Config, *, entry: str | None = None, timeout: timedelta | None = None,
                 list_only: bool = False, kernel: str | None = None, ramdisk: str | None = None, offset_bytes: int = 0,
                 user: str | None = None, format: str | None = None) -> None:
        texts = {"entry": entry, "kernel": kernel, "ramdisk": ramdisk, "user": user, "format": format}
        kept = {key: ffi.new("char[]", encoded(value)) for key, value in texts.items() if value is not None}
        opts = ffi.new("struct pvctl_boot_opts *", {
            "size": ffi.sizeof("struct pvctl_boot_opts"), "timeout_ms": milliseconds(timeout), "list_only": list_only,
            "offset_bytes": offset_bytes, **kept})
        ret, err = ffi.new("struct pvctl_boot **"), new_error()
        if isinstance(disk, Config):
            with disk._lock:
                check(lib.pvctl_boot_open_config(disk._open(), opts, ret, err), err, domain=None)
        else:
            check(lib.pvctl_boot_open(encoded(os.fspath(disk)), opts, ret, err), err)
        self._c: Any = ffi.gc(ret[0], lib.pvctl_boot_free)
        self._lock = threading.Lock()
        self._read()

    def _read(self) -> None:
        info, err = result("pvctl_boot_info"), new_error()
        check(lib.pvctl_boot_get(self._c, info, err), err)
        self.default_entry, self.partition = int(info.default_entry), int(info.partition)
        self.chosen = None if info.chosen < 0 else int(info.chosen)
        self.config = text(info.config)
        self.wait = None if info.wait_s < 0 else timedelta(seconds=info.wait_s)
        self._fds = int(info.kernel_fd), int(info.ramdisk_fd)
        self.entries = [self._entry(lib.pvctl_boot_entry_at(self._c, i)) for i in range(lib.pvctl_boot_entry_count(self._c))]

    @staticmethod
    def _entry(c: Any) -> BootEntry:
        return BootEntry(maybe_text(c.title), maybe_text(c.id), maybe_text(c.kernel), maybe_text(c.ramdisk), maybe_text(c.cmdline))

    def kernel(self) -> BinaryIO | None:
        """A file of its own, from its begin; None: list_only."""
        return self._file(0)

    def ramdisk(self) -> BinaryIO | None:
        return self._file(1)

    def _file(self, which: int) -> BinaryIO | None:
        with self._lock:
            if self._c is None:
                raise ClosedError("this menu is closed")
            if self._fds[which] < 0:
                return None
            # Opened anew and not dup'ed: a position of its own.
            return open(f"/proc/self/fd/{self._fds[which]}", "rb")

    def close(self) -> None:
        with self._lock:
            c, self._c = self._c, None
            if c is not None:
                ffi.release(c)

    def __enter__(self) -> Boot:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
