# SPDX-License-Identifier: MIT
"""What a domain should be: the keys of pvctl.cfg(5), checked by the library as they are set."""
from __future__ import annotations

import errno
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from ._pvctl import ffi, lib
from .errors import (ClosedError, ConfigTextError, Error, InvalidError, Message, callback, check, encoded, error_of, maybe_text, new_error,
                     text)
from .info import CpuidEdit, read, result

if TYPE_CHECKING:
    from .context import Context

#: level: 0 error, 1 warning, 2 information, 3 debug
LogFunction = Callable[[int, str], None]
Value = Union[str, int, Sequence[str]]

_LONGEST = 1 << 20


class _Log:
    def __init__(self, function: LogFunction | None) -> None:
        self.function = function
        self.error: BaseException | None = None


@callback()
def pvctl_py_log(data: Any, level: int, message: Any) -> None:
    log = ffi.from_handle(data)
    try:
        if log.function is not None:
            log.function(level, text(message))
    except BaseException as e:  # it may not go through C
        log.error = e


@callback()
def pvctl_py_message(data: Any, m: Any) -> None:
    ffi.from_handle(data).append(Message(m.level, text(m.file), m.line, m.column, text(m.text), text(m.source_line), maybe_text(m.hint)))


class _Parsing:
    """What is said while a text is read or written; its memory is there for as long as that takes."""

    def __init__(self, file: str | None, strict: bool) -> None:
        self.said: list[Message] = []
        self._keep = ffi.new_handle(self.said), ffi.NULL if file is None else ffi.new("char[]", encoded(file))
        self.opts: Any = ffi.new("struct pvctl_parse_opts *", {
            "size": ffi.sizeof("struct pvctl_parse_opts"), "file": self._keep[1], "strict": strict,
            "message": lib.pvctl_py_message, "data": self._keep[0]})


class Config(Mapping[str, Value]):
    """A mapping of the keys that are set; a value that cannot be is refused at once.

    >>> config = Config(name="web1", memory=256, vcpus=2, disk=["/dev/vg0/web1,raw,xvda,rw"])
    >>> config["memory"], config["disk"]
    (256, ['/dev/vg0/web1,raw,xvda,rw'])
    >>> config["maxmem"] = 512
    >>> sorted(config)
    ['disk', 'maxmem', 'memory', 'name', 'vcpus']
    >>> Config({"name": "web1", "nmae": "x"})
    Traceback (most recent call last):
    ...
    pvctl.errors.NotFoundError: there is no key "nmae"
    >>> Config.from_text("name = 'web2'; memory = 0x100")["memory"]
    256
    """

    def __init__(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        ret, err = ffi.new("struct pvctl_config **"), new_error()
        check(lib.pvctl_config_new(ret, err), err)
        self._take(ret[0])
        for key, value in {**(values or {}), **more}.items():
            self[key] = value

    def _take(self, c: Any) -> None:
        self._c: Any = ffi.gc(c, lib.pvctl_config_free)
        self._lock = threading.Lock()

    @classmethod
    def _of(cls, c: Any) -> Config:
        self = cls.__new__(cls)
        self._take(c)
        return self

    @classmethod
    def _parsed(cls, parse: Any, source: str | bytes, file: str | None, strict: bool, messages: list[Message] | None) -> Config:
        raw = source if isinstance(source, bytes) else source.encode("utf-8", "surrogateescape")
        ret, err = ffi.new("struct pvctl_config **"), new_error()
        p = _Parsing(file, strict)
        rc = parse(raw, len(raw), p.opts, ret, err)
        if messages is not None:
            messages.extend(p.said)
        if rc:
            raise _text_error(rc, err, p.said)
        return cls._of(ret[0])

    @classmethod
    def from_text(cls, source: str | bytes, *, file: str | None = None, strict: bool = False,
                  messages: list[Message] | None = None) -> Config:
        """What pvctl.cfg(5) describes. file is for messages alone; what is said without being wrong goes to messages."""
        return cls._parsed(lib.pvctl_config_parse, source, file, strict, messages)

    @classmethod
    def from_xml(cls, source: str | bytes, *, file: str | None = None, strict: bool = False,
                 messages: list[Message] | None = None) -> Config:
        """libvirt's domain format, as for Xen's PV guests. What is not known there is left out, and said in messages."""
        return cls._parsed(lib.pvctl_config_from_xml, source, file, strict, messages)

    def to_xml(self, *, strict: bool = False, messages: list[Message] | None = None) -> str:
        """What that format has no word for is left out, and said in messages."""
        ret, err = ffi.new("char **"), new_error()
        p = _Parsing(None, strict)
        with self._lock:
            rc = lib.pvctl_config_to_xml(self._open(), p.opts, ret, err)
        if messages is not None:
            messages.extend(p.said)
        check(rc, err)
        try:
            return text(ret[0])
        finally:
            lib.pvctl_free(ret[0])

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, strict: bool = False, messages: list[Message] | None = None) -> Config:
        """What create would read; a relative path in it is relative to the working directory of this process."""
        with open(path, "rb") as f:
            return cls.from_text(f.read(_LONGEST + 1), file=os.fspath(path), strict=strict, messages=messages)

    @classmethod
    def from_json(cls, source: str) -> Config:
        ret, err = ffi.new("struct pvctl_config **"), new_error()
        check(lib.pvctl_config_from_json(encoded(source), ret, err), err)
        return cls._of(ret[0])

    def to_json(self) -> str:
        ret, err = ffi.new("char **"), new_error()
        with self._lock:
            check(lib.pvctl_config_to_json(self._open(), ret, err), err)
        try:
            return text(ret[0])
        finally:
            lib.pvctl_free(ret[0])

    def cpuid(self) -> list[CpuidEdit]:
        """What the key cpuid changes of what the node gives to a new domain, register by register.

        >>> [(hex(e.leaf), e.reg, hex(e.clear_bits)) for e in Config(cpuid="host,aes=0").cpuid()]
        [('0x1', 2, '0x2000000')]
        """
        edits: list[CpuidEdit] = []
        err = new_error()
        with self._lock:
            while not (rc := lib.pvctl_config_get_cpuid(self._open(), len(edits), ret := result("pvctl_cpuid_edit"), err)):
                edits.append(read(CpuidEdit, ret))
        if rc != -errno.ENOENT:
            check(rc, err, key="cpuid")
        return edits

    def to_dict(self) -> dict[str, Value]:
        values: dict[str, Value] = json.loads(self.to_json())
        return values

    def copy(self) -> Config:
        return Config.from_json(self.to_json())

    def check(self, log: LogFunction | None = None) -> None:
        """All that can be checked without a node: required keys, files, kernel format. log is told what create would warn of.
        `Context.check` knows the node as well.

        >>> Config(name="web1").check()
        Traceback (most recent call last):
        ...
        pvctl.errors.InvalidError: memory is not set
        """
        err = new_error()
        hooks = _Log(log)
        handle = ffi.new_handle(hooks)
        with self._lock:
            rc = lib.pvctl_config_check_log(self._open(), lib.pvctl_py_log, handle, err)
        if hooks.error is not None:
            raise hooks.error
        check(rc, err, domain=self._name())

    def close(self) -> None:
        with self._lock:
            c, self._c = self._c, None
            if c is not None:
                ffi.release(c)

    def __enter__(self) -> Config:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _open(self) -> Any:
        if self._c is None:
            raise ClosedError("this configuration is closed")
        return self._c

    def _name(self) -> str | None:
        with self._lock:
            return maybe_text(lib.pvctl_config_get_str(self._open(), b"name"))

    def __setitem__(self, key: str, value: Any) -> None:
        err = new_error()
        raw = encoded(key)
        args: tuple[Any, Any]
        if isinstance(value, (str, os.PathLike)):
            args = lib.pvctl_config_set_str, encoded(os.fspath(value))
        elif isinstance(value, int):
            if not -1 << 63 <= value < 1 << 63:
                raise InvalidError(errno.EINVAL, f"{key}={value}: out of range", key=key)
            args = lib.pvctl_config_set_int, int(value)
        elif isinstance(value, (list, tuple, set, frozenset)):
            texts = [ffi.new("char[]", encoded(str(item))) for item in value]
            with self._lock:
                check(lib.pvctl_config_set_list(self._open(), raw, ffi.new("char *[]", texts), len(texts), err), err, key=key)
            return
        elif type(value).__module__ == "uuid":
            args = lib.pvctl_config_set_str, encoded(str(value))
        else:
            raise TypeError(f"{key}: a text, a whole number or a list is expected, not {type(value).__name__}")
        with self._lock:
            check(args[0](self._open(), raw, args[1], err), err, key=key)

    def __getitem__(self, key: str) -> Value:
        raw = encoded(key)
        with self._lock:
            c = self._open()
            items: list[str] = []
            while (item := lib.pvctl_config_get_item(c, raw, len(items))) != ffi.NULL:
                items.append(text(item))
            if items:
                return items
            value = lib.pvctl_config_get_str(c, raw)
            if value != ffi.NULL:
                return text(value)
            number = ffi.new("int64_t *")
            rc = lib.pvctl_config_get_int(c, raw, number)
        if rc < 0:
            raise KeyError(key)
        return int(number[0])

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self.to_dict())

    def __repr__(self) -> str:
        return "Config(closed)" if self._c is None else f"Config({self.to_dict()!r})"


def _text_error(rc: int, err: Any, said: list[Message]) -> Error:
    wrong = tuple(m for m in said if m.level == 0)
    if not wrong:
        return error_of(rc, err)
    first = wrong[0]
    key = re.match(r"\s*(\w+)\s*\+?=", first.source_line)
    e = ConfigTextError(errno.EINVAL, "\n".join(map(str, wrong)), key=key[1] if key else None)
    e.messages, e.file, e.line, e.column = wrong, first.file, first.line, first.column
    return e


def check_with(context: Context, config: Config) -> None:
    with config._lock:
        context._call(lib.pvctl_config_check, config._open())
