# SPDX-License-Identifier: MIT
"""Images of disks: files of the host, or devices. No node is needed; what is not raw needs qemu-utils."""
from __future__ import annotations

import os
from typing import Any

from ._pvctl import ffi, lib
from .aio import current
from .context import ProgressFunction, _Hooks
from .errors import check, encoded, maybe_encoded, new_error
from .info import DiskImageInfo, read, result

Path = str | os.PathLike[str]


def get(path: Path, format: str | None = None) -> DiskImageInfo:
    """Also of one that is in use."""
    ret, err = result("pvctl_disk_image_info"), new_error()
    check(lib.pvctl_disk_image_get(_path(path), maybe_encoded(format), ret, err), err, key=os.fspath(path))
    return read(DiskImageInfo, ret)


def resize(path: Path, size_bytes: int, *, format: str | None = None, shrink: bool = False) -> None:
    """BusyError: somebody uses it. shrink: less than it has, too; what is beyond is lost."""
    texts = _texts(format=format)
    opts = ffi.new("struct pvctl_disk_image_resize_opts *", {
        "size": ffi.sizeof("struct pvctl_disk_image_resize_opts"), "bytes": size_bytes, "shrink": shrink, **texts})
    err = new_error()
    check(lib.pvctl_disk_image_resize(_path(path), opts, err), err, key=os.fspath(path))


def copy(source: Path, to: Path, *, format: str | None = None, to_format: str | None = None, overlay: bool = False,
         compress: bool = False, progress: ProgressFunction | None = None) -> None:
    """A new image, named when it is whole. overlay: based on the source, which must not be written any more."""
    hooks = _Hooks(None, progress)
    hooks.token = current()
    handle = ffi.new_handle(hooks)
    texts = _texts(format=format, to_format=to_format)
    opts = ffi.new("struct pvctl_disk_copy_opts *", {
        "size": ffi.sizeof("struct pvctl_disk_copy_opts"), "overlay": overlay, "compress": compress,
        "progress": lib.pvctl_py_progress, "progress_data": handle, **texts})
    err = new_error()
    rc = lib.pvctl_disk_image_copy(_path(source), _path(to), opts, err)
    if hooks.error is not None and rc < 0:
        raise hooks.error
    check(rc, err, key=os.fspath(source))


def flatten(path: Path, *, progress: ProgressFunction | None = None) -> None:
    """A qcow2 image is based on nothing any more. BusyError: somebody uses it."""
    hooks = _Hooks(None, progress)
    hooks.token = current()
    handle = ffi.new_handle(hooks)
    opts = ffi.new("struct pvctl_disk_flatten_opts *", {
        "size": ffi.sizeof("struct pvctl_disk_flatten_opts"), "progress": lib.pvctl_py_progress, "progress_data": handle})
    err = new_error()
    rc = lib.pvctl_disk_image_flatten(_path(path), opts, err)
    if hooks.error is not None and rc < 0:
        raise hooks.error
    check(rc, err, key=os.fspath(path))


def _path(path: Path) -> bytes:
    return encoded(os.fspath(path))


def _texts(**texts: str | None) -> dict[str, Any]:
    """What a struct points to, which must be kept as long as that."""
    return {name: ffi.new("char[]", encoded(value)) for name, value in texts.items() if value is not None}
