// SPDX-License-Identifier: MIT

use crate::migrate::{on_say, Hooks};
use crate::util::{c_text, millis, sized, Optional};
use crate::{Domain, Result};
use pvctl_sys as sys;
use std::fmt;
use std::panic::resume_unwind;
use std::time::Duration;

/// Of copies of a running domain.
#[derive(Default)]
pub struct CloneOptions<'a> {
    /// 0: 1.
    pub count: u16,
    /// They stay paused.
    pub paused: bool,
    pub suspend_timeout: Option<Duration>,
    /// The directory for what each writes; None: beside the image.
    pub disks: Option<&'a str>,
    pub say: Option<&'a mut dyn FnMut(&str)>,
}

impl fmt::Debug for CloneOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloneOptions").field("count", &self.count).field("paused", &self.paused).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CloneStats {
    pub total: Duration,
    pub pause: Duration,
    pub restore: Duration,
    /// Held in memory for as long.
    pub bytes: u64,
    pub rounds: u32,
}

impl<'a> Domain<'a> {
    /// Copies, which go on from the same moment under other names. There is none after a failure.
    pub fn clone_as(&self, name: &str, opts: CloneOptions<'_>) -> Result<(Vec<Domain<'a>>, CloneStats)> {
        let (name, disks) = (c_text("clone", name)?, Optional::new("clone", opts.disks)?);
        let mut hooks = Hooks { say: opts.say, step: None, panic: None };
        let mut o = sized!(sys::pvctl_clone_opts);
        o.count = opts.count.max(1).into();
        o.paused = opts.paused.into();
        o.suspend_timeout_ms = millis(opts.suspend_timeout);
        o.disks = disks.ptr();
        o.say = Some(on_say);
        o.say_data = (&mut hooks as *mut Hooks<'_>).cast();
        let mut ids = vec![0; o.count as usize];
        let mut r = sized!(sys::pvctl_clone_stats);
        // SAFETY: all of it lives until the call returns, and there is room for as many.
        let f = |n, id, e| unsafe { sys::pvctl_domain_clone(n, id, name.as_ptr(), &o, ids.as_mut_ptr(), &mut r, e) };
        let done = self.do_("clone", f);
        if let Some(panic) = hooks.panic.take() {
            resume_unwind(panic);
        }
        done?;
        let ns = Duration::from_nanos;
        let stats = CloneStats {
            total: ns(r.total_ns),
            pause: ns(r.pause_ns),
            restore: ns(r.restore_ns),
            bytes: r.bytes,
            rounds: r.rounds,
        };
        Ok((ids.into_iter().map(|id| self.node.domain(id)).collect(), stats))
    }
}
