// SPDX-License-Identifier: MIT

use crate::save::raw_of;
use crate::util::{borrowed, sized};
use crate::{Config, Connection, Domain, Error, Result};
use pvctl_sys as sys;
use std::any::Any;
use std::fmt;
use std::os::raw::{c_char, c_void};
use std::os::unix::io::{AsFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

/// Where a domain is after a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MigrateEnd {
    There,
    Here,
    /// Here, suspended: it could not be resumed.
    Stuck,
    /// Here, suspended: the other side may run it.
    Unknown,
}

/// Of either side.
#[derive(Default)]
pub struct MigrateOptions<'a> {
    pub config: Option<&'a Config>,
    /// Receiver: it stays paused.
    pub paused: bool,
    /// Sender: it has the same number there, or does not move.
    pub keep_id: bool,
    /// What happens, for a person.
    pub say: Option<&'a mut dyn FnMut(&str)>,
    /// Each step of the handshake, for tests.
    pub step: Option<&'a mut dyn FnMut(&str)>,
}

impl fmt::Debug for MigrateOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MigrateOptions").field("paused", &self.paused).finish_non_exhaustive()
    }
}

/// It is there on a failure, too.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MigrateResult {
    pub end: MigrateEnd,
    pub rounds: u32,
    pub bytes: u64,
    pub pages: u64,
    pub total: Duration,
    pub pause: Duration,
}

pub(crate) struct Hooks<'a> {
    pub(crate) say: Option<&'a mut dyn FnMut(&str)>,
    pub(crate) step: Option<&'a mut dyn FnMut(&str)>,
    pub(crate) panic: Option<Box<dyn Any + Send>>,
}

unsafe fn tell(f: &mut Option<&mut dyn FnMut(&str)>, panic: &mut Option<Box<dyn Any + Send>>, line: *const c_char) {
    if let Some(f) = f {
        let line = borrowed(line).unwrap_or_default();
        if let Err(p) = catch_unwind(AssertUnwindSafe(|| f(&line))) {
            panic.get_or_insert(p);
        }
    }
}

pub(crate) unsafe extern "C" fn on_say(data: *mut c_void, line: *const c_char) {
    let h = &mut *data.cast::<Hooks<'_>>();
    tell(&mut h.say, &mut h.panic, line);
}

unsafe extern "C" fn on_step(data: *mut c_void, name: *const c_char) {
    let h = &mut *data.cast::<Hooks<'_>>();
    tell(&mut h.step, &mut h.panic, name);
}

/// The opts for C, and what they point to.
fn with<T>(opts: MigrateOptions<'_>, f: impl FnOnce(&sys::pvctl_migrate_opts) -> T) -> T {
    let mut hooks = Hooks { say: opts.say, step: opts.step, panic: None };
    let mut o = sized!(sys::pvctl_migrate_opts);
    o.config = raw_of(opts.config);
    o.paused = opts.paused.into();
    o.keep_domid = opts.keep_id.into();
    o.say = Some(on_say);
    o.step = Some(on_step);
    o.data = (&mut hooks as *mut Hooks<'_>).cast();
    let r = f(&o);
    if let Some(panic) = hooks.panic.take() {
        resume_unwind(panic);
    }
    r
}

fn copy(fd: impl AsFd) -> Result<OwnedFd> {
    fd.as_fd().try_clone_to_owned().map_err(|source| Error::Os { op: "migrate", source })
}

impl Domain<'_> {
    /// Sends a running domain, live, to whom the two lead to. The result says where it is, whatever the other says.
    pub fn migrate_send(
        &self,
        from_there: impl AsFd,
        to_there: impl AsFd,
        opts: MigrateOptions<'_>,
    ) -> (MigrateResult, Result<()>) {
        let mut r = sized!(sys::pvctl_migrate_result);
        r.end = sys::PVCTL_MIGRATE_HERE;
        let done = copy(from_there).and_then(|i| Ok((i, copy(to_there)?))).and_then(|(i, o)| {
            with(opts, |opts| {
                // SAFETY: the library closes both; all else lives until the call returns.
                let f =
                    |n, id, e| unsafe { sys::pvctl_domain_migrate_send(n, id, i.into_raw_fd(), o.into_raw_fd(), opts, &mut r, e) };
                self.do_("migrate", f)
            })
        });
        let end = match r.end {
            sys::PVCTL_MIGRATE_THERE => MigrateEnd::There,
            sys::PVCTL_MIGRATE_HERE => MigrateEnd::Here,
            sys::PVCTL_MIGRATE_STUCK => MigrateEnd::Stuck,
            _ => MigrateEnd::Unknown,
        };
        let (total, pause) = (Duration::from_nanos(r.total_ns), Duration::from_nanos(r.pause_ns));
        (MigrateResult { end, rounds: r.rounds, bytes: r.bytes, pages: r.pages, total, pause }, done)
    }

    /// Moves it to another node of this process's, whose number for it is returned.
    pub fn migrate_to(&self, there: &mut Connection, opts: MigrateOptions<'_>) -> (MigrateResult, Result<u32>) {
        let pair = UnixStream::pair().and_then(|p| {
            p.0.set_nonblocking(true)?;
            p.1.set_nonblocking(true)?;
            Ok(p)
        });
        let (here, other) = match pair {
            Ok(p) => p,
            Err(source) => {
                let zero = Duration::ZERO;
                let result = MigrateResult { end: MigrateEnd::Here, rounds: 0, bytes: 0, pages: 0, total: zero, pause: zero };
                return (result, Err(Error::Os { op: "migrate", source }));
            }
        };
        let receiver_opts = opts.paused;
        thread::scope(|s| {
            let receiver = s.spawn(move || {
                let opts = MigrateOptions { paused: receiver_opts, ..MigrateOptions::default() };
                there.migrate_receive(&other, &other, opts).map(|d| d.id())
            });
            let (result, sent) = self.migrate_send(&here, &here, opts);
            drop(here);
            let received = receiver.join().unwrap_or_else(|p| resume_unwind(p));
            (result, sent.and(received))
        })
    }
}

impl Connection {
    /// The other side.
    pub fn migrate_receive(&self, from_there: impl AsFd, to_there: impl AsFd, opts: MigrateOptions<'_>) -> Result<Domain<'_>> {
        let (i, o) = (copy(from_there)?, copy(to_there)?);
        with(opts, |opts| {
            // SAFETY: as above.
            self.domain_of("receive", |n, id, e| unsafe {
                sys::pvctl_domain_migrate_receive(n, i.into_raw_fd(), o.into_raw_fd(), opts, id, e)
            })
        })
    }
}
