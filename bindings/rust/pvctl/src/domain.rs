// SPDX-License-Identifier: MIT

use crate::error::About;
use crate::util::{c_text, call, collect, millis, sized, text, unix, Optional};
use crate::{Config, Connection, Error, ErrorKind, Result};
use pvctl_sys as sys;
use std::os::raw::{c_char, c_int};
use std::ptr;
use std::time::{Duration, Instant, SystemTime};

/// What a domain does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunState {
    Running,
    Blocked,
    Paused,
    Shutdown,
    Dying,
    Unknown(u32),
}

impl RunState {
    pub(crate) fn of(state: u32) -> RunState {
        match state {
            sys::PVCTL_STATE_RUNNING => RunState::Running,
            sys::PVCTL_STATE_BLOCKED => RunState::Blocked,
            sys::PVCTL_STATE_PAUSED => RunState::Paused,
            sys::PVCTL_STATE_SHUTDOWN => RunState::Shutdown,
            sys::PVCTL_STATE_DYING => RunState::Dying,
            other => RunState::Unknown(other),
        }
    }
}

/// Why a domain shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It has not, or it was destroyed.
    None,
    Poweroff,
    Reboot,
    Suspend,
    Crash,
    Watchdog,
    SoftReset,
    Unknown(i32),
}

impl Reason {
    pub(crate) fn of(reason: i32) -> Reason {
        match reason {
            sys::PVCTL_REASON_NONE => Reason::None,
            sys::PVCTL_REASON_POWEROFF => Reason::Poweroff,
            sys::PVCTL_REASON_REBOOT => Reason::Reboot,
            sys::PVCTL_REASON_SUSPEND => Reason::Suspend,
            sys::PVCTL_REASON_CRASH => Reason::Crash,
            sys::PVCTL_REASON_WATCHDOG => Reason::Watchdog,
            sys::PVCTL_REASON_SOFT_RESET => Reason::SoftReset,
            other => Reason::Unknown(other),
        }
    }
}

/// What is known of a domain.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DomainInfo {
    pub id: u32,
    /// Never given twice by a node.
    pub unique_id: u64,
    /// "" when it has none.
    pub name: String,
    pub uuid: [u8; 16],
    pub state: RunState,
    pub reason: Reason,
    pub crashed: bool,
    pub kept: bool,
    pub cpu_time: Duration,
    pub memory_bytes: u64,
    pub max_memory_bytes: u64,
    pub outstanding_bytes: u64,
    pub vcpus_online: u32,
    pub vcpus_max: u32,
    pub created: Option<SystemTime>,
    /// Else PV.
    pub pvh: bool,
}

impl DomainInfo {
    fn of(d: &sys::pvctl_domain_info) -> DomainInfo {
        DomainInfo {
            id: d.domid,
            unique_id: d.unique_id,
            name: text(&d.name),
            uuid: d.uuid,
            state: RunState::of(d.state),
            reason: Reason::of(d.reason),
            crashed: d.flags & (1 << 5) != 0,
            kept: d.flags & (1 << 6) != 0,
            cpu_time: Duration::from_nanos(d.cpu_ns),
            memory_bytes: d.memory_bytes,
            max_memory_bytes: d.max_memory_bytes,
            outstanding_bytes: d.outstanding_bytes,
            vcpus_online: d.vcpus_online,
            vcpus_max: d.vcpus_max,
            created: unix(d.created_unix_ns),
            pvh: d.type_ == sys::PVCTL_TYPE_PVH,
        }
    }
}

/// Of a new domain.
#[derive(Clone, Debug, Default)]
pub struct CreateOptions<'a> {
    pub paused: bool,
    /// With a bootloader: this entry of the disk's menu, for this start alone.
    pub boot_entry: Option<&'a str>,
}

/// A domain that is gone, and whose console is kept yet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ended {
    pub id: u32,
    pub reason: Reason,
    pub ended: Option<SystemTime>,
    pub name: String,
}

/// A domain of a connection's node. It is a number, and no handle: it may be gone, which is [`ErrorKind::NoDomain`].
#[derive(Clone, Copy, Debug)]
pub struct Domain<'a> {
    pub(crate) node: &'a Connection,
    id: u32,
}

impl Connection {
    /// By its number; nothing is looked up.
    pub fn domain(&self, id: u32) -> Domain<'_> {
        Domain { node: self, id }
    }

    pub fn lookup(&self, name: &str) -> Result<Domain<'_>> {
        let name = c_text("lookup", name)?;
        // SAFETY: the text lives long enough.
        self.domain_of("lookup", |n, id, e| unsafe { sys::pvctl_domain_lookup(n, name.as_ptr(), id, e) }).named(&name)
    }

    pub(crate) fn domain_of(
        &self,
        op: &'static str,
        f: impl FnOnce(*mut sys::pvctl, *mut u32, *mut sys::pvctl_error) -> c_int,
    ) -> Result<Domain<'_>> {
        let mut id = 0;
        self.do_(op, |n, e| f(n, &mut id, e))?;
        Ok(self.domain(id))
    }

    /// Makes a domain and starts it.
    pub fn create(&self, config: &Config, opts: &CreateOptions<'_>) -> Result<Domain<'_>> {
        let entry = Optional::new("create", opts.boot_entry)?;
        let mut o = sized!(sys::pvctl_create_opts);
        o.paused = opts.paused.into();
        o.boot_entry = entry.ptr();
        // SAFETY: all live long enough.
        config.of_this(self.domain_of("create", |n, id, e| unsafe { sys::pvctl_domain_create(n, config.raw, &o, id, e) }))
    }

    /// All, domain 0 first.
    pub fn domains(&self) -> Result<Vec<DomainInfo>> {
        let mut list = ptr::null_mut();
        // SAFETY: the list is ours then.
        self.do_("list", |n, e| unsafe { sys::pvctl_domain_list(n, &mut list, e) })?;
        Ok(collect!(list, sys::pvctl_domain_list_count, sys::pvctl_domain_list_at, sys::pvctl_domain_list_free, DomainInfo::of))
    }

    /// The last one with this name.
    pub fn ended(&self, name: &str) -> Result<Ended> {
        self.ended_by(Some(name), 0).named(name)
    }

    /// The last one with this number.
    pub fn ended_id(&self, id: u32) -> Result<Ended> {
        self.ended_by(None, id).named(id)
    }

    fn ended_by(&self, name: Option<&str>, id: u32) -> Result<Ended> {
        let name = Optional::new("ended", name)?;
        let mut r = sized!(sys::pvctl_ended);
        // SAFETY: r is ours.
        self.do_("ended", |n, e| unsafe { sys::pvctl_domain_ended(n, name.ptr(), id, &mut r, e) })?;
        Ok(Ended { id: r.domid, reason: Reason::of(r.reason), ended: unix(r.ended_unix_ns), name: text(&r.name) })
    }
}

/// A virtual CPU. Affinities have a bit for each CPU of the node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Vcpu {
    pub number: u32,
    pub online: bool,
    pub blocked: bool,
    pub running: bool,
    /// Where it runs, or ran last.
    pub cpu: u32,
    pub cpu_time: Duration,
    pub hard_affinity: u64,
    pub soft_affinity: u64,
}

/// A share of the CPUs. `cap_percent` is of one CPU; 0: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sched {
    pub weight: u32,
    pub cap_percent: u32,
}

/// The pages that a grant table has grown to, and the most that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grants {
    pub pages: u32,
    pub max_pages: u32,
}

/// "all", "0-3,^1", "node:0" as a mask.
pub fn parse_cpus(list: &str) -> Result<u64> {
    let list = c_text("cpus", list)?;
    let mut mask = 0;
    // SAFETY: mask is ours.
    call("cpus", |e| unsafe { sys::pvctl_cpus_parse(list.as_ptr(), &mut mask, e) }).keyed("cpus")?;
    Ok(mask)
}

/// How long a wait may be deaf to its token.
const STEP: Duration = Duration::from_millis(200);

impl Domain<'_> {
    pub fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn do_(&self, op: &'static str, f: impl FnOnce(*mut sys::pvctl, u32, *mut sys::pvctl_error) -> c_int) -> Result<()> {
        self.node.do_(op, |n, e| f(n, self.id, e)).map(drop).named(self.id)
    }

    /// At once, whichever has the number.
    pub fn destroy(&self) -> Result<()> {
        self.destroy_unique(0)
    }

    /// If it still is the one with this [`DomainInfo::unique_id`].
    pub fn destroy_unique(&self, unique_id: u64) -> Result<()> {
        let mut o = sized!(sys::pvctl_destroy_opts);
        o.unique_id = unique_id;
        // SAFETY: what is passed here and below lives until the call returns.
        self.do_("destroy", |n, id, e| unsafe { sys::pvctl_domain_destroy(n, id, &o, e) })
    }

    pub fn pause(&self) -> Result<()> {
        self.do_("pause", |n, id, e| unsafe { sys::pvctl_domain_pause(n, id, e) })
    }

    pub fn unpause(&self) -> Result<()> {
        self.do_("unpause", |n, id, e| unsafe { sys::pvctl_domain_unpause(n, id, e) })
    }

    /// The guest lets go of its devices and stands still. The connection holds it: dropped before `keep_suspended`, the domain goes on.
    /// None: 60 s.
    pub fn suspend(&self, timeout: Option<Duration>) -> Result<()> {
        self.do_("suspend", |n, id, e| unsafe { sys::pvctl_domain_suspend(n, id, millis(timeout), e) })
    }

    /// Until somebody resumes or destroys it.
    pub fn keep_suspended(&self) -> Result<()> {
        self.do_("suspend", |n, id, e| unsafe { sys::pvctl_domain_keep_suspended(n, id, e) })
    }

    /// Of a suspended domain: another node may open them.
    pub fn release_disks(&self) -> Result<()> {
        self.do_("release disks", |n, id, e| unsafe { sys::pvctl_domain_release_disks(n, id, e) })
    }

    pub fn resume(&self) -> Result<()> {
        self.do_("resume", |n, id, e| unsafe { sys::pvctl_domain_resume(n, id, e) })
    }

    /// Asks the guest: "poweroff", "reboot", "halt", "suspend". Returns when it was asked.
    pub fn request(&self, what: &str) -> Result<()> {
        let what = c_text("request", what)?;
        self.do_("request", |n, id, e| unsafe { sys::pvctl_domain_request(n, id, what.as_ptr(), e) }).keyed(&what)
    }

    /// Until it has shut down, or is gone ([`Reason::None`]). None: for ever.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Reason> {
        let mut reason = 0;
        self.do_("wait", |n, id, e| unsafe { sys::pvctl_domain_wait(n, id, millis(timeout), &mut reason, e) })?;
        Ok(Reason::of(reason))
    }

    pub fn info(&self) -> Result<DomainInfo> {
        let mut r = sized!(sys::pvctl_domain_info);
        self.do_("domain", |n, id, e| unsafe { sys::pvctl_domain_get(n, id, &mut r, e) })?;
        Ok(DomainInfo::of(&r))
    }

    pub fn config(&self) -> Result<Config> {
        Config::own(|ret| self.node.do_("config", |n, e| unsafe { sys::pvctl_domain_config(n, self.id, ret, e) })).named(self.id)
    }

    /// What it will be from its next restart on.
    pub fn set_config(&self, config: &Config) -> Result<()> {
        self.do_("set config", |n, id, e| unsafe { sys::pvctl_domain_set_config(n, id, config.raw, e) })
    }

    pub fn rename(&self, name: &str) -> Result<()> {
        let name = c_text("rename", name)?;
        self.do_("rename", |n, id, e| unsafe { sys::pvctl_domain_rename(n, id, name.as_ptr(), e) })
    }

    pub fn vcpus(&self) -> Result<Vec<Vcpu>> {
        let mut list = ptr::null_mut();
        self.do_("vcpus", |n, id, e| unsafe { sys::pvctl_vcpu_list(n, id, &mut list, e) })?;
        let of = |v: &sys::pvctl_vcpu_info| Vcpu {
            number: v.vcpu,
            online: v.online != 0,
            blocked: v.blocked != 0,
            running: v.running != 0,
            cpu: v.cpu,
            cpu_time: Duration::from_nanos(v.cpu_ns),
            hard_affinity: v.hard_affinity,
            soft_affinity: v.soft_affinity,
        };
        Ok(collect!(list, sys::pvctl_vcpu_list_count, sys::pvctl_vcpu_list_at, sys::pvctl_vcpu_list_free, of))
    }

    /// Asks the guest to have so much memory and limits it to that.
    pub fn set_memory_target(&self, bytes: u64) -> Result<()> {
        self.do_("memory target", |n, id, e| unsafe { sys::pvctl_domain_set_memory_target(n, id, bytes, e) }).keyed("memory")
    }

    /// Until it has come to that, to within 1 MiB.
    pub fn wait_memory(&self, bytes: u64, timeout: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let left = timeout.saturating_sub(begun.elapsed());
            let ms = left.min(STEP).as_millis() as u32;
            let r = self.do_("memory", |n, id, e| unsafe { sys::pvctl_domain_wait_memory(n, id, bytes, ms, e) }).keyed("memory");
            match r {
                Err(Error::Library { kind: ErrorKind::TimedOut, .. }) if left > STEP && !self.node.is_cancelled() => (),
                Err(Error::Library { kind: ErrorKind::TimedOut, op, origin, hv_rc, domain, key, .. })
                    if self.node.is_cancelled() =>
                {
                    let (kind, message) = (ErrorKind::Canceled, "canceled".into());
                    return Err(Error::Library { kind, op, origin, hv_rc, message, domain, key });
                }
                r => return r,
            }
        }
    }

    /// The limit alone.
    pub fn set_memory_max(&self, bytes: u64) -> Result<()> {
        self.do_("memory max", |n, id, e| unsafe { sys::pvctl_domain_set_memory_max(n, id, bytes, e) }).keyed("maxmem")
    }

    /// Asks the guest to use vCPUs 0 to count - 1.
    pub fn set_vcpus(&self, count: u32) -> Result<()> {
        self.do_("vcpus", |n, id, e| unsafe { sys::pvctl_domain_set_vcpus(n, id, count, e) }).keyed("vcpus")
    }

    /// Where a vCPU may run (hard) and should run (soft); None: as it is.
    pub fn set_affinity(&self, vcpu: u32, hard: Option<u64>, soft: Option<u64>) -> Result<()> {
        let ptr = |m: &Option<u64>| m.as_ref().map_or(ptr::null(), |m| m as *const u64);
        self.do_("affinity", |n, id, e| unsafe { sys::pvctl_vcpu_set_affinity(n, id, vcpu, ptr(&hard), ptr(&soft), e) })
            .keyed("cpus")
    }

    pub fn sched(&self) -> Result<Sched> {
        let mut s = Sched { weight: 0, cap_percent: 0 };
        self.do_("sched", |n, id, e| unsafe { sys::pvctl_domain_get_sched(n, id, &mut s.weight, &mut s.cap_percent, e) })?;
        Ok(s)
    }

    pub fn grants(&self) -> Result<Grants> {
        let mut g = Grants { pages: 0, max_pages: 0 };
        self.do_("grants", |n, id, e| unsafe { sys::pvctl_domain_get_grants(n, id, &mut g.pages, &mut g.max_pages, e) })?;
        Ok(g)
    }

    /// None: as it is.
    pub fn set_sched(&self, weight: Option<u16>, cap_percent: Option<u16>) -> Result<()> {
        let or = |v: Option<u16>| v.map_or(-1, i32::from);
        self.do_("sched", |n, id, e| unsafe { sys::pvctl_domain_set_sched(n, id, or(weight), or(cap_percent), e) })
            .keyed("cpu_weight")
    }

    /// A magic letter for the guest's kernel.
    pub fn sysrq(&self, letter: u8) -> Result<()> {
        self.do_("sysrq", |n, id, e| unsafe { sys::pvctl_domain_sysrq(n, id, letter as c_char, e) })
            .keyed(char::from(letter).to_string().as_str())
    }
}
