// SPDX-License-Identifier: MIT

use crate::error::About;
use crate::util::{fill, millis, sized, Optional};
use crate::{Config, Connection, Domain, Result};
use pvctl_sys as sys;
use std::any::Any;
use std::os::raw::{c_int, c_void};
use std::os::unix::io::{AsFd, AsRawFd};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::time::Duration;
use std::{fmt, ptr};

/// What becomes of a domain that was saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leave {
    #[default]
    Destroyed,
    Paused,
    Running,
    Suspended,
}

type Failing<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Not live, and the domain is destroyed, by default.
#[derive(Default)]
pub struct SaveOptions<'a> {
    pub live: bool,
    pub leave: Leave,
    pub compress: bool,
    /// None: 60 s.
    pub suspend_timeout: Option<Duration>,
    /// Saved instead of the domain's own.
    pub config: Option<&'a Config>,
    /// All has been written: `Ok` when that is safe.
    pub written: Option<&'a mut dyn FnMut() -> Failing<()>>,
    /// 0: 30.
    pub max_rounds: u32,
    /// It is restored with the number that it has, or not at all, but with a configuration of its own.
    pub keep_id: bool,
}

impl fmt::Debug for SaveOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaveOptions").field("live", &self.live).field("leave", &self.leave).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SaveStats {
    pub bytes: u64,
    pub pages: u64,
    pub zero_pages: u64,
    pub total: Duration,
    pub pause: Duration,
    pub rounds: u32,
}

#[derive(Default)]
pub struct RestoreOptions<'a> {
    pub paused: bool,
    /// None: as it is saved.
    pub name: Option<&'a str>,
    /// Instead of the saved one.
    pub config: Option<&'a Config>,
    /// All of it is there but its devices.
    pub ready: Option<&'a mut dyn FnMut(u32) -> Failing<()>>,
}

impl fmt::Debug for RestoreOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestoreOptions").field("paused", &self.paused).field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestoreStats {
    pub bytes: u64,
    pub pages: u64,
    pub total: Duration,
}

/// A function of the caller's, and what it panicked with.
struct Hook<F>(F, Option<Box<dyn Any + Send>>);

fn run<F>(data: *mut c_void, err: *mut sys::pvctl_error, f: impl FnOnce(&mut F) -> Failing<()>) -> c_int {
    // SAFETY: what the opts were given, which lives until the call returns.
    let hook = unsafe { &mut *data.cast::<Hook<F>>() };
    match catch_unwind(AssertUnwindSafe(|| f(&mut hook.0))) {
        Ok(Ok(())) => 0,
        Ok(Err(e)) => fill(err, &e.to_string()),
        Err(p) => {
            hook.1 = Some(p);
            fill(err, "a panic")
        }
    }
}

type Written<'a> = Option<&'a mut dyn FnMut() -> Failing<()>>;
type Ready<'a> = Option<&'a mut dyn FnMut(u32) -> Failing<()>>;

unsafe extern "C" fn on_written(data: *mut c_void, err: *mut sys::pvctl_error) -> c_int {
    run(data, err, |f: &mut Written<'_>| f.as_mut().map_or(Ok(()), |f| f()))
}

unsafe extern "C" fn on_ready(data: *mut c_void, id: u32, err: *mut sys::pvctl_error) -> c_int {
    run(data, err, |f: &mut Ready<'_>| f.as_mut().map_or(Ok(()), |f| f(id)))
}

pub(crate) fn raw_of(config: Option<&Config>) -> *mut sys::pvctl_config {
    config.map_or(ptr::null_mut(), |c| c.raw)
}

impl Domain<'_> {
    /// To a file, pipe or socket, from where it stands. Whatever goes wrong, the domain goes on. A token ends it at once where the
    /// descriptor does not block, else between two writes.
    pub fn save(&self, to: impl AsFd, opts: SaveOptions<'_>) -> Result<SaveStats> {
        let mut hook = Hook(opts.written, None);
        let mut o = sized!(sys::pvctl_save_opts);
        o.live = opts.live.into();
        o.leave = opts.leave as u32;
        o.compress = opts.compress.into();
        o.suspend_timeout_ms = millis(opts.suspend_timeout);
        o.config = raw_of(opts.config);
        o.max_rounds = opts.max_rounds;
        o.keep_domid = opts.keep_id.into();
        if hook.0.is_some() {
            o.written = Some(on_written);
            o.written_data = (&mut hook as *mut Hook<Written<'_>>).cast();
        }
        let mut r = sized!(sys::pvctl_save_stats);
        let fd = to.as_fd().as_raw_fd();
        // SAFETY: all of it lives until the call returns.
        let done = self.do_("save", |n, id, e| unsafe { sys::pvctl_domain_save(n, id, fd, &o, &mut r, e) });
        if let Some(panic) = hook.1.take() {
            resume_unwind(panic);
        }
        done?;
        Ok(SaveStats {
            bytes: r.bytes,
            pages: r.pages,
            zero_pages: r.zero_pages,
            total: Duration::from_nanos(r.total_ns),
            pause: Duration::from_nanos(r.pause_ns),
            rounds: r.rounds,
        })
    }
}

impl Connection {
    /// A domain of what was saved; nothing is left of it after a failure. Cancelled as [`Domain::save`].
    pub fn restore(&self, from: impl AsFd, opts: RestoreOptions<'_>) -> Result<(Domain<'_>, RestoreStats)> {
        let name = Optional::new("restore", opts.name)?;
        let mut hook = Hook(opts.ready, None);
        let mut o = sized!(sys::pvctl_restore_opts);
        o.paused = opts.paused.into();
        o.name = name.ptr();
        if hook.0.is_some() {
            o.ready = Some(on_ready);
            o.ready_data = (&mut hook as *mut Hook<Ready<'_>>).cast();
        }
        let mut r = sized!(sys::pvctl_restore_stats);
        let (fd, config) = (from.as_fd().as_raw_fd(), raw_of(opts.config));
        // SAFETY: as above.
        let mut done = self.domain_of("restore", |n, id, e| unsafe { sys::pvctl_domain_restore(n, fd, config, &o, id, &mut r, e) });
        if let Some(panic) = hook.1.take() {
            resume_unwind(panic);
        }
        if let Some(name) = opts.name {
            done = done.named(name);
        }
        Ok((done?, RestoreStats { bytes: r.bytes, pages: r.pages, total: Duration::from_nanos(r.total_ns) }))
    }
}
