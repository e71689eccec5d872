// SPDX-License-Identifier: MIT

use crate::error::About;
use crate::image::alone;
use crate::migrate::{on_say, Hooks};
use crate::util::{c_text, call, collect, millis, sized, text, unix, Optional};
use crate::{Config, Connection, Domain, LongOptions, Result};
use pvctl_sys as sys;
use std::fmt;
use std::os::raw::{c_char, c_int};
use std::panic::resume_unwind;
use std::ptr;
use std::time::{Duration, SystemTime};

const OP: &str = "snapshot";

/// A domain's memory, devices and disks at one moment, on disk until it is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    pub domain: String,
    pub name: String,
    pub description: String,
    pub created: Option<SystemTime>,
    /// Of the file that has its memory and devices.
    pub memory_bytes: u64,
    /// That its disks' files take on the host; what they share with others counts.
    pub disk_bytes: u64,
    pub disks: u32,
    pub has_memory: bool,
}

impl Snapshot {
    fn of(s: &sys::pvctl_snapshot_info) -> Snapshot {
        Snapshot {
            domain: text(&s.domain),
            name: text(&s.name),
            description: text(&s.description),
            created: unix(s.created_unix_ns),
            memory_bytes: s.memory_bytes,
            disk_bytes: s.disk_bytes,
            disks: s.disks,
            has_memory: s.has_memory != 0,
        }
    }
}

/// A disk of a snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SnapshotDisk {
    pub vdev: String,
    /// Of `file`.
    pub format: String,
    /// As the guest sees it.
    pub size_bytes: u64,
    /// Of `file`, on the host.
    pub allocated_bytes: u64,
    /// `disk` is based on `file`; else that is a copy.
    pub overlay: bool,
    /// What the disk was then.
    pub file: String,
    /// What the domain writes, and a revert replaces.
    pub disk: String,
}

/// Of a snapshot that is made.
#[derive(Default)]
pub struct SnapshotOptions<'a> {
    pub description: Option<&'a str>,
    /// The directory for new files of disks; None: beside each image.
    pub disks: Option<&'a str>,
    /// Its disks alone.
    pub no_memory: bool,
    /// None: 60 s.
    pub suspend_timeout: Option<Duration>,
    /// What became of a disk.
    pub say: Option<&'a mut dyn FnMut(&str)>,
}

impl fmt::Debug for SnapshotOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotOptions")
            .field("description", &self.description)
            .field("no_memory", &self.no_memory)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SnapshotStats {
    pub name: String,
    pub total: Duration,
    /// That the domain did not run.
    pub pause: Duration,
    /// Of its memory and devices.
    pub bytes: u64,
    pub rounds: u32,
}

/// Of a domain that goes back to a snapshot.
#[derive(Clone, Debug, Default)]
pub struct RevertOptions {
    /// It stays paused.
    pub paused: bool,
}

/// Of one domain, by time, or of all. No node needs to run, as for all other functions here.
pub fn snapshots(node: Option<&str>, domain: Option<&str>) -> Result<Vec<Snapshot>> {
    let (node, of) = (Optional::new(OP, node)?, Optional::new(OP, domain)?);
    let mut list = ptr::null_mut();
    // SAFETY: the list is ours then; what is passed here and below lives until the call returns.
    let r = call(OP, |e| unsafe { sys::pvctl_snapshot_list(node.ptr(), of.ptr(), &mut list, e) });
    match domain {
        Some(domain) => r.named(domain)?,
        None => r?,
    };
    Ok(collect!(list, sys::pvctl_snapshot_list_count, sys::pvctl_snapshot_list_at, sys::pvctl_snapshot_list_free, Snapshot::of))
}

/// What takes the names of a node, a domain and a snapshot.
fn of_snapshot(
    node: Option<&str>,
    domain: &str,
    name: &str,
    f: impl FnOnce(*const c_char, *const c_char, *const c_char, *mut sys::pvctl_error) -> c_int,
) -> Result<c_int> {
    let (node, domain, name) = (Optional::new(OP, node)?, c_text(OP, domain)?, c_text(OP, name)?);
    call(OP, |e| f(node.ptr(), domain.as_ptr(), name.as_ptr(), e)).named(&domain).keyed(&name)
}

/// [`crate::ErrorKind::NotFound`]: there is none.
pub fn snapshot(node: Option<&str>, domain: &str, name: &str) -> Result<Snapshot> {
    let mut r = sized!(sys::pvctl_snapshot_info);
    of_snapshot(node, domain, name, |node, domain, name, e| unsafe { sys::pvctl_snapshot_get(node, domain, name, &mut r, e) })?;
    Ok(Snapshot::of(&r))
}

pub fn snapshot_disks(node: Option<&str>, domain: &str, name: &str) -> Result<Vec<SnapshotDisk>> {
    let disk = |i| {
        let mut r = sized!(sys::pvctl_snapshot_disk_info);
        let f = |node, domain, name, e| unsafe { sys::pvctl_snapshot_get_disk(node, domain, name, i, &mut r, e) };
        of_snapshot(node, domain, name, f)?;
        Ok(SnapshotDisk {
            vdev: text(&r.vdev),
            format: text(&r.format),
            size_bytes: r.bytes,
            allocated_bytes: r.allocated_bytes,
            overlay: r.overlay != 0,
            file: text(&r.file),
            disk: text(&r.disk),
        })
    };
    (0..snapshot(node, domain, name)?.disks as usize).map(disk).collect()
}

/// What the domain is after a revert.
pub fn snapshot_config(node: Option<&str>, domain: &str, name: &str) -> Result<Config> {
    Config::own(|ret| {
        of_snapshot(node, domain, name, |node, domain, name, e| unsafe { sys::pvctl_snapshot_config(node, domain, name, ret, e) })
    })
}

/// Its memory by its checksum, and that its disks are whole. [`crate::ErrorKind::Invalid`]: something is not what it was.
pub fn verify_snapshot(node: Option<&str>, domain: &str, name: &str) -> Result<()> {
    of_snapshot(node, domain, name, |node, domain, name, e| unsafe { sys::pvctl_snapshot_verify(node, domain, name, e) }).map(drop)
}

/// What later snapshots and disks have of it is merged into them; all is as it was when that is cancelled.
/// [`crate::ErrorKind::Busy`]: the disk of a domain that runs is based on it.
pub fn delete_snapshot(node: Option<&str>, domain: &str, name: &str, opts: LongOptions<'_>) -> Result<()> {
    let mut o = sized!(sys::pvctl_snapshot_delete_opts);
    let r = alone(opts, |progress, data| {
        o.progress = progress;
        o.progress_data = data;
        of_snapshot(node, domain, name, |node, domain, name, e| unsafe { sys::pvctl_snapshot_delete(node, domain, name, &o, e) })
    });
    r.map(drop)
}

/// What makes a snapshot.
fn make(
    name: Option<&str>,
    opts: SnapshotOptions<'_>,
    f: impl FnOnce(*const c_char, &sys::pvctl_snapshot_opts, &mut sys::pvctl_snapshot_stats) -> Result<()>,
) -> Result<SnapshotStats> {
    let (c_name, description) = (Optional::new(OP, name)?, Optional::new(OP, opts.description)?);
    let disks = Optional::new(OP, opts.disks)?;
    let mut hooks = Hooks { say: opts.say, step: None, panic: None };
    let mut o = sized!(sys::pvctl_snapshot_opts);
    o.description = description.ptr();
    o.disks = disks.ptr();
    o.no_memory = opts.no_memory.into();
    o.suspend_timeout_ms = millis(opts.suspend_timeout);
    o.say = Some(on_say);
    o.say_data = (&mut hooks as *mut Hooks<'_>).cast();
    let mut r = sized!(sys::pvctl_snapshot_stats);
    let done = f(c_name.ptr(), &o, &mut r);
    if let Some(panic) = hooks.panic.take() {
        resume_unwind(panic);
    }
    match name {
        Some(name) => done.keyed(name)?,
        None => done?,
    }
    let ns = Duration::from_nanos;
    Ok(SnapshotStats { name: text(&r.name), total: ns(r.total_ns), pause: ns(r.pause_ns), bytes: r.bytes, rounds: r.rounds })
}

/// Of a domain that is defined and does not run: its disks alone, which nobody can use meanwhile. No node needs to run.
/// [`crate::ErrorKind::Busy`]: the domain does.
pub fn snapshot_stopped(node: Option<&str>, domain: &str, name: Option<&str>, opts: SnapshotOptions<'_>) -> Result<SnapshotStats> {
    let (node, of) = (Optional::new(OP, node)?, c_text(OP, domain)?);
    make(name, opts, |name, o, r| {
        let f = |e| unsafe { sys::pvctl_snapshot_create_stopped(node.ptr(), of.as_ptr(), name, o, r, e) };
        call(OP, f).map(drop).named(domain)
    })
}

impl Domain<'_> {
    /// Keeps what the domain is now, to go back to, and the domain goes on. No name: by the time, as the result tells. There is none
    /// after a failure.
    ///
    /// ```
    /// use pvctl::{delete_snapshot, Config, Connection, CreateOptions, LongOptions, RevertOptions, SnapshotOptions};
    /// # fn main() -> pvctl::Result<()> {
    /// let node = Connection::open(None)?;
    /// # let kernel = std::env::var("O").unwrap() + "/guests/save-self.elf";
    /// let config = Config::builder().set("name", "upgraded")?.set("kernel", kernel)?.set("memory", 8)?
    ///     .set("cmdline", "linear asked rounds=9")?.build();
    /// let domain = node.create(&config, &CreateOptions::default())?;
    /// let made = domain.snapshot(Some("before"), SnapshotOptions::default())?;
    /// // Something went wrong: back to that.
    /// let domain = node.revert("upgraded", &made.name, &RevertOptions::default())?.unwrap();
    /// # domain.destroy()?;
    /// delete_snapshot(None, "upgraded", &made.name, LongOptions::default())
    /// # }
    /// ```
    pub fn snapshot(&self, name: Option<&str>, opts: SnapshotOptions<'_>) -> Result<SnapshotStats> {
        make(name, opts, |name, o, r| self.do_(OP, |n, id, e| unsafe { sys::pvctl_snapshot_create(n, id, name, o, r, e) }))
    }
}

impl Connection {
    /// The domain is what it was then; what it did since is lost. None: it does not run, as it did not, and the snapshot is of disks alone.
    pub fn revert(&self, domain: &str, name: &str, opts: &RevertOptions) -> Result<Option<Domain<'_>>> {
        let (domain, name) = (c_text(OP, domain)?, c_text(OP, name)?);
        let mut o = sized!(sys::pvctl_snapshot_revert_opts);
        o.paused = opts.paused.into();
        let f = |n, id, e| unsafe { sys::pvctl_snapshot_revert(n, domain.as_ptr(), name.as_ptr(), &o, id, e) };
        let d = self.domain_of("revert", f).named(&domain).keyed(&name)?;
        Ok((d.id() != 0).then_some(d))
    }
}
