# SPDX-License-Identifier: MIT
"""What is known of nodes, domains and devices: results of libpvctl, with Python's own types."""
from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import IntEnum, IntFlag
from operator import attrgetter
from typing import Any, ClassVar, TypeVar

from ._pvctl import ffi, lib
from .errors import text


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


class DumpThen(_Open):
    """What becomes of a domain whose core was dumped."""
    NOTHING = 0
    CRASH = 1
    RESET = 2


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


class _Member:
    def __init__(self, name: str, convert: Callable[[Any], Any] | None) -> None:
        self.name, self.convert = name, convert


def _c(name: str, convert: Callable[[Any], Any] | None = None) -> Any:
    """The member of C that an attribute is read from, where it has another name, and how."""
    return _Member(name, convert)


R = TypeVar("R", bound="Record")


class _Source:
    """Structs of C, which records are views of. A text is read for all of them when it is asked for first, by one call: whoever asks
    one domain of a list for its name asks the next one, too."""
    __slots__ = ("structs", "keep", "fields", "columns")

    def __init__(self, structs: list[Any], keep: Any, fields: dict[str, tuple[int, int]]) -> None:
        # keep: what the structs are borrowed from
        self.structs = structs
        self.keep = keep
        self.fields = fields
        self.columns: dict[str, list[str]] = {}

    def texts(self, name: str) -> list[str]:
        structs = self.structs
        if len(structs) == 1:
            found = [text(getattr(structs[0], name))]
        else:
            offset, size = self.fields[name]
            n = len(structs)
            into = ffi.new("char[]", n * (size + 1))
            used = lib.pvctl_py_texts(ffi.new("const void *[]", structs), n, offset, size, into)
            found = str(ffi.buffer(into, used - 1), "utf-8", "surrogateescape").split("\0")
        self.columns[name] = found
        return found


class Record:
    """A result of the library's: attributes that cannot be set, each converted when it is asked for, since few of them are."""
    __slots__ = ("_from", "_source", "_i")
    _ctype: ClassVar[str]
    _size: ClassVar[int]
    _pointers: ClassVar[Any]
    _members: ClassVar[dict[str, str]]
    _texts: ClassVar[dict[str, tuple[int, int]]]

    def __init_subclass__(cls, struct: str) -> None:
        cls._ctype = f"struct {struct}"
        cls._size = ffi.sizeof(cls._ctype)
        cls._pointers = ffi.typeof(f"const {cls._ctype} *[]")
        cls._members = {}
        cls._texts = {name: (field.offset, field.type.length) for name, field in ffi.typeof(cls._ctype).fields
                      if field.type.kind == "array"}
        for name, kind in cls.__annotations__.items():
            member = cls.__dict__.get(name) or _Member(name, None)
            cls._members[name] = member.name
            setattr(cls, name, property(_getter(member.name, member.convert or _AS[kind])))

    def __init__(self, c: Any, source: _Source | None = None, i: int = 0) -> None:
        self._from = c
        self._source = source or _Source([c], None, self._texts)
        self._i = i

    @classmethod
    def _all(cls: type[R], structs: list[Any], keep: Any) -> list[R]:
        source = _Source(structs, keep, cls._texts)
        return [cls(c, source, i) for i, c in enumerate(structs)]

    def asdict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._members}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Record) and self.asdict() == other.asdict()

    def __hash__(self) -> int:
        return hash(tuple(self.asdict().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.asdict().items())})"


def _getter(name: str, convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    if convert is text:
        def read_text(record: Record) -> str:
            source = record._source
            return (source.columns.get(name) or source.texts(name))[record._i]
        return read_text
    read_c: Callable[[Any], Any] = attrgetter("_from." + name)
    return read_c if convert is int else lambda self: convert(read_c(self))


def result(struct: str) -> Any:
    """For the library to fill."""
    return ffi.new(f"struct {struct} *", {"size": ffi.sizeof(f"struct {struct}")})


# ---- the classes ----
class DomainInfo(Record, struct="pvctl_domain_info"):
    __slots__ = ()
    domid: int
    unique_id: int
    name: str
    uuid: uuid.UUID
    state: RunState
    reason: Reason
    flags: DomainFlags
    cpu_time: timedelta = _c("cpu_ns", _ns)
    memory_bytes: int
    max_memory_bytes: int
    outstanding_bytes: int
    vcpus_online: int
    vcpus_max: int
    created: datetime | None = _c("created_unix_ns")
    pvh: bool = _c("type", lambda c: c == lib.PVCTL_TYPE_PVH)


class VcpuInfo(Record, struct="pvctl_vcpu_info"):
    __slots__ = ()
    domid: int
    vcpu: int
    online: bool
    blocked: bool
    running: bool
    cpu: int
    cpu_time: timedelta = _c("cpu_ns", _ns)
    hard_affinity: frozenset[int]
    soft_affinity: frozenset[int]


class NodeInfo(Record, struct="pvctl_node_info"):
    __slots__ = ()
    name: str
    running: bool
    pid: int
    qemu_pid: int
    memory_bytes: int
    cpus: int
    accel: str
    store_socket: str
    state_dir: str
    uptime: timedelta = _c("uptime_ns", _ns)
    domains: int
    overcommit: bool
    backed_bytes: int
    qemu_resident_bytes: int
    host_available_bytes: int
    silent: timedelta = _c("silent_ns", _ns)
    qemu_confinement: str
    daemon_confinement: str
    spawner_pid: int
    daemon_restarts: int
    daemon_restarted: datetime | None = _c("daemon_restarted_unix_ns")


class Paths(Record, struct="pvctl_paths"):
    __slots__ = ()
    run_base: str
    run_dir: str
    state_dir: str
    cache_dir: str
    daemon: str
    hypervisor: str


class DefinedInfo(Record, struct="pvctl_defined_info"):
    __slots__ = ()
    name: str
    autostart: bool
    order: int
    delay: timedelta = _c("delay_ms", _ms)


class DiskInfo(Record, struct="pvctl_disk_info"):
    __slots__ = ()
    domid: int
    vdev: int
    state: int
    readonly: bool
    cdrom: bool
    event_channel: int
    ring_ref: int
    failed: bool
    size_bytes: int = _c("bytes")
    name: str
    backend_path: str
    target: str
    format: str
    sector_size_bytes: int = _c("sector_size")
    reads: int
    writes: int
    flushes: int
    discards: int
    errors: int
    read_sectors: int
    write_sectors: int
    discard_sectors: int


class CpuidEdit(Record, struct="pvctl_cpuid_edit"):
    """What a configuration changes of one register: bits that are to be 1, and to be 0."""
    __slots__ = ()
    leaf: int
    subleaf: int
    reg: int  #: 0 eax, 1 ebx, 2 ecx, 3 edx
    set_bits: int = _c("set")
    clear_bits: int = _c("clear")


class DiskSpec(Record, struct="pvctl_disk_spec"):
    __slots__ = ()
    vdev: int
    sector_size_bytes: int = _c("sector_size")
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


class ChannelInfo(Record, struct="pvctl_channel_info"):
    __slots__ = ()
    domid: int
    devid: int
    state: int
    event_channel: int
    ring_ref: int
    connection: str
    name: str
    path: str


class VifInfo(Record, struct="pvctl_vif_info"):
    __slots__ = ()
    domid: int
    devid: int
    state: int
    queues: int
    mtu_bytes: int = _c("mtu")
    tx_event_channel: int
    rx_event_channel: int
    tx_ring_ref: int
    rx_ring_ref: int
    mac: str = _c("mac", _mac)
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


class VifSpec(Record, struct="pvctl_vif_spec"):
    __slots__ = ()
    devid: int
    mtu_bytes: int = _c("mtu")
    rate_bytes: int
    rate_interval: timedelta = _c("rate_us", _us)
    trusted: bool
    has_mac: bool
    mac: str = _c("mac", _mac)
    link: str
    bridge: str
    vifname: str
    gatewaydev: str
    script: str
    ip: str


class Ended(Record, struct="pvctl_ended"):
    __slots__ = ()
    domid: int
    reason: Reason
    ended: datetime | None = _c("ended_unix_ns")
    name: str


class Event(Record, struct="pvctl_event"):
    __slots__ = ()
    type: EventType
    domid: int
    reason: Reason
    time: datetime | None = _c("time_unix_ns")
    name: str
    unique_id: int
    value: int
    state: RunState
    device_kind: str
    device: str
    detail: str


class HostInfo(Record, struct="pvctl_host_info"):
    __slots__ = ()
    hv_version: str
    hv_extra: str
    hv_caps: str
    hv_compiler: str
    hv_date: str
    hv_changeset: str
    hv_commandline: str
    hv_major: int
    hv_minor: int
    page_size_bytes: int = _c("page_size")
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
    free_cpu_time: tuple[timedelta, ...] = _c("free_cpu_ns", lambda c: tuple(_ns(value) for value in c))
    scheduler: str
    reclaimable_bytes: int
    pvh: bool = _c("virt_caps", lambda c: c & lib.PVCTL_VIRT_HVM != 0 and c & lib.PVCTL_VIRT_HAP != 0)


class SaveStats(Record, struct="pvctl_save_stats"):
    __slots__ = ()
    written_bytes: int = _c("bytes")
    pages: int
    zero_pages: int
    total: timedelta = _c("total_ns", _ns)
    pause: timedelta = _c("pause_ns", _ns)
    rounds: int


class RestoreStats(Record, struct="pvctl_restore_stats"):
    __slots__ = ()
    read_bytes: int = _c("bytes")
    pages: int
    total: timedelta = _c("total_ns", _ns)


class MigrateResult(Record, struct="pvctl_migrate_result"):
    __slots__ = ()
    end: MigrateEnd
    rounds: int
    sent_bytes: int = _c("bytes")
    pages: int
    total: timedelta = _c("total_ns", _ns)
    pause: timedelta = _c("pause_ns", _ns)


class TemplateInfo(Record, struct="pvctl_template_info"):
    __slots__ = ()
    name: str
    description: str
    dir: str
    created: datetime | None = _c("created_unix_ns")
    size_bytes: int = _c("bytes")
    disks: int
    warm: bool


class SnapshotInfo(Record, struct="pvctl_snapshot_info"):
    """memory_bytes: of the file that has its memory; disk_bytes: that its disks' files take on the host."""
    __slots__ = ()
    domain: str
    name: str
    description: str
    created: datetime | None = _c("created_unix_ns")
    has_memory: bool
    memory_bytes: int
    disk_bytes: int
    disks: int


class SnapshotDisk(Record, struct="pvctl_snapshot_disk_info"):
    """file: what the disk was then; disk: what the domain writes, which is based on it (overlay) or has a copy in it."""
    __slots__ = ()
    vdev: str
    format: str
    size_bytes: int = _c("bytes")
    allocated_bytes: int
    overlay: bool
    file: str
    disk: str


class SnapshotStats(Record, struct="pvctl_snapshot_stats"):
    __slots__ = ()
    name: str
    total: timedelta = _c("total_ns", _ns)
    pause: timedelta = _c("pause_ns", _ns)
    state_bytes: int = _c("bytes")
    rounds: int


class DiskImageInfo(Record, struct="pvctl_disk_image_info"):
    """base: what it is based on; "": nothing."""
    __slots__ = ()
    size_bytes: int = _c("bytes")
    allocated_bytes: int
    is_device: bool
    format: str
    base: str


class CloneStats(Record, struct="pvctl_clone_stats"):
    __slots__ = ()
    total: timedelta = _c("total_ns", _ns)
    pause: timedelta = _c("pause_ns", _ns)
    state_bytes: int = _c("bytes")
    restore: timedelta = _c("restore_ns", _ns)
    rounds: int


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


def read(cls: type[R], c: Any) -> R:
    """c is its own from now on."""
    return cls(_whole(cls, c))


def _whole(cls: type[R], c: Any) -> Any:
    """What an older library did not fill is zero."""
    if c.size >= cls._size:
        return c
    full = ffi.new(cls._ctype + " *")
    ffi.memmove(full, c, c.size)
    return full


def read_list(cls: type[R], c_list: Any, count: Any, at: Any, free: Any) -> list[R]:
    """Takes the list: it is freed when the last of the records is gone."""
    keep = ffi.gc(c_list, free)
    n = count(c_list)
    if not n:
        return []
    if at(c_list, 0).size < cls._size:
        return cls._all([_whole(cls, at(c_list, i)) for i in range(n)], keep)
    into = ffi.new(cls._pointers, n)
    getattr(lib, "pvctl_py_" + cls._ctype[7:])(c_list, into, n)
    return cls._all(ffi.unpack(into, n), keep)
