// SPDX-License-Identifier: MIT

use crate::error::About;
use crate::util::{c_text, call, collect, millis, sized, text, Optional};
use crate::{Domain, Result};
use pvctl_sys as sys;
use std::ptr;
use std::time::Duration;

/// A disk of a domain.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Disk {
    pub vdev: u32,
    /// Of the handshake with the guest; 4: connected.
    pub state: u32,
    pub read_only: bool,
    pub cdrom: bool,
    pub failed: bool,
    /// None: not connected.
    pub event_channel: Option<u32>,
    pub ring_ref: Option<u32>,
    pub size_bytes: u64,
    pub name: String,
    pub backend_path: String,
    pub target: String,
    pub format: String,
    pub sector_size_bytes: u32,
    /// Requests since it was attached.
    pub reads: u64,
    pub writes: u64,
    pub flushes: u64,
    pub discards: u64,
    pub errors: u64,
    /// Of 512 bytes.
    pub read_sectors: u64,
    pub write_sectors: u64,
    pub discard_sectors: u64,
}

fn known(n: i32) -> Option<u32> {
    u32::try_from(n).ok()
}

/// What a text of the key disk says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DiskSpec {
    pub vdev: u32,
    /// 0: the target's own.
    pub sector_size_bytes: u32,
    pub read_only: bool,
    pub cdrom: bool,
    pub no_discard: bool,
    pub direct_io_safe: bool,
    pub untrusted: bool,
    pub name: String,
    pub format: String,
    pub backend: String,
    pub script: String,
    pub target: String,
}

/// Nothing is looked up.
pub fn parse_disk(spec: &str) -> Result<DiskSpec> {
    let spec = c_text("disk", spec)?;
    let mut s = sized!(sys::pvctl_disk_spec);
    // SAFETY: s is ours.
    call("disk", |e| unsafe { sys::pvctl_disk_parse(spec.as_ptr(), &mut s, e) }).keyed("disk")?;
    Ok(DiskSpec {
        vdev: s.vdev,
        sector_size_bytes: s.sector_size,
        read_only: s.readonly != 0,
        cdrom: s.cdrom != 0,
        no_discard: s.no_discard != 0,
        direct_io_safe: s.direct_io_safe != 0,
        untrusted: s.untrusted != 0,
        name: text(&s.name),
        format: text(&s.format),
        backend: text(&s.backend),
        script: text(&s.script),
        target: text(&s.target),
    })
}

/// `force`: the guest is not asked. No timeout: 10 s.
#[derive(Clone, Debug, Default)]
pub struct DetachOptions {
    pub force: bool,
    pub timeout: Option<Duration>,
}

impl DetachOptions {
    fn disk(&self) -> sys::pvctl_disk_detach_opts {
        let mut o = sized!(sys::pvctl_disk_detach_opts);
        o.force = self.force.into();
        o.timeout_ms = millis(self.timeout);
        o
    }
}

/// A named stream of bytes of a domain.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Channel {
    pub devid: u32,
    pub state: u32,
    pub event_channel: Option<u32>,
    pub ring_ref: Option<u32>,
    /// "pty" or "socket".
    pub connection: String,
    pub name: String,
    pub path: String,
}

/// A network interface of a domain. tx is what the guest sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Vif {
    pub devid: u32,
    pub state: u32,
    pub queues: u32,
    pub mtu_bytes: u32,
    pub tx_event_channel: Option<u32>,
    pub rx_event_channel: Option<u32>,
    pub tx_ring_ref: Option<u32>,
    pub rx_ring_ref: Option<u32>,
    pub mac: [u8; 6],
    pub link: String,
    pub bridge: String,
    pub backend_path: String,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_drops: u64,
    pub tx_gso_packets: u64,
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_drops: u64,
    pub rx_gso_packets: u64,
}

/// What a text of the key vif says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VifSpec {
    pub devid: Option<u32>,
    pub mtu_bytes: u32,
    /// In each `rate_interval`; 0: no limit.
    pub rate_bytes: u64,
    pub rate_interval: Duration,
    pub trusted: bool,
    pub mac: Option<[u8; 6]>,
    pub link: String,
    pub bridge: String,
    pub vifname: String,
    pub gatewaydev: String,
    pub script: String,
    pub ip: String,
}

/// Nothing is looked up.
pub fn parse_vif(spec: &str) -> Result<VifSpec> {
    let spec = c_text("vif", spec)?;
    let mut s = sized!(sys::pvctl_vif_spec);
    // SAFETY: s is ours.
    call("vif", |e| unsafe { sys::pvctl_vif_parse(spec.as_ptr(), &mut s, e) }).keyed("vif")?;
    Ok(VifSpec {
        devid: known(s.devid),
        mtu_bytes: s.mtu,
        rate_bytes: s.rate_bytes,
        rate_interval: Duration::from_micros(s.rate_us.into()),
        trusted: s.trusted != 0,
        mac: (s.has_mac != 0).then_some(s.mac),
        link: text(&s.link),
        bridge: text(&s.bridge),
        vifname: text(&s.vifname),
        gatewaydev: text(&s.gatewaydev),
        script: text(&s.script),
        ip: text(&s.ip),
    })
}

impl Domain<'_> {
    /// By a text of the key disk.
    pub fn attach_disk(&self, spec: &str) -> Result<()> {
        let spec = c_text("attach disk", spec)?;
        // SAFETY: what is passed here and below lives until the call returns.
        self.do_("attach disk", |n, id, e| unsafe { sys::pvctl_disk_attach(n, id, spec.as_ptr(), e) }).keyed(&spec)
    }

    /// Another medium for a drive; None: without.
    pub fn change_disk(&self, vdev: &str, target: Option<&str>, opts: &DetachOptions) -> Result<()> {
        let (vdev, target, o) = (c_text("change disk", vdev)?, Optional::new("change disk", target)?, opts.disk());
        self.do_("change disk", |n, id, e| unsafe { sys::pvctl_disk_change(n, id, vdev.as_ptr(), target.ptr(), &o, e) })
            .keyed(&vdev)
    }

    /// Waits until the guest has let go.
    pub fn detach_disk(&self, vdev: &str, opts: &DetachOptions) -> Result<()> {
        let (vdev, o) = (c_text("detach disk", vdev)?, opts.disk());
        self.do_("detach disk", |n, id, e| unsafe { sys::pvctl_disk_detach(n, id, vdev.as_ptr(), &o, e) }).keyed(&vdev)
    }

    /// It grows; 0: it is as large as what it is of has become.
    pub fn resize_disk(&self, vdev: &str, bytes: u64) -> Result<u64> {
        let vdev = c_text("resize disk", vdev)?;
        let mut got = 0;
        self.do_("resize disk", |n, id, e| unsafe { sys::pvctl_disk_resize(n, id, vdev.as_ptr(), bytes, &mut got, e) })
            .keyed(&vdev)?;
        Ok(got)
    }

    pub fn disks(&self) -> Result<Vec<Disk>> {
        let mut list = ptr::null_mut();
        self.do_("disks", |n, id, e| unsafe { sys::pvctl_disk_list(n, id, &mut list, e) })?;
        let of = |d: &sys::pvctl_disk_info| Disk {
            vdev: d.vdev,
            state: d.state,
            read_only: d.readonly != 0,
            cdrom: d.cdrom != 0,
            failed: d.failed != 0,
            event_channel: known(d.event_channel),
            ring_ref: known(d.ring_ref),
            size_bytes: d.bytes,
            name: text(&d.name),
            backend_path: text(&d.backend_path),
            target: text(&d.target),
            format: text(&d.format),
            sector_size_bytes: d.sector_size,
            reads: d.reads,
            writes: d.writes,
            flushes: d.flushes,
            discards: d.discards,
            errors: d.errors,
            read_sectors: d.read_sectors,
            write_sectors: d.write_sectors,
            discard_sectors: d.discard_sectors,
        };
        Ok(collect!(list, sys::pvctl_disk_list_count, sys::pvctl_disk_list_at, sys::pvctl_disk_list_free, of))
    }

    pub fn channels(&self) -> Result<Vec<Channel>> {
        let mut list = ptr::null_mut();
        self.do_("channels", |n, id, e| unsafe { sys::pvctl_channel_list(n, id, &mut list, e) })?;
        let of = |c: &sys::pvctl_channel_info| Channel {
            devid: c.devid,
            state: c.state,
            event_channel: known(c.event_channel),
            ring_ref: known(c.ring_ref),
            connection: text(&c.connection),
            name: text(&c.name),
            path: text(&c.path),
        };
        Ok(collect!(list, sys::pvctl_channel_list_count, sys::pvctl_channel_list_at, sys::pvctl_channel_list_free, of))
    }

    /// By a text of the key vif.
    pub fn attach_vif(&self, spec: &str) -> Result<()> {
        let spec = c_text("attach vif", spec)?;
        self.do_("attach vif", |n, id, e| unsafe { sys::pvctl_vif_attach(n, id, spec.as_ptr(), e) }).keyed(&spec)
    }

    /// By a number or a MAC; waits until the guest has let go.
    pub fn detach_vif(&self, which: &str, opts: &DetachOptions) -> Result<()> {
        let which = c_text("detach vif", which)?;
        let mut o = sized!(sys::pvctl_vif_detach_opts);
        o.force = opts.force.into();
        o.timeout_ms = millis(opts.timeout);
        self.do_("detach vif", |n, id, e| unsafe { sys::pvctl_vif_detach(n, id, which.as_ptr(), &o, e) }).keyed(&which)
    }

    pub fn vifs(&self) -> Result<Vec<Vif>> {
        let mut list = ptr::null_mut();
        self.do_("vifs", |n, id, e| unsafe { sys::pvctl_vif_list(n, id, &mut list, e) })?;
        let of = |v: &sys::pvctl_vif_info| Vif {
            devid: v.devid,
            state: v.state,
            queues: v.queues,
            mtu_bytes: v.mtu,
            tx_event_channel: known(v.tx_event_channel),
            rx_event_channel: known(v.rx_event_channel),
            tx_ring_ref: known(v.tx_ring_ref),
            rx_ring_ref: known(v.rx_ring_ref),
            mac: v.mac,
            link: text(&v.link),
            bridge: text(&v.bridge),
            backend_path: text(&v.backend_path),
            tx_bytes: v.tx_bytes,
            tx_packets: v.tx_packets,
            tx_drops: v.tx_drops,
            tx_gso_packets: v.tx_gso_packets,
            rx_bytes: v.rx_bytes,
            rx_packets: v.rx_packets,
            rx_drops: v.rx_drops,
            rx_gso_packets: v.rx_gso_packets,
        };
        Ok(collect!(list, sys::pvctl_vif_list_count, sys::pvctl_vif_list_at, sys::pvctl_vif_list_free, of))
    }
}
