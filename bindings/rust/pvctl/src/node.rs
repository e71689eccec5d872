// SPDX-License-Identifier: MIT

use crate::error::About;
use crate::util::{borrowed, c_text, call, collect, millis, sized, text, unix, Optional};
use crate::{Config, Connection, Result};
use pvctl_sys as sys;
use std::os::raw::c_char;
use std::ptr;
use std::time::{Duration, SystemTime};

/// Of a node that is started; None and 0 are the library's defaults.
#[derive(Clone, Debug, Default)]
pub struct NodeOptions<'a> {
    pub name: Option<&'a str>,
    pub memory_bytes: u64,
    pub cpus: u32,
    pub accel: Option<&'a str>,
    pub icount: bool,
    pub hv_path: Option<&'a str>,
    pub hv_cmdline: Option<&'a str>,
    pub daemon_path: Option<&'a str>,
    pub qemu_path: Option<&'a str>,
    pub limits: Option<&'a str>,
    pub timeout: Option<Duration>,
    pub slow_after: Option<Duration>,
    pub overcommit: bool,
    pub no_autostart: bool,
}

/// What is known of a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeInfo {
    pub name: String,
    /// False: only left-over state.
    pub running: bool,
    pub pid: u32,
    pub qemu_pid: u32,
    pub spawner_pid: u32,
    pub memory_bytes: u64,
    pub cpus: u32,
    pub accel: String,
    pub store_socket: String,
    pub state_dir: String,
    pub uptime: Duration,
    pub domains: u32,
    pub overcommit: bool,
    pub backed_bytes: u64,
    pub qemu_resident_bytes: u64,
    /// 0: unknown.
    pub host_available_bytes: u64,
    pub silent: Duration,
    pub qemu_confinement: String,
    pub daemon_confinement: String,
    pub daemon_restarts: u32,
    pub daemon_restarted: Option<SystemTime>,
}

impl NodeInfo {
    fn of(n: &sys::pvctl_node_info) -> NodeInfo {
        NodeInfo {
            name: text(&n.name),
            running: n.running != 0,
            pid: n.pid,
            qemu_pid: n.qemu_pid,
            spawner_pid: n.spawner_pid,
            memory_bytes: n.memory_bytes,
            cpus: n.cpus,
            accel: text(&n.accel),
            store_socket: text(&n.store_socket),
            state_dir: text(&n.state_dir),
            uptime: Duration::from_nanos(n.uptime_ns),
            domains: n.domains,
            overcommit: n.overcommit != 0,
            backed_bytes: n.backed_bytes,
            qemu_resident_bytes: n.qemu_resident_bytes,
            host_available_bytes: n.host_available_bytes,
            silent: Duration::from_nanos(n.silent_ns),
            qemu_confinement: text(&n.qemu_confinement),
            daemon_confinement: text(&n.daemon_confinement),
            daemon_restarts: n.daemon_restarts,
            daemon_restarted: unix(n.daemon_restarted_unix_ns),
        }
    }
}

/// Starts one, and returns when it serves. [`crate::ErrorKind::Exists`]: it runs already.
pub fn start_node(opts: &NodeOptions<'_>) -> Result<()> {
    let op = "node start";
    let name = Optional::new(op, opts.name)?;
    let accel = Optional::new(op, opts.accel)?;
    let hv_path = Optional::new(op, opts.hv_path)?;
    let hv_cmdline = Optional::new(op, opts.hv_cmdline)?;
    let daemon_path = Optional::new(op, opts.daemon_path)?;
    let qemu_path = Optional::new(op, opts.qemu_path)?;
    let limits = Optional::new(op, opts.limits)?;
    let mut o = sized!(sys::pvctl_node_start_opts);
    o.name = name.ptr();
    o.memory_bytes = opts.memory_bytes;
    o.cpus = opts.cpus;
    o.accel = accel.ptr();
    o.icount = opts.icount.into();
    o.hv_path = hv_path.ptr();
    o.hv_cmdline = hv_cmdline.ptr();
    o.daemon_path = daemon_path.ptr();
    o.qemu_path = qemu_path.ptr();
    o.limits = limits.ptr();
    o.timeout_ms = millis(opts.timeout);
    o.slow_after_ms = millis(opts.slow_after);
    o.overcommit = opts.overcommit.into();
    o.no_autostart = opts.no_autostart.into();
    // SAFETY: all texts live long enough.
    call(op, |e| unsafe { sys::pvctl_node_start(&o, e) }).map(drop)
}

/// Another daemon takes over while the domains run on. None: the default node, 30 s.
pub fn restart_daemon(node: Option<&str>, timeout: Option<Duration>) -> Result<()> {
    let name = Optional::new("node restart", node)?;
    // SAFETY: the text lives long enough.
    call("node restart", |e| unsafe { sys::pvctl_node_restart_daemon(name.ptr(), millis(timeout), e) }).map(drop)
}

/// Ends it, and its domains at once. None: the default node, 30 s.
pub fn stop_node(node: Option<&str>, timeout: Option<Duration>) -> Result<()> {
    let name = Optional::new("node stop", node)?;
    // SAFETY: the text lives long enough.
    call("node stop", |e| unsafe { sys::pvctl_node_stop(name.ptr(), millis(timeout), e) }).map(drop)
}

/// None: the default one.
pub fn node(node: Option<&str>) -> Result<NodeInfo> {
    let name = Optional::new("node", node)?;
    let mut n = sized!(sys::pvctl_node_info);
    // SAFETY: as above; n is ours.
    call("node", |e| unsafe { sys::pvctl_node_get(name.ptr(), &mut n, e) })?;
    Ok(NodeInfo::of(&n))
}

/// All of this user.
pub fn nodes() -> Result<Vec<NodeInfo>> {
    let mut list = ptr::null_mut();
    // SAFETY: the list is ours then.
    call("nodes", |e| unsafe { sys::pvctl_node_list(&mut list, e) })?;
    Ok(collect!(list, sys::pvctl_node_list_count, sys::pvctl_node_list_at, sys::pvctl_node_list_free, NodeInfo::of))
}

/// Where a node has its things, whether it runs or not. Programs that are not installed are "".
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Paths {
    pub run_base: String,
    pub run_dir: String,
    pub state_dir: String,
    pub cache_dir: String,
    pub daemon: String,
    pub hypervisor: String,
}

/// None: the default node.
pub fn paths(node: Option<&str>) -> Result<Paths> {
    let name = Optional::new("paths", node)?;
    let mut p = sized!(sys::pvctl_paths);
    // SAFETY: as above.
    call("paths", |e| unsafe { sys::pvctl_paths_get(name.ptr(), &mut p, e) })?;
    Ok(Paths {
        run_base: text(&p.run_base),
        run_dir: text(&p.run_dir),
        state_dir: text(&p.state_dir),
        cache_dir: text(&p.cache_dir),
        daemon: text(&p.daemon),
        hypervisor: text(&p.hypervisor),
    })
}

/// A domain that a node knows while it does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Defined {
    pub name: String,
    pub autostart: bool,
    pub order: u32,
    pub delay: Duration,
}

/// Keeps a configuration under its name.
pub fn define(node: Option<&str>, config: &Config) -> Result<()> {
    let name = Optional::new("define", node)?;
    // SAFETY: both live long enough.
    config.of_this(call("define", |e| unsafe { sys::pvctl_defined_set(name.ptr(), config.raw, e) }).map(drop))
}

/// [`crate::ErrorKind::NotFound`]: it is not defined.
pub fn undefine(node: Option<&str>, domain: &str) -> Result<()> {
    let (name, domain) = (Optional::new("undefine", node)?, c_text("undefine", domain)?);
    // SAFETY: both live long enough.
    call("undefine", |e| unsafe { sys::pvctl_defined_remove(name.ptr(), domain.as_ptr(), e) }).map(drop).named(&domain)
}

/// What was defined.
pub fn defined_config(node: Option<&str>, domain: &str) -> Result<Config> {
    let (name, domain) = (Optional::new("defined", node)?, c_text("defined", domain)?);
    // SAFETY: both live long enough.
    Config::own(|ret| call("defined", |e| unsafe { sys::pvctl_defined_get(name.ptr(), domain.as_ptr(), ret, e) })).named(&domain)
}

/// Whether it starts with its node, and when; None: as it is.
pub fn autostart(node: Option<&str>, domain: &str, on: bool, order: Option<u16>, delay: Option<Duration>) -> Result<()> {
    let (name, domain) = (Optional::new("autostart", node)?, c_text("autostart", domain)?);
    let mut o = sized!(sys::pvctl_autostart_opts);
    o.autostart = on.into();
    o.order = order.map_or(-1, i32::from);
    o.delay_ms = delay.map_or(-1, |d| d.as_millis().min(i32::MAX as u128) as i32);
    // SAFETY: all live long enough.
    call("autostart", |e| unsafe { sys::pvctl_defined_autostart(name.ptr(), domain.as_ptr(), &o, e) }).map(drop).named(&domain)
}

/// In the order in which they start.
pub fn defined(node: Option<&str>) -> Result<Vec<Defined>> {
    let name = Optional::new("defined", node)?;
    let mut list = ptr::null_mut();
    // SAFETY: the list is ours then.
    call("defined", |e| unsafe { sys::pvctl_defined_list(name.ptr(), &mut list, e) })?;
    let of = |d: &sys::pvctl_defined_info| Defined {
        name: text(&d.name),
        autostart: d.autostart != 0,
        order: d.order,
        delay: Duration::from_millis(d.delay_ms.into()),
    };
    Ok(collect!(list, sys::pvctl_defined_list_count, sys::pvctl_defined_list_at, sys::pvctl_defined_list_free, of))
}

/// The machine that the domains see, and its hypervisor.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Host {
    pub hv_version: String,
    pub hv_extra: String,
    pub hv_capabilities: String,
    pub hv_compiler: String,
    pub hv_date: String,
    pub hv_changeset: String,
    pub hv_commandline: String,
    pub hv_major: u32,
    pub hv_minor: u32,
    pub page_size_bytes: u32,
    pub virt_start: u64,
    pub cpus: u32,
    pub max_cpu_id: u32,
    pub numa_nodes: u32,
    pub cores_per_socket: u32,
    pub threads_per_core: u32,
    pub cpu_khz: u32,
    pub total_bytes: u64,
    pub free_bytes: u64,
    pub outstanding_bytes: u64,
    pub scrub_bytes: u64,
    pub reclaimable_bytes: u64,
    pub hw_cap: [u32; 8],
    /// Of each CPU.
    pub free_cpu: Vec<Duration>,
    pub scheduler: String,
    /// It can run PVH domains.
    pub pvh: bool,
}

impl Connection {
    pub fn host(&self) -> Result<Host> {
        let mut h = sized!(sys::pvctl_host_info);
        // SAFETY: h is ours.
        self.do_("host", |n, e| unsafe { sys::pvctl_host_get(n, &mut h, e) })?;
        Ok(Host {
            hv_version: text(&h.hv_version),
            hv_extra: text(&h.hv_extra),
            hv_capabilities: text(&h.hv_caps),
            hv_compiler: text(&h.hv_compiler),
            hv_date: text(&h.hv_date),
            hv_changeset: text(&h.hv_changeset),
            hv_commandline: text(&h.hv_commandline),
            hv_major: h.hv_major,
            hv_minor: h.hv_minor,
            page_size_bytes: h.page_size,
            virt_start: h.virt_start,
            cpus: h.cpus,
            max_cpu_id: h.max_cpu_id,
            numa_nodes: h.nodes,
            cores_per_socket: h.cores_per_socket,
            threads_per_core: h.threads_per_core,
            cpu_khz: h.cpu_khz,
            total_bytes: h.total_bytes,
            free_bytes: h.free_bytes,
            outstanding_bytes: h.outstanding_bytes,
            scrub_bytes: h.scrub_bytes,
            reclaimable_bytes: h.reclaimable_bytes,
            hw_cap: h.hw_cap,
            free_cpu: h.free_cpu_ns.iter().take(h.cpus as usize).map(|ns| Duration::from_nanos(*ns)).collect(),
            scheduler: text(&h.scheduler),
            pvh: h.virt_caps & sys::PVCTL_VIRT_HVM != 0 && h.virt_caps & sys::PVCTL_VIRT_HAP != 0,
        })
    }

    /// The hypervisor's log so far.
    pub fn dmesg(&self, clear: bool) -> Result<String> {
        let mut s: *mut c_char = ptr::null_mut();
        // SAFETY: the text is ours then.
        unsafe {
            self.do_("dmesg", |n, e| sys::pvctl_host_dmesg(n, clear.into(), &mut s, e))?;
            let log = borrowed(s).unwrap_or_default();
            sys::pvctl_free(s.cast());
            Ok(log)
        }
    }

    /// What the letters say goes to the hypervisor's log; "h" lists them.
    pub fn debug_keys(&self, keys: &str) -> Result<()> {
        let keys = c_text("debug-keys", keys)?;
        // SAFETY: the text lives long enough, as those below.
        self.do_("debug-keys", |n, e| unsafe { sys::pvctl_host_debug_keys(n, keys.as_ptr(), e) }).map(drop).keyed(&keys)
    }

    /// One of the hypervisor's parameters, while the node runs: "serial", "guest_lines". [`crate::ErrorKind::NotFound`]: no such.
    pub fn set_parameter(&self, name: &str, value: u32) -> Result<()> {
        let name = c_text("set-parameters", name)?;
        // SAFETY: as above.
        let f = |n, e| unsafe { sys::pvctl_host_set_parameter(n, name.as_ptr(), value, e) };
        self.do_("set-parameters", f).map(drop).keyed(&name)
    }

    pub fn store_read(&self, path: &str) -> Result<Vec<u8>> {
        let path = c_text("store read", path)?;
        let (mut s, mut len): (*mut c_char, usize) = (ptr::null_mut(), 0);
        // SAFETY: the value, of that length, is ours then.
        unsafe {
            self.do_("store read", |n, e| sys::pvctl_store_read(n, path.as_ptr(), &mut s, &mut len, e)).keyed(&path)?;
            let value = std::slice::from_raw_parts(s.cast(), len).to_vec();
            sys::pvctl_free(s.cast());
            Ok(value)
        }
    }

    pub fn store_write(&self, path: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let (path, value) = (c_text("store write", path)?, value.as_ref());
        // SAFETY: both live long enough.
        let f = |n, e| unsafe { sys::pvctl_store_write(n, path.as_ptr(), value.as_ptr().cast(), value.len(), e) };
        self.do_("store write", f).map(drop).keyed(&path)
    }

    /// A path and what is below it.
    pub fn store_remove(&self, path: &str) -> Result<()> {
        let path = c_text("store rm", path)?;
        // SAFETY: as above.
        self.do_("store rm", |n, e| unsafe { sys::pvctl_store_rm(n, path.as_ptr(), e) }).map(drop).keyed(&path)
    }
}
