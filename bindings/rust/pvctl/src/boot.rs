// SPDX-License-Identifier: MIT

use crate::util::{borrowed, c_text, call, millis, sized, Optional};
use crate::{Config, Error, Result};
use pvctl_sys as sys;
use std::fs::File;
use std::os::raw::c_int;
use std::os::unix::io::BorrowedFd;
use std::ptr;
use std::time::Duration;

/// What of a disk is looked at.
#[derive(Clone, Debug, Default)]
pub struct BootOptions<'a> {
    /// A number, an id, a title; None: what boots by itself.
    pub entry: Option<&'a str>,
    pub timeout: Option<Duration>,
    /// Reads the menu, and no kernel.
    pub list_only: bool,
    pub kernel: Option<&'a str>,
    pub ramdisk: Option<&'a str>,
    pub offset_bytes: u64,
    pub user: Option<&'a str>,
    pub format: Option<&'a str>,
}

#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BootEntry {
    pub title: String,
    pub id: Option<String>,
    pub kernel: Option<String>,
    pub ramdisk: Option<String>,
    pub cmdline: Option<String>,
}

/// What a disk would boot.
#[derive(Debug)]
#[non_exhaustive]
pub struct Boot {
    pub entries: Vec<BootEntry>,
    pub default_entry: u32,
    /// None: `list_only`.
    pub chosen: Option<u32>,
    pub partition: u32,
    pub config_file: String,
    /// In memory, and nobody can change them.
    pub kernel: Option<File>,
    pub ramdisk: Option<File>,
    /// None: the menu waits for ever.
    pub wait: Option<Duration>,
}

impl Boot {
    /// Of an image or a device.
    pub fn of_disk(disk: &str, opts: &BootOptions<'_>) -> Result<Boot> {
        let disk = c_text("boot", disk)?;
        // SAFETY: what is passed here and below lives until the call returns.
        read(opts, |o, ret, e| unsafe { sys::pvctl_boot_open(disk.as_ptr(), o, ret, e) })
    }

    /// Of the first disk of a configuration with a bootloader.
    pub fn of_config(config: &Config, opts: &BootOptions<'_>) -> Result<Boot> {
        read(opts, |o, ret, e| unsafe { sys::pvctl_boot_open_config(config.raw, o, ret, e) })
    }
}

/// Freed whatever happens.
struct Raw(*mut sys::pvctl_boot);

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { sys::pvctl_boot_free(self.0) }
    }
}

type Open<'a> = &'a dyn Fn(*const sys::pvctl_boot_opts, *mut *mut sys::pvctl_boot, *mut sys::pvctl_error) -> c_int;

fn read(
    opts: &BootOptions<'_>,
    open: impl Fn(*const sys::pvctl_boot_opts, *mut *mut sys::pvctl_boot, *mut sys::pvctl_error) -> c_int,
) -> Result<Boot> {
    let raw = opened(opts, &open)?;
    let mut r = sized!(sys::pvctl_boot_info);
    // SAFETY: r is ours; what it points to is there until raw is dropped.
    unsafe {
        call("boot", |e| sys::pvctl_boot_get(raw.0, &mut r, e))?;
        let entry = |i| {
            let t = &*sys::pvctl_boot_entry_at(raw.0, i);
            BootEntry {
                title: borrowed(t.title).unwrap_or_default(),
                id: borrowed(t.id),
                kernel: borrowed(t.kernel),
                ramdisk: borrowed(t.ramdisk),
                cmdline: borrowed(t.cmdline),
            }
        };
        Ok(Boot {
            entries: (0..sys::pvctl_boot_entry_count(raw.0)).map(entry).collect(),
            default_entry: r.default_entry,
            chosen: u32::try_from(r.chosen).ok(),
            partition: r.partition,
            config_file: borrowed(r.config).unwrap_or_default(),
            kernel: file(r.kernel_fd)?,
            ramdisk: file(r.ramdisk_fd)?,
            wait: u64::try_from(r.wait_s).ok().map(Duration::from_secs),
        })
    }
}

fn opened(opts: &BootOptions<'_>, open: Open<'_>) -> Result<Raw> {
    let entry = Optional::new("boot", opts.entry)?;
    let kernel = Optional::new("boot", opts.kernel)?;
    let ramdisk = Optional::new("boot", opts.ramdisk)?;
    let user = Optional::new("boot", opts.user)?;
    let format = Optional::new("boot", opts.format)?;
    let mut o = sized!(sys::pvctl_boot_opts);
    o.entry = entry.ptr();
    o.timeout_ms = millis(opts.timeout);
    o.list_only = opts.list_only.into();
    o.kernel = kernel.ptr();
    o.ramdisk = ramdisk.ptr();
    o.offset_bytes = opts.offset_bytes;
    o.user = user.ptr();
    o.format = format.ptr();
    let mut raw = ptr::null_mut();
    call("boot", |e| open(&o, &mut raw, e))?;
    Ok(Raw(raw))
}

/// A copy of what C has.
unsafe fn file(fd: c_int) -> Result<Option<File>> {
    if fd < 0 {
        return Ok(None);
    }
    let copy = BorrowedFd::borrow_raw(fd).try_clone_to_owned();
    copy.map(|fd| Some(File::from(fd))).map_err(|source| Error::Os { op: "boot", source })
}
