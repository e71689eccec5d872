# SPDX-License-Identifier: MIT
"""What can go wrong: an exception for each errno of libpvctl's closed set."""
from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ._pvctl import ffi, lib

if TYPE_CHECKING:
    from .info import MigrateResult

F = TypeVar("F", bound=Callable[..., Any])


class Origin(IntEnum):
    """Where a failure comes from."""
    LIB = 0
    OS = 1
    HV = 2
    STORE = 3
    IMAGE = 4
    DAEMON = 5


class Error(OSError):
    """What libpvctl refused or could not do.

    >>> try:
    ...     Config(memory=0)
    ... except InvalidError as e:
    ...     print(e.errno == errno.EINVAL, e.key, e.domain)
    True memory None
    """
    message: str
    #: the name or number of the domain that it is about
    domain: str | int | None
    #: the configuration's key, the store's path, the device that it is about
    key: str | None
    origin: Origin
    #: the hypervisor's own result, or 0
    hv_result: int
    #: where a domain that was to be migrated is
    migration: MigrateResult | None

    def __init__(self, code: int, message: str, *, domain: str | int | None = None, key: str | None = None,
                 origin: Origin = Origin.LIB, hv_result: int = 0) -> None:
        super().__init__(code, message)
        self.message = message
        self.domain = domain
        self.key = key
        self.origin = origin
        self.hv_result = hv_result
        self.migration = None

    def __str__(self) -> str:
        return self.message


class InvalidError(Error, ValueError):
    """EINVAL: what was asked for cannot be."""


class TooBigError(Error):
    """E2BIG: a text or struct is larger than what is taken."""


class NotFoundError(Error, FileNotFoundError):
    """ENOENT: no such file, key, path in the store, or node."""


class NoDomainError(Error, ProcessLookupError):
    """ESRCH: no such domain."""


class ExistsError(Error, FileExistsError):
    """EEXIST: there is one already."""


class BusyError(Error):
    """EBUSY: something else has it."""


class NotPermittedError(Error, PermissionError):
    """EPERM: the caller may not."""


class NoMemoryError(Error, MemoryError):
    """ENOMEM: of the node, the host or this process."""


class NoSpaceError(Error):
    """ENOSPC: a disk is full."""


class InputOutputError(Error):
    """EIO: a disk, a connection, or the node itself failed."""


class ProtocolError(Error):
    """EPROTO: the other side is none, or what it sent is no sound domain."""


class TimedOutError(Error, TimeoutError):
    """ETIMEDOUT: not yet."""


class CanceledError(Error):
    """ECANCELED: by a `Cancel`, or by what a progress function raised."""


class UnsupportedError(Error, NotImplementedError):
    """ENOSYS: known, but not supported."""


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that is said of a configuration's text; line and column count from 1."""
    level: int
    file: str
    line: int
    column: int
    text: str
    source_line: str
    hint: str | None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.text}"


class ConfigTextError(InvalidError):
    """What is wrong with the text of a configuration; `file`, `line` and `column` are of the first mistake.

    >>> try:
    ...     Config.from_text('name = "web"\\nmemory = many', file="web.cfg")
    ... except ConfigTextError as e:
    ...     print(e.file, e.line, e.column, e.key)
    web.cfg 2 10 memory
    """
    messages: tuple[Message, ...] = ()
    file: str = ""
    line: int = 0
    column: int = 0


class ClosedError(ValueError):
    """A handle that was closed is used, or one of the process that forked this one."""


_CLASSES: dict[int, type[Error]] = {
    errno.EINVAL: InvalidError, errno.E2BIG: TooBigError, errno.ENOENT: NotFoundError, errno.ESRCH: NoDomainError,
    errno.EEXIST: ExistsError, errno.EBUSY: BusyError, errno.EPERM: NotPermittedError, errno.ENOMEM: NoMemoryError,
    errno.ENOSPC: NoSpaceError, errno.EIO: InputOutputError, errno.EPROTO: ProtocolError,
    errno.ETIMEDOUT: TimedOutError, errno.ECANCELED: CanceledError, errno.ENOSYS: UnsupportedError,
}


def text(c: Any) -> str:
    """A C string; names and paths of files need not be UTF-8."""
    return str(ffi.string(c), "utf-8", "surrogateescape")


def maybe_text(c: Any) -> str | None:
    return None if c == ffi.NULL else text(c)


def encoded(value: str) -> bytes:
    """For C: where a NUL is inside, what is behind it would be dropped silently."""
    raw = value.encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise InvalidError(errno.EINVAL, "a text with a NUL character in it")
    return raw


def maybe_encoded(value: str | None) -> Any:
    return ffi.NULL if value is None else encoded(value)


def new_error() -> Any:
    return ffi.new("struct pvctl_error *")


def error_of(rc: int, err: Any, domain: str | int | None = None, key: str | None = None) -> Error:
    # -errno; a failure of a call that takes no struct pvctl_error has no message.
    message = text(err.msg) if err is not None else ""
    known = Origin(err.origin) if err is not None and err.origin in list(Origin) else Origin.LIB
    return _CLASSES.get(-rc, Error)(-rc, message or f"error {-rc}", domain=domain, key=key, origin=known,
                                    hv_result=err.hv_rc if err is not None else 0)


def callback(error: int | None = None) -> Callable[[F], F]:
    """A function that C calls; error: what it returns there if it raises."""
    return cast(Callable[[F], F], ffi.def_extern(error=error))


def check(rc: int, err: Any, *, domain: str | int | None = None, key: str | None = None) -> int:
    if rc < 0:
        raise error_of(rc, err, domain, key)
    return rc


def version() -> str:
    """The library's, which may be newer than this package."""
    return text(lib.pvctl_version())
