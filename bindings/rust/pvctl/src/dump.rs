// SPDX-License-Identifier: MIT

use crate::util::sized;
use crate::{Domain, Result};
use pvctl_sys as sys;
use std::os::unix::io::{AsFd, AsRawFd};

/// What becomes of a domain whose core was dumped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DumpThen {
    /// It goes on.
    #[default]
    Nothing,
    /// It ends, as if it had crashed.
    Crash,
    /// It ends, as if it rebooted.
    Reset,
}

/// By default the domain stands still meanwhile, and goes on.
#[derive(Clone, Debug, Default)]
pub struct DumpOptions {
    /// It runs meanwhile, and what is written is of no one moment.
    pub live: bool,
    pub then: DumpThen,
}

impl Domain<'_> {
    /// Registers and memory, whatever the guest's kernel does, to a file from where it stands: an ELF core for crash(8).
    pub fn dump_core(&self, to: impl AsFd, opts: &DumpOptions) -> Result<()> {
        let mut o = sized!(sys::pvctl_dump_opts);
        o.live = opts.live.into();
        o.then = match opts.then {
            DumpThen::Nothing => sys::PVCTL_DUMP_NOTHING,
            DumpThen::Crash => sys::PVCTL_DUMP_CRASH,
            DumpThen::Reset => sys::PVCTL_DUMP_RESET,
        };
        let fd = to.as_fd().as_raw_fd();
        // SAFETY: all of it lives until the call returns.
        self.do_("dump core", |n, id, e| unsafe { sys::pvctl_domain_dump_core(n, id, fd, &o, e) })
    }
}
