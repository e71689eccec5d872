// SPDX-License-Identifier: MIT

use crate::error::About;
use crate::util::{c_text, call, collect, sized, text, unix, Optional};
use crate::{Config, Connection, Domain, Result};
use pvctl_sys as sys;
use std::ptr;
use std::time::SystemTime;

const OP: &str = "template";

/// What new domains are made of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Template {
    pub name: String,
    pub description: String,
    pub dir: String,
    pub created: Option<SystemTime>,
    pub size_bytes: u64,
    pub disks: u32,
    /// It has the memory of a domain that has booted.
    pub warm: bool,
}

impl Template {
    fn of(t: &sys::pvctl_template_info) -> Template {
        Template {
            name: text(&t.name),
            description: text(&t.description),
            dir: text(&t.dir),
            created: unix(t.created_unix_ns),
            size_bytes: t.bytes,
            disks: t.disks,
            warm: t.warm != 0,
        }
    }
}

/// `domain_id`: of the domain that has the disks.
#[derive(Clone, Debug, Default)]
pub struct TemplateOptions<'a> {
    pub description: Option<&'a str>,
    pub domain_id: Option<u32>,
    pub warm: bool,
}

/// `cold`: it boots, also where the template is warm.
#[derive(Clone, Debug, Default)]
pub struct FromTemplateOptions {
    pub paused: bool,
    pub cold: bool,
}

pub fn template(name: &str) -> Result<Template> {
    let name = c_text(OP, name)?;
    let mut r = sized!(sys::pvctl_template_info);
    // SAFETY: what is passed here and below lives until the call returns.
    call(OP, |e| unsafe { sys::pvctl_template_get(name.as_ptr(), &mut r, e) }).keyed(&name)?;
    Ok(Template::of(&r))
}

/// What its domains are.
pub fn template_config(name: &str) -> Result<Config> {
    let name = c_text(OP, name)?;
    Config::own(|ret| call(OP, |e| unsafe { sys::pvctl_template_config(name.as_ptr(), ret, e) })).keyed(&name)
}

/// By name.
pub fn templates() -> Result<Vec<Template>> {
    let mut list = ptr::null_mut();
    call(OP, |e| unsafe { sys::pvctl_template_list(&mut list, e) })?;
    Ok(collect!(list, sys::pvctl_template_list_count, sys::pvctl_template_list_at, sys::pvctl_template_list_free, Template::of))
}

/// [`crate::ErrorKind::Busy`]: a domain's disks are based on it.
pub fn delete_template(name: &str) -> Result<()> {
    let name = c_text(OP, name)?;
    call(OP, |e| unsafe { sys::pvctl_template_delete(name.as_ptr(), e) }).map(drop).keyed(&name)
}

/// Of a domain that was made of a template and is gone.
pub fn remove_template_disks(domain: &str) -> Result<()> {
    let domain = c_text(OP, domain)?;
    call(OP, |e| unsafe { sys::pvctl_template_disks_remove(domain.as_ptr(), e) }).map(drop).named(&domain)
}

impl Connection {
    pub fn make_template(&self, name: &str, from: &Config, opts: &TemplateOptions<'_>) -> Result<()> {
        let (name, description) = (c_text(OP, name)?, Optional::new(OP, opts.description)?);
        let mut o = sized!(sys::pvctl_template_make_opts);
        o.description = description.ptr();
        o.domid = opts.domain_id.unwrap_or(0);
        o.warm = opts.warm.into();
        self.do_(OP, |n, e| unsafe { sys::pvctl_template_make(n, name.as_ptr(), from.raw, &o, e) }).map(drop).keyed(&name)
    }

    /// Compares its files with their checksums.
    pub fn verify_template(&self, name: &str) -> Result<()> {
        let name = c_text(OP, name)?;
        self.do_(OP, |n, e| unsafe { sys::pvctl_template_verify(n, name.as_ptr(), e) }).map(drop).keyed(&name)
    }

    /// To dir/NAME.
    pub fn export_template(&self, name: &str, dir: &str) -> Result<()> {
        let (name, dir) = (c_text(OP, name)?, c_text(OP, dir)?);
        self.do_(OP, |n, e| unsafe { sys::pvctl_template_export(n, name.as_ptr(), dir.as_ptr(), e) }).map(drop).keyed(&name)
    }

    /// From a directory, as `name`.
    pub fn import_template(&self, dir: &str, name: &str) -> Result<()> {
        let (name, dir) = (c_text(OP, name)?, c_text(OP, dir)?);
        self.do_(OP, |n, e| unsafe { sys::pvctl_template_import(n, dir.as_ptr(), name.as_ptr(), e) }).map(drop).keyed(&name)
    }

    /// `over` has the domain's name, and what is to be other than in the template.
    pub fn create_from_template(&self, name: &str, over: &Config, opts: &FromTemplateOptions) -> Result<Domain<'_>> {
        let name = c_text(OP, name)?;
        let mut o = sized!(sys::pvctl_template_create_opts);
        o.paused = opts.paused.into();
        o.cold = opts.cold.into();
        let r = self.domain_of(OP, |n, id, e| unsafe { sys::pvctl_template_create(n, name.as_ptr(), over.raw, &o, id, e) });
        over.of_this(r).keyed(&name)
    }

    /// The first disk of a domain, running or defined, anew; None: of the template that it was made of. None returned: it does not run.
    pub fn reinstall(&self, domain: &str, template: Option<&str>) -> Result<Option<Domain<'_>>> {
        let (domain, template) = (c_text(OP, domain)?, Optional::new(OP, template)?);
        let r = self.domain_of(OP, |n, id, e| unsafe { sys::pvctl_domain_reinstall(n, domain.as_ptr(), template.ptr(), id, e) });
        let d = r.named(&domain)?;
        Ok((d.id() != 0).then_some(d))
    }
}
