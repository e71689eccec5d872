// SPDX-License-Identifier: MIT
//! Creates, runs and inspects paravirtualized domains.
//!
//! A [`Connection`] to a node is used by one thread at a time: it is `Send`, and not `Sync`. What shall run at once has connections of its
//! own. Handles are closed when they are dropped, or earlier by `close`, after which the compiler refuses their use.
//!
//! ```
//! use pvctl::{Config, Connection, CreateOptions, Reason};
//! # fn main() -> pvctl::Result<()> {
//! let node = Connection::open(None)?;
//! let kernel = std::env::var("O").unwrap() + "/guests/shutdown.elf";
//! let config = Config::builder().set("name", "example")?.set("kernel", kernel)?.set("memory", 8)?
//!     .set("cmdline", "reason=0")?.set("on_poweroff", "preserve")?.build();
//! let domain = node.create(&config, &CreateOptions::default())?;
//! assert_eq!(domain.wait(None)?, Reason::Poweroff);
//! domain.destroy()?;
//! # Ok(()) }
//! ```
#![deny(missing_debug_implementations)]
#![warn(rustdoc::all)]

mod boot;
mod clone;
mod config;
mod connection;
mod device;
mod domain;
mod dump;
mod error;
mod event;
mod image;
mod migrate;
mod node;
mod save;
mod snapshot;
mod store;
#[cfg(feature = "stream")]
mod stream;
mod template;
mod util;

pub use boot::{Boot, BootEntry, BootOptions};
pub use clone::{CloneOptions, CloneStats};
pub use config::{Builder, Config, CpuidEdit, ParseOptions, Value};
pub use connection::{CancelToken, Connection, LogLevel, OpenOptions, Progress, ProgressFn};
pub use device::{parse_disk, parse_vif, Channel, DetachOptions, Disk, DiskSpec, Vif, VifSpec};
pub use domain::{parse_cpus, CreateOptions, Domain, DomainInfo, Ended, Grants, Reason, RunState, Sched, Vcpu};
pub use dump::{DumpOptions, DumpThen};
pub use error::{Error, ErrorKind, Message, MessageLevel, Origin, Result};
pub use event::{Console, Event, EventMask, Events};
pub use image::{copy_image, flatten_image, image, resize_image, CopyOptions, Image, LongOptions};
pub use migrate::{MigrateEnd, MigrateOptions, MigrateResult};
pub use node::{
    autostart, define, defined, defined_config, node, nodes, paths, restart_daemon, start_node, stop_node, undefine, Defined, Host,
    NodeInfo, NodeOptions, Paths,
};
pub use save::{Leave, RestoreOptions, RestoreStats, SaveOptions, SaveStats};
pub use snapshot::{
    delete_snapshot, snapshot, snapshot_config, snapshot_disks, snapshot_stopped, snapshots, verify_snapshot, RevertOptions,
    Snapshot, SnapshotDisk, SnapshotOptions, SnapshotStats,
};
pub use store::StoreQuota;
#[cfg(feature = "stream")]
pub use stream::EventStream;
pub use template::{
    delete_template, remove_template_disks, template, template_config, templates, FromTemplateOptions, Template, TemplateOptions,
};

/// That of the library.
pub fn version() -> String {
    // SAFETY: a text that is always there.
    unsafe { util::borrowed(pvctl_sys::pvctl_version()) }.unwrap_or_default()
}
