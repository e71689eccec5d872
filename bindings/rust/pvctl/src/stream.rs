// SPDX-License-Identifier: MIT

use crate::event::either_readable;
use crate::{Error, Event, Events, Result};
use futures_core::Stream;
use std::os::unix::io::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::{fmt, thread};

/// Who waits, and for whom a thread looks whether there is an event.
#[derive(Default)]
struct Waiting {
    waker: Option<Waker>,
    over: bool,
}

#[derive(Default)]
struct Shared(Mutex<Waiting>, Condvar);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until somebody waits; false: it is over.
    fn wanted(&self) -> bool {
        let quiet = |w: &mut Waiting| w.waker.is_none() && !w.over;
        let w = self.1.wait_while(self.lock(), quiet).unwrap_or_else(PoisonError::into_inner);
        !w.over
    }
}

/// [`Events`] for any executor: the feature `stream`. A thread of its own waits for the next event while a task does; the first error
/// is its end.
pub struct EventStream {
    events: Events,
    shared: Arc<Shared>,
    /// The thread looks at the other end, which ends with this.
    _stop: UnixStream,
    ended: bool,
}

impl Events {
    /// Without waiting in this thread.
    pub fn into_stream(self) -> Result<EventStream> {
        let os = |source| Error::Os { op: "events", source };
        let (stop, stopped) = UnixStream::pair().map_err(os)?;
        let fd = self.as_fd().try_clone_to_owned().map_err(os)?;
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        thread::Builder::new().name("pvctl-events".into()).spawn(move || look(&fd, &stopped, &theirs)).map_err(os)?;
        Ok(EventStream { events: self, shared, _stop: stop, ended: false })
    }
}

/// An error wakes the task, too, which is told then.
fn look(fd: &OwnedFd, stopped: &UnixStream, shared: &Shared) {
    while shared.wanted() {
        if let Ok([_, true]) = either_readable([fd.as_raw_fd(), stopped.as_raw_fd()], None) {
            return;
        }
        let waker = shared.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Stream for EventStream {
    type Item = Result<Event>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Event>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        match this.events.try_next() {
            Ok(None) => {
                // What comes between the two is seen by the thread, which looks at the descriptor after this.
                this.shared.lock().waker = Some(cx.waker().clone());
                this.shared.1.notify_one();
                Poll::Pending
            }
            r => {
                this.ended = r.is_err();
                Poll::Ready(r.transpose())
            }
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.1.notify_one();
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").finish_non_exhaustive()
    }
}
