// SPDX-License-Identifier: MIT
//! Events as a Stream, with an executor of a few lines: a task is this thread.
#![cfg(feature = "stream")]

use futures_core::Stream;
use pvctl::*;
use std::pin::Pin;
use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(120);

struct Woken(Mutex<Sender<()>>);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        let _ = self.0.lock().unwrap().send(());
    }
}

/// The next event, and how often it was waited for.
fn next(stream: &mut EventStream) -> (Option<Result<Event>>, u32) {
    let (to, woken) = channel();
    let waker = Arc::new(Woken(Mutex::new(to))).into();
    let mut waits = 0;
    loop {
        match Pin::new(&mut *stream).poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(e) => return (e, waits),
            Poll::Pending => woken.recv_timeout(LONG).expect("nobody was woken"),
        }
        waits += 1;
    }
}

fn paused(node: &Connection, name: &str) -> u32 {
    let kernel = std::env::var("O").unwrap() + "/guests/version.elf";
    let b = Config::builder().set("name", name).unwrap().set("kernel", kernel).unwrap().set("memory", 8).unwrap();
    node.create(&b.build(), &CreateOptions { paused: true, ..CreateOptions::default() }).unwrap().id()
}

#[test]
fn a_stream() {
    let node = Connection::open(None).unwrap();
    let mut stream = node.events(EventMask::CREATED | EventMask::DESTROYED).unwrap().into_stream().unwrap();
    let maker = thread::spawn(move || {
        for i in 0..30 {
            // Now and then the reader waits, and now and then it has not come to that.
            thread::sleep(Duration::from_millis(i % 3 * 20));
            node.domain(paused(&node, "streamed")).destroy().unwrap();
        }
        node
    });
    let (mut kinds, mut waits) = (Vec::new(), 0);
    while kinds.len() < 60 {
        let (e, n) = next(&mut stream);
        let e = e.unwrap().unwrap();
        waits += n;
        if e.name == "streamed" {
            kinds.push(e.kind);
        }
    }
    assert!(waits > 0 && kinds.chunks(2).all(|k| k == [EventMask::CREATED, EventMask::DESTROYED]));
    drop(stream);
    their_threads_end_with_them(&maker.join().unwrap());
}

/// Those of streams: another one that was joined may be listed for a moment still.
fn looking() -> usize {
    let named =
        |task: &std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).map_or(false, |c| c == "pvctl-events\n");
    std::fs::read_dir("/proc/self/task").unwrap().flatten().filter(named).count()
}

/// A new thread names itself, and one that ends does so when it likes.
fn until_looking(n: usize) {
    let begun = Instant::now();
    while looking() != n {
        assert!(begun.elapsed() < LONG, "{} threads look for events instead of {n}", looking());
        thread::sleep(Duration::from_millis(10));
    }
}

/// Two that are waited for, and two that never were.
fn their_threads_end_with_them(node: &Connection) {
    until_looking(0);
    let mut streams: Vec<_> = (0..4).map(|_| node.events(EventMask::KEPT).unwrap().into_stream().unwrap()).collect();
    let waker = Arc::new(Woken(Mutex::new(channel().0))).into();
    for stream in &mut streams[..2] {
        assert!(Pin::new(stream).poll_next(&mut Context::from_waker(&waker)).is_pending());
    }
    until_looking(4);
    drop(streams);
    until_looking(0);
}
