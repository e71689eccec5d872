// SPDX-License-Identifier: MIT
//! The closed set of errors, each by what really causes it. A process of its own: it changes its environment.

use pvctl::*;
use std::fs::{self, File, OpenOptions as Open, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use std::{env, process};

fn small(name: &str, kernel: &str) -> Config {
    let kernel = format!("{}/guests/{kernel}.elf", env::var("O").unwrap());
    let b = Config::builder().set("name", name).unwrap().set("kernel", kernel).unwrap();
    b.set("memory", 8).unwrap().set("cmdline", "linear asked rounds=9").unwrap().build()
}

fn kind<T: std::fmt::Debug>(r: Result<T>) -> ErrorKind {
    let e = r.unwrap_err();
    assert!(!e.to_string().is_empty());
    e.kind()
}

/// Another user could put his own node there.
fn others_may_write() -> ErrorKind {
    let dir = env::temp_dir().join(format!("pvctl-rust.errnos.{}", process::id()));
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
    let own = env::var("PVCTL_RUN_DIR").unwrap();
    env::set_var("PVCTL_RUN_DIR", &dir);
    let r = paths(None);
    env::set_var("PVCTL_RUN_DIR", own);
    fs::remove_dir(dir).unwrap();
    kind(r)
}

fn disk_full(node: &Connection) -> ErrorKind {
    let d = node.create(&small("full", "save-self"), &CreateOptions::default()).unwrap();
    let (mut console, mut said, mut b) = (d.console(u64::MAX).unwrap(), Vec::new(), [0]);
    console.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    while !String::from_utf8_lossy(&said).ends_with("READY 1") {
        assert_eq!(console.read(&mut b).unwrap(), 1);
        said.push(b[0]);
    }
    let r = d.save(Open::new().write(true).open("/dev/full").unwrap(), SaveOptions::default());
    d.destroy().unwrap();
    kind(r)
}

fn node_gone() -> ErrorKind {
    let build = env::var("O").unwrap();
    let (daemon, hv) = (format!("{build}/pvctld/pvctld"), format!("{build}/xen-like-hv.elf"));
    let opts = NodeOptions {
        name: Some("ends"),
        memory_bytes: 64 << 20,
        cpus: 1,
        daemon_path: Some(&daemon),
        hv_path: Some(&hv),
        timeout: Some(Duration::from_secs(120)),
        ..NodeOptions::default()
    };
    start_node(&opts).unwrap();
    let node = Connection::open(Some("ends")).unwrap();
    stop_node(Some("ends"), None).unwrap();
    kind(node.host())
}

fn cancelled(node: &Connection) -> ErrorKind {
    let token = CancelToken::new();
    token.cancel();
    node.set_cancel(Some(token));
    let r = node.create(&small("cancelled", "version"), &CreateOptions::default()).map(|d| d.id());
    node.set_cancel(None);
    kind(r)
}

#[test]
fn each() {
    let node = Connection::open(None).unwrap();
    let create = |config: &Config| kind(node.create(config, &CreateOptions::default()));
    let opts = CreateOptions { paused: true, ..CreateOptions::default() };
    let d = node.create(&small("errnos", "version"), &opts).unwrap();
    let mut large = small("large", "version");
    large.set("memory", 100_000).unwrap();
    let null = || File::create("/dev/null").unwrap();
    assert_eq!(kind(node.domain(0).set_vcpus(1)), ErrorKind::Invalid);
    assert_eq!(kind(Config::parse(&"#".repeat((1 << 20) + 2), &ParseOptions::default())), ErrorKind::TooBig);
    assert_eq!(kind(Connection::open(Some("nowhere"))), ErrorKind::NotFound);
    assert_eq!(kind(node.domain(30000).pause()), ErrorKind::NoDomain);
    assert_eq!(create(&small("errnos", "version")), ErrorKind::Exists);
    assert_eq!(kind(d.save(null(), SaveOptions::default())), ErrorKind::Busy);
    assert_eq!(others_may_write(), ErrorKind::Permission);
    assert_eq!(create(&large), ErrorKind::NoMemory);
    assert_eq!(disk_full(&node), ErrorKind::NoSpace);
    assert_eq!(node_gone(), ErrorKind::Io);
    assert_eq!(kind(node.restore(File::open("/proc/self/status").unwrap(), RestoreOptions::default())), ErrorKind::Protocol);
    assert_eq!(kind(d.wait(Some(Duration::from_millis(1)))), ErrorKind::TimedOut);
    assert_eq!(cancelled(&node), ErrorKind::Canceled);
    assert_eq!(kind(small("vfb", "version").set("vfb", ["vnc=1"])), ErrorKind::NotSupported);
    d.destroy().unwrap();
}
