# SPDX-License-Identifier: MIT
"""Snapshots: a domain's memory, devices and disks at one moment, kept on disk. All but `create` and `revert` need no node that runs."""
from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ._pvctl import ffi, lib
from .aio import current
from .config import Config
from .context import Context, Domain, ProgressFunction, _Calls, _Hooks, milliseconds
from .errors import check, encoded, maybe_encoded, new_error
from .info import SnapshotDisk, SnapshotInfo, SnapshotStats, read, read_list, result


def create(domain: Domain, name: str | None = None, *, description: str | None = None, disks: str | None = None, memory: bool = True,
           suspend_timeout: timedelta | None = None, say: Callable[[str], None] | None = None,
           progress: ProgressFunction | None = None) -> SnapshotStats:
    """The domain goes on. name None: by the time, as the result tells. disks: the directory for new files of disks; None: beside each
    image. say is told what became of a disk."""
    calls, handle, opts, texts = _create_options(description, disks, memory, suspend_timeout, say)
    stats = result("pvctl_snapshot_stats")
    domain._call(lib.pvctl_snapshot_create, maybe_encoded(name), opts, stats, key=name, progress=progress, calls=calls)
    return read(SnapshotStats, stats)


def create_stopped(domain: str, name: str | None = None, *, node: str = "default", description: str | None = None,
                   disks: str | None = None, say: Callable[[str], None] | None = None) -> SnapshotStats:
    """Of a domain that is defined and does not run: its disks alone. BusyError: it runs."""
    calls, handle, opts, texts = _create_options(description, disks, False, None, say)
    stats = result("pvctl_snapshot_stats")
    err = new_error()
    rc = lib.pvctl_snapshot_create_stopped(encoded(node), encoded(domain), maybe_encoded(name), opts, stats, err)
    if calls.error is not None and rc < 0:
        raise calls.error
    check(rc, err, domain=domain, key=name)
    return read(SnapshotStats, stats)


def _create_options(description: str | None, disks: str | None, memory: bool, suspend_timeout: timedelta | None,
                    say: Callable[[str], None] | None) -> tuple[_Calls, Any, Any, Any]:
    calls = _Calls(say=say)
    handle = ffi.new_handle(calls)
    texts = {k: ffi.new("char[]", encoded(v)) for k, v in (("description", description), ("disks", disks)) if v is not None}
    opts = ffi.new("struct pvctl_snapshot_opts *", {
        "size": ffi.sizeof("struct pvctl_snapshot_opts"), "no_memory": not memory, "suspend_timeout_ms": milliseconds(suspend_timeout),
        "say": lib.pvctl_py_say if say else ffi.NULL, "say_data": handle, **texts})
    return calls, handle, opts, texts


def revert(context: Context, domain: str, name: str, *, paused: bool = False, progress: ProgressFunction | None = None) -> Domain | None:
    """The domain is what it was then; what it did since is lost. None: of disks alone, and it did not run."""
    opts = ffi.new("struct pvctl_snapshot_revert_opts *", {"size": ffi.sizeof("struct pvctl_snapshot_revert_opts"), "paused": paused})
    ret = ffi.new("uint32_t *")
    context._call(lib.pvctl_snapshot_revert, encoded(domain), encoded(name), opts, ret, domain=domain, key=name, progress=progress)
    return Domain(context, ret[0]) if ret[0] else None


def all(domain: str | None = None, *, node: str = "default") -> list[SnapshotInfo]:
    """By domain and time."""
    ret = ffi.new("struct pvctl_snapshot_list **")
    _plain(lib.pvctl_snapshot_list, encoded(node), maybe_encoded(domain), ret, domain=domain)
    return read_list(SnapshotInfo, ret[0], lib.pvctl_snapshot_list_count, lib.pvctl_snapshot_list_at, lib.pvctl_snapshot_list_free)


def get(domain: str, name: str, *, node: str = "default") -> SnapshotInfo:
    ret = result("pvctl_snapshot_info")
    _plain(lib.pvctl_snapshot_get, encoded(node), encoded(domain), encoded(name), ret, domain=domain, key=name)
    return read(SnapshotInfo, ret)


def disks(domain: str, name: str, *, node: str = "default") -> list[SnapshotDisk]:
    found = []
    for i in range(get(domain, name, node=node).disks):
        ret = result("pvctl_snapshot_disk_info")
        _plain(lib.pvctl_snapshot_get_disk, encoded(node), encoded(domain), encoded(name), i, ret, domain=domain, key=name)
        found.append(read(SnapshotDisk, ret))
    return found


def config(domain: str, name: str, *, node: str = "default") -> Config:
    """What the domain is after a revert."""
    ret = ffi.new("struct pvctl_config **")
    _plain(lib.pvctl_snapshot_config, encoded(node), encoded(domain), encoded(name), ret, domain=domain, key=name)
    return Config._of(ret[0])


def verify(domain: str, name: str, *, node: str = "default") -> None:
    """InvalidError: something is not what it was."""
    _plain(lib.pvctl_snapshot_verify, encoded(node), encoded(domain), encoded(name), domain=domain, key=name)


def delete(domain: str, name: str, *, node: str = "default", progress: ProgressFunction | None = None) -> None:
    """BusyError: the disk of a domain that runs is based on it."""
    hooks = _Hooks(None, progress)
    hooks.token = current()
    handle = ffi.new_handle(hooks)
    opts = ffi.new("struct pvctl_snapshot_delete_opts *", {
        "size": ffi.sizeof("struct pvctl_snapshot_delete_opts"), "progress": lib.pvctl_py_progress, "progress_data": handle})
    err = new_error()
    rc = lib.pvctl_snapshot_delete(encoded(node), encoded(domain), encoded(name), opts, err)
    if hooks.error is not None and rc < 0:
        raise hooks.error
    check(rc, err, domain=domain, key=name)


def _plain(function: Any, *args: Any, domain: str | None, key: str | None = None) -> None:
    err = new_error()
    check(function(*args, err), err, domain=domain, key=key)
