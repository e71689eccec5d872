// SPDX-License-Identifier: MIT

use crate::util::{call, sized, text, unix};
use crate::{Connection, Domain, Error, Reason, Result, RunState};
use pvctl_sys as sys;
use std::fmt;
use std::io::{self, Read, Write};
use std::ops::BitOr;
use std::os::raw::{c_int, c_ulong};
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::time::{Duration, Instant, SystemTime};

/// A bit for each kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventMask(u32);

macro_rules! kinds {
    ($($name:ident $c:ident $doc:literal;)*) => {
        impl EventMask {
            $(#[doc = $doc] pub const $name: EventMask = EventMask(sys::$c);)*
        }
    };
}
kinds! {
    CREATED PVCTL_EVENT_CREATED "A domain was created.";
    SHUTDOWN PVCTL_EVENT_SHUTDOWN "It shut down, for `reason`.";
    DESTROYED PVCTL_EVENT_DESTROYED "It is gone.";
    PAUSED PVCTL_EVENT_PAUSED "It was paused.";
    UNPAUSED PVCTL_EVENT_UNPAUSED "It runs again.";
    NODE_DOWN PVCTL_EVENT_NODE_DOWN "The node is gone: the last one.";
    KEPT PVCTL_EVENT_KEPT "It ended too often, and is not restarted.";
    NODE_SLOW PVCTL_EVENT_NODE_SLOW "The hypervisor does not answer.";
    NODE_BACK PVCTL_EVENT_NODE_BACK "It does again.";
    RENAMED PVCTL_EVENT_RENAMED "`detail`: its former name.";
    MEMORY PVCTL_EVENT_MEMORY "`value`: bytes that it holds.";
    VCPUS PVCTL_EVENT_VCPUS "`value`: how many are online.";
    DEVICE_ATTACHED PVCTL_EVENT_DEVICE_ATTACHED "The guest can use it.";
    DEVICE_DETACHED PVCTL_EVENT_DEVICE_DETACHED "The guest let go of it.";
    DEVICE_FAILED PVCTL_EVENT_DEVICE_FAILED "`detail`: why.";
    CONSOLE PVCTL_EVENT_CONSOLE "Its console can be attached.";
    NODE_UP PVCTL_EVENT_NODE_UP "The snapshot begins.";
    PRESENT PVCTL_EVENT_PRESENT "Of the snapshot: a domain that there is.";
    RESUMED PVCTL_EVENT_RESUMED "It was suspended.";
    LOST PVCTL_EVENT_LOST "The reader was too slow: look at the state anew.";
    DAEMON_RESTARTED PVCTL_EVENT_DAEMON_RESTARTED "Something may have been missed.";
    ALL PVCTL_EVENT_ALL "All of them.";
}

impl EventMask {
    /// All of the other's are in this.
    pub fn contains(self, other: EventMask) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for EventMask {
    type Output = EventMask;
    fn bitor(self, other: EventMask) -> EventMask {
        EventMask(self.0 | other.0)
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// One bit.
    pub kind: EventMask,
    pub domain_id: u32,
    pub unique_id: u64,
    pub name: String,
    pub time: Option<SystemTime>,
    pub reason: Reason,
    pub state: RunState,
    pub value: u64,
    /// "disk", "vif", "p9", "channel".
    pub device_kind: String,
    pub device: String,
    pub detail: String,
}

#[repr(C)]
struct PollFd {
    fd: c_int,
    events: i16,
    revents: i16,
}

extern "C" {
    fn poll(fds: *mut PollFd, n: c_ulong, timeout_ms: c_int) -> c_int;
}

/// false: the time is over.
fn readable(fd: c_int, timeout: Option<Duration>) -> Result<bool> {
    either_readable([fd, -1], timeout).map(|which| which[0])
}

/// Which of the two are readable, or at their end; both false: the time is over. -1 is none.
pub(crate) fn either_readable(fds: [c_int; 2], timeout: Option<Duration>) -> Result<[bool; 2]> {
    let end = timeout.map(|t| Instant::now() + t);
    loop {
        let left = end.map_or(-1, |end| end.saturating_duration_since(Instant::now()).as_millis().min(1 << 30) as c_int);
        let mut p = fds.map(|fd| PollFd { fd, events: 1, revents: 0 });
        // SAFETY: two, and ours.
        match unsafe { poll(p.as_mut_ptr(), 2, left) } {
            0 if left != 0 && end.map_or(true, |end| Instant::now() < end) => (),
            n if n >= 0 => return Ok([p[0].revents != 0, p[1].revents != 0]),
            _ => {
                let source = io::Error::last_os_error();
                if source.kind() != io::ErrorKind::Interrupted {
                    return Err(Error::Os { op: "events", source });
                }
            }
        }
    }
}

/// A subscription, and an iterator that waits for the next event; the first error is its end. It does not need its connection any more.
pub struct Events {
    raw: *mut sys::pvctl_events,
    ended: bool,
}

// SAFETY: it is of no thread.
unsafe impl Send for Events {}

impl Connection {
    /// With [`EventMask::PRESENT`] a snapshot of the domains comes first.
    pub fn events(&self, mask: EventMask) -> Result<Events> {
        let mut raw = ptr::null_mut();
        // SAFETY: it is ours then.
        self.do_("events", |n, e| unsafe { sys::pvctl_events_open(n, mask.0, &mut raw, e) })?;
        Ok(Events { raw, ended: false })
    }
}

impl Events {
    /// None: there is none now.
    pub fn try_next(&mut self) -> Result<Option<Event>> {
        let mut r = sized!(sys::pvctl_event);
        // SAFETY: both are ours.
        let n = call("events", |e| unsafe { sys::pvctl_events_next(self.raw, &mut r, e) })?;
        Ok((n > 0).then(|| Event {
            kind: EventMask(r.type_),
            domain_id: r.domid,
            unique_id: r.unique_id,
            name: text(&r.name),
            time: unix(r.time_unix_ns),
            reason: Reason::of(r.reason),
            state: RunState::of(r.state),
            value: r.value,
            device_kind: text(&r.device_kind),
            device: text(&r.device),
            detail: text(&r.detail),
        }))
    }

    /// None: there was none in that time.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Event>> {
        let begun = Instant::now();
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(Some(event));
            }
            if !readable(self.as_fd().as_raw_fd(), Some(timeout.saturating_sub(begun.elapsed())))? {
                return Ok(None);
            }
        }
    }

    fn wait(&mut self) -> Result<Event> {
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(event);
            }
            readable(self.as_fd().as_raw_fd(), None)?;
        }
    }
}

impl Iterator for Events {
    type Item = Result<Event>;
    fn next(&mut self) -> Option<Result<Event>> {
        if self.ended {
            return None;
        }
        let r = self.wait();
        self.ended = r.is_err();
        Some(r)
    }
}

/// To poll it for reading, with others.
impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: it is open until self is dropped.
        unsafe { BorrowedFd::borrow_raw(sys::pvctl_events_fd(self.raw)) }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { sys::pvctl_events_close(self.raw) }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// Of a domain: `Read` and `Write`. Reading ends when the domain is gone.
#[derive(Debug)]
pub struct Console(UnixStream);

impl Domain<'_> {
    /// First come up to `replay_bytes` of what it said before; `u64::MAX`: all that is kept.
    pub fn console(&self, replay_bytes: u64) -> Result<Console> {
        let mut fd = -1;
        // SAFETY: the descriptor is ours then.
        self.do_("console", |n, id, e| unsafe { sys::pvctl_console_attach(n, id, replay_bytes, &mut fd, e) })?;
        Ok(Console(UnixStream::from(unsafe { OwnedFd::from_raw_fd(fd) })))
    }
}

impl Console {
    /// As of [`UnixStream`].
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(timeout)
    }
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        self.0.set_nonblocking(on)
    }
    /// For another thread, which reads or writes the same.
    pub fn try_clone(&self) -> io::Result<Console> {
        self.0.try_clone().map(Console)
    }
}

impl Read for Console {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Console {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl AsFd for Console {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
