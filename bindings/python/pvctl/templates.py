# SPDX-License-Identifier: MIT
"""Templates: what new domains are made of, by `Context.create_from_template`."""
from __future__ import annotations

import os
from typing import Any

from ._pvctl import ffi, lib
from .config import Config
from .context import Context, ProgressFunction
from .errors import check, encoded, new_error
from .info import TemplateInfo, read, read_list, result


def make(name: str, config: Config, *, context: Context | None = None, description: str | None = None, domid: int = 0,
         warm: bool = False, progress: ProgressFunction | None = None) -> None:
    """A copy of its disks, kernel and ramdisk. domid: the domain that has the disks, which stands still meanwhile; warm: with
    its memory. Both need a context, and so does progress."""
    kept = {} if description is None else {"description": ffi.new("char[]", encoded(description))}
    opts = ffi.new("struct pvctl_template_make_opts *", {
        "size": ffi.sizeof("struct pvctl_template_make_opts"), "domid": domid, "warm": warm, **kept})
    with config._lock:
        _call(lib.pvctl_template_make, context, progress, encoded(name), config._open(), opts, name=name)


def get(name: str) -> TemplateInfo:
    ret = result("pvctl_template_info")
    _plain(lib.pvctl_template_get, encoded(name), ret, name=name)
    return read(TemplateInfo, ret)


def config(name: str) -> Config:
    ret = ffi.new("struct pvctl_config **")
    _plain(lib.pvctl_template_config, encoded(name), ret, name=name)
    return Config._of(ret[0])


def all() -> list[TemplateInfo]:
    """By name."""
    ret = ffi.new("struct pvctl_template_list **")
    _plain(lib.pvctl_template_list, ret)
    try:
        return read_list(TemplateInfo, ret[0], lib.pvctl_template_list_count, lib.pvctl_template_list_at)
    finally:
        lib.pvctl_template_list_free(ret[0])


def verify(name: str, *, context: Context | None = None, progress: ProgressFunction | None = None) -> None:
    """InvalidError: a file is not what it was."""
    _call(lib.pvctl_template_verify, context, progress, encoded(name), name=name)


def delete(name: str) -> None:
    """BusyError: a domain's disks are based on it."""
    _plain(lib.pvctl_template_delete, encoded(name), name=name)


def export(name: str, directory: str | os.PathLike[str], *, context: Context | None = None, progress: ProgressFunction | None = None) -> None:
    """A copy as directory/NAME."""
    _call(lib.pvctl_template_export, context, progress, encoded(name), encoded(os.fspath(directory)), name=name)


def import_(directory: str | os.PathLike[str], name: str, *, context: Context | None = None, progress: ProgressFunction | None = None) -> None:
    """From such a copy; checksums are compared."""
    _call(lib.pvctl_template_import, context, progress, encoded(os.fspath(directory)), encoded(name), name=name)


def remove_disks(domain: str) -> None:
    """Of a domain that was made of a template and is gone."""
    err = new_error()
    check(lib.pvctl_template_disks_remove(encoded(domain), err), err, domain=domain)


def _plain(function: Any, *args: Any, name: str | None = None) -> None:
    err = new_error()
    check(function(*args, err), err, key=name)


def _call(function: Any, context: Context | None, progress: ProgressFunction | None, *args: Any, name: str) -> None:
    if context is None:
        _plain(function, ffi.NULL, *args, name=name)
    else:
        context._call(function, *args, key=name, progress=progress)
