# SPDX-License-Identifier: MIT
"""What is known of nodes, domains and devices: results of libpvctl, with Python's own types."""
from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, timezone
from enum import IntEnum, IntFlag
from functools import lru_cache
from typing import Any, TypeVar, cast

from ._pvctl import ffi
from .errors import text

T = TypeVar("T")


class _Open(IntEnum):
    """A newer library may have values that this package does not know."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        if not isinstance(value, int):
            return None
        unknown = int.__new__(cls, value)
        unknown._name_ = f"UNKNOWN_{value}"
        unknown._value_ = value
        return unknown


class RunState(_Open):
    RUNNING = 0
    BLOCKED = 1
    PAUSED = 2
    SHUTDOWN = 3
    DYING = 4


class Reason(_Open):
    """Why a domain has shut down; NONE: it has not, or it was destroyed."""
    NONE = -1
    POWEROFF = 0
    REBOOT = 1
    SUSPEND = 2
    CRASH = 3
    WATCHDOG = 4
    SOFT_RESET = 5


class DomainFlags(IntFlag):
    RUNNING = 1
    BLOCKED = 2
    PAUSED = 4
    SHUTDOWN = 8
    DYING = 16
    CRASHED = 32
    KEPT = 64


class EventType(IntFlag):
    CREATED = 1
    SHUTDOWN = 2
    DESTROYED = 4
    PAUSED = 8
    UNPAUSED = 16
    NODE_DOWN = 32
    KEPT = 64
    NODE_SLOW = 128
    NODE_BACK = 256
    RENAMED = 512
    MEMORY = 1024
    VCPUS = 2048
    DEVICE_ATTACHED = 4096
    DEVICE_DETACHED = 8192
    DEVICE_FAILED = 16384
    CONSOLE = 32768
    NODE_UP = 65536
    PRESENT = 131072
    LOST = 262144
    RESUMED = 524288
    DAEMON_RESTARTED = 1048576
    ALL = 2097151


class SaveLeave(_Open):
    """What becomes of a domain that was saved."""
    DESTROY = 0
    PAUSED = 1
    RUNNING = 2
    SUSPENDED = 3


class MigrateEnd(_Open):
    THERE = 0
    HERE = 1
    STUCK = 2
    UNKNOWN = 3


# ---- from C ----
def _utc(ns: int) -> datetime | None:
    return datetime.fromtimestamp(ns / 1e9, timezone.utc) if ns else None


def bits(mask: int) -> frozenset[int]:
    return frozenset(i for i in range(64) if mask >> i & 1)


def mask_of(cpus: Any) -> int:
    mask = 0
    for cpu in cpus:
        if not 0 <= cpu < 64:
            raise ValueError(f"CPU {cpu}: 0 to 63 are possible")
        mask |= 1 << cpu
    return mask


def _mac(octets: Any) -> str:
    return ":".join(f"{octet:02x}" for octet in octets)


def _ns(value: int) -> timedelta:
    return timedelta(microseconds=value / 1000)


def _ms(value: int) -> timedelta:
    return timedelta(milliseconds=value)


def _us(value: int) -> timedelta:
    return timedelta(microseconds=value)


_AS: dict[str, Callable[[Any], Any]] = {
    "str": text, "int": int, "bool": bool, "uuid.UUID": lambda c: uuid.UUID(bytes=bytes(c)),
    "RunState": RunState, "Reason": Reason, "DomainFlags": DomainFlags, "EventType": EventType, "MigrateEnd": MigrateEnd,
    "frozenset[int]": bits, "tuple[int, ...]": tuple, "datetime | None": _utc,
}


def _c(name: str, convert: Callable[[Any], Any] | None = None) -> dict[str, Any]:
    """The member of C that a field is read from, where it has another name, and how."""
    return {"c": name, "as": convert}


@lru_cache(maxsize=None)
def _plan(cls: Any, ctype: str) -> tuple[int, list[tuple[str, Callable[[Any], Any]]]]:
    members = []
    for f in fields(cls):
        convert = f.metadata.get("as") or _AS[str(f.type)]
        members.append((f.metadata.get("c", f.name), convert))
    return ffi.sizeof(ctype), members


def record(cls: type[T], c: Any, struct: str) -> T:
    """A struct of the library's as one of the classes below. What a library that is older did not fill is zero."""
    ctype = "struct " + struct
    whole, members = _plan(cast(Any, cls), ctype)
    if c.size < whole:
        full = ffi.new(ctype + " *")
        ffi.memmove(full, c, c.size)
        c = full
    return cls(*[convert(getattr(c, name)) for name, convert in members])


def result(struct: str) -> Any:
    """For the library to fill."""
    return ffi.new(f"struct {struct} *", {"size": ffi.sizeof(f"struct {struct}")})


# ---- the classes ----
@dataclass(frozen=True, slots=True)
class DomainInfo:
    domid: int
    unique_id: int
    name: str
    uuid: uuid.UUID
    state: RunState
    reason: Reason
    flags: DomainFlags
    cpu_time: timedelta = field(metadata=_c("cpu_ns", _ns))
    memory_bytes: int
    max_memory_bytes: int
    outstanding_bytes: int
    vcpus_online: int
    vcpus_max: int
    created: datetime | None = field(metadata=_c("created_unix_ns"))


@dataclass(frozen=True, slots=True)
class VcpuInfo:
    domid: int
    vcpu: int
    online: bool
    blocked: bool
    running: bool
    cpu: int
    cpu_time: timedelta = field(metadata=_c("cpu_ns", _ns))
    hard_affinity: frozenset[int]
    soft_affinity: frozenset[int]


@dataclass(frozen=True, slots=True)
class NodeInfo:
    name: str
    running: bool
    pid: int
    qemu_pid: int
    memory_bytes: int
    cpus: int
    accel: str
    store_socket: str
    state_dir: str
    uptime: timedelta = field(metadata=_c("uptime_ns", _ns))
    domains: int
    overcommit: bool
    backed_bytes: int
    qemu_resident_bytes: int
    host_available_bytes: int
    silent: timedelta = field(metadata=_c("silent_ns", _ns))
    qemu_confinement: str
    daemon_confinement: str
    spawner_pid: int
    daemon_restarts: int
    daemon_restarted: datetime | None = field(metadata=_c("daemon_restarted_unix_ns"))


@dataclass(frozen=True, slots=True)
class Paths:
    run_base: str
    run_dir: str
    state_dir: str
    cache_dir: str
    daemon: str
    hypervisor: str


@dataclass(frozen=True, slots=True)
class DefinedInfo:
    name: str
    autostart: bool
    order: int
    delay: timedelta = field(metadata=_c("delay_ms", _ms))


@dataclass(frozen=True, slots=True)
class DiskInfo:
    domid: int
    vdev: int
    state: int
    readonly: bool
    cdrom: bool
    event_channel: int
    ring_ref: int
    failed: bool
    size_bytes: int = field(metadata=_c("bytes"))
    name: str
    backend_path: str
    target: str
    format: str
    sector_size_bytes: int = field(metadata=_c("sector_size"))
    reads: int
    writes: int
    flushes: int
    discards: int
    errors: int
    read_sectors: int
    write_sectors: int
    discard_sectors: int


@dataclass(frozen=True, slots=True)
class DiskSpec:
    vdev: int
    sector_size_bytes: int = field(metadata=_c("sector_size"))
    readonly: bool
    cdrom: bool
    no_discard: bool
    direct_io_safe: bool
    untrusted: bool
    name: str
    format: str
    backend: str
    script: str
    target: str


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    domid: int
    devid: int
    state: int
    event_channel: int
    ring_ref: int
    connection: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class VifInfo:
    domid: int
    devid: int
    state: int
    queues: int
    mtu_bytes: int = field(metadata=_c("mtu"))
    tx_event_channel: int
    rx_event_channel: int
    tx_ring_ref: int
    rx_ring_ref: int
    mac: str = field(metadata=_c("mac", _mac))
    link: str
    bridge: str
    backend_path: str
    tx_bytes: int
    tx_packets: int
    tx_drops: int
    tx_gso_packets: int
    rx_bytes: int
    rx_packets: int
    rx_drops: int
    rx_gso_packets: int


@dataclass(frozen=True, slots=True)
class VifSpec:
    devid: int
    mtu_bytes: int = field(metadata=_c("mtu"))
    rate_bytes: int
    rate_interval: timedelta = field(metadata=_c("rate_us", _us))
    trusted: bool
    has_mac: bool
    mac: str = field(metadata=_c("mac", _mac))
    link: str
    bridge: str
    vifname: str
    gatewaydev: str
    script: str
    ip: str


@dataclass(frozen=True, slots=True)
class Ended:
    domid: int
    reason: Reason
    ended: datetime | None = field(metadata=_c("ended_unix_ns"))
    name: str


@dataclass(frozen=True, slots=True)
class Event:
    type: EventType
    domid: int
    reason: Reason
    time: datetime | None = field(metadata=_c("time_unix_ns"))
    name: str
    unique_id: int
    value: int
    state: RunState
    device_kind: str
    device: str
    detail: str


@dataclass(frozen=True, slots=True)
class HostInfo:
    hv_version: str
    hv_extra: str
    hv_caps: str
    hv_compiler: str
    hv_date: str
    hv_changeset: str
    hv_commandline: str
    hv_major: int
    hv_minor: int
    page_size_bytes: int = field(metadata=_c("page_size"))
    virt_start: int
    cpus: int
    max_cpu_id: int
    nodes: int
    cores_per_socket: int
    threads_per_core: int
    cpu_khz: int
    total_bytes: int
    free_bytes: int
    outstanding_bytes: int
    scrub_bytes: int
    hw_cap: tuple[int, ...]
    free_cpu_time: tuple[timedelta, ...] = field(metadata=_c("free_cpu_ns", lambda c: tuple(_ns(value) for value in c)))
    scheduler: str
    reclaimable_bytes: int


@dataclass(frozen=True, slots=True)
class SaveStats:
    written_bytes: int = field(metadata=_c("bytes"))
    pages: int
    zero_pages: int
    total: timedelta = field(metadata=_c("total_ns", _ns))
    pause: timedelta = field(metadata=_c("pause_ns", _ns))
    rounds: int


@dataclass(frozen=True, slots=True)
class RestoreStats:
    read_bytes: int = field(metadata=_c("bytes"))
    pages: int
    total: timedelta = field(metadata=_c("total_ns", _ns))


@dataclass(frozen=True, slots=True)
class MigrateResult:
    end: MigrateEnd
    rounds: int
    sent_bytes: int = field(metadata=_c("bytes"))
    pages: int
    total: timedelta = field(metadata=_c("total_ns", _ns))
    pause: timedelta = field(metadata=_c("pause_ns", _ns))


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    name: str
    description: str
    dir: str
    created: datetime | None = field(metadata=_c("created_unix_ns"))
    size_bytes: int = field(metadata=_c("bytes"))
    disks: int
    warm: bool


@dataclass(frozen=True, slots=True)
class Scheduling:
    """cap_percent of one CPU; 0: none."""
    weight: int
    cap_percent: int


@dataclass(frozen=True, slots=True)
class Progress:
    """total is 0 where nobody knows it."""
    what: str
    done: int
    total: int


#: The struct of each class, for the test that no member is left out.
STRUCTS: dict[type, str] = {
    DomainInfo: "pvctl_domain_info", VcpuInfo: "pvctl_vcpu_info", NodeInfo: "pvctl_node_info", Paths: "pvctl_paths",
    DefinedInfo: "pvctl_defined_info", DiskInfo: "pvctl_disk_info", DiskSpec: "pvctl_disk_spec",
    ChannelInfo: "pvctl_channel_info", VifInfo: "pvctl_vif_info", VifSpec: "pvctl_vif_spec", Ended: "pvctl_ended",
    Event: "pvctl_event", HostInfo: "pvctl_host_info", SaveStats: "pvctl_save_stats", RestoreStats: "pvctl_restore_stats",
    MigrateResult: "pvctl_migrate_result", TemplateInfo: "pvctl_template_info",
}


def read(cls: type[T], c: Any) -> T:
    return record(cls, c, STRUCTS[cls])


def read_list(cls: type[T], c_list: Any, count: Any, at: Any) -> list[T]:
    return [record(cls, at(c_list, i), STRUCTS[cls]) for i in range(count(c_list))]
