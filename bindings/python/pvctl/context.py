# SPDX-License-Identifier: MIT
"""A connection to a node, and its domains."""
from __future__ import annotations

import errno
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, Union, cast

from . import aio
from ._pvctl import ffi, lib
from .config import Config, LogFunction, _Log, check_with
from .console import Console
from .errors import CanceledError, ClosedError, Error, callback, check, encoded, error_of, maybe_encoded, new_error, text
from .events import Events
from .info import (ChannelInfo, CloneStats, DiskInfo, DomainInfo, DumpThen, Ended, EventType, HostInfo, MigrateResult, Progress, Reason,
                   RestoreStats, SaveLeave, SaveStats, Scheduling, VcpuInfo, VifInfo, mask_of, read, read_list, result)

ProgressFunction = Callable[[Progress], None]
Source = Union[str, "os.PathLike[str]", int]


class _Hooks(_Log):
    """What C calls while a context works; what was raised there is raised when the call is over."""

    def __init__(self, log: LogFunction | None, progress: ProgressFunction | None) -> None:
        super().__init__(log)
        self.progress = progress
        self.token: aio.Cancel | None = None


@callback(1)
def pvctl_py_progress(data: Any, what: Any, done: int, total: int) -> int:
    hooks = ffi.from_handle(data)
    try:
        if hooks.progress is not None:
            hooks.progress(Progress(text(what), done, total))
    except BaseException as e:  # it may not go through C: it cancels, and is raised then
        hooks.error = e
        return 1
    return int(hooks.token is not None and hooks.token.cancelled)


class _Calls:
    """The functions of one long operation's options, kept while it runs."""

    def __init__(self, **functions: Any) -> None:
        self.functions = functions
        self.started = False
        self.error: BaseException | None = None

    def call(self, err: Any, name: str, *args: Any) -> int:
        try:
            self.functions[name](*args)
        except BaseException as e:
            self.error = self.error or e
            if err is not None and err != ffi.NULL:
                message = str(e).encode("utf-8", "replace")[:ffi.sizeof(err.msg) - 1] + b"\0"
                err.code, err.origin = -errno.ECANCELED, 0
                ffi.memmove(err.msg, message, len(message))
            return -errno.ECANCELED
        return 0


@callback(-errno.ECANCELED)
def pvctl_py_written(data: Any, err: Any) -> int:
    return int(ffi.from_handle(data).call(err, "written"))


@callback(-errno.ECANCELED)
def pvctl_py_ready(data: Any, domid: int, err: Any) -> int:
    return int(ffi.from_handle(data).call(err, "ready", domid))


@callback()
def pvctl_py_say(data: Any, line: Any) -> None:
    ffi.from_handle(data).call(None, "say", text(line))


@callback()
def pvctl_py_step(data: Any, name: Any) -> None:
    ffi.from_handle(data).call(None, "step", text(name))


def milliseconds(span: timedelta | None) -> int:
    """None: the library's default, which it calls 0; what is shorter than a millisecond is one."""
    if span is None:
        return 0
    if span <= timedelta(0):
        raise ValueError("a timeout is longer than nothing")
    return min(max(1, round(span / timedelta(milliseconds=1))), 0xffffffff)


class Restored(NamedTuple):
    domain: Domain
    stats: RestoreStats


class Cloned(NamedTuple):
    domains: list[Domain]
    stats: CloneStats


@dataclass(frozen=True, slots=True)
class Migrated:
    """domain is the one on the other node."""
    domain: Domain
    result: MigrateResult


class Context:
    """A connection to one node, made by `connect`. One thread at a time works with it; another waits until it is done.

    What a progress function raises cancels the operation, and is raised by it.
    """

    def __init__(self, node: str = "default", *, log: LogFunction | None = None, progress: ProgressFunction | None = None) -> None:
        self.node = node
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._pid = os.getpid()
        self._hooks = _Hooks(log, progress)
        self._handle = ffi.new_handle(self._hooks)
        self._err = new_error()
        self._c: Any = None
        name = ffi.new("char[]", encoded(node))
        opts = ffi.new("struct pvctl_open_opts *", {
            "size": ffi.sizeof("struct pvctl_open_opts"), "node": name, "log": lib.pvctl_py_log if log else ffi.NULL,
            "log_data": self._handle, "progress": lib.pvctl_py_progress, "progress_data": self._handle})
        ret = ffi.new("struct pvctl **")
        check(lib.pvctl_open(opts, ret, self._err), self._err)
        self._c = ffi.gc(ret[0], lib.pvctl_close)

    # ---- the handle ----
    def close(self) -> None:
        """Waits until what another thread does with it is over."""
        if self._owner == threading.get_ident():
            raise RuntimeError("a function that a context calls cannot close it")
        with self._lock:
            c, self._c = self._c, None
            if c is not None:
                ffi.release(c)

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        return self._c is None

    def __repr__(self) -> str:
        return f"<pvctl.Context {self.node!r}{' closed' if self.closed else ''}>"

    def _call(self, function: Any, *args: Any, domain: str | int | None = None, key: str | None = None,
              progress: ProgressFunction | None = None, calls: _Calls | None = None) -> int:
        hooks, token = self._hooks, aio.current()
        self._acquire(token)
        try:
            if self._c is None:
                raise ClosedError("this context is closed")
            if self._pid != os.getpid():
                raise ClosedError("this context is another process's")
            if token is not None and token.cancelled:
                raise CanceledError(errno.ECANCELED, "canceled before it began")
            hooks.token, hooks.error = token, None
            if progress is not None or calls is not None:
                return self._long(function, args, domain, key, progress, calls)
            rc = int(function(self._c, *args, self._err))
            return rc if rc >= 0 and hooks.error is None else self._finish(rc, hooks.error, domain, key)
        finally:
            self._owner = None
            self._lock.release()

    def _acquire(self, token: aio.Cancel | None) -> None:
        me = threading.get_ident()
        if self._owner == me:
            raise RuntimeError("a function that a context calls cannot use it: open another one")
        while not self._lock.acquire(timeout=-1 if token is None else 0.1):
            if token is not None and token.cancelled:
                raise CanceledError(errno.ECANCELED, "canceled while another thread worked with this context")
        self._owner = me

    def _long(self, function: Any, args: Any, domain: str | int | None, key: str | None, progress: ProgressFunction | None,
              calls: _Calls | None) -> int:
        hooks, usual = self._hooks, self._hooks.progress
        if progress is not None:
            hooks.progress = progress
        try:
            if calls is not None:
                calls.started = True
            rc = int(function(self._c, *args, self._err))
        finally:
            hooks.progress = usual
        return self._finish(rc, hooks.error or (calls.error if calls is not None else None), domain, key)

    def _finish(self, rc: int, raised: BaseException | None, domain: str | int | None, key: str | None) -> int:
        self._hooks.error = None
        if rc < 0:
            if raised:
                raise raised
            raise error_of(rc, self._err, domain, key)
        if raised:
            # The operation was over already: its result must not be lost.
            sys.unraisablehook(cast(Any, _Unraisable(raised)))
        return rc

    # ---- domains ----
    def create(self, config: Config | Mapping[str, Any] | None = None, *, paused: bool = False, boot_entry: str | None = None,
               progress: ProgressFunction | None = None, **more: Any) -> Domain:
        """From a configuration, a mapping, keyword arguments, or a mapping with some of these instead."""
        if not isinstance(config, Config) or more:
            config = Config(config, **more)
        entry = ffi.NULL if boot_entry is None else ffi.new("char[]", encoded(boot_entry))
        opts = ffi.new("struct pvctl_create_opts *", {"size": ffi.sizeof("struct pvctl_create_opts"), "paused": paused, "boot_entry": entry})
        ret = ffi.new("uint32_t *")
        name = config._name()
        with config._lock:
            self._call(lib.pvctl_domain_create, config._open(), opts, ret, domain=name, progress=progress)
        return Domain(self, ret[0])

    def check(self, config: Config) -> None:
        """As `Config.check`, and with what this node has."""
        check_with(self, config)

    def domain(self, which: str | int) -> Domain:
        """By its name, which is looked up now, or its number, which is not."""
        if isinstance(which, int):
            return Domain(self, which)
        ret = ffi.new("uint32_t *")
        self._call(lib.pvctl_domain_lookup, encoded(which), ret, domain=which)
        return Domain(self, ret[0])

    def domains(self) -> list[DomainInfo]:
        """All of them, domain 0 first."""
        return self._list(DomainInfo, lib.pvctl_domain_list, (), lib.pvctl_domain_list_count, lib.pvctl_domain_list_at,
                          lib.pvctl_domain_list_free, "pvctl_domain_list")

    def ended(self, which: str | int) -> Ended:
        """The last one with this name or number that is gone, and whose console is kept yet."""
        name, domid = (ffi.NULL, which) if isinstance(which, int) else (encoded(which), 0)
        ret = result("pvctl_ended")
        self._call(lib.pvctl_domain_ended, name, domid, ret, domain=which)
        return read(Ended, ret)

    def restore(self, source: Source, *, config: Config | None = None, name: str | None = None, paused: bool = False,
                ready: Callable[[int], None] | None = None, progress: ProgressFunction | None = None) -> Restored:
        """A new domain from what pvctl or Xen's xl saved: a path, or a descriptor that stays the caller's. ready: all of it is
        there but its devices, which are attached when this returns."""
        calls = _Calls(ready=ready)
        handle = ffi.new_handle(calls)
        new_name = ffi.NULL if name is None else ffi.new("char[]", encoded(name))
        opts = ffi.new("struct pvctl_restore_opts *", {
            "size": ffi.sizeof("struct pvctl_restore_opts"), "paused": paused, "name": new_name,
            "ready": lib.pvctl_py_ready if ready else ffi.NULL, "ready_data": handle})
        ret, stats = ffi.new("uint32_t *"), result("pvctl_restore_stats")
        fd = source if isinstance(source, int) else os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with _locked(config) as c:
                self._call(lib.pvctl_domain_restore, fd, c, opts, ret, stats, domain=name, progress=progress, calls=calls)
        finally:
            if fd is not source:
                os.close(fd)
        return Restored(Domain(self, ret[0]), read(RestoreStats, stats))

    def migrate_receive(self, read_fd: int, write_fd: int, *, config: Config | None = None, paused: bool = False,
                        say: Callable[[str], None] | None = None, step: Callable[[str], None] | None = None,
                        progress: ProgressFunction | None = None) -> Domain:
        """The receiving side of `Domain.migrate_send`; both descriptors are closed at its end, however it ends."""
        ret = ffi.new("uint32_t *")
        with _migrate_opts(read_fd, write_fd, config, say, step, paused) as (opts, calls):
            self._call(lib.pvctl_domain_migrate_receive, read_fd, write_fd, opts, ret, progress=progress, calls=calls)
        return Domain(self, ret[0])

    def create_from_template(self, template: str, config: Config | Mapping[str, Any] | None = None, *, paused: bool = False,
                             cold: bool = False, progress: ProgressFunction | None = None, **more: Any) -> Domain:
        """With disks of its own, which hold what differs from the template's. config has its name, and what is to be other."""
        if not isinstance(config, Config) or more:
            config = Config(config, **more)
        opts = ffi.new("struct pvctl_template_create_opts *", {
            "size": ffi.sizeof("struct pvctl_template_create_opts"), "paused": paused, "cold": cold})
        ret = ffi.new("uint32_t *")
        name = config._name()
        with config._lock:
            self._call(lib.pvctl_template_create, encoded(template), config._open(), opts, ret, domain=name, key=template, progress=progress)
        return Domain(self, ret[0])

    def reinstall(self, domain: str, template: str | None = None, *, progress: ProgressFunction | None = None) -> Domain | None:
        """Its first disk becomes the template's; what was on it is lost. None: it was not running."""
        ret = ffi.new("uint32_t *")
        self._call(lib.pvctl_domain_reinstall, encoded(domain), maybe_encoded(template), ret, domain=domain, progress=progress)
        return Domain(self, ret[0]) if ret[0] else None

    # ---- the node ----
    def events(self, mask: EventType = EventType.ALL) -> Events:
        """Those that are wanted; with PRESENT, first a snapshot of the domains. They outlive the context."""
        ret = ffi.new("struct pvctl_events **")
        self._call(lib.pvctl_events_open, int(mask), ret)
        return Events(ret[0])

    def host(self) -> HostInfo:
        ret = result("pvctl_host_info")
        self._call(lib.pvctl_host_get, ret)
        return read(HostInfo, ret)

    def dmesg(self, *, clear: bool = False) -> str:
        """The hypervisor's log so far."""
        ret = ffi.new("char **")
        self._call(lib.pvctl_host_dmesg, clear, ret)
        return _take_text(ret[0])

    def debug_keys(self, keys: str) -> None:
        self._call(lib.pvctl_host_debug_keys, encoded(keys), key=keys)

    def set_parameter(self, name: str, value: int) -> None:
        """Of the hypervisor's, while the node runs: see pvctl(1), set-parameters."""
        self._call(lib.pvctl_host_set_parameter, encoded(name), value, key=name)

    def store_read(self, path: str) -> bytes:
        ret, length = ffi.new("char **"), ffi.new("size_t *")
        self._call(lib.pvctl_store_read, encoded(path), ret, length, key=path)
        try:
            return bytes(ffi.buffer(ret[0], length[0]))
        finally:
            lib.pvctl_free(ret[0])

    def store_write(self, path: str, value: bytes) -> None:
        self._call(lib.pvctl_store_write, encoded(path), value, len(value), key=path)

    def store_rm(self, path: str) -> None:
        self._call(lib.pvctl_store_rm, encoded(path), key=path)

    def _list(self, cls: Any, function: Any, args: tuple[Any, ...], count: Any, at: Any, free: Any, struct: str,
              domain: int | None = None) -> list[Any]:
        ret = ffi.new(f"struct {struct} **")
        self._call(function, *args, ret, domain=domain)
        return read_list(cls, ret[0], count, at, free)


class Domain:
    """A domain by its number, on one context; it has nothing to be closed. Numbers are used again: `DomainInfo.unique_id` is not."""

    __slots__ = ("context", "domid")

    def __init__(self, context: Context, domid: int) -> None:
        self.context = context
        self.domid = int(domid)

    def __repr__(self) -> str:
        return f"<pvctl.Domain {self.domid} of {self.context!r}>"

    def _call(self, function: Any, *args: Any, **more: Any) -> int:
        return self.context._call(function, self.domid, *args, domain=self.domid, **more)

    # ---- what it is ----
    def info(self) -> DomainInfo:
        ret = result("pvctl_domain_info")
        self._call(lib.pvctl_domain_get, ret)
        return read(DomainInfo, ret)

    @property
    def config(self) -> Config:
        """A copy; what is assigned is what it will be from its next restart on."""
        ret = ffi.new("struct pvctl_config **")
        self._call(lib.pvctl_domain_config, ret)
        return Config._of(ret[0])

    @config.setter
    def config(self, config: Config) -> None:
        with config._lock:
            self._call(lib.pvctl_domain_set_config, config._open())

    def rename(self, name: str) -> None:
        self._call(lib.pvctl_domain_rename, encoded(name))

    # ---- its life ----
    def pause(self) -> None:
        self._call(lib.pvctl_domain_pause)

    def unpause(self) -> None:
        self._call(lib.pvctl_domain_unpause)

    def destroy(self, unique_id: int = 0) -> None:
        """With a unique_id: that one only, and not another that has got its number."""
        opts = ffi.new("struct pvctl_destroy_opts *", {"size": ffi.sizeof("struct pvctl_destroy_opts"), "unique_id": unique_id})
        self._call(lib.pvctl_domain_destroy, opts)

    def request(self, what: str) -> None:
        """Asks the guest: "poweroff", "reboot", "halt", "suspend"."""
        self._call(lib.pvctl_domain_request, encoded(what), key=what)

    def shutdown(self) -> None:
        self.request("poweroff")

    def reboot(self) -> None:
        self.request("reboot")

    def wait(self, timeout: timedelta | None = None, *, progress: ProgressFunction | None = None) -> Reason:
        """Until it has shut down, or is gone (NONE)."""
        ret = ffi.new("int32_t *")
        self._call(lib.pvctl_domain_wait, milliseconds(timeout), ret, progress=progress)
        return Reason(ret[0])

    def suspend(self, timeout: timedelta | None = None) -> None:
        """The guest lets go of its devices and stops; it goes on when the context is closed, unless `keep_suspended` is called."""
        self._call(lib.pvctl_domain_suspend, milliseconds(timeout))

    def keep_suspended(self) -> None:
        self._call(lib.pvctl_domain_keep_suspended)

    def release_disks(self) -> None:
        self._call(lib.pvctl_domain_release_disks)

    def resume(self) -> None:
        self._call(lib.pvctl_domain_resume)

    def sysrq(self, letter: str) -> None:
        if len(letter) != 1 or not letter.isascii():
            raise ValueError("a SysRq is one letter")
        self._call(lib.pvctl_domain_sysrq, letter.encode(), key=letter)

    def console(self, replay_bytes: int | None = None) -> Console:
        """First what was logged, at most so much; None: all that is kept. A domain that is gone has one for a while, too."""
        ret = ffi.new("int *")
        self._call(lib.pvctl_console_attach, 0xffffffffffffffff if replay_bytes is None else replay_bytes, ret)
        return Console(ret[0])

    # ---- saving, migrating ----
    def save(self, target: Source, *, live: bool = False, leave: SaveLeave = SaveLeave.DESTROY, compress: bool = False,
             suspend_timeout: timedelta | None = None, config: Config | None = None, max_rounds: int = 0, keep_domid: bool = False,
             written: Callable[[], None] | None = None, progress: ProgressFunction | None = None) -> SaveStats:
        """To a path, which is there when all of it is on the disk, or to a descriptor that stays the caller's: written is called
        when all has gone there, and the domain is not let go before it returns. On any failure the domain goes on. keep_domid: it is
        restored with the number that it has, or not at all, but with a configuration of its own."""
        if isinstance(target, int):
            return self._save(target, written, live, leave, compress, suspend_timeout, config, max_rounds, keep_domid, progress)
        path = os.fspath(target)
        partial = f"{path}.{os.getpid()}.{threading.get_ident()}.partial"
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        there = False

        def keep() -> None:
            nonlocal there
            os.fsync(fd)
            if written is not None:
                written()
            os.rename(partial, path)
            there = True

        try:
            return self._save(fd, keep, live, leave, compress, suspend_timeout, config, max_rounds, keep_domid, progress)
        finally:
            os.close(fd)
            if not there:
                os.unlink(partial)

    def _save(self, fd: int, written: Callable[[], None] | None, live: bool, leave: SaveLeave, compress: bool,
              suspend_timeout: timedelta | None, config: Config | None, max_rounds: int, keep_domid: bool,
              progress: ProgressFunction | None) -> SaveStats:
        calls = _Calls(written=written)
        handle, stats = ffi.new_handle(calls), result("pvctl_save_stats")
        with _locked(config) as c:
            opts = ffi.new("struct pvctl_save_opts *", {
                "size": ffi.sizeof("struct pvctl_save_opts"), "live": live, "leave": leave, "compress": compress,
                "suspend_timeout_ms": milliseconds(suspend_timeout), "config": c, "max_rounds": max_rounds, "keep_domid": keep_domid,
                "written": lib.pvctl_py_written if written else ffi.NULL, "written_data": handle})
            self._call(lib.pvctl_domain_save, fd, opts, stats, progress=progress, calls=calls)
        return read(SaveStats, stats)

    def migrate_send(self, read_fd: int, write_fd: int, *, config: Config | None = None, keep_domid: bool = False,
                     say: Callable[[str], None] | None = None, step: Callable[[str], None] | None = None,
                     progress: ProgressFunction | None = None) -> MigrateResult:
        """Live, to a process that receives it (pvctl, xl, or `Context.migrate_receive`), over a connection that is closed at its
        end, however it ends. keep_domid: it has the same number there, or does not move. The `migration` of an Error says where the domain is then."""
        ret = result("pvctl_migrate_result")
        with _migrate_opts(read_fd, write_fd, config, say, step, keep_domid=keep_domid) as (opts, calls):
            try:
                self._call(lib.pvctl_domain_migrate_send, read_fd, write_fd, opts, ret, progress=progress, calls=calls)
            except Error as e:
                if calls.started:
                    e.migration = read(MigrateResult, ret)
                raise
        return read(MigrateResult, ret)

    def migrate(self, to: Context, *, config: Config | None = None, keep_domid: bool = False,
                progress: ProgressFunction | None = None) -> Migrated:
        """To another node of this machine, by a context of its own. The `migration` of an Error says where it is then."""
        if to is self.context:
            raise ValueError("a domain is migrated to another context")
        here, there = socket.socketpair()
        arrived: list[Domain | BaseException] = []
        token = aio.current() or aio.Cancel()

        def receive(fd: int) -> None:
            try:
                with token:
                    arrived.append(to.migrate_receive(fd, fd))
            except BaseException as e:
                arrived.append(e)

        receiver = threading.Thread(target=receive, args=(there.detach(),), name="pvctl-migrate")
        receiver.start()
        fd = here.detach()
        try:
            sent = self.migrate_send(fd, fd, config=config, keep_domid=keep_domid, progress=progress)
        except BaseException as e:
            receiver.join()
            # It is the other side that knows why.
            if isinstance(arrived[0], BaseException):
                e.__cause__ = arrived[0]
            raise
        receiver.join()
        if isinstance(arrived[0], BaseException):
            raise arrived[0]
        return Migrated(arrived[0], sent)

    def clone(self, name: str, count: int = 1, *, paused: bool = False, suspend_timeout: timedelta | None = None,
              disks: str | None = None, say: Callable[[str], None] | None = None, progress: ProgressFunction | None = None) -> Cloned:
        """It goes on, and so does each copy, from the same moment. More than one are called NAME-1, NAME-2 ... disks: the directory
        for what each writes; None: beside the image that it is based on. say is told what became of a disk."""
        if not 0 < count < 1 << 16:
            raise ValueError("as many copies as there is a number of")
        calls = _Calls(say=say)
        handle, where = ffi.new_handle(calls), ffi.NULL if disks is None else ffi.new("char[]", encoded(disks))
        opts = ffi.new("struct pvctl_clone_opts *", {
            "size": ffi.sizeof("struct pvctl_clone_opts"), "count": count, "paused": paused, "disks": where,
            "suspend_timeout_ms": milliseconds(suspend_timeout), "say": lib.pvctl_py_say if say else ffi.NULL, "say_data": handle})
        ret, stats = ffi.new("uint32_t[]", count), result("pvctl_clone_stats")
        self._call(lib.pvctl_domain_clone, encoded(name), opts, ret, stats, progress=progress, calls=calls)
        return Cloned([Domain(self.context, domid) for domid in ret], read(CloneStats, stats))

    # ---- changing it ----
    def set_memory_target(self, target_bytes: int) -> None:
        """Asks the guest to have so much, and limits it to that."""
        self._call(lib.pvctl_domain_set_memory_target, target_bytes, key="memory")

    def wait_memory(self, target_bytes: int, timeout: timedelta | None = None) -> None:
        """None: looks once."""
        self._call(lib.pvctl_domain_wait_memory, target_bytes, milliseconds(timeout), key="memory")

    def set_memory_max(self, max_bytes: int) -> None:
        self._call(lib.pvctl_domain_set_memory_max, max_bytes, key="maxmem")

    def set_vcpus(self, count: int) -> None:
        self._call(lib.pvctl_domain_set_vcpus, count, key="vcpus")

    def vcpus(self) -> list[VcpuInfo]:
        return self._list(VcpuInfo, lib.pvctl_vcpu_list, lib.pvctl_vcpu_list_count, lib.pvctl_vcpu_list_at, lib.pvctl_vcpu_list_free, "vcpu")

    def set_affinity(self, vcpu: int, hard: Iterable[int] | None = None, soft: Iterable[int] | None = None) -> None:
        """Where a vCPU may run, and where it should; None: as it is. `parse_cpus` reads a text."""
        masks = [ffi.NULL if cpus is None else ffi.new("uint64_t *", mask_of(cpus)) for cpus in (hard, soft)]
        self._call(lib.pvctl_vcpu_set_affinity, vcpu, *masks, key="cpus")

    @property
    def scheduling(self) -> Scheduling:
        weight, cap = ffi.new("uint32_t *"), ffi.new("uint32_t *")
        self._call(lib.pvctl_domain_get_sched, weight, cap)
        return Scheduling(weight[0], cap[0])

    def set_scheduling(self, *, weight: int | None = None, cap_percent: int | None = None) -> None:
        """None: as it is."""
        self._call(lib.pvctl_domain_set_sched, -1 if weight is None else weight, -1 if cap_percent is None else cap_percent, key="cpu_weight")

    # ---- its devices ----
    def disks(self) -> list[DiskInfo]:
        return self._list(DiskInfo, lib.pvctl_disk_list, lib.pvctl_disk_list_count, lib.pvctl_disk_list_at, lib.pvctl_disk_list_free, "disk")

    def attach_disk(self, spec: str) -> None:
        """As in the key disk of pvctl.cfg(5)."""
        self._call(lib.pvctl_disk_attach, encoded(spec), key=spec)

    def change_medium(self, vdev: str, target: str | None, *, force: bool = False, timeout: timedelta | None = None) -> None:
        """Of a cdrom drive; None: none."""
        self._call(lib.pvctl_disk_change, encoded(vdev), maybe_encoded(target), _detach("disk", force, timeout), key=vdev)

    def detach_disk(self, vdev: str, *, force: bool = False, timeout: timedelta | None = None) -> None:
        """force: the guest is not asked. TimedOutError: it has not let go yet."""
        self._call(lib.pvctl_disk_detach, encoded(vdev), _detach("disk", force, timeout), key=vdev)

    def dump_core(self, fd: int, *, live: bool = False, then: DumpThen = DumpThen.NOTHING, progress: ProgressFunction | None = None) -> None:
        """Memory and registers, for a debugger, to a file from where it stands; it stands still meanwhile unless live."""
        opts = result("pvctl_dump_opts")
        opts.live, opts.then = live, then
        self._call(lib.pvctl_domain_dump_core, fd, opts, progress=progress)

    def store_quotas(self) -> dict[str, tuple[int, int, int | None]]:
        """What it may have in the store, by name: its limit, the default, and what it has (None: not counted)."""
        quotas: dict[str, tuple[int, int, int | None]] = {}
        while True:
            ret = result("pvctl_store_quota")
            try:
                self._call(lib.pvctl_store_quota_get, len(quotas), ret)
            except Error as e:
                if e.errno == errno.ENOENT:
                    return quotas
                raise
            quotas[text(ret.name)] = (ret.limit, ret.own, None if ret.used < 0 else ret.used)

    def grants(self) -> tuple[int, int]:
        """The pages of its grant table, and the most that there may be."""
        pages, most = ffi.new("uint32_t *"), ffi.new("uint32_t *")
        self._call(lib.pvctl_domain_get_grants, pages, most)
        return int(pages[0]), int(most[0])

    def set_store_quota(self, name: str, value: int) -> None:
        """0: the default."""
        self._call(lib.pvctl_store_quota_set, encoded(name), value, key=name)

    def resize_disk(self, vdev: str, size_bytes: int = 0) -> int:
        """It grows, file and all, and the guest is told. 0: it is as large as what it is of has become. Returns its bytes."""
        ret = ffi.new("uint64_t *")
        self._call(lib.pvctl_disk_resize, encoded(vdev), size_bytes, ret, key=vdev)
        return int(ret[0])

    def vifs(self) -> list[VifInfo]:
        return self._list(VifInfo, lib.pvctl_vif_list, lib.pvctl_vif_list_count, lib.pvctl_vif_list_at, lib.pvctl_vif_list_free, "vif")

    def attach_vif(self, spec: str = "") -> None:
        """As in the key vif of pvctl.cfg(5)."""
        self._call(lib.pvctl_vif_attach, encoded(spec), key=spec)

    def detach_vif(self, which: str, *, force: bool = False, timeout: timedelta | None = None) -> None:
        """A devid, as text, or a MAC."""
        self._call(lib.pvctl_vif_detach, encoded(which), _detach("vif", force, timeout), key=which)

    def channels(self) -> list[ChannelInfo]:
        return self._list(ChannelInfo, lib.pvctl_channel_list, lib.pvctl_channel_list_count, lib.pvctl_channel_list_at,
                          lib.pvctl_channel_list_free, "channel")

    def _list(self, cls: Any, function: Any, count: Any, at: Any, free: Any, kind: str) -> list[Any]:
        return self.context._list(cls, function, (self.domid,), count, at, free, f"pvctl_{kind}_list", domain=self.domid)


def connect(node: str = "default", *, log: LogFunction | None = None, progress: ProgressFunction | None = None) -> Context:
    """A connection to a node that runs; NotFoundError: it does not. log(level, text): 0 error to 3 debug."""
    return Context(node, log=log, progress=progress)


# ---- helpers ----
@contextmanager
def _locked(config: Config | None) -> Iterator[Any]:
    if config is None:
        yield ffi.NULL
    else:
        with config._lock:
            yield config._open()


@contextmanager
def _migrate_opts(read_fd: int, write_fd: int, config: Config | None, say: Callable[[str], None] | None,
                  step: Callable[[str], None] | None, paused: bool = False, keep_domid: bool = False) -> Iterator[tuple[Any, _Calls]]:
    calls = _Calls(say=say, step=step)
    handle = ffi.new_handle(calls)
    try:
        with _locked(config) as c:
            yield ffi.new("struct pvctl_migrate_opts *", {
                "size": ffi.sizeof("struct pvctl_migrate_opts"), "config": c, "paused": paused, "keep_domid": keep_domid, "data": handle,
                "say": lib.pvctl_py_say if say else ffi.NULL, "step": lib.pvctl_py_step if step else ffi.NULL}), calls
    finally:
        # The library closes them; those of a call that was never made are closed here.
        if not calls.started:
            for fd in {read_fd, write_fd}:
                os.close(fd)


def _detach(kind: str, force: bool, timeout: timedelta | None) -> Any:
    struct = f"struct pvctl_{kind}_detach_opts"
    return ffi.new(struct + " *", {"size": ffi.sizeof(struct), "force": force, "timeout_ms": milliseconds(timeout)})


def _take_text(c: Any) -> str:
    try:
        return text(c)
    finally:
        lib.pvctl_free(c)


class _Unraisable:
    """What sys.unraisablehook takes."""

    def __init__(self, e: BaseException) -> None:
        self.exc_type, self.exc_value, self.exc_traceback = type(e), e, e.__traceback__
        self.err_msg, self.object = "Exception ignored in a function that pvctl called", None
