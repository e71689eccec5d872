# SPDX-License-Identifier: MIT
"""Nodes, and what they know while they do not run."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from ._pvctl import ffi, lib
from .config import Config, LogFunction
from .context import Context, ProgressFunction, milliseconds
from .errors import check, encoded, new_error
from .info import DefinedInfo, DiskSpec, NodeInfo, Paths, VifSpec, bits, read, read_list, result


class Node:
    """A node by its name, whether it runs or not; nothing is done before it is asked.

    >>> Node("web").name
    'web'
    """

    __slots__ = ("name",)

    def __init__(self, name: str = "default") -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"pvctl.Node({self.name!r})"

    # ---- it and its daemon ----
    def start(self, *, memory_bytes: int = 0, cpus: int = 0, accel: str | None = None, icount: bool = False, hypervisor: str | None = None,
              hypervisor_options: str | None = None, timeout: timedelta | None = None, daemon: str | None = None,
              overcommit: bool = False, slow_after: timedelta | None = None, qemu: str | None = None, limits: str | None = None,
              autostart: bool = True) -> None:
        """0 and None: what the library takes (half of the host's memory, all its CPUs, 30 s). ExistsError: it runs already."""
        texts = {"name": self.name, "accel": accel, "hv_path": hypervisor, "hv_cmdline": hypervisor_options, "daemon_path": daemon,
                 "qemu_path": qemu, "limits": limits}
        kept = {key: ffi.new("char[]", encoded(value)) for key, value in texts.items() if value is not None}
        opts = ffi.new("struct pvctl_node_start_opts *", {
            "size": ffi.sizeof("struct pvctl_node_start_opts"), "memory_bytes": memory_bytes, "cpus": cpus, "icount": icount,
            "timeout_ms": milliseconds(timeout), "overcommit": overcommit, "slow_after_ms": milliseconds(slow_after),
            "no_autostart": not autostart, **kept})
        self._call(lib.pvctl_node_start, opts)

    def stop(self, timeout: timedelta | None = None) -> None:
        """Ends it, and its domains at once."""
        self._call(lib.pvctl_node_stop, self._name(), milliseconds(timeout))

    def restart_daemon(self, timeout: timedelta | None = None) -> None:
        """By the program that is installed now; the domains run on."""
        self._call(lib.pvctl_node_restart_daemon, self._name(), milliseconds(timeout))

    def info(self) -> NodeInfo:
        ret = result("pvctl_node_info")
        self._call(lib.pvctl_node_get, self._name(), ret)
        return read(NodeInfo, ret)

    def paths(self) -> Paths:
        ret = result("pvctl_paths")
        self._call(lib.pvctl_paths_get, self._name(), ret)
        return read(Paths, ret)

    def connect(self, *, log: LogFunction | None = None, progress: ProgressFunction | None = None) -> Context:
        return Context(self.name, log=log, progress=progress)

    # ---- defined domains ----
    def define(self, config: Config) -> None:
        """By its name; replaces another of that name, but for whether and when it starts."""
        with config._lock:
            self._call(lib.pvctl_defined_set, self._name(), config._open())

    def undefine(self, name: str) -> None:
        self._call(lib.pvctl_defined_remove, self._name(), encoded(name), domain=name)

    def definition(self, name: str) -> Config:
        ret = ffi.new("struct pvctl_config **")
        self._call(lib.pvctl_defined_get, self._name(), encoded(name), ret, domain=name)
        return Config._of(ret[0])

    def set_autostart(self, name: str, autostart: bool, *, order: int | None = None, delay: timedelta | None = None) -> None:
        """Whether it starts with the node, and when: lower orders first, each with its delay before the next. None: as it is."""
        opts = ffi.new("struct pvctl_autostart_opts *", {
            "size": ffi.sizeof("struct pvctl_autostart_opts"), "autostart": autostart, "order": -1 if order is None else order,
            "delay_ms": -1 if delay is None else delay // timedelta(milliseconds=1)})
        self._call(lib.pvctl_defined_autostart, self._name(), encoded(name), opts, domain=name)

    def defined(self) -> list[DefinedInfo]:
        """In the order in which they start."""
        ret = ffi.new("struct pvctl_defined_list **")
        self._call(lib.pvctl_defined_list, self._name(), ret)
        try:
            return read_list(DefinedInfo, ret[0], lib.pvctl_defined_list_count, lib.pvctl_defined_list_at)
        finally:
            lib.pvctl_defined_list_free(ret[0])

    def _name(self) -> bytes:
        return encoded(self.name)

    def _call(self, function: Callable[..., int], *args: Any, domain: str | None = None) -> None:
        err = new_error()
        check(function(*args, err), err, domain=domain)


def nodes() -> list[NodeInfo]:
    """Those of this user."""
    ret, err = ffi.new("struct pvctl_node_list **"), new_error()
    check(lib.pvctl_node_list(ret, err), err)
    try:
        return read_list(NodeInfo, ret[0], lib.pvctl_node_list_count, lib.pvctl_node_list_at)
    finally:
        lib.pvctl_node_list_free(ret[0])


# ---- texts of the configuration's language ----
def parse_disk(spec: str) -> DiskSpec:
    """What a text of the key disk says; nothing is looked up.

    >>> parse_disk("/dev/vg0/web1,raw,xvdb,ro").name
    'xvdb'
    """
    ret, err = result("pvctl_disk_spec"), new_error()
    check(lib.pvctl_disk_parse(encoded(spec), ret, err), err, key="disk")
    return read(DiskSpec, ret)


def parse_vif(spec: str) -> VifSpec:
    """What a text of the key vif says; nothing is looked up.

    >>> parse_vif("mac=00:16:3e:00:00:01").mac
    '00:16:3e:00:00:01'
    """
    ret, err = result("pvctl_vif_spec"), new_error()
    check(lib.pvctl_vif_parse(encoded(spec), ret, err), err, key="vif")
    return read(VifSpec, ret)


def parse_cpus(cpus: str) -> frozenset[int]:
    """A list of CPUs, for `Domain.set_affinity`.

    >>> sorted(parse_cpus("0-3,^1"))
    [0, 2, 3]
    """
    ret, err = ffi.new("uint64_t *"), new_error()
    check(lib.pvctl_cpus_parse(encoded(cpus), ret, err), err, key="cpus")
    return bits(ret[0])


def cpus_text(cpus: Iterable[int]) -> str:
    """The other way round.

    >>> cpus_text({3, 0})
    '0,3'
    """
    return ",".join(map(str, sorted(cpus)))
