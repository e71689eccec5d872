// SPDX-License-Identifier: MIT

use crate::util::{call, sized, Optional};
use crate::{Error, Result};
use pvctl_sys as sys;
use std::any::Any;
use std::cell::Cell;
use std::ffi::CStr;
use std::fmt;
use std::os::raw::{c_char, c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// How grave a line of the library's log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Error,
    Warning,
    Info,
    Debug,
}

impl LogLevel {
    pub(crate) fn of(level: c_int) -> LogLevel {
        match level {
            i32::MIN..=0 => LogLevel::Error,
            1 => LogLevel::Warning,
            2 => LogLevel::Info,
            _ => LogLevel::Debug,
        }
    }
}

/// How far a long operation is. `total` is 0 where that is not known.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress<'a> {
    pub what: &'a str,
    pub done: u64,
    pub total: u64,
}

/// Cancels, from any thread, the long operation of the connections that have it: see [`Connection::set_cancel`].
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    pub fn new() -> CancelToken {
        CancelToken::default()
    }
    /// For good.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) type LogFn = Box<dyn FnMut(LogLevel, &str) + Send>;
/// What [`Connection::set_progress`] takes.
pub type ProgressFn = Box<dyn FnMut(Progress<'_>) + Send>;

#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) log: Option<LogFn>,
    pub(crate) progress: Option<ProgressFn>,
    pub(crate) cancel: Option<CancelToken>,
    pub(crate) panic: Option<Box<dyn Any + Send>>,
}

/// How a node is connected to.
#[derive(Default)]
pub struct OpenOptions {
    node: Option<String>,
    log: Option<LogFn>,
}

impl OpenOptions {
    pub fn new() -> OpenOptions {
        OpenOptions::default()
    }
    pub fn node(mut self, name: impl Into<String>) -> OpenOptions {
        self.node = Some(name.into());
        self
    }
    /// What the library says meanwhile.
    pub fn log(mut self, f: impl FnMut(LogLevel, &str) + Send + 'static) -> OpenOptions {
        self.log = Some(Box::new(f));
        self
    }
    /// [`crate::ErrorKind::NotFound`]: the node does not run.
    pub fn open(self) -> Result<Connection> {
        let node = Optional::new("open", self.node.as_deref())?;
        let hooks = Box::into_raw(Box::new(Hooks { log: self.log, ..Hooks::default() }));
        let mut opts = sized!(sys::pvctl_open_opts);
        opts.node = node.ptr();
        opts.log = Some(on_log);
        opts.log_data = hooks.cast();
        opts.progress = Some(on_progress);
        opts.progress_data = hooks.cast();
        let mut raw = std::ptr::null_mut();
        // SAFETY: what opts has lives long enough; hooks until the connection is closed.
        match call("open", |e| unsafe { sys::pvctl_open(&opts, &mut raw, e) }) {
            Ok(_) => Ok(Connection { raw, hooks, busy: Cell::new(false) }),
            Err(e) => {
                // SAFETY: nobody else has it.
                drop(unsafe { Box::from_raw(hooks) });
                Err(e)
            }
        }
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions").field("node", &self.node).finish_non_exhaustive()
    }
}

/// A connection to a node. It may go to another thread, and is of one at a time.
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<pvctl::Connection>();
/// ```
/// ```
/// fn sent<T: Send>() {}
/// sent::<pvctl::Connection>();
/// ```
pub struct Connection {
    raw: *mut sys::pvctl,
    hooks: *mut Hooks,
    busy: Cell<bool>,
}

// SAFETY: the library binds a context to no thread, and all that the hooks have is Send.
unsafe impl Send for Connection {}

impl Connection {
    /// None: the default node.
    pub fn open(node: Option<&str>) -> Result<Connection> {
        let mut opts = OpenOptions::new();
        opts.node = node.map(Into::into);
        opts.open()
    }

    /// As dropping it does. Nothing of it can be used afterwards:
    ///
    /// ```compile_fail,E0505
    /// # fn f(node: pvctl::Connection) -> pvctl::Result<()> {
    /// let domain = node.domain(1);
    /// node.close();
    /// domain.pause()
    /// # }
    /// ```
    pub fn close(self) {}

    /// Told up to ten times a second how far long operations are. None: nobody.
    ///
    /// # Panics
    /// When a callback of this very connection calls it.
    pub fn set_progress(&self, f: Option<ProgressFn>) {
        assert!(!self.busy.get(), "the connection is in use");
        // SAFETY: hooks are used by callbacks alone, and none is under way.
        unsafe { (*self.hooks).progress = f };
    }

    /// Who can end operations that begin from now on: [`crate::ErrorKind::Canceled`]. None: nobody.
    ///
    /// # Panics
    /// When a callback of this very connection calls it.
    pub fn set_cancel(&self, token: Option<CancelToken>) {
        assert!(!self.busy.get(), "the connection is in use");
        // SAFETY: as above.
        unsafe { (*self.hooks).cancel = token };
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        // SAFETY: no callback is under way, or it is this thread's, which reads only.
        unsafe { (*self.hooks).cancel.as_ref().map_or(false, CancelToken::is_cancelled) }
    }

    pub(crate) fn do_(&self, op: &'static str, f: impl FnOnce(*mut sys::pvctl, *mut sys::pvctl_error) -> c_int) -> Result<c_int> {
        if self.busy.replace(true) {
            return Err(Error::InUse);
        }
        let r = call(op, |e| f(self.raw, e));
        self.busy.set(false);
        // SAFETY: no callback is under way any more.
        if let Some(panic) = unsafe { (*self.hooks).panic.take() } {
            resume_unwind(panic);
        }
        r
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: both are ours, and the library calls no hook after the first.
        unsafe {
            sys::pvctl_close(self.raw);
            drop(Box::from_raw(self.hooks));
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// A panic must not go through C: it waits until C has returned.
fn guarded<T>(panic: &mut Option<Box<dyn Any + Send>>, f: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(v) => Some(v),
        Err(p) => {
            panic.get_or_insert(p);
            None
        }
    }
}

pub(crate) unsafe extern "C" fn on_log(data: *mut c_void, level: c_int, msg: *const c_char) {
    let hooks = &mut *data.cast::<Hooks>();
    if let Some(log) = &mut hooks.log {
        let msg = CStr::from_ptr(msg).to_string_lossy();
        guarded(&mut hooks.panic, || log(LogLevel::of(level), &msg));
    }
}

unsafe extern "C" fn on_progress(data: *mut c_void, what: *const c_char, done: u64, total: u64) -> c_int {
    let hooks = &mut *data.cast::<Hooks>();
    if let Some(progress) = &mut hooks.progress {
        let what = CStr::from_ptr(what).to_string_lossy();
        guarded(&mut hooks.panic, || progress(Progress { what: &what, done, total }));
    }
    let cancelled = hooks.cancel.as_ref().map_or(false, CancelToken::is_cancelled);
    (cancelled || hooks.panic.is_some()).into()
}
