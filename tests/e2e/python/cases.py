#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cases.py NAME: one test of the Python binding against the node that 85-python.t has started. Fails by an exception."""
import asyncio
import errno
import faulthandler
import gc
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from datetime import datetime, timedelta, timezone

import pvctl

O, W = os.environ["O"], os.environ["W"]
LINUX = {"kernel": os.environ["KERNEL"], "ramdisk": os.environ["RAMDISK"], "memory": 96, "cmdline": "console=hvc0 quiet"}
PATIENCE = timedelta(seconds=120)
MIB = 1 << 20


def stub(name, **more):
    """A tiny guest that spins until it is destroyed."""
    return pvctl.Config({"kernel": f"{O}/guests/shutdown.elf", "memory": 4, "cmdline": "reason=8", **more}, name=name)


def keeper(name, rounds=9, memory=8):
    """A tiny guest that suspends when it is asked to."""
    return pvctl.Config(name=name, kernel=f"{O}/guests/save-self.elf", memory=memory, cmdline=f"asked rounds={rounds}",
                        on_poweroff="destroy", on_crash="destroy")


RAISED = set()


def refused(exception, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except exception as e:
        assert type(e) is exception, f"{type(e)}: {e}"
        RAISED.add(exception)
        return e
    raise AssertionError(f"{exception.__name__} was not raised")


def console_has(domain, text, console=None):
    console = console or domain.console()
    seen = b""
    console.settimeout(PATIENCE.total_seconds())
    while text.encode() not in seen:
        part = console.read(4096)
        assert part, f"the console ended: {seen[-300:]!r}"
        seen += part
    return console


def eventually(condition):
    end = time.monotonic() + PATIENCE.total_seconds()
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def freed(function, *args):
    """The qemu-nbd of a domain that is gone may have the disk yet."""
    try:
        function(*args)
    except pvctl.BusyError:
        return False
    return True


def case_members():
    """No member of a struct is left out, but what says nothing."""
    from pvctl._pvctl import ffi
    from pvctl.info import Record
    assert len(Record.__subclasses__()) == 23
    for cls in Record.__subclasses__():
        there = {name for name, _ in ffi.typeof(cls._ctype).fields}
        taken = set(cls._members.values())
        assert there - taken <= {"size", "pad", "pad2"} and taken <= there, (cls, there ^ taken)
    enums = open(os.environ["HEADER"]).read()
    for cls, prefix in ((pvctl.EventType, "EVENT"), (pvctl.RunState, "STATE"), (pvctl.Reason, "REASON"), (pvctl.SaveLeave, "SAVE"),
                        (pvctl.MigrateEnd, "MIGRATE"), (pvctl.DumpThen, "DUMP"), (pvctl.Origin, "ORIGIN")):
        in_c = {n: int(v) for n, v in re.findall(rf"\bPVCTL_{prefix}_(\w+) = (-?\d+)", enums)}
        ours = {m.name: int(m) for m in cls.__members__.values() if m.name != "ALL"}
        assert in_c == ours and in_c, (cls, in_c, ours)


def case_life():
    with pvctl.connect() as node:
        assert node.host().total_bytes > 64 * MIB and node.host().page_size_bytes == 4096
        before = datetime.now(timezone.utc)
        d = node.create(LINUX, name="py-life", paused=True)
        info = d.info()
        assert (info.name, info.state, info.reason) == ("py-life", pvctl.RunState.PAUSED, pvctl.Reason.NONE), info
        assert info.max_memory_bytes >= 96 * MIB and info.created - before < timedelta(hours=1)
        assert node.domain("py-life").domid == d.domid and [i for i in node.domains() if i.domid == d.domid] == [d.info()]
        assert node.domains()[0].domid == 0 and d.config["memory"] == 96 and str(info.uuid) == d.config["uuid"]
        d.unpause()
        console_has(d, "guest-init: up").close()
        d.pause()
        assert d.info().state == pvctl.RunState.PAUSED and pvctl.DomainFlags.PAUSED in d.info().flags
        d.unpause()
        d.rename("py-lives")
        assert d.info().name == "py-lives"
        changed = d.config.copy()
        changed["memory"] = 128
        d.config = changed
        assert d.config["memory"] == 128
        assert d.scheduling.weight == 256
        d.set_scheduling(weight=512, cap_percent=50)
        assert d.scheduling == pvctl.Scheduling(512, 50)
        assert [v.vcpu for v in d.vcpus()] == [0] and d.vcpus()[0].online
        d.set_affinity(0, hard={0})
        assert d.vcpus()[0].hard_affinity == {0}
        node.store_write(f"/local/domain/{d.domid}/data/py", b"a\0b")
        assert node.store_read(f"/local/domain/{d.domid}/data/py") == b"a\0b"
        node.store_rm(f"/local/domain/{d.domid}/data/py")
        refused(pvctl.NotFoundError, node.store_read, f"/local/domain/{d.domid}/data/py")
        assert "d0" in node.dmesg() or node.dmesg()
        d.sysrq("h")
        d.shutdown()
        assert d.wait(PATIENCE) == pvctl.Reason.POWEROFF
        eventually(lambda: "py-lives" not in [i.name for i in node.domains()])
        assert node.ended("py-lives").reason == pvctl.Reason.POWEROFF and node.ended(d.domid).name == "py-lives"


def case_devices():
    disk = f"{W}/py-disk.img"
    with open(disk, "wb") as f:
        f.truncate(4 * MIB)
    with pvctl.connect() as node:
        d = node.create(LINUX, name="py-devices", channel=["connection=socket,name=agent,path=" + f"{W}/py-agent"], vif=[""])
        d.attach_disk(f"{disk},raw,xvdb,rw")
        seen = d.disks()[0]
        assert (seen.name, seen.size_bytes, seen.readonly, seen.format, seen.target) == ("xvdb", 4 * MIB, False, "raw", disk), seen
        assert refused(pvctl.ExistsError, d.attach_disk, f"{disk},raw,xvdb,rw").domain == d.domid
        assert d.resize_disk("xvdb", 8 * MIB) == 8 * MIB == d.disks()[0].size_bytes
        refused(pvctl.InvalidError, d.resize_disk, "xvdb", MIB)
        d.detach_disk("xvdb", force=True)
        assert d.disks() == []
        assert [c.name for c in d.channels()] == ["agent"]
        vif = d.vifs()[0]
        assert re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}", vif.mac) and vif.devid == 0, vif
        d.detach_vif("0", force=True)
        d.attach_vif("mac=00:16:3e:00:00:77")
        assert [v.mac for v in d.vifs()] == ["00:16:3e:00:00:77"]
        refused(pvctl.InvalidError, d.attach_vif, "mac=nonsense")
        d.destroy()


def case_resize():
    with pvctl.connect() as node:
        d = node.create(LINUX, name="py-resize", maxmem=192, memory=128, vcpus=1, maxvcpus=2)
        console_has(d, "guest-init: up").close()
        d.set_memory_target(96 * MIB)
        d.wait_memory(96 * MIB, PATIENCE)
        assert abs(d.info().memory_bytes - 96 * MIB) <= MIB
        d.set_memory_max(160 * MIB)
        e = refused(pvctl.InvalidError, d.set_memory_target, 1024 * MIB)
        assert e.domain == d.domid and e.key == "memory" and e.message
        refused(pvctl.InvalidError, d.set_vcpus, 3)
        d.set_vcpus(2)
        eventually(lambda: d.info().vcpus_online == 2)
        d.destroy(d.info().unique_id)


def case_console():
    with pvctl.connect() as node:
        d = node.create(LINUX, name="py-console")
        with console_has(d, "guest-init: up") as console:
            assert isinstance(console, io.RawIOBase) and console.readable() and console.fileno() >= 0
            d.shutdown()
            while console.read(4096):
                pass
        refused(pvctl.ClosedError, console.fileno)

        async def later():
            reader, writer = await d.console().streams()
            text = await asyncio.wait_for(reader.read(), PATIENCE.total_seconds())
            writer.close()
            return text
        assert b"guest-init: up" in asyncio.run(later())
        assert d.console(0).read(100) == b""


def case_errors():
    with pvctl.connect() as node:
        refused(pvctl.NoDomainError, node.domain(9999).info)
        assert refused(pvctl.NoDomainError, node.domain, "py-none").domain == "py-none"
        assert refused(pvctl.NotFoundError, pvctl.connect, "py-no-such-node").errno == errno.ENOENT
        assert refused(pvctl.NotFoundError, node.create, name="x", memory=8, kernel="/no/such/kernel").domain == "x"
        first = node.create(stub("py-errors"))
        e = refused(pvctl.ExistsError, node.create, stub("py-errors"))
        assert e.domain == "py-errors" and isinstance(e, FileExistsError) and isinstance(e, OSError)
        refused(pvctl.TimedOutError, first.wait, timedelta(milliseconds=20))
        refused(pvctl.NoMemoryError, node.create, stub("py-large", memory=100000))
        first.pause()
        refused(pvctl.BusyError, first.save, f"{W}/py-none.save")
        assert not os.path.exists(f"{W}/py-none.save") and not [n for n in os.listdir(W) if "partial" in n]
        first.destroy()
        with open(f"{W}/py-text", "w") as f:
            f.write("this is a text file, and no domain was ever in it, whatever one does\n")
        refused(pvctl.ProtocolError, node.restore, f"{W}/py-text")
        refused(pvctl.UnsupportedError, pvctl.Config, {"vfb": ["vnc=1"]})
        assert refused(pvctl.InvalidError, pvctl.Config, memory=-1).key == "memory"
        refused(pvctl.InvalidError, pvctl.Config, name="a\0b")
        refused(TypeError, pvctl.Config, memory=1.5)
        refused(pvctl.TooBigError, pvctl.Config.from_text, "#" * (1 << 20) + "##")
        d = node.create(keeper("py-full"))
        console_has(d, "READY 1").close()
        with open("/dev/full", "wb") as full:
            refused(pvctl.NoSpaceError, d.save, full.fileno())
        d.destroy()
        time.sleep(0.2)  # what was told less than a tenth of a second before is not told again
        with pvctl.Cancel() as stop:
            refused(pvctl.CanceledError, node.create, stub("py-canceled"), progress=lambda p: stop.cancel())
    # A directory in which another user could put his own node.
    own = os.environ["PVCTL_RUN_DIR"]
    with tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o777)
        os.environ["PVCTL_RUN_DIR"] = open_to_all
        refused(pvctl.NotPermittedError, pvctl.Node().paths)
        os.environ["PVCTL_RUN_DIR"] = own
    # A node that goes under who is connected.
    ends = pvctl.Node("py-ends")
    ends.start(memory_bytes=64 * MIB, cpus=1, daemon=f"{O}/pvctld/pvctld", hypervisor=f"{O}/xen-like-hv.elf")
    with ends.connect() as node:
        ends.stop()
        refused(pvctl.InputOutputError, node.host)
    for code, cls in pvctl.errors._CLASSES.items():
        assert cls in RAISED and issubclass(cls, pvctl.Error) and cls(code, "m").errno == code, cls


def case_config():
    text = 'name = "web"\nmemory = 64\ndisk = [ "/a,raw,xvda,w",\n  "/b,raw,xvdb,w" ]\nnmae = 1\n'
    said = []
    config = pvctl.Config.from_text(text, file="web.cfg", messages=said)
    assert dict(config) == {"name": "web", "memory": 64, "disk": ["/a,raw,xvda,w", "/b,raw,xvdb,w"]}, dict(config)
    assert [(m.level, m.file, m.line, m.column) for m in said] == [(1, "web.cfg", 5, 1)] and said[0].hint
    try:
        pvctl.Config.from_text(text, file="web.cfg", strict=True)
        raise AssertionError("not refused")
    except pvctl.ConfigTextError as e:
        assert (e.file, e.line, e.column, e.key) == ("web.cfg", 5, 1, "nmae") and e.messages and str(e).startswith("web.cfg:5:1: ")
    with open(f"{W}/py.cfg", "w") as f:
        f.write('name = "f"\nmemory = 4\n  vcpus = "several"\n')
    try:
        pvctl.Config.from_file(f"{W}/py.cfg")
        raise AssertionError("not refused")
    except pvctl.ConfigTextError as e:
        assert (e.file, e.line, e.column, e.key) == (f"{W}/py.cfg", 3, 11, "vcpus"), (e.file, e.line, e.column, e.key)
    # Each key that the library has, from text, mapping and JSON alike.
    for example in sorted(os.listdir("config/examples")):
        if example.endswith(".cfg"):
            whole = pvctl.Config.from_file(os.path.join("config/examples", example), strict=True)
            assert pvctl.Config.from_xml(whole.to_xml())["name"] == whole["name"], example
            assert dict(pvctl.Config(whole)) == dict(whole) == dict(pvctl.Config.from_json(whole.to_json())), example
    with pvctl.connect() as node:
        node.check(stub("py-check"))
        stub("py-check").check()
        refused(pvctl.NotFoundError, node.check, pvctl.Config(name="a", memory=4, kernel="/no/such"))


def case_defined():
    node = pvctl.Node()
    node.define(stub("py-defined"))
    node.set_autostart("py-defined", True, order=5, delay=timedelta(seconds=2))
    assert [(d.name, d.autostart, d.order, d.delay) for d in node.defined()] == [("py-defined", True, 5, timedelta(seconds=2))]
    assert node.definition("py-defined")["memory"] == 4
    node.undefine("py-defined")
    refused(pvctl.NotFoundError, node.undefine, "py-defined")
    assert "default" in [n.name for n in pvctl.nodes() if n.running] and node.info().name == "default"
    assert node.paths().state_dir == node.info().state_dir and node.info().uptime > timedelta(0)
    refused(pvctl.ExistsError, node.start)


def case_templates():
    disk = f"{W}/py-template.img"
    with open(disk, "wb") as f:
        f.truncate(MIB)
    seen = []
    with pvctl.connect() as node:
        pvctl.templates.make("py-t", stub("py-original", disk=[f"{disk},raw,xvda,rw"]), description="a test", context=node, progress=seen.append)
        assert pvctl.templates.get("py-t").description == "a test" and [t.name for t in pvctl.templates.all()] == ["py-t"]
        assert pvctl.templates.config("py-t")["memory"] == 4
        pvctl.templates.verify("py-t")
        pvctl.templates.export("py-t", W)
        pvctl.templates.import_(f"{W}/py-t", "py-u")
        d = node.create_from_template("py-t", name="py-copy")
        assert d.config["name"] == "py-copy" and [x.name for x in d.disks()] == ["xvda"]
        refused(pvctl.BusyError, pvctl.templates.delete, "py-t")
        d = node.reinstall("py-copy")
        assert d is not None and d.info().name == "py-copy"
        d.destroy()
    pvctl.Node().undefine("py-copy")
    pvctl.templates.remove_disks("py-copy")
    for name in "py-t", "py-u":
        pvctl.templates.delete(name)
    refused(pvctl.NotFoundError, pvctl.templates.get, "py-t")


def case_images():
    disk = f"{W}/py-image.img"
    with open(disk, "wb") as f:
        f.truncate(4 * MIB)
    assert pvctl.images.get(disk).size_bytes == 4 * MIB and pvctl.images.get(disk).format == "raw"
    pvctl.images.resize(disk, 8 * MIB)
    refused(pvctl.InvalidError, pvctl.images.resize, disk, 4 * MIB)
    pvctl.images.resize(disk, 2 * MIB, format="raw", shrink=True)
    pvctl.images.copy(disk, f"{W}/py-image2.img", progress=lambda p: None)
    assert pvctl.images.get(f"{W}/py-image2.img").size_bytes == 2 * MIB
    refused(pvctl.ExistsError, pvctl.images.copy, disk, f"{W}/py-image2.img")
    refused(pvctl.NotFoundError, pvctl.images.get, f"{W}/py-none.img")
    if shutil.which("qemu-img"):
        flattened(f"{W}/py-base.qcow2")


def flattened(base):
    def qemu(*args):
        subprocess.run(args, check=True, stdout=subprocess.DEVNULL)

    def overlay(name):
        pvctl.images.copy(base, f"{W}/{name}.qcow2", format="qcow2", overlay=True)
        assert pvctl.images.get(f"{W}/{name}.qcow2", "qcow2").base == base
        return f"{W}/{name}.qcow2"
    whole = ("qemu-io", "-f", "qcow2", "-c", "read -P 5 0 1M")
    qemu("qemu-img", "create", "-q", "-f", "qcow2", base, "4M")
    qemu("qemu-io", "-f", "qcow2", "-c", "write -P 5 0 1M", base)
    # It may have been all done when that was asked: nothing is lost either way.
    stopped, stop = overlay("py-stopped"), pvctl.Cancel()
    with stop:
        refused(pvctl.CanceledError, pvctl.images.flatten, stopped, progress=lambda p: stop.cancel())
    qemu(*whole, stopped)
    flat, seen = overlay("py-flat"), []
    pvctl.images.flatten(flat, progress=seen.append)
    assert seen and pvctl.images.get(flat, "qcow2").base == ""
    os.unlink(base)
    qemu(*whole, flat)
    assert refused(pvctl.NotFoundError, pvctl.images.flatten, base).key == base


def case_limits():
    """What an administrator sets, and a core for a debugger."""
    with pvctl.connect() as node:
        d = node.create(stub("py-limits", on_crash="preserve"), paused=True)
        pages, most = d.grants()
        assert 0 <= pages <= most and most
        limit, own, used = d.store_quotas()["nodes"]
        assert limit == own and used
        d.set_store_quota("nodes", limit - 1)
        assert d.store_quotas()["nodes"][:2] == (limit - 1, own)
        d.set_store_quota("nodes", 0)
        assert d.store_quotas()["nodes"][0] == own
        e = refused(pvctl.InvalidError, d.set_store_quota, "noodles", 1)
        assert (e.domain, e.key) == (d.domid, "noodles"), (e.domain, e.key)
        node.set_parameter("guest_lines", 100)
        assert refused(pvctl.NotFoundError, node.set_parameter, "nonsense", 1).key == "nonsense"
        with open(f"{W}/py.core", "w+b") as core:
            stop = pvctl.Cancel()
            time.sleep(0.2)
            with stop:
                refused(pvctl.CanceledError, d.dump_core, core.fileno(), progress=lambda p: stop.cancel())
            core.seek(0)
            core.truncate()
            d.dump_core(core.fileno(), then=pvctl.DumpThen.CRASH)
            core.seek(0)
            assert core.read(4) == b"\x7fELF" and core.seek(0, 2) > 3 * MIB
        assert d.wait(PATIENCE) == pvctl.Reason.CRASH
        d.destroy()


def case_snapshots():
    with pvctl.connect() as node:
        d = node.create(LINUX, name="py-snap")
        console_has(d, "guest-init: up").close()
        made = pvctl.snapshots.create(d, "one", description="a test")
        assert made.name == "one" and made.state_bytes > MIB and made.pause < made.total
        refused(pvctl.ExistsError, pvctl.snapshots.create, d, "one")
        refused(pvctl.InvalidError, pvctl.snapshots.create, d, memory=False)
        info = pvctl.snapshots.get("py-snap", "one")
        assert info.description == "a test" and info.has_memory and pvctl.snapshots.all("py-snap") == [info]
        assert pvctl.snapshots.disks("py-snap", "one") == [] and pvctl.snapshots.config("py-snap", "one")["memory"] == 96
        pvctl.snapshots.verify("py-snap", "one")
        back = pvctl.snapshots.revert(node, "py-snap", "one", paused=True)
        assert back is not None and back.domid != d.domid and back.info().state == pvctl.RunState.PAUSED
        back.destroy()
        pvctl.snapshots.delete("py-snap", "one")
        e = refused(pvctl.NotFoundError, pvctl.snapshots.get, "py-snap", "one")
        assert (e.domain, e.key) == ("py-snap", "one"), (e.domain, e.key)
        assert pvctl.snapshots.all() == []
    e = refused(pvctl.NotFoundError, pvctl.snapshots.create_stopped, "py-snap", "one")
    assert (e.domain, e.key) == ("py-snap", "one"), (e.domain, e.key)
    if shutil.which("qemu-img"):
        stopped(f"{W}/py-stopped.qcow2")


def stopped(disk):
    subprocess.run(("qemu-img", "create", "-q", "-f", "qcow2", disk, "4M"), check=True)
    node, said = pvctl.Node(), []
    node.define(stub("py-stopped", disk=[f"{disk},qcow2,xvda,w"]))
    assert pvctl.snapshots.create_stopped("py-stopped", "one", description="a test", say=said.append).name == "one" and disk in said[0]
    refused(pvctl.ExistsError, pvctl.snapshots.create_stopped, "py-stopped", "one")
    assert not pvctl.snapshots.get("py-stopped", "one").has_memory and pvctl.snapshots.disks("py-stopped", "one")[0].disk == disk
    with pvctl.connect() as context:
        assert pvctl.snapshots.revert(context, "py-stopped", "one") is None
        d = context.create(node.definition("py-stopped"))
        refused(pvctl.BusyError, pvctl.snapshots.create_stopped, "py-stopped", "two")
        d.destroy()
    eventually(lambda: freed(pvctl.snapshots.delete, "py-stopped", "one"))
    node.undefine("py-stopped")


def case_clone():
    with pvctl.connect() as node:
        d = node.create(keeper("py-clone"))
        console_has(d, "READY 1").close()
        copies, stats = d.clone("py-copy", 2, paused=True)
        assert sorted(c.info().name for c in copies) == ["py-copy-1", "py-copy-2"] and stats.total >= stats.pause
        assert len({str(c.info().uuid) for c in copies + [d]}) == 3
        refused(pvctl.ExistsError, d.clone, "py-copy", 2)
        for c in copies + [d]:
            c.destroy()


def case_boot():
    disk = f"{W}/py-empty.img"
    with open(disk, "wb") as f:
        f.truncate(MIB)
    e = refused(pvctl.InvalidError if os.environ.get("BOOT") == "inval" else pvctl.NotFoundError, pvctl.Boot, disk)
    assert e.message
    if os.environ.get("BOOT_DISK"):
        with pvctl.Boot(os.environ["BOOT_DISK"]) as boot:
            with boot.kernel() as kernel:
                assert kernel.read(4) == b"\x7fELF" and boot.ramdisk() is None
            assert boot.entries[boot.chosen].kernel
        refused(pvctl.ClosedError, boot.kernel)


def case_closed():
    node = pvctl.connect()
    d, events = node.create(stub("py-closed")), node.events()
    node.close()
    node.close()
    for function in (node.domains, d.info, node.host, node.events, node.dmesg, lambda: node.create(stub("py-x")), lambda: node.domain("x"),
                     lambda: d.save(f"{W}/py-closed.save"), lambda: d.migrate_send(*os.pipe()), lambda: node.restore("/dev/null")):
        refused(pvctl.ClosedError, function)
    assert node.closed and not [n for n in os.listdir(W) if "partial" in n or "py-closed.save" in n]
    events.poll()
    events.close()
    events.close()
    for function in events.poll, events.fileno, lambda: next(events):
        refused(pvctl.ClosedError, function)
    config = stub("py-x")
    with pvctl.connect() as node:
        config.close()
        for function in config.to_json, config.check, lambda: config["name"], lambda: node.create(config):
            refused(pvctl.ClosedError, function)
        # Who waits in another thread is told.
        events, told = node.events(pvctl.EventType.CREATED), []

        def wait():
            try:
                next(events)
            except pvctl.ClosedError:
                told.append(True)
        waiter = threading.Thread(target=wait)
        waiter.start()
        time.sleep(0.2)
        events.close()
        waiter.join(30)
        assert told

        async def wait_too():
            events = node.events(pvctl.EventType.CREATED)
            asyncio.get_running_loop().call_later(0.1, events.close)
            try:
                await asyncio.wait_for(events.__anext__(), 30)
            except pvctl.ClosedError:
                return True
        assert asyncio.run(wait_too())
        child = os.fork()
        if child == 0:
            try:
                node.host()
                os._exit(1)
            except pvctl.ClosedError:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        node.domain("py-closed").destroy()
    # What C calls may not use the context that works; what it raises cancels.
    with pvctl.connect() as node:
        d = node.create(keeper("py-inside"))

        def meddle(progress):
            node.domains()
        refused(RuntimeError, d.wait, PATIENCE, progress=meddle)
        d.destroy()
        # The end of the scope is the end of the handle.
        gc.collect()
        fds = len(os.listdir("/proc/self/fd"))
        pvctl.connect().events()
        gc.collect()
        assert len(os.listdir("/proc/self/fd")) == fds


def case_events():
    """Creations and ends of many domains, each told once, in order, to a reader in another thread and to one of asyncio."""
    count = int(os.environ.get("EVENT_ROUNDS", "300"))
    wanted = pvctl.EventType.CREATED | pvctl.EventType.DESTROYED | pvctl.EventType.LOST
    told, awaited = [], []
    with pvctl.connect() as node:
        events, more = node.events(wanted), node.events(wanted)

        def reader(into):
            for e in events:
                into.append((e.type, e.name, e.unique_id))
                if len(into) == 2 * count:
                    return

        def make():
            for i in range(count):
                node.create(stub(f"py-ev-{i}"), paused=bool(i & 1)).destroy()

        async def both():
            async def read():
                async for e in more:
                    awaited.append((e.type, e.name, e.unique_id))
                    if len(awaited) == 2 * count:
                        break
            await asyncio.gather(pvctl.run(make), read())
        thread = threading.Thread(target=reader, args=(told,))
        thread.start()
        asyncio.run(asyncio.wait_for(both(), 800))
        thread.join(60)
        events.close()
        more.close()
    expected = [(t, f"py-ev-{i}") for i in range(count) for t in (pvctl.EventType.CREATED, pvctl.EventType.DESTROYED)]
    assert [e[:2] for e in told] == expected, [e for e in zip(told, expected) if e[0][:2] != e[1]][:3]
    assert told == awaited and len({e[2] for e in told}) == count
    assert all(told[i][2] == told[i + 1][2] for i in range(0, 2 * count, 2))


def case_threads():
    """Eight threads with contexts of their own, and one context that four threads share."""
    wrong = []

    def work(i, node):
        try:
            for j in range(3):
                d = node.create(stub(f"py-th-{i}-{j}"))
                assert d.info().name == f"py-th-{i}-{j}" == d.config["name"]
                assert d.domid in [x.domid for x in node.domains()]
                d.destroy()
        except BaseException as e:
            wrong.append(e)

    def own(i):
        with pvctl.connect() as node:
            work(i, node)
    with pvctl.connect() as shared:
        threads = [threading.Thread(target=own, args=(i,)) for i in range(8)]
        threads += [threading.Thread(target=work, args=(i, shared)) for i in range(8, 12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not wrong, wrong
        assert not [i for i in shared.domains() if i.name.startswith("py-th")]


def case_gil():
    """Another thread runs on while one waits in C."""
    with pvctl.connect() as node:
        d = node.create(stub("py-gil"))
        steps, done = 0, threading.Event()
        waiter = threading.Thread(target=lambda: (d.wait(PATIENCE), done.set()))
        waiter.start()
        with pvctl.connect() as other:
            for steps in range(5):
                assert other.domain("py-gil").domid == d.domid
            assert not done.is_set()
            other.domain("py-gil").destroy()
        waiter.join(PATIENCE.total_seconds())
        assert done.is_set()


def case_save():
    path = f"{W}/py.save"
    with pvctl.connect() as node:
        d = node.create(keeper("py-save", memory=32))
        console_has(d, "READY 1").close()
        unique = d.info().unique_id
        seen = []
        stats = d.save(path, live=True, keep_domid=True, progress=seen.append)
        number = d.domid
        assert stats.written_bytes == os.path.getsize(path) and stats.pages >= 32 * 256 and stats.pause <= stats.total
        assert seen and seen[0].what == "save" and os.stat(path).st_mode & 0o777 == 0o600
        refused(pvctl.NoDomainError, node.domain, "py-save")
        ready, back = [], []
        restored = node.restore(path, name="py-back", ready=ready.append, progress=back.append)
        d = restored.domain
        assert ready == [d.domid] == [number] and restored.stats.pages and d.info().name == "py-back" and d.info().unique_id != unique
        console_has(d, "READY 2").close()

        # What is raised in the midst of it is raised here, and the domain goes on.
        class Enough(Exception):
            pass

        def enough(*args):
            raise Enough
        time.sleep(0.2)  # progress is told ten times a second, and at once after that
        refused(Enough, d.save, path + "2", progress=enough)
        console_has(d, "READY 3" if "BACK 2" in tail(d) else "READY 2").close()
        with open(f"{W}/py-fd.save", "wb") as f:
            refused(Enough, d.save, f.fileno(), written=enough)
        assert d.info().name == "py-back" and not os.path.exists(path + "2")
        stop = pvctl.Cancel()
        stop.cancel()
        with stop:
            refused(pvctl.CanceledError, d.save, path + "2")
            refused(pvctl.CanceledError, node.create, stub("py-canceled"))
        d.suspend()
        d.keep_suspended()
        d.resume()
        d.destroy()
        refused(Enough, node.restore, path, ready=enough)
        refused(pvctl.NoDomainError, node.domain, "py-save")


def tail(d):
    with d.console() as console:
        console.settimeout(0.3)
        seen = b""
        try:
            while part := console.read(65536):
                seen += part
        except TimeoutError:
            pass
    return seen.decode("ascii", "replace")


def case_cancel():
    """asyncio's cancellation ends what a thread does: a wait, a save to a pipe that nobody reads, creating."""
    async def main():
        with pvctl.connect() as node:
            d = await pvctl.run(node.create, keeper("py-cancel", memory=32))
            await pvctl.run(lambda: console_has(d, "READY 1").close())
            task = asyncio.create_task(pvctl.run(d.wait))
            await asyncio.sleep(0.3)
            await canceled(task)
            reading, writing = os.pipe()
            task = asyncio.create_task(pvctl.run(d.save, writing))
            await asyncio.sleep(0.5)
            await canceled(task, reading)
            os.close(reading)
            os.close(writing)
            assert (await pvctl.run(d.info)).name == "py-cancel"
            d.destroy()
            # In the middle of create, whenever the library asks first.
            big = pvctl.Config(LINUX, name="py-big", memory=256)
            asked = threading.Event()
            loop = asyncio.get_running_loop()

            def progress(p):
                asked.set()
                loop.call_soon_threadsafe(task.cancel)
                time.sleep(0.2)
            task = asyncio.create_task(pvctl.run(node.create, big, progress=progress))
            try:
                d = await task
                # It was all done before the second question.
                assert asked.is_set()
                d.destroy()
            except asyncio.CancelledError:
                pass
            for i in node.domains():
                if i.name == "py-big":
                    node.domain(i.domid).destroy()

            def stop(p):
                raise KeyboardInterrupt
            try:
                node.create(big, progress=stop)
                raise AssertionError("not stopped")
            except KeyboardInterrupt:
                pass
            assert "py-big" not in [i.name for i in node.domains()]

    async def canceled(task, reading=None):
        task.cancel()
        while reading is not None and not task.done():
            # A write that blocks is not interrupted: the reader drains it, as who cancels a save to a pipe must, or closes it.
            os.set_blocking(reading, False)
            try:
                os.read(reading, 1 << 20)
            except BlockingIOError:
                pass
            await asyncio.sleep(0)
        try:
            await task
        except asyncio.CancelledError:
            return
        raise AssertionError("it was not canceled")
    asyncio.run(asyncio.wait_for(main(), 600))


def case_migrate():
    """There and back between two nodes; canceled in the midst, it stays where it is."""
    with pvctl.connect() as a, pvctl.Node("py-b").connect() as b:
        d = a.create(keeper("py-move", memory=48))
        console_has(d, "READY 1").close()

        class Enough(Exception):
            pass

        def enough(p):
            raise Enough
        # The other side says nothing: what is raised, and a Cancel, end the waiting.
        here, there = socket.socketpair()
        refused(Enough, d.migrate_send, *[here.detach()] * 2, progress=enough)
        assert there.recv(1) == b""
        here, there = socket.socketpair()
        stop = pvctl.Cancel()
        with stop:
            e = refused(pvctl.CanceledError, d.migrate_send, *[here.detach()] * 2, progress=lambda p: stop.cancel())
        assert e.migration.end == pvctl.MigrateEnd.HERE and d.info().name == "py-move", e.migration
        # An other side that is none.
        here, there = socket.socketpair()
        there.sendall(b"certainly no migration" * 20)
        e = refused(pvctl.ProtocolError, d.migrate_send, *[here.detach()] * 2)
        assert e.migration.end == pvctl.MigrateEnd.HERE and not [i for i in b.domains() if i.domid]
        seen = []
        moved = d.migrate(b, progress=seen.append)
        assert moved.result.end == pvctl.MigrateEnd.THERE and moved.result.pages >= 48 * 256 and moved.result.pause > timedelta(0)
        assert seen and moved.domain.info().name == "py-move" and moved.domain.context is b
        refused(pvctl.NoDomainError, a.domain, "py-move")
        back = moved.domain.migrate(a)
        assert back.domain.info().name == "py-move" and back.domain.context is a
        refused(ValueError, back.domain.migrate, a)
        back.domain.destroy()


def case_leaks():
    """Nothing grows: descriptors, Python's memory, the process."""
    count = int(os.environ.get("LEAK_ROUNDS", "300"))

    def once(i):
        with pvctl.connect(log=lambda level, text: None, progress=lambda p: None) as node:
            node.domains(), node.host(), node.dmesg(), node.domain(0).vcpus(), pvctl.nodes(), pvctl.Node().info(), pvctl.Node().defined()
            with node.events(pvctl.EventType.PRESENT) as events:
                events.poll()
            for wrong in (lambda: node.domain("none"), lambda: pvctl.Config(memory=0), lambda: pvctl.Config.from_text("memory = x"),
                          lambda: pvctl.connect("none"), lambda: node.restore("/dev/null")):
                try:
                    wrong()
                except pvctl.Error:
                    pass
            config = stub(f"py-leak-{i % 4}")
            config.to_json(), dict(config), pvctl.Config.from_text("name='x'; memory=4; cpus=['0']")
            if i % 10 == 0:
                d = node.create(config, paused=True)
                d.info(), d.config, d.disks(), d.vifs(), d.channels()
                d.console().close()
                d.destroy()

    def resident():
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    for i in range(40):
        once(i)
    gc.collect()
    tracemalloc.start(8)
    once(0)
    gc.collect()
    python, rss, fds = tracemalloc.get_traced_memory()[0], resident(), len(os.listdir("/proc/self/fd"))
    for i in range(count):
        once(i)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - python, resident() - rss
    assert len(os.listdir("/proc/self/fd")) == fds, os.listdir("/proc/self/fd")
    assert grown[0] < 16 * count + 4096, f"Python's memory grew by {grown[0]} bytes in {count} rounds"
    assert grown[1] < 512 * 1024 + 256 * count, f"the process grew by {grown[1]} bytes in {count} rounds"


if __name__ == "__main__":
    # One that is killed, or is about to be for taking too long, says where it was.
    faulthandler.enable()
    faulthandler.dump_traceback_later(int(os.environ.get("PY_LIMIT", "800")), exit=True)
    globals()["case_" + sys.argv[1]]()
