# SPDX-License-Identifier: MIT
"""Paravirtualized domains: libpvctl for Python.

>>> import pvctl
>>> def main() -> None:
...     with pvctl.connect() as node:
...         web = node.create(name="web1", kernel="/boot/vmlinuz", memory=256)
...         print(web.info().memory_bytes)
...         web.shutdown()
...         print(web.wait())
"""
from . import images, snapshots, templates
from .aio import Cancel, run
from .boot import Boot, BootEntry
from .config import Config
from .console import Console
from .context import Cloned, Context, Domain, Migrated, Restored, connect
from .errors import (BusyError, CanceledError, ClosedError, ConfigTextError, Error, ExistsError, InputOutputError, InvalidError, Message,
                     NoDomainError, NoMemoryError, NoSpaceError, NotFoundError, NotPermittedError, Origin, ProtocolError, TimedOutError,
                     TooBigError, UnsupportedError, version)
from .events import Events
from .info import (ChannelInfo, CloneStats, CpuidEdit, DefinedInfo, DiskImageInfo, DiskInfo, DiskSpec, DomainFlags, DomainInfo, DumpThen, Ended, Event, EventType, HostInfo, MigrateEnd,
                   MigrateResult, NodeInfo, Paths, Progress, Reason, RestoreStats, RunState, SaveLeave, SaveStats, Scheduling,
                   SnapshotDisk, SnapshotInfo, SnapshotStats, TemplateInfo, VcpuInfo, VifInfo, VifSpec)
from .node import Node, cpus_text, nodes, parse_cpus, parse_disk, parse_vif

__all__ = [
    "Boot", "BootEntry", "BusyError", "Cancel", "CanceledError", "ChannelInfo", "CloneStats", "Cloned", "ClosedError", "Config", "ConfigTextError", "Console",
    "Context", "CpuidEdit", "DefinedInfo", "DiskImageInfo", "DiskInfo", "DiskSpec", "Domain", "DomainFlags", "DomainInfo", "DumpThen", "Ended", "Error", "Event", "EventType",
    "Events", "ExistsError", "HostInfo", "InputOutputError", "InvalidError", "Message", "MigrateEnd", "MigrateResult", "Migrated",
    "NoDomainError", "NoMemoryError", "NoSpaceError", "Node", "NodeInfo", "NotFoundError", "NotPermittedError", "Origin", "Paths",
    "Progress", "ProtocolError", "Reason", "RestoreStats", "Restored", "RunState", "SaveLeave", "SaveStats", "Scheduling",
    "SnapshotDisk", "SnapshotInfo", "SnapshotStats", "TemplateInfo", "TimedOutError", "TooBigError", "UnsupportedError", "VcpuInfo", "VifInfo", "VifSpec", "connect", "cpus_text", "images",
    "nodes", "parse_cpus", "parse_disk", "parse_vif", "run", "snapshots", "templates", "version",
]
