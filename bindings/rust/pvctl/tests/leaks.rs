// SPDX-License-Identifier: MIT
//! A process of its own, whose descriptors and memory nobody else uses.

use pvctl::{snapshot, snapshots, Config, Connection, EventMask, OpenOptions, ParseOptions};
use std::{env, fs};

fn fds() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn resident_bytes() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn round(id: u32) {
    let node = OpenOptions::new().log(|_, _| ()).open().unwrap();
    node.set_progress(Some(Box::new(|_| ())));
    let _events = node.events(EventMask::ALL).unwrap();
    let d = node.domain(id);
    let _console = d.console(0).unwrap();
    let _config = d.config().unwrap();
    node.domains().unwrap();
    d.store_quotas().unwrap();
    snapshots(None, None).unwrap();
    snapshot(None, "leaks", "none").unwrap_err();
    Config::parse("memory = 'much'", &ParseOptions::default()).unwrap_err();
}

#[test]
fn nothing_is_left() {
    let rounds = env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let node = Connection::open(None).unwrap();
    let b = Config::builder().set("name", "leaks").unwrap().set("kernel", env::var("O").unwrap() + "/guests/version.elf").unwrap();
    let opts = pvctl::CreateOptions { paused: true, ..Default::default() };
    let d = node.create(&b.set("memory", 8).unwrap().build(), &opts).unwrap();
    (0..rounds).for_each(|_| round(d.id()));
    let (had, held) = (fds(), resident_bytes());
    (0..rounds).for_each(|_| round(d.id()));
    assert_eq!(fds(), had);
    // A connection alone has more than 1 KiB.
    let now = resident_bytes();
    // Valgrind has memory of its own, and looks by itself.
    assert!(env::var_os("VALGRIND").is_some() || now <= held + (1 << 20) + rounds * 512, "{held} bytes, then {now}");
    d.destroy().unwrap();
}
