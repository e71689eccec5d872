// SPDX-License-Identifier: MIT

use crate::error::About;
use crate::util::{c_text, sized, text};
use crate::{Domain, ErrorKind, Result};
use pvctl_sys as sys;

/// How much of something a domain may have in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreQuota {
    pub name: String,
    pub limit: u32,
    pub default: u32,
    /// None: that is not counted.
    pub used: Option<u64>,
}

impl Domain<'_> {
    pub fn store_quotas(&self) -> Result<Vec<StoreQuota>> {
        let mut all = Vec::new();
        loop {
            let (mut r, i) = (sized!(sys::pvctl_store_quota), all.len() as u32);
            // SAFETY: r is ours.
            match self.do_("store quota", |n, id, e| unsafe { sys::pvctl_store_quota_get(n, id, i, &mut r, e) }) {
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(all),
                other => other?,
            }
            all.push(StoreQuota { name: text(&r.name), limit: r.limit, default: r.own, used: r.used.try_into().ok() });
        }
    }

    /// Until the domain goes; what it has already stays. 0: the default.
    pub fn set_store_quota(&self, name: &str, value: u32) -> Result<()> {
        let name = c_text("store quota", name)?;
        // SAFETY: the text lives long enough.
        self.do_("store quota", |n, id, e| unsafe { sys::pvctl_store_quota_set(n, id, name.as_ptr(), value, e) }).keyed(&name)
    }
}
