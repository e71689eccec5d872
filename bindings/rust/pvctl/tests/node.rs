// SPDX-License-Identifier: MIT
//! On two real nodes, which tests/e2e/87-rust.t starts: the default one and "other".

mod common;

use common::*;
use pvctl::*;
use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

fn paused(node: &Connection, name: &str) -> u32 {
    node.create(&small(name, "version", ""), &CreateOptions { paused: true, ..CreateOptions::default() }).unwrap().id()
}

fn rounds(name: &str, normally: usize) -> usize {
    env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(normally)
}

fn until(events: &mut Events, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
    let begun = Instant::now();
    loop {
        let left = LONG.checked_sub(begun.elapsed()).unwrap_or_else(|| panic!("{what}: no such event"));
        if let Some(e) = events.next_timeout(left).unwrap() {
            if wanted(&e) {
                return e;
            }
        }
    }
}

#[test]
fn life() {
    let node = open();
    let mut events = node.events(EventMask::ALL).unwrap();
    until(&mut events, "node-up", |e| e.kind == EventMask::NODE_UP);
    let opts = CreateOptions { paused: true, ..CreateOptions::default() };
    let d = node.create(&small("life", "shutdown", "reason=0"), &opts).unwrap();
    let info = d.info().unwrap();
    assert_eq!((info.name.as_str(), info.state, info.reason), ("life", RunState::Paused, Reason::None));
    assert!(info.memory_bytes >= 7 << 20 && info.created.unwrap().elapsed().unwrap() < Duration::from_secs(3600));
    assert_eq!(node.lookup("life").unwrap().id(), d.id());
    d.rename("lives").unwrap();
    let mut config = d.config().unwrap();
    assert_eq!(config.text("name").unwrap(), "lives");
    config.set("on_poweroff", "preserve").unwrap();
    d.set_config(&config).unwrap();
    assert_eq!(node.domains().unwrap()[0].id, 0);
    assert_eq!(d.vcpus().unwrap().len(), 1);
    d.set_sched(Some(512), None).unwrap();
    assert_eq!(d.sched().unwrap().weight, 512);
    d.set_affinity(0, Some(1), None).unwrap();
    d.unpause().unwrap();
    assert_eq!(d.wait(Some(LONG)).unwrap(), Reason::Poweroff);
    let e = until(&mut events, "shutdown", |e| e.kind == EventMask::SHUTDOWN && e.domain_id == d.id());
    assert_eq!((e.reason, e.unique_id), (Reason::Poweroff, info.unique_id));
    d.destroy().unwrap();
    until(&mut events, "destroyed", |e| e.kind == EventMask::DESTROYED && e.domain_id == d.id());
    assert_eq!(node.ended("lives").unwrap().id, d.id());
}

#[test]
fn nodes_and_hosts() {
    let node = open();
    assert!(nodes().unwrap().iter().any(|n| n.name == "other" && n.running));
    let host = node.host().unwrap();
    assert!(host.cpus as usize == host.free_cpu.len() && host.page_size_bytes == 4096);
    node.debug_keys("h").unwrap();
    assert!(node.dmesg(false).unwrap().contains('\n'));
    node.store_write("/tool/rust", b"a\0b").unwrap();
    assert_eq!(node.store_read("/tool/rust").unwrap(), b"a\0b");
    node.store_remove("/tool/rust").unwrap();
    assert_eq!(kind(node.store_read("/tool/rust")), ErrorKind::NotFound);
    assert_eq!(paths(None).unwrap().run_base, env::var("PVCTL_RUN_DIR").unwrap());
    define(None, &small("defined", "version", "")).unwrap();
    autostart(None, "defined", true, Some(7), Some(Duration::from_millis(1500))).unwrap();
    let list = defined(None).unwrap();
    let d = list.iter().find(|d| d.name == "defined").unwrap();
    assert_eq!((d.autostart, d.order, d.delay), (true, 7, Duration::from_millis(1500)));
    assert_eq!(defined_config(None, "defined").unwrap().int("memory"), Some(8));
    undefine(None, "defined").unwrap();
    assert_eq!(kind(undefine(None, "defined")), ErrorKind::NotFound);
}

#[test]
fn configs() {
    let r = Config::parse("name = \"x\"\nmemory = \"much\"\n", &ParseOptions { file: Some("x.cfg"), strict: false });
    let e = r.unwrap_err();
    assert!(std::error::Error::source(&e).is_some());
    match &e {
        Error::Parse { messages, .. } => assert_eq!((messages[0].file.as_str(), messages[0].line), ("x.cfg", 2)),
        e => panic!("{e:?}"),
    }
    let text = "name = 'x'\nmemory = 8\nvif = ['link=user', 'link=switch,bridge=lan']\nmemroy = 9\n";
    let (mut c, said) = Config::parse_with_messages(text, &ParseOptions::default()).unwrap();
    assert_eq!(said[0].line, 4);
    assert_eq!(c.list("vif"), ["link=user", "link=switch,bridge=lan"]);
    assert_eq!(Config::from_json(&c.to_json().unwrap()).unwrap().int("memory"), Some(8));
    assert_eq!(c.text("kernel"), None);
    let (xml, _) = small("xml", "version", "").to_xml(&ParseOptions::default()).unwrap();
    assert_eq!(Config::from_xml(&xml, &ParseOptions::default()).unwrap().0.text("name").unwrap(), "xml");
    let e = Config::from_xml("<domain type='xen'>\n<memory>many</memory>", &ParseOptions::default()).unwrap_err();
    assert!(matches!(e, Error::Parse { .. }) && e.kind() == ErrorKind::Invalid);
    for (key, value) in [("memory", Value::Int(-1)), ("nonsense", Value::Int(1)), ("vcpus", Value::Text("x".into()))] {
        assert!(c.set(key, value).unwrap_err().to_string().contains(key));
    }
    assert_eq!(kind(c.set("na\0me", "x")), ErrorKind::Invalid);
    c.check(|_, _| ()).unwrap_err();
    let disk = parse_disk("/dev/null,raw,xvdb,ro").unwrap();
    assert!(disk.name == "xvdb" && disk.read_only && disk.target == "/dev/null");
    let vif = parse_vif("mac=00:16:3e:01:02:03,link=user").unwrap();
    assert!(vif.mac == Some([0, 0x16, 0x3e, 1, 2, 3]) && vif.devid.is_none());
    assert_eq!(parse_cpus("0-3,^1").unwrap(), 0xd);
}

#[test]
fn errors() {
    let node = open();
    let gone = node.domain(30000);
    assert_eq!(kind(Connection::open(Some("nowhere"))), ErrorKind::NotFound);
    assert_eq!(kind(start_node(&NodeOptions { name: Some("other"), ..NodeOptions::default() })), ErrorKind::Exists);
    assert_eq!(kind(gone.destroy()), ErrorKind::NoDomain);
    assert_eq!(kind(gone.info()), ErrorKind::NoDomain);
    assert_eq!(kind(gone.console(0)), ErrorKind::NoDomain);
    assert_eq!(kind(node.domain(0).set_vcpus(1)), ErrorKind::Invalid);
    assert_eq!(kind(node.lookup("nobody")), ErrorKind::NoDomain);
    assert_eq!(kind(node.create(&small("x", "none", ""), &CreateOptions::default())), ErrorKind::NotFound);
    assert_eq!(kind(template("none")), ErrorKind::NotFound);
    assert_eq!(kind(Boot::of_disk("/nonexistent", &BootOptions::default())), ErrorKind::NotFound);
    let dir = Dir::new("errors");
    fs::write(dir.file("saved"), "no saved domain at all, by its first bytes alone, which are text").unwrap();
    let saved = File::open(dir.file("saved")).unwrap();
    assert_eq!(kind(node.restore(saved, RestoreOptions::default()).map(drop)), ErrorKind::Protocol);
    let d = node.domain(paused(&node, "errors"));
    assert_eq!(kind(d.wait(Some(Duration::from_millis(1)))), ErrorKind::TimedOut);
    let again = node.create(&small("errors", "version", ""), &CreateOptions::default());
    assert_eq!(kind(again), ErrorKind::Exists);
    assert_eq!(kind(d.destroy_unique(1 << 60)), ErrorKind::NoDomain);
    d.destroy().unwrap();
}

/// A panic of a callback comes out of the call, and the connection is whole.
#[test]
fn callbacks_that_panic() {
    let node = open();
    node.set_progress(Some(Box::new(|_| panic!("on purpose"))));
    let config = small("panics", "version", "");
    let r =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| node.create(&config, &CreateOptions::default()).map(|d| d.id())));
    assert_eq!(*r.unwrap_err().downcast::<&str>().unwrap(), "on purpose");
    node.set_progress(None);
    assert_eq!(kind(node.lookup("panics")), ErrorKind::NoDomain);
}

#[test]
fn events_under_load() {
    let n = rounds("EVENTS", 200);
    let mut events = open().events(EventMask::CREATED | EventMask::DESTROYED | EventMask::LOST).unwrap();
    let maker = thread::spawn(move || {
        let node = open();
        for _ in 0..n {
            node.domain(paused(&node, "load")).destroy().unwrap();
        }
    });
    let (mut created, mut destroyed) = (std::collections::HashSet::new(), 0);
    while destroyed < n {
        let e = until(&mut events, "all of them", |e| e.name == "load" || e.kind == EventMask::LOST);
        match e.kind {
            EventMask::CREATED => assert!(created.insert(e.unique_id)),
            EventMask::DESTROYED => {
                assert!(created.contains(&e.unique_id));
                destroyed += 1;
            }
            _ => panic!("{e:?}"),
        }
    }
    maker.join().unwrap();
    assert_eq!(created.len(), n);
}

#[test]
fn threads() {
    let shared = Arc::new(Mutex::new(open()));
    let all: Vec<_> = (0..8)
        .map(|i| {
            let shared = shared.clone();
            thread::spawn(move || {
                let (node, name) = (open(), format!("thread{i}"));
                for _ in 0..3 {
                    let id = paused(&node, &name);
                    assert_eq!(shared.lock().unwrap().lookup(&name).unwrap().id(), id);
                    node.domain(id).destroy().unwrap();
                }
            })
        })
        .collect();
    for t in all {
        t.join().unwrap();
    }
}

#[test]
fn linux() {
    // Without the module there is nothing to attach: the script says so.
    let ramdisk = match env::var("RAMDISK") {
        Ok(ramdisk) if !ramdisk.is_empty() => ramdisk,
        _ => return,
    };
    let node = open();
    let mut events = node.events(EventMask::ALL).unwrap();
    let b = Config::builder().set("name", "linux").unwrap().set("kernel", env::var("KERNEL").unwrap()).unwrap();
    let b = b.set("ramdisk", ramdisk).unwrap().set("memory", 128).unwrap().set("maxmem", 192).unwrap().set("vcpus", 1).unwrap();
    let b = b.set("maxvcpus", 2).unwrap().set("vif", ["link=switch,bridge=lan"]).unwrap();
    let config = b.set("cmdline", "console=hvc0 quiet run=insmod+/lib/modules/xen-blkfront.ko").unwrap().build();
    let d = node.create(&config, &CreateOptions::default()).unwrap();
    let mut console = d.console(u64::MAX).unwrap();
    says(&mut console, "guest-init: up");
    console.write_all(b"echo it''s $((6 * 7))\n").unwrap();
    says(&mut console, "its 42");

    let dir = Dir::new("linux");
    File::create(dir.file("disk.img")).unwrap().set_len(4 << 20).unwrap();
    d.attach_disk(&(dir.file("disk.img") + ",raw,xvdb,rw")).unwrap();
    until(&mut events, "the disk", |e| e.kind == EventMask::DEVICE_ATTACHED && e.device == "xvdb");
    let disks = d.disks().unwrap();
    assert!(disks.len() == 1 && disks[0].name == "xvdb" && disks[0].size_bytes == 4 << 20 && disks[0].state == 4);
    assert_eq!(d.resize_disk("xvdb", 8 << 20).unwrap(), 8 << 20);
    let patient = DetachOptions { force: false, timeout: Some(LONG) };
    d.detach_disk("xvdb", &patient).unwrap();
    assert!(d.disks().unwrap().is_empty());
    d.attach_vif("link=switch,bridge=lan,mac=00:16:3e:00:00:09").unwrap();
    assert_eq!(d.vifs().unwrap()[1].mac, [0, 0x16, 0x3e, 0, 0, 9]);
    d.detach_vif("00:16:3e:00:00:09", &DetachOptions { force: true, ..patient }).unwrap();
    assert!(d.channels().unwrap().is_empty());

    d.set_memory_target(112 << 20).unwrap();
    d.wait_memory(112 << 20, LONG).unwrap();
    d.set_memory_max(120 << 20).unwrap();
    d.set_vcpus(2).unwrap();
    until(&mut events, "two vCPUs", |e| e.kind == EventMask::VCPUS && e.value == 2);
    d.suspend(Some(LONG)).unwrap();
    d.keep_suspended().unwrap();
    d.release_disks().unwrap();
    d.resume().unwrap();
    d.request("poweroff").unwrap();
    assert_eq!(d.wait(Some(LONG)).unwrap(), Reason::Poweroff);
    std::io::copy(&mut console, &mut std::io::sink()).unwrap();
}

#[test]
fn save_and_restore() {
    let node = open();
    let d = node.domain(ready(&node, "saved"));
    let dir = Dir::new("save");
    let file = || File::create(dir.file("saved")).unwrap();
    told(&node, Some(CancelToken::new()));
    assert_eq!(kind(d.save(file(), SaveOptions { live: true, ..SaveOptions::default() })), ErrorKind::Canceled);
    assert!(matches!(d.info().unwrap().state, RunState::Running | RunState::Blocked));
    told(&node, None);
    let mut refuse = || -> std::result::Result<(), Box<dyn std::error::Error>> { Err("refused".into()) };
    let e = d.save(file(), SaveOptions { written: Some(&mut refuse), ..SaveOptions::default() }).unwrap_err();
    assert!(e.to_string().contains("refused"), "{e}");
    let count = told(&node, None);
    let stats = d.save(file(), SaveOptions { live: true, keep_id: true, ..SaveOptions::default() }).unwrap();
    let id = d.id();
    assert!(stats.bytes == fs::metadata(dir.file("saved")).unwrap().len() && *count.lock().unwrap() > 0);
    assert_eq!(kind(node.lookup("saved")), ErrorKind::NoDomain);

    // Half of it, and no end: only the token ends that.
    let saved = fs::read(dir.file("saved")).unwrap();
    let (from, mut to) = UnixStream::pair().unwrap();
    from.set_nonblocking(true).unwrap();
    let token = CancelToken::new();
    let soon = token.clone();
    let writer = thread::spawn(move || {
        to.write_all(&saved[..saved.len() / 2]).unwrap();
        soon.cancel();
        to
    });
    node.set_cancel(Some(token));
    assert_eq!(kind(node.restore(&from, RestoreOptions::default()).map(drop)), ErrorKind::Canceled);
    drop(from);
    let _ = writer.join();
    node.set_cancel(None);
    assert_eq!(kind(node.lookup("saved")), ErrorKind::NoDomain);

    let mut asked = 0;
    let mut ready = |id: u32| -> std::result::Result<(), Box<dyn std::error::Error>> {
        asked = id;
        Ok(())
    };
    let opts = RestoreOptions { name: Some("restored"), ready: Some(&mut ready), ..RestoreOptions::default() };
    let (d, restored) = node.restore(File::open(dir.file("saved")).unwrap(), opts).unwrap();
    assert_eq!((asked, id, restored.bytes), (d.id(), d.id(), stats.bytes));
    says(&mut d.console(u64::MAX).unwrap(), "BACK");
    d.destroy().unwrap();
}

#[test]
fn migrate() {
    let (here, mut there) = (open(), Connection::open(Some("other")).unwrap());
    let d = here.domain(ready(&here, "moves"));
    let (copies, _) = d.clone_as("copied", CloneOptions { paused: true, ..CloneOptions::default() }).unwrap();
    assert_eq!(copies[0].info().unwrap().name, "copied");
    copies[0].destroy().unwrap();
    told(&here, Some(CancelToken::new()));
    let (result, r) = d.migrate_to(&mut there, MigrateOptions::default());
    assert_eq!((kind(r), result.end), (ErrorKind::Canceled, MigrateEnd::Here));
    assert_eq!(d.info().unwrap().name, "moves");
    let count = told(&here, None);
    let mut lines = 0;
    let mut say = |_: &str| lines += 1;
    let (result, r) = d.migrate_to(&mut there, MigrateOptions { say: Some(&mut say), ..MigrateOptions::default() });
    let id = r.unwrap();
    assert!(result.end == MigrateEnd::There && result.bytes > 0 && lines > 0 && *count.lock().unwrap() > 0);
    assert_eq!(there.domain(id).info().unwrap().name, "moves");
    assert_eq!(kind(here.lookup("moves")), ErrorKind::NoDomain);
    there.domain(id).destroy().unwrap();
}

#[test]
fn a_create_that_is_cancelled() {
    let node = open();
    told(&node, Some(CancelToken::new()));
    assert_eq!(kind(node.create(&small("cancelled", "version", ""), &CreateOptions::default())), ErrorKind::Canceled);
    assert_eq!(kind(node.lookup("cancelled")), ErrorKind::NoDomain);
}

#[test]
fn templates_and_images() {
    let (node, dir) = (open(), Dir::new("template"));
    let disk = dir.file("disk.img");
    fs::write(&disk, vec![0; 1 << 20]).unwrap();
    resize_image(&disk, None, 2 << 20, false).unwrap();
    copy_image(&disk, &dir.file("copy.img"), CopyOptions::default()).unwrap();
    assert_eq!(image(&dir.file("copy.img"), None).unwrap().size_bytes, 2 << 20);
    assert_eq!(kind(copy_image(&disk, &dir.file("copy.img"), CopyOptions::default())), ErrorKind::Exists);
    let mut from = small("origin", "version", "");
    from.set("disk", [(disk + ",raw,xvda,rw").as_str()]).unwrap();
    node.make_template("gone", &from, &TemplateOptions { description: Some("of Rust"), ..TemplateOptions::default() }).unwrap();
    node.verify_template("gone").unwrap();
    assert!(templates().unwrap().iter().any(|t| t.description == "of Rust" && t.disks == 1));
    node.export_template("gone", dir.0.to_str().unwrap()).unwrap();
    delete_template("gone").unwrap();
    node.import_template(&dir.file("gone"), "here").unwrap();
    template_config("here").unwrap();
    let over = Config::builder().set("name", "ofit").unwrap().build();
    let d = node.create_from_template("here", &over, &FromTemplateOptions { paused: true, cold: false }).unwrap();
    d.destroy().unwrap();
    node.reinstall("ofit", None).unwrap();
    undefine(None, "ofit").unwrap();
    remove_template_disks("ofit").unwrap();
    delete_template("here").unwrap();
}
