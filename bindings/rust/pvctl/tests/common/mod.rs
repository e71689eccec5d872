// SPDX-License-Identifier: MIT
//! What several of the tests need, each of them something else.
#![allow(dead_code)]

use pvctl::*;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, fs, thread};

pub const LONG: Duration = Duration::from_secs(120);

pub fn open() -> Connection {
    Connection::open(None).unwrap()
}

pub fn guest(name: &str) -> String {
    format!("{}/guests/{name}.elf", env::var("O").unwrap())
}

/// A kernel of a few pages.
pub fn small(name: &str, kernel: &str, cmdline: &str) -> Config {
    let b = Config::builder().set("name", name).unwrap().set("kernel", guest(kernel)).unwrap();
    b.set("memory", 8).unwrap().set("cmdline", cmdline).unwrap().build()
}

pub fn kind<T: std::fmt::Debug>(r: Result<T>) -> ErrorKind {
    let e = r.unwrap_err();
    assert!(!e.to_string().is_empty());
    e.kind()
}

/// Of its own, gone at the end.
pub struct Dir(pub PathBuf);

impl Dir {
    pub fn new(name: &str) -> Dir {
        let dir = env::temp_dir().join(format!("pvctl-rust.{name}.{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Dir(dir)
    }
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Until the console has said so.
pub fn says(console: &mut Console, what: &str) {
    console.set_read_timeout(Some(LONG)).unwrap();
    let (mut all, mut b) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&all).ends_with(what) {
        assert_eq!(console.read(&mut b).unwrap(), 1, "no {what:?} in {:?}", String::from_utf8_lossy(&all));
        all.push(b[0]);
    }
}

/// Waits to be suspended.
pub fn ready(node: &Connection, name: &str) -> u32 {
    ready_of(node, &small(name, "save-self", "linear asked rounds=9"))
}

pub fn ready_of(node: &Connection, config: &Config) -> u32 {
    let d = node.create(config, &CreateOptions::default()).unwrap();
    says(&mut d.console(u64::MAX).unwrap(), "READY 1");
    d.id()
}

/// Counts, and cancels at once where there is a token.
pub fn told(node: &Connection, token: Option<CancelToken>) -> Arc<Mutex<u32>> {
    let count = Arc::new(Mutex::new(0));
    let (n, t) = (count.clone(), token.clone());
    node.set_progress(Some(Box::new(move |_| {
        *n.lock().unwrap() += 1;
        if let Some(t) = &t {
            t.cancel();
        }
    })));
    node.set_cancel(token);
    // What was told less than a tenth of a second before is not told again.
    thread::sleep(Duration::from_millis(150));
    count
}
