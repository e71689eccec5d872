#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make bench: what the toolstack and the guest cost, as a table and as JSON.

Toolstack rows are measured on a node of their own. Guest rows come from
pvbench in a domain and, in the same run, in the same kernel under plain QEMU
without a hypervisor: in wall time, and in instructions (-icount). Stock Xen's
figures are those of an earlier run on such a machine (xen-4.17.json).
"""
import argparse
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import history

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
AIMS = {"node_start": 500, "create_paused_128_warm": 100, "destroy_128": 100, "list_1": 20,
        "list_10": 20, "list_50": 20, "up_50_stubs": 10000, "overhead_50": 64,
        "create_500": 4000, "list_500": 8, "destroy_500": 1500, "readers_50_to_4": 1, "readers_50_least": 0.5, "readers_50_daemon": 100,
        "list_flooded_50": 50, "read4k_slower_50": 2, "save_128": 150, "restore_128": 150, "migrate_256_pause": 100,
        "snapshot_256_pause": 200, "clone_128_total": 150, "clone_128_pause": 100, "warm_create_128": 100, "warm_first_line_128": 300}
# Where more is better.
AT_LEAST = ("readers_50_to_4", "readers_50_least")
XEN_TOOL = {"create_paused_128_warm": "create_paused_128_bzImage_lz4",
            "create_to_first_line": "unpause_to_first_line_128_bzImage_lz4",
            "create_to_init": "unpause_to_init_128_bzImage_lz4",
            "destroy_128": "destroy_128_running", "list_1": "xl_list_1dom", "list_10": "xl_list_10dom_running",
            "list_50": "xl_list_50dom_running", "up_50_stubs": "scale_create_50_running_allup", "save_128": "save_128", "restore_128": "restore_128",
            "save_file_128": "save_file_128"}
# What a log of a domain's writes makes slower: tables that change, and pages that are written.
LOGGED = ("spin_1000", "syscall_getppid", "pipe_pingpong_1cpu", "fork_exit", "fork_exec", "page_fault_anon", "mmap_touch64_munmap",
          "memset_8M")
KINDS = {"icount": "instructions (as ns)", "disk": "disk beside virtio-blk", "net_host": "network to the host", "net_guest": "network to a guest",
         "log": "log of writes, instructions", "log_rounds": "log of writes, in rounds, time"}


class Bench:
    def __init__(self, out, quick):
        self.out = pathlib.Path(out).resolve()
        self.quick = quick
        self.pvctl = str(self.out / "pvctl" / "pvctl")
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="pvctl-bench."))
        self.env = dict(os.environ, PVCTL_RUN_DIR=str(self.tmp / "run"), PVCTL_STATE_DIR=str(self.tmp / "state"),
                        XDG_CACHE_HOME=str(self.tmp / "cache"), PVCTL_DATA_DIR=str(self.tmp / "data"))
        for d in ("run", "state", "cache"):
            (self.tmp / d).mkdir(mode=0o700)
        self.kernel = str(self.out / "demo" / "vmlinuz")
        self.initrd = str(self.out / "bench" / "initrd.gz")
        self.stub = str(self.out / "bench" / "pvstub")
        self.rows = {}
        self.guest = {}

    def run(self, *args, check=True):
        r = subprocess.run([self.pvctl, *args], env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if check and r.returncode:
            sys.exit(f"bench: pvctl {' '.join(args)} failed ({r.returncode}): {r.stderr.strip()}")
        return r.stdout

    def timed(self, *args):
        t = time.monotonic()
        self.run(*args)
        return (time.monotonic() - t) * 1000

    def note(self, name, unit, values):
        self.rows[name] = {"unit": unit, "median": statistics.median(values), "min": min(values), "max": max(values),
                           "n": len(values)}
        print(f"  {name:28s} {self.rows[name]['median']:10.1f} {unit}", file=sys.stderr, flush=True)

    def config(self, name, **keys):
        base = {"name": name, "kernel": self.kernel, "ramdisk": self.initrd, "memory": 128, "vcpus": 1,
                "cmdline": "console=hvc0 earlyprintk=xen pvb=idle"}
        base.update(keys)
        path = self.tmp / f"{name}.cfg"
        path.write_text("".join(f'{k} = {json.dumps(v)}\n' for k, v in base.items() if v is not None))
        return str(path)

    def console(self, name, node="default"):
        p = self.tmp / "state" / node / "console" / f"{name}.log"
        try:
            return p.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def wait(self, name, pattern, limit=120, node="default"):
        end = time.monotonic() + limit
        while not re.search(pattern, self.console(name, node)):
            if time.monotonic() > end:
                sys.exit(f"bench: {name}: no {pattern!r} on the console:\n{self.console(name, node)[-2000:]}")
            time.sleep(0.002)

    # ---- toolstack ----
    def node(self):
        v = []
        for i in range(3):
            v.append(self.timed("node", "start"))
            if i < 2:
                self.run("node", "stop", "--force")
        self.note("node_start", "ms", v)

    def create(self):
        cfg = self.config("t128")
        cold, warm, destroy = [], [], []
        for _ in range(3):
            shutil.rmtree(self.tmp / "cache")
            (self.tmp / "cache").mkdir(mode=0o700)
            cold.append(self.timed("create", "-q", "-p", cfg))
            destroy.append(self.timed("destroy", "t128"))
        for _ in range(9):
            warm.append(self.timed("create", "-q", "-p", cfg))
            destroy.append(self.timed("destroy", "t128"))
        self.note("create_paused_128_cold", "ms", cold)
        self.note("create_paused_128_warm", "ms", warm)
        first, init, running = [], [], []
        for i in range(3):
            name = f"boot{i}"
            cfg = self.config(name)
            t = time.monotonic()
            self.run("create", "-q", cfg)
            self.wait(name, r".\n")
            first.append((time.monotonic() - t) * 1000)
            self.wait(name, "BENCH-INIT")
            init.append((time.monotonic() - t) * 1000)
            self.wait(name, "BENCH-IDLE")
            running.append(self.timed("destroy", name))
        self.note("create_to_first_line", "ms", first)
        self.note("create_to_init", "ms", init)
        self.note("destroy_128", "ms", running)
        self.note("destroy_128_paused", "ms", destroy)

    def resident(self):
        """Bytes of host RAM: what QEMU and the daemon have beside the node's RAM file (their share of what
        they share with other processes), and the RAM file's own."""
        info = json.loads(self.run("node", "info", "--json"))
        info = info[0] if isinstance(info, list) else info.get("nodes", [info])[0] if "nodes" in info else info
        processes = 0
        for pid in (info["pid"], info["qemu_pid"]):
            for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().split("\n"):
                if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                    is_ram = "memfd:pvctl-ram" in line
                elif line.startswith("Pss:") and not is_ram:
                    processes += int(line.split()[1]) * 1024
        return processes, sum(f.stat().st_blocks * 512 for f in pathlib.Path(f"/proc/{info['pid']}/fd").iterdir()
                              if "memfd:pvctl-ram" in os.readlink(f))

    def settled(self):
        """The RAM file's bytes when the daemon has returned to the host what is free."""
        end = time.monotonic() + 60
        while json.loads(self.run("info", "--json"))["scrub_bytes"]:
            if time.monotonic() > end:
                sys.exit("bench: free memory was not returned to the host within a minute")
            time.sleep(0.2)
        return self.resident()[1]

    def many(self):
        count = 10 if self.quick else 50
        # Anew: what the rows before left in QEMU's caches is not these guests'.
        self.run("node", "stop", "--force")
        self.run("node", "start")
        names = [f"stub{i}" for i in range(count)]
        cfgs = [self.config(n, kernel=self.stub, ramdisk=None, memory=64, cmdline=None) for n in names]
        t = time.monotonic()
        for i, c in enumerate(cfgs):
            self.run("create", "-q", c)
            if i + 1 in (1, 10, 50):
                pause = time.monotonic()
                self.note(f"list_{i + 1}", "ms", [self.timed("list") for _ in range(9)])
                t += time.monotonic() - pause
        for n in names:
            self.wait(n, "PVSTUB-UP")
        self.note(f"up_{count}_stubs", "ms", [(time.monotonic() - t) * 1000])
        processes, ram = self.resident()
        self.note(f"resident_{count}", "MiB", [(processes + ram) / 2**20])
        t = time.monotonic()
        for n in names:
            self.run("destroy", n)
        self.note(f"destroy_{count}_stubs", "ms", [(time.monotonic() - t) * 1000])
        # What of the RAM file was the guests' goes back to the host with them. What is left of it then
        # was the node's own while they ran: the tables about their frames, and the hypervisor's objects.
        self.note(f"overhead_{count}", "MiB", [(processes + self.settled()) / 2**20])

    def cpu_ms(self):
        """CPU time of the node's processes and of all commands so far."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        total = (used.ru_utime + used.ru_stime) * 1000
        for key in ("pid", "spawner_pid", "qemu_pid"):
            total += self.process_ms(json.loads(self.run("node", "info", "--json"))[key])
        return total

    @staticmethod
    def process_ms(pid):
        return sum(int((t / "schedstat").read_text().split()[0]) for t in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e6

    def crowd(self):
        """Many small ones. The machine's other work shows in the times, and not in CPU time."""
        count, mib = (50, 16) if self.quick else (500, 16)
        available = int(re.search(r"MemAvailable: *(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) >> 10
        if available < count * mib * 1.2:
            print(f"  crowd: {available} MiB are not enough for {count} of {mib} MiB", file=sys.stderr)
            return
        self.run("node", "stop", "--force")
        self.run("node", "start", "--memory", str(count * mib * 102 // 100 + 200))
        cfgs = [self.config(f"c{i}", kernel=self.stub, ramdisk=None, memory=mib, cmdline=None) for i in range(count)]

        def each(name, what):
            cpu, t = self.cpu_ms(), time.monotonic()
            for w in what:
                self.run(*w)
            self.note(f"{name}_{count}", "ms", [(time.monotonic() - t) * 1000])
            self.note(f"{name}_{count}_cpu", "ms", [(self.cpu_ms() - cpu) / count])
        each("create", [("create", "-q", c) for c in cfgs])
        self.note(f"list_{count}", "ms", [self.timed("list") for _ in range(9)])
        each("destroy", [("destroy", f"c{i}") for i in range(count)])
        self.run("node", "stop", "--force")
        self.run("node", "start")

    def reading(self, names, seconds):
        """Requests a second that each had, and how much of a CPU the daemon took."""
        pid = json.loads(self.run("node", "info", "--json"))["pid"]

        def done():
            rows = json.loads(self.run("top", "-b", "-i", "1", "--json"))["domains"]
            return {r["name"]: r["reads"] for r in rows if r["name"] in names}
        for n in names:
            self.wait(n, "READS")
        before, cpu, t = done(), self.process_ms(pid), time.monotonic()
        time.sleep(seconds)
        after, took = done(), time.monotonic() - t
        return [(after[n] - before[n]) / took for n in names], (self.process_ms(pid) - cpu) / took / 1000

    def readers(self):
        """Domains that read their disks at once: what few of them get together, and what many; and four that stream."""
        count, seconds = (10, 2) if self.quick else (50, 4)
        disk = self.image("readers.img", 1)

        def start(names, cmdline=None):
            for n in names:
                self.run("create", "-q", self.config(n, kernel=str(self.out / "guests" / "blk-reader.elf"), ramdisk=None, memory=16,
                                                     cmdline=cmdline, disk=[f"{disk},raw,xvda,ro"]))

        def stop(names):
            for n in names:
                self.run("destroy", n)
        names = [f"r{i}" for i in range(count)]
        start(names[:4])
        four, _ = self.reading(names[:4], seconds)
        start(names[4:])
        all_, daemon = self.reading(names, seconds)
        self.note("readers_4", "iops", [sum(four)])
        self.note(f"readers_{count}", "iops", [sum(all_)])
        self.note(f"readers_{count}_to_4", "x", [sum(all_) / max(sum(four), 1)])
        self.note(f"readers_{count}_least", "x", [min(all_) * count / max(sum(all_), 1)])
        self.note(f"readers_{count}_daemon", "% CPU", [daemon * 100])
        stop(names)
        start(names[:4], "stream")
        four, daemon = self.reading(names[:4], seconds)
        self.note("streams_4", "MB/s", [sum(four) * 45056 / 1e6])
        self.note("streams_4_least", "x", [min(four) * 4 / max(sum(four), 1)])
        self.note("streams_4_daemon", "% CPU", [daemon * 100])
        stop(names[:4])

    def reads(self, rounds=4):
        """What the guest that reads says from now on; the round under way is not counted."""
        def said():
            return [float(v) for v in re.findall(r"blk_read_4k_qd1 ([\d.e+]+) iops", self.console("reads"))]
        before, end = len(said()), time.monotonic() + 300
        while len(said()) < before + 1 + rounds:
            if time.monotonic() > end:
                sys.exit("bench: reads: nothing was said for five minutes")
            time.sleep(0.05)
        return said()[before + 1:]

    def flooded(self):
        """Some guests flood the daemon, each in its way: what is left for the owner, and for another guest."""
        count = 10 if self.quick else 50
        self.run("node", "stop", "--force")
        self.run("node", "start")
        stub = dict(kernel=self.stub, ramdisk=None, memory=64)
        for i in range(count - 4):
            self.run("create", "-q", self.config(f"quiet{i}", cmdline=None, **stub))
        self.run("create", "-q", self.config("reads", cmdline=self.pvb("reads"), disk=[f"{self.image('reads.img', 8)},raw,xvda,rw"]))
        quiet = self.reads()
        self.note(f"list_quiet_{count}", "ms", [self.timed("list") for _ in range(9)])
        def start(name, kind):
            self.run("create", "-q", self.config(name, cmdline=f"flood={kind}", **stub))
            self.wait(name, "PVSTUB-UP")
        # As many that do nothing but spin: what is lost to the CPUs, and not to the daemon.
        for i in range(3):
            start(f"spin{i}", "nothing")
        spun = self.reads()
        self.note(f"list_spun_{count}", "ms", [self.timed("list") for _ in range(9)])
        for i in range(3):
            self.run("destroy", f"spin{i}")
        for kind in ("console", "store", "events"):
            start(f"flood-{kind}", kind)
        loaded = self.reads()
        self.note(f"list_flooded_{count}", "ms", [self.timed("list") for _ in range(9)])
        self.note(f"read4k_quiet_{count}", "iops", quiet)
        self.note(f"read4k_spun_{count}", "iops", spun)
        self.note(f"read4k_flooded_{count}", "iops", loaded)
        self.note(f"read4k_slower_{count}", "x", [statistics.median(quiet) / max(v, 0.1) for v in loaded])
        # What follows is measured without them.
        self.run("node", "stop", "--force")
        self.run("node", "start")

    # ---- guest ----
    @staticmethod
    def parse(text):
        rows = {}
        for line in text.splitlines():
            m = re.match(r"(?:\x00)*(\w+) ([\d.e+]+) (ns|us|ms|MB/s|iops) ([\d.e+]+) ([\d.e+]+) (\d+)\s*$", line.strip())
            if m:
                rows[m[1]] = {"unit": m[3], "value": float(m[2])}
            m = re.match(r"BENCH-INIT ([\d.]+)", line.strip())
            if m:
                rows["uptime_at_init"] = {"unit": "s", "value": float(m[1])}
        return rows

    def in_domain(self, icount, kind="pv"):
        node = "icount" if icount else "default"
        if icount:
            self.run("node", "start", "icount", "--icount", "--memory", "512")
        ms, reps = (2, 3) if icount else (60, 9)
        name = f"pvbench-{kind}-{node}"
        cfg = self.config(name, memory=256, type=kind, cmdline=f"console=hvc0 quiet loglevel=4 pvb=cpu pvbms={ms} pvbreps={reps}",
                          on_poweroff="destroy")
        self.run("--node", node, "create", "-q", cfg)
        self.wait(name, "BENCH-DONE", 900, node)
        text = self.console(name, node)
        if icount:
            self.run("node", "stop", "icount", "--force")
        return self.parse(text)

    def native(self, icount):
        ms, reps = (2, 3) if icount else (60, 9)
        accel = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"] if icount else ["-accel", "tcg,thread=multi"]
        cmd = ["qemu-system-x86_64", *accel, "-M", "q35", "-cpu", "max,-smap,-la57,-x2apic", "-m", "256", "-smp", "1",
               "-nographic", "-no-reboot", "-nic", "none", "-kernel", self.kernel, "-initrd", self.initrd, "-append",
               f"console=ttyS0 quiet loglevel=4 pvb=cpu pvbms={ms} pvbreps={reps}"]
        r = subprocess.run(cmd, capture_output=True, stdin=subprocess.DEVNULL, timeout=900)
        return self.parse(r.stdout.decode("utf-8", "replace"))

    def guests(self):
        for kind, icount in (("wall", False), ("icount", True)):
            print(f"  guest, {kind} ...", file=sys.stderr, flush=True)
            self.guest[kind] = {"native": self.native(icount), "domain": self.in_domain(icount),
                                "pvh": self.in_domain(icount, "pvh") if self.has_pvh() else {}}

    def has_pvh(self):
        return "hvm" in self.run("info", "virt_caps").split()

    # ---- devices ----
    def image(self, name, mib):
        """A disk that is all there: no row pays for its first allocation."""
        p = self.tmp / name
        if not p.exists():
            with open(p, "wb") as f:
                for _ in range(mib):
                    f.write(os.urandom(2**20))
        return str(p)

    def pvb(self, group, more=""):
        ms, reps = (20, 3) if self.quick else (60, 5)
        return f"console=hvc0 quiet loglevel=4 pvb={group} pvbms={ms} pvbreps={reps} {more}".strip()

    def plain(self, group, *qemu, more=""):
        """The same kernel and ramdisk in QEMU without a hypervisor."""
        cmd = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-M", "q35", "-cpu", "max,-smap,-la57", "-m", "256", "-smp", "1",
               "-nographic", "-no-reboot", *qemu, "-kernel", self.kernel, "-initrd", self.initrd, "-append",
               self.pvb(group, more).replace("hvc0", "ttyS0")]
        r = subprocess.run(cmd, capture_output=True, stdin=subprocess.DEVNULL, timeout=900)
        return self.parse(r.stdout.decode("utf-8", "replace"))

    def domain(self, name, group, more="", **keys):
        self.run("create", "-q", self.config(name, memory=256, cmdline=self.pvb(group, more), on_poweroff="destroy", **keys))
        self.wait(name, "BENCH-DONE", 900)
        return self.parse(self.console(name))

    def disks(self):
        img = self.image("disk.img", 256)
        print("  disk ...", file=sys.stderr, flush=True)
        self.guest["disk"] = {"native": self.plain("disk", "-nic", "none", "-drive", f"file={img},format=raw,if=virtio,cache=writeback"),
                              "domain": self.domain("disk", "disk", disk=[f"{img},raw,xvda,rw"])}

    def attach(self):
        img = self.image("small.img", 1)
        self.run("create", "-q", self.config("attach", cmdline=self.pvb("attach")))
        self.wait("attach", "BENCH-READY")
        up, down = [], []
        for i in range(1, 6):
            t = time.monotonic()
            self.run("block-attach", "attach", f"{img},raw,xvdb,ro")
            self.wait("attach", f"BENCH-ATTACHED {i}\\b")
            up.append((time.monotonic() - t) * 1000)
            t = time.monotonic()
            self.run("block-detach", "attach", "xvdb")
            self.wait("attach", f"BENCH-DETACHED {i}\\b")
            down.append((time.monotonic() - t) * 1000)
        self.run("destroy", "attach")
        self.note("block_attach_usable", "ms", up)
        self.note("block_detach_gone", "ms", down)

    def move(self):
        """Saved to memory and back; from one node to another, with two vCPUs, while it rewrites 10 MB/s."""
        with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as d:
            file = pathlib.Path(d) / "saved"
            self.run("create", "-q", self.config("saved"))
            self.wait("saved", "BENCH-IDLE")
            save, restore = [], []
            for _ in range(5):
                save.append(self.timed("save", "saved", str(file)))
                time.sleep(1)  # the freed memory goes back to the host
                restore.append(self.timed("restore", str(file)))
                time.sleep(1)
            self.note("save_128", "ms", save)
            self.note("restore_128", "ms", restore)
            self.note("save_file_128", "MiB", [file.stat().st_size / 2**20])
        self.run("destroy", "saved")
        self.run("node", "start", "other")
        try:
            self.run("create", "-q", self.config("moved", memory=256, vcpus=2, cmdline=self.pvb("dirty")))
            self.wait("moved", "BENCH-DIRTY")
            total, pause, at = [], [], ["default", "other"]
            for _ in range(6):
                r = json.loads(self.run("--node", at[0], "migrate", "--json", "-s", "", "moved",
                                        f"exec {shlex.quote(self.pvctl)} --node {at[1]} migrate-receive"))
                total.append(r["total_ns"] / 1e6)
                pause.append(r["pause_ns"] / 1e6)
                at.reverse()
                time.sleep(1)
            self.note("migrate_256_total", "ms", total)
            self.note("migrate_256_pause", "ms", pause)
        finally:
            self.run("node", "stop", "other", "--force", check=False)
        self.run("destroy", "moved", check=False)
        self.snapshot()

    def snapshot(self):
        """Of one with two vCPUs and a disk that rewrites 10 MB/s, one upon the other; and back."""
        img = self.tmp / "kept.img"
        with open(img, "wb") as f:
            f.truncate(64 << 20)
        self.run("create", "-q", self.config("kept", memory=256, vcpus=2, cmdline=self.pvb("dirty"), disk=[f"{img},raw,xvda,rw"]))
        self.wait("kept", "BENCH-DIRTY")
        total, pause, back = [], [], []
        for i in range(5):
            r = json.loads(self.run("snapshot", "--json", "kept", f"s{i}"))
            total.append(r["total_ns"] / 1e6)
            pause.append(r["pause_ns"] / 1e6)
            time.sleep(1)
        for i in range(3):
            back.append(self.timed("snapshot", "revert", "--yes", "kept", f"s{i}"))
            time.sleep(1)
        self.run("destroy", "kept")
        for i in range(5):
            self.run("snapshot", "delete", "kept", f"s{i}")
        self.note("snapshot_256_total", "ms", total)
        self.note("snapshot_256_pause", "ms", pause)
        self.note("snapshot_256_revert", "ms", back)

    def clone(self):
        """One that runs becomes two; and a domain of a template that has booted. Both have a disk."""
        img = self.tmp / "cloned.img"
        with open(img, "wb") as f:
            f.truncate(64 << 20)
        self.run("create", "-q", self.config("cloned", cmdline=self.pvb("says"), disk=[f"{img},raw,xvda,rw"]))
        self.wait("cloned", "BENCH-SAYS")
        total, pause, warm, line = [], [], [], []
        for i in range(6):
            t = time.monotonic()
            r = json.loads(self.run("clone", "--json", "cloned", f"copy{i}"))
            total.append((time.monotonic() - t) * 1000)
            pause.append(r["pause_ns"] / 1e6)
            self.wait(f"copy{i}", "BENCH-SAYS")
            self.run("destroy", f"copy{i}")
            time.sleep(1)
        self.run("template", "create", "warm", "--from", "cloned", "--warm")
        self.run("destroy", "cloned")
        for i in range(6):
            t = time.monotonic()
            self.run("create", "-q", "--template", "warm", f"name=warm{i}")
            warm.append((time.monotonic() - t) * 1000)
            self.wait(f"warm{i}", r"BENCH-SAYS \d+\r?\n")
            line.append((time.monotonic() - t) * 1000)
            self.run("destroy", f"warm{i}")
            time.sleep(1)
        self.note("clone_128_total", "ms", total)
        self.note("clone_128_pause", "ms", pause)
        self.note("warm_create_128", "ms", warm)
        self.note("warm_first_line_128", "ms", line)

    def log_op(self, node, domid, op):
        """A step of the log of its writes, as a migration makes them."""
        r = subprocess.run([str(self.out / "tests" / "e2e" / "savestate"), "log", domid, op], env=dict(self.env, PVCTL_NODE=node), capture_output=True,
                           text=True, stdin=subprocess.DEVNULL)
        if r.returncode:
            sys.exit(f"bench: log of writes, {op}: {r.stdout}{r.stderr}")

    def logged(self, node, name, log, rounds):
        """The rows of LOGGED, from before the first instruction of the guest's: the same work each time."""
        ms, reps = (2, 3) if node == "icount" else (60, 5)
        cmdline = f"console=hvc0 quiet loglevel=4 pvb=only:{','.join(LOGGED)} pvbms={ms} pvbreps={reps}"
        self.run("--node", node, "create", "-q", "-p", self.config(name, memory=256, cmdline=cmdline, on_poweroff="destroy"))
        domid = self.run("--node", node, "domid", name).strip()
        if log:
            self.log_op(node, domid, "enable")
        self.run("--node", node, "unpause", name)
        end, done = time.monotonic() + 900, "BENCH-DONE"
        while rounds and done not in self.console(name, node) and time.monotonic() < end:
            self.log_op(node, domid, "clean")
            time.sleep(0.1)
        self.wait(name, done, 900, node)
        return self.parse(self.console(name, node))

    def log(self):
        """What a guest loses while the log of its writes is on, by itself and with ten rounds a second, as under a migration."""
        print("  log of writes ...", file=sys.stderr, flush=True)
        self.run("node", "start", "icount", "--icount", "--memory", "1024")
        self.guest["log"] = {"native": self.logged("icount", "unlogged", False, False), "domain": self.logged("icount", "logged", True, False)}
        self.run("node", "stop", "icount", "--force")
        self.guest["log_rounds"] = {"native": self.logged("default", "unlogged", False, False), "domain": self.logged("default", "rounds", True, True)}

    def domain_mib(self, name):
        return next(d["memory_bytes"] / 2**20 for d in json.loads(self.run("list", "--json"))["domains"] if d["name"] == name)

    def balloon(self):
        high, low = (768, 256) if self.quick else (2048, 512)
        self.run("create", "-q", self.config("balloon", memory=high))
        self.wait("balloon", "BENCH-IDLE")
        rates = {"down": [], "up": []}
        for _ in range(3):
            for way, to in (("down", low), ("up", high)):
                before, t = self.domain_mib("balloon"), time.monotonic()
                self.run("mem-set", "balloon", str(to))
                while abs(self.domain_mib("balloon") - to) > 16:
                    if time.monotonic() - t > 120:
                        sys.exit(f"bench: balloon: {self.domain_mib('balloon')} MiB after two minutes, wanted {to}")
                    time.sleep(0.01)
                rates[way].append(abs(self.domain_mib("balloon") - before) / 1024 / (time.monotonic() - t))
        self.run("destroy", "balloon")
        for way, v in rates.items():
            self.note(f"balloon_{way}", "GiB/s", v)

    def network(self):
        """To a server on the host, through QEMU's user network beside the domain's; and between two domains."""
        # Not 10.0.2.2: what listens on the host's loopback is not a domain's to reach.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.connect(("192.0.2.1", 9))
            except OSError:
                print("  network: the host has no address but its loopback", file=sys.stderr)
                return
            peer = "pvbpeer=" + s.getsockname()[0]
        host = subprocess.Popen([str(self.out / "bench" / "pvbench"), "netserver"])
        try:
            print("  network ...", file=sys.stderr, flush=True)
            native = self.plain("net", "-nic", "user,model=virtio-net-pci", more=peer)
            probe = self.config("vif", vif=[""])
            r = subprocess.run([self.pvctl, "create", "-q", "-p", probe], env=self.env, capture_output=True, text=True)
            if r.returncode:
                print(f"  network: no domain with a vif: {r.stderr.strip()}", file=sys.stderr)
                self.guest["net_host"] = {"native": native, "domain": {}}
                return
            self.run("destroy", "vif")
            self.guest["net_host"] = {"native": native, "domain": self.domain("neth", "net", peer, vif=[""])}
            switch = ["bridge=bench"]
            self.run("create", "-q", self.config("nets", cmdline=self.pvb("netserver", "pvbip=10.9.0.1/24"), vif=switch))
            self.wait("nets", "BENCH-SERVER")
            self.guest["net_guest"] = {"native": {}, "domain": self.domain("netc", "net", "pvbip=10.9.0.2/24 pvbpeer=10.9.0.1", vif=switch)}
            self.run("destroy", "nets")
        finally:
            host.kill()

    # ---- report ----
    def report(self, xen):
        lines = ["", f"{'toolstack':30s} {'median':>10s} {'min':>10s} {'max':>10s}  {'unit':4s} {'aim':>8s} {'xen 4.17':>10s}"]
        for k, r in self.rows.items():
            aim = f"{AIMS[k]:8g}" if k in AIMS else "       -"
            x = xen["tools"].get(XEN_TOOL.get(k, ""), [None])[0]
            late = ""
            if k in AIMS and (r["median"] < AIMS[k] if k in AT_LEAST else r["median"] > AIMS[k]):
                late = "  under the aim" if k in AT_LEAST else "  over the aim"
            lines.append(f"{k:30s} {r['median']:10.1f} {r['min']:10.1f} {r['max']:10.1f}  {r['unit']:4s} {aim} "
                         f"{x if x is not None else '-':>10}{late}")
        for kind, both in self.guest.items():
            what, is_log = KINDS.get(kind, "wall time"), kind.startswith("log")
            ref = {} if is_log else xen["guest_icount" if kind == "icount" else "guest_wall"]
            pvh = both.get("pvh", {})
            lines += ["", f"{'guest, ' + what:30s} {'off' if is_log else 'native':>10s} {'on' if is_log else 'domain':>10s} "
                      f"{'pvh':>10s} {'xen 4.17':>10s}  {'unit':4s} {'ratio':>6s}"]
            for k, d in both["domain"].items():
                n = both["native"].get(k, {}).get("value")
                x = ref.get(k, [None])[0]
                higher = d["unit"] in ("MB/s", "iops")
                behind = x is not None and (d["value"] < x * 0.97 if higher else d["value"] > x * 1.03)
                lines.append(f"{k:30s} {n if n is not None else '-':>10} {d['value']:>10} {pvh.get(k, {}).get('value', '-'):>10} "
                             f"{x if x is not None else '-':>10}  "
                             f"{d['unit']:4s} {(d['value'] / n if n else 0):6.2f}{'  behind stock Xen' if behind else ''}")
        return "\n".join(lines)

    def close(self):
        for n in ("default", "icount"):
            self.run("node", "stop", n, "--force", check=False)
        shutil.rmtree(self.tmp, ignore_errors=True)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--out", default="build")
    p.add_argument("--json", default=None)
    p.add_argument("--history", default=None, help="a line of each run is added to it; tests/bench/draw.py draws them")
    p.add_argument("--quick", action="store_true", help="10 guests instead of 50")
    p.add_argument("--only", choices=("tools", "crowd", "readers", "flooded", "guests", "disk", "attach", "balloon", "move", "clone", "log", "net"))
    a = p.parse_args()
    b = Bench(a.out, a.quick)
    xen = json.loads((HERE / "xen-4.17.json").read_text())
    try:
        b.node()
        if a.only in (None, "tools"):
            b.create()
            b.many()
        for what, row in (("crowd", b.crowd), ("readers", b.readers), ("flooded", b.flooded), ("attach", b.attach), ("balloon", b.balloon), ("move", b.move), ("clone", b.clone), ("log", b.log),
                          ("guests", b.guests), ("disk", b.disks), ("net", b.network)):
            if a.only in (None, what):
                row()
        print(b.report(xen))
        out = pathlib.Path(a.json or (b.out / "bench.json"))
        out.write_text(json.dumps({"schema": 1, "tools": b.rows, "guest": b.guest}, indent=1) + "\n")
        history.append(pathlib.Path(a.history or (b.out / "bench-history.jsonl")), b.rows, b.guest)
        print(f"\nwritten to {out}", file=sys.stderr)
    finally:
        b.close()


if __name__ == "__main__":
    main()
