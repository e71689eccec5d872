// SPDX-License-Identifier: MIT
//! Snapshots, and what else leaves files; what a failure is about.

mod common;

use common::*;
use pvctl::*;
use std::fs::{self, File, OpenOptions as Open};
use std::process::Command;
use std::time::{Duration, Instant};

/// What it is, and what it is about.
fn about<T: std::fmt::Debug>(r: Result<T>, kind: ErrorKind, domain: Option<&str>, key: Option<&str>) {
    let e = r.unwrap_err();
    assert_eq!((e.kind(), e.domain(), e.key()), (kind, domain, key), "{e}");
}

/// When the qemu-nbd of a domain that is gone has let go of the disk.
fn deleted(domain: &str, name: &str) {
    let begun = Instant::now();
    loop {
        match delete_snapshot(None, domain, name, LongOptions::default()) {
            Err(e) if e.kind() == ErrorKind::Busy && begun.elapsed() < LONG => std::thread::sleep(Duration::from_millis(20)),
            r => return r.unwrap(),
        }
    }
}

/// qemu-utils are there: the node needs them for disks that are not raw.
fn has_images() -> bool {
    Command::new("qemu-img").arg("--version").output().is_ok()
}

fn run(program: &str, args: &[&str]) {
    let out = Command::new(program).args(args).output().unwrap();
    assert!(out.status.success(), "{program} {args:?}: {out:?}");
}

#[test]
fn there_and_back() {
    if !has_images() {
        return;
    }
    let (node, dir) = (open(), Dir::new("snapshot"));
    fs::write(dir.file("disk.img"), vec![0; 1 << 20]).unwrap();
    let mut config = small("snapped", "save-self", "linear asked rounds=9");
    config.set("disk", [(dir.file("disk.img") + ",raw,xvda,rw").as_str()]).unwrap();
    let d = node.domain(ready_of(&node, &config));
    let id = d.id().to_string();
    told(&node, Some(CancelToken::new()));
    about(d.snapshot(Some("none"), SnapshotOptions::default()), ErrorKind::Canceled, Some(&id), Some("none"));
    assert!(snapshots(None, Some("snapped")).unwrap().is_empty());
    assert!(matches!(d.info().unwrap().state, RunState::Running | RunState::Blocked));

    let (count, mut lines) = (told(&node, None), 0);
    let mut say = |_: &str| lines += 1;
    let opts = SnapshotOptions { description: Some("of Rust"), say: Some(&mut say), ..SnapshotOptions::default() };
    let stats = d.snapshot(Some("one"), opts).unwrap();
    assert!(stats.name == "one" && stats.bytes > 0 && stats.pause <= stats.total, "{stats:?}");
    assert!(lines > 0 && *count.lock().unwrap() > 0);
    about(d.snapshot(Some("one"), SnapshotOptions::default()), ErrorKind::Exists, Some(&id), Some("one"));
    let by_time = d.snapshot(None, SnapshotOptions { no_memory: true, ..SnapshotOptions::default() }).unwrap().name;

    let one = snapshot(None, "snapped", "one").unwrap();
    assert!(one.description == "of Rust" && one.has_memory && one.memory_bytes == stats.bytes && one.disks == 1, "{one:?}");
    assert!(one.created.unwrap().elapsed().unwrap() < Duration::from_secs(3600));
    let list = snapshots(None, Some("snapped")).unwrap();
    assert!(list.len() == 2 && list[0] == one && list[1].name == by_time && !list[1].has_memory, "{list:?}");
    let disks = snapshot_disks(None, "snapped", "one").unwrap();
    assert!(disks.len() == 1 && disks[0].vdev == "xvda" && disks[0].size_bytes == 1 << 20 && disks[0].file != disks[0].disk);
    assert_eq!(snapshot_config(None, "snapped", "one").unwrap().int("memory"), Some(8));
    verify_snapshot(None, "snapped", "one").unwrap();
    about(verify_snapshot(None, "snapped", "two"), ErrorKind::NotFound, Some("snapped"), Some("two"));

    about(node.revert("snapped", "two", &RevertOptions::default()), ErrorKind::NotFound, Some("snapped"), Some("two"));
    let back = node.revert("snapped", "one", &RevertOptions { paused: true }).unwrap().unwrap();
    let info = back.info().unwrap();
    assert_eq!((back.id() != d.id(), info.name.as_str(), info.state), (true, "snapped", RunState::Paused));
    let mut console = back.console(u64::MAX).unwrap();
    back.unpause().unwrap();
    says(&mut console, "BACK");
    back.destroy().unwrap();
    for name in ["one", &by_time] {
        deleted("snapped", name);
    }
    about(snapshot(None, "snapped", "one"), ErrorKind::NotFound, Some("snapped"), Some("one"));
    assert!(snapshots(None, Some("snapped")).unwrap().is_empty());
}

/// Of disks alone, of a domain that does not run: a revert does not start it.
#[test]
fn of_one_that_does_not_run() {
    if !has_images() {
        return;
    }
    let (node, dir) = (open(), Dir::new("stopped"));
    fs::write(dir.file("disk.img"), vec![0; 1 << 20]).unwrap();
    let mut config = small("stopped", "save-self", "linear asked rounds=9");
    config.set("disk", [(dir.file("disk.img") + ",raw,xvda,rw").as_str()]).unwrap();
    let make = |name| snapshot_stopped(None, "stopped", Some(name), SnapshotOptions::default());
    about(make("one"), ErrorKind::NotFound, Some("stopped"), Some("one"));
    define(None, &config).unwrap();
    assert_eq!(make("one").unwrap().name, "one");
    let one = snapshot(None, "stopped", "one").unwrap();
    assert!(!one.has_memory && one.disks == 1, "{one:?}");
    assert!(node.revert("stopped", "one", &RevertOptions::default()).unwrap().is_none());
    let d = node.domain(ready_of(&node, &defined_config(None, "stopped").unwrap()));
    about(make("two"), ErrorKind::Busy, Some("stopped"), Some("two"));
    d.destroy().unwrap();
    deleted("stopped", "one");
    undefine(None, "stopped").unwrap();
}

/// A panic of a callback comes out of the call, and the domain goes on.
#[test]
fn a_callback_that_panics() {
    let node = open();
    let d = node.domain(ready(&node, "snap-panics"));
    node.set_progress(Some(Box::new(|_| panic!("on purpose"))));
    std::thread::sleep(Duration::from_millis(150));
    let r = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| d.snapshot(Some("none"), SnapshotOptions::default())));
    assert_eq!(*r.unwrap_err().downcast::<&str>().unwrap(), "on purpose");
    node.set_progress(None);
    assert!(snapshots(None, Some("snap-panics")).unwrap().is_empty());
    d.destroy().unwrap();
}

#[test]
fn flattened() {
    if !has_images() {
        return;
    }
    let dir = Dir::new("flatten");
    let from = dir.file("from.qcow2");
    run("qemu-img", &["create", "-q", "-f", "qcow2", &from, "4M"]);
    run("qemu-io", &["-f", "qcow2", "-c", "write -P 5 0 1M", &from]);
    let whole = |path: &str| run("qemu-io", &["-f", "qcow2", "-c", "read -P 5 0 1M", path]);
    let overlay = |name: &str| {
        let path = dir.file(name);
        copy_image(&from, &path, CopyOptions { format: Some("qcow2"), overlay: true, ..CopyOptions::default() }).unwrap();
        assert_eq!(image(&path, Some("qcow2")).unwrap().base, from);
        path
    };
    // It may have been all done when that was asked: nothing is lost either way.
    let (stopped, token) = (overlay("stopped"), CancelToken::new());
    token.cancel();
    let r = flatten_image(&stopped, LongOptions { cancel: Some(token), ..LongOptions::default() });
    about(r, ErrorKind::Canceled, None, Some(&stopped));
    whole(&stopped);
    let (flat, mut count) = (overlay("flat"), 0);
    let mut progress = |_: Progress<'_>| count += 1;
    flatten_image(&flat, LongOptions { progress: Some(&mut progress), ..LongOptions::default() }).unwrap();
    assert!(image(&flat, Some("qcow2")).unwrap().base.is_empty() && count > 0);
    fs::remove_file(&from).unwrap();
    whole(&flat);
    about(flatten_image(&from, LongOptions::default()), ErrorKind::NotFound, None, Some(&from));
}

fn paused<'a>(node: &'a Connection, name: &str) -> Domain<'a> {
    let mut config = small(name, "version", "");
    config.set("on_crash", "preserve").unwrap();
    node.create(&config, &CreateOptions { paused: true, ..CreateOptions::default() }).unwrap()
}

#[test]
fn a_core() {
    let (node, dir) = (open(), Dir::new("core"));
    let d = paused(&node, "dumped");
    let core = || File::create(dir.file("core")).unwrap();
    told(&node, Some(CancelToken::new()));
    about(d.dump_core(core(), &DumpOptions::default()), ErrorKind::Canceled, Some(&d.id().to_string()), None);
    let count = told(&node, None);
    d.dump_core(core(), &DumpOptions::default()).unwrap();
    let written = fs::read(dir.file("core")).unwrap();
    assert!(written.starts_with(b"\x7fELF") && written.len() > 7 << 20 && *count.lock().unwrap() > 0);
    assert_eq!(d.info().unwrap().state, RunState::Paused);
    let full = Open::new().write(true).open("/dev/full").unwrap();
    about(d.dump_core(full, &DumpOptions::default()), ErrorKind::NoSpace, Some(&d.id().to_string()), None);
    d.dump_core(core(), &DumpOptions { then: DumpThen::Crash, ..DumpOptions::default() }).unwrap();
    assert_eq!(d.wait(Some(LONG)).unwrap(), Reason::Crash);
    d.destroy().unwrap();
}

#[test]
fn limits() {
    let node = open();
    let d = paused(&node, "limited");
    let grants = d.grants().unwrap();
    assert!(grants.max_pages > 0 && grants.pages <= grants.max_pages);
    let nodes = || d.store_quotas().unwrap().into_iter().find(|q| q.name == "nodes").unwrap();
    let was = nodes();
    assert!(was.limit == was.default && was.used > Some(0), "{was:?}");
    d.set_store_quota("nodes", was.limit - 1).unwrap();
    assert_eq!((nodes().limit, nodes().default), (was.limit - 1, was.default));
    d.set_store_quota("nodes", 0).unwrap();
    assert_eq!(nodes().limit, was.default);
    about(d.set_store_quota("noodles", 1), ErrorKind::Invalid, Some(&d.id().to_string()), Some("noodles"));
    about(node.domain(30000).store_quotas(), ErrorKind::NoDomain, Some("30000"), None);
    node.set_parameter("guest_lines", 100).unwrap();
    about(node.set_parameter("nonsense", 1), ErrorKind::NotFound, None, Some("nonsense"));
    d.destroy().unwrap();
}

/// What the message says is there for a program, too.
#[test]
fn errors_are_about_something() {
    use ErrorKind::{Invalid, NoDomain, NotFound};
    let (node, mut config) = (open(), small("about", "none", ""));
    let gone = node.domain(30000);
    about(gone.pause(), NoDomain, Some("30000"), None);
    about(gone.set_memory_target(1 << 20), NoDomain, Some("30000"), Some("memory"));
    about(gone.detach_disk("xvdb", &DetachOptions::default()), NoDomain, Some("30000"), Some("xvdb"));
    about(gone.config(), NoDomain, Some("30000"), None);
    about(node.lookup("nobody"), NoDomain, Some("nobody"), None);
    about(node.ended_id(30000), NoDomain, Some("30000"), None);
    about(node.create(&config, &CreateOptions::default()), NotFound, Some("about"), None);
    about(config.check(|_, _| ()), NotFound, Some("about"), None);
    about(node.check(&config), NotFound, Some("about"), None);
    about(config.set("memory", -1), Invalid, None, Some("memory"));
    about(Config::parse("name = 'x'\n vcpus = 'several'\n", &ParseOptions::default()), Invalid, None, Some("vcpus"));
    about(Config::parse("vcpus += several\n", &ParseOptions::default()), Invalid, None, Some("vcpus"));
    about(Config::parse("= 3\n", &ParseOptions::default()), Invalid, None, None);
    about(node.store_read("/tool/none"), NotFound, None, Some("/tool/none"));
    about(template("none"), NotFound, None, Some("none"));
    about(image("/no/such.img", None), NotFound, None, Some("/no/such.img"));
    about(parse_cpus("many"), Invalid, None, Some("cpus"));
    about(parse_disk(""), Invalid, None, Some("disk"));
    about(undefine(None, "nobody"), NotFound, Some("nobody"), None);
}
