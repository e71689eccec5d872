// SPDX-License-Identifier: MIT
//! The header's constants and structs, in its order.

use std::os::raw::{c_char, c_int, c_void};

pub const PVCTL_ORIGIN_LIB: u32 = 0;
pub const PVCTL_ORIGIN_OS: u32 = 1;
pub const PVCTL_ORIGIN_HV: u32 = 2;
pub const PVCTL_ORIGIN_STORE: u32 = 3;
pub const PVCTL_ORIGIN_IMAGE: u32 = 4;
pub const PVCTL_ORIGIN_DAEMON: u32 = 5;
pub const PVCTL_STATE_RUNNING: u32 = 0;
pub const PVCTL_STATE_BLOCKED: u32 = 1;
pub const PVCTL_STATE_PAUSED: u32 = 2;
pub const PVCTL_STATE_SHUTDOWN: u32 = 3;
pub const PVCTL_STATE_DYING: u32 = 4;
pub const PVCTL_TYPE_PV: u32 = 0;
pub const PVCTL_TYPE_PVH: u32 = 1;
pub const PVCTL_VIRT_PV: u32 = 1;
pub const PVCTL_VIRT_HVM: u32 = 2;
pub const PVCTL_VIRT_HAP: u32 = 4;
pub const PVCTL_REASON_NONE: i32 = -1;
pub const PVCTL_REASON_POWEROFF: i32 = 0;
pub const PVCTL_REASON_REBOOT: i32 = 1;
pub const PVCTL_REASON_SUSPEND: i32 = 2;
pub const PVCTL_REASON_CRASH: i32 = 3;
pub const PVCTL_REASON_WATCHDOG: i32 = 4;
pub const PVCTL_REASON_SOFT_RESET: i32 = 5;
pub const PVCTL_MIGRATE_THERE: u32 = 0;
pub const PVCTL_MIGRATE_HERE: u32 = 1;
pub const PVCTL_MIGRATE_STUCK: u32 = 2;
pub const PVCTL_MIGRATE_UNKNOWN: u32 = 3;
pub const PVCTL_SAVE_DESTROY: u32 = 0;
pub const PVCTL_SAVE_PAUSED: u32 = 1;
pub const PVCTL_SAVE_RUNNING: u32 = 2;
pub const PVCTL_SAVE_SUSPENDED: u32 = 3;
pub const PVCTL_DUMP_NOTHING: u32 = 0;
pub const PVCTL_DUMP_CRASH: u32 = 1;
pub const PVCTL_DUMP_RESET: u32 = 2;
pub const PVCTL_EVENT_CREATED: u32 = 1;
pub const PVCTL_EVENT_SHUTDOWN: u32 = 2;
pub const PVCTL_EVENT_DESTROYED: u32 = 4;
pub const PVCTL_EVENT_PAUSED: u32 = 8;
pub const PVCTL_EVENT_UNPAUSED: u32 = 16;
pub const PVCTL_EVENT_NODE_DOWN: u32 = 32;
pub const PVCTL_EVENT_KEPT: u32 = 64;
pub const PVCTL_EVENT_NODE_SLOW: u32 = 128;
pub const PVCTL_EVENT_NODE_BACK: u32 = 256;
pub const PVCTL_EVENT_RENAMED: u32 = 512;
pub const PVCTL_EVENT_MEMORY: u32 = 1024;
pub const PVCTL_EVENT_VCPUS: u32 = 2048;
pub const PVCTL_EVENT_DEVICE_ATTACHED: u32 = 4096;
pub const PVCTL_EVENT_DEVICE_DETACHED: u32 = 8192;
pub const PVCTL_EVENT_DEVICE_FAILED: u32 = 16384;
pub const PVCTL_EVENT_CONSOLE: u32 = 32768;
pub const PVCTL_EVENT_NODE_UP: u32 = 65536;
pub const PVCTL_EVENT_PRESENT: u32 = 131072;
pub const PVCTL_EVENT_RESUMED: u32 = 524288;
pub const PVCTL_EVENT_LOST: u32 = 262144;
pub const PVCTL_EVENT_DAEMON_RESTARTED: u32 = 1048576;
pub const PVCTL_EVENT_ALL: u32 = 2097151;

#[repr(C)]
pub struct pvctl {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct pvctl_config {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct pvctl_domain_list {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct pvctl_vcpu_list {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct pvctl_node_list {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct pvctl_events {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct pvctl_defined_list {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct pvctl_snapshot_list {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct pvctl_template_list {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct pvctl_disk_list {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct pvctl_channel_list {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct pvctl_vif_list {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct pvctl_boot {
    _opaque: [u8; 0],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_error {
    pub code: i32,
    pub origin: u32,
    pub hv_rc: i64,
    pub msg: [c_char; 1000],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_node_start_opts {
    pub size: usize,
    pub name: *const c_char,
    pub memory_bytes: u64,
    pub cpus: u32,
    pub accel: *const c_char,
    pub icount: u32,
    pub hv_path: *const c_char,
    pub hv_cmdline: *const c_char,
    pub timeout_ms: u32,
    pub daemon_path: *const c_char,
    pub overcommit: u32,
    pub slow_after_ms: u32,
    pub qemu_path: *const c_char,
    pub limits: *const c_char,
    pub no_autostart: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_node_info {
    pub size: usize,
    pub name: [c_char; 64],
    pub running: u32,
    pub pid: u32,
    pub qemu_pid: u32,
    pub memory_bytes: u64,
    pub cpus: u32,
    pub accel: [c_char; 8],
    pub store_socket: [c_char; 200],
    pub state_dir: [c_char; 200],
    pub uptime_ns: u64,
    pub domains: u32,
    pub overcommit: u32,
    pub backed_bytes: u64,
    pub qemu_resident_bytes: u64,
    pub host_available_bytes: u64,
    pub silent_ns: u64,
    pub qemu_confinement: [c_char; 120],
    pub daemon_confinement: [c_char; 120],
    pub spawner_pid: u32,
    pub daemon_restarts: u32,
    pub daemon_restarted_unix_ns: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_paths {
    pub size: usize,
    pub run_base: [c_char; 200],
    pub run_dir: [c_char; 200],
    pub state_dir: [c_char; 200],
    pub cache_dir: [c_char; 200],
    pub daemon: [c_char; 600],
    pub hypervisor: [c_char; 600],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_open_opts {
    pub size: usize,
    pub node: *const c_char,
    pub log: Option<unsafe extern "C" fn(data: *mut c_void, level: c_int, msg: *const c_char)>,
    pub log_data: *mut c_void,
    pub progress: Option<unsafe extern "C" fn(data: *mut c_void, what: *const c_char, done: u64, total: u64) -> c_int>,
    pub progress_data: *mut c_void,
    pub step: Option<unsafe extern "C" fn(data: *mut c_void, name: *const c_char)>,
    pub step_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_parse_message {
    pub size: usize,
    pub level: i32,
    pub line: u32,
    pub column: u32,
    pub file: *const c_char,
    pub text: *const c_char,
    pub source_line: *const c_char,
    pub hint: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_parse_opts {
    pub size: usize,
    pub file: *const c_char,
    pub strict: u32,
    pub message: Option<unsafe extern "C" fn(data: *mut c_void, message: *const pvctl_parse_message)>,
    pub data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_defined_info {
    pub size: usize,
    pub name: [c_char; 128],
    pub autostart: u32,
    pub order: u32,
    pub delay_ms: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_autostart_opts {
    pub size: usize,
    pub autostart: u32,
    pub order: i32,
    pub delay_ms: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_domain_info {
    pub size: usize,
    pub domid: u32,
    pub unique_id: u64,
    pub name: [c_char; 128],
    pub uuid: [u8; 16],
    pub state: u32,
    pub reason: i32,
    pub flags: u32,
    pub cpu_ns: u64,
    pub memory_bytes: u64,
    pub max_memory_bytes: u64,
    pub outstanding_bytes: u64,
    pub vcpus_online: u32,
    pub vcpus_max: u32,
    pub created_unix_ns: u64,
    pub type_: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_create_opts {
    pub size: usize,
    pub paused: u32,
    pub boot_entry: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_destroy_opts {
    pub size: usize,
    pub unique_id: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_migrate_opts {
    pub size: usize,
    pub config: *const pvctl_config,
    pub paused: u32,
    pub pad: u32,
    pub say: Option<unsafe extern "C" fn(data: *mut c_void, line: *const c_char)>,
    pub step: Option<unsafe extern "C" fn(data: *mut c_void, name: *const c_char)>,
    pub data: *mut c_void,
    pub keep_domid: u32,
    pub pad2: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_migrate_result {
    pub size: usize,
    pub end: u32,
    pub rounds: u32,
    pub bytes: u64,
    pub pages: u64,
    pub total_ns: u64,
    pub pause_ns: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_vcpu_info {
    pub size: usize,
    pub domid: u32,
    pub vcpu: u32,
    pub online: u32,
    pub blocked: u32,
    pub running: u32,
    pub cpu: u32,
    pub cpu_ns: u64,
    pub hard_affinity: u64,
    pub soft_affinity: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_save_opts {
    pub size: usize,
    pub live: u32,
    pub leave: u32,
    pub compress: u32,
    pub suspend_timeout_ms: u32,
    pub config: *const pvctl_config,
    pub written: Option<unsafe extern "C" fn(data: *mut c_void, err: *mut pvctl_error) -> c_int>,
    pub written_data: *mut c_void,
    pub max_rounds: u32,
    pub pad: u32,
    pub keep_domid: u32,
    pub pad2: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_save_stats {
    pub size: usize,
    pub bytes: u64,
    pub pages: u64,
    pub zero_pages: u64,
    pub total_ns: u64,
    pub pause_ns: u64,
    pub rounds: u32,
    pub pad: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_restore_opts {
    pub size: usize,
    pub paused: u32,
    pub pad: u32,
    pub name: *const c_char,
    pub ready: Option<unsafe extern "C" fn(data: *mut c_void, domid: u32, err: *mut pvctl_error) -> c_int>,
    pub ready_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_restore_stats {
    pub size: usize,
    pub bytes: u64,
    pub pages: u64,
    pub total_ns: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_dump_opts {
    pub size: usize,
    pub live: u32,
    pub then: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_clone_opts {
    pub size: usize,
    pub count: u32,
    pub paused: u32,
    pub suspend_timeout_ms: u32,
    pub pad: u32,
    pub disks: *const c_char,
    pub say: Option<unsafe extern "C" fn(data: *mut c_void, line: *const c_char)>,
    pub say_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_clone_stats {
    pub size: usize,
    pub total_ns: u64,
    pub pause_ns: u64,
    pub bytes: u64,
    pub restore_ns: u64,
    pub rounds: u32,
    pub pad: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_snapshot_info {
    pub size: usize,
    pub domain: [c_char; 128],
    pub name: [c_char; 64],
    pub description: [c_char; 200],
    pub created_unix_ns: u64,
    pub memory_bytes: u64,
    pub disk_bytes: u64,
    pub disks: u32,
    pub has_memory: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_snapshot_disk_info {
    pub size: usize,
    pub vdev: [c_char; 24],
    pub format: [c_char; 16],
    pub bytes: u64,
    pub allocated_bytes: u64,
    pub overlay: u32,
    pub pad: u32,
    pub file: [c_char; 3008],
    pub disk: [c_char; 3008],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_snapshot_opts {
    pub size: usize,
    pub description: *const c_char,
    pub disks: *const c_char,
    pub no_memory: u32,
    pub suspend_timeout_ms: u32,
    pub say: Option<unsafe extern "C" fn(data: *mut c_void, line: *const c_char)>,
    pub say_data: *mut c_void,
    pub step: Option<unsafe extern "C" fn(data: *mut c_void, name: *const c_char)>,
    pub step_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_snapshot_stats {
    pub size: usize,
    pub name: [c_char; 64],
    pub total_ns: u64,
    pub pause_ns: u64,
    pub bytes: u64,
    pub rounds: u32,
    pub pad: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_snapshot_revert_opts {
    pub size: usize,
    pub paused: u32,
    pub pad: u32,
    pub step: Option<unsafe extern "C" fn(data: *mut c_void, name: *const c_char)>,
    pub step_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_snapshot_delete_opts {
    pub size: usize,
    pub progress: Option<unsafe extern "C" fn(data: *mut c_void, what: *const c_char, done: u64, total: u64) -> c_int>,
    pub progress_data: *mut c_void,
    pub step: Option<unsafe extern "C" fn(data: *mut c_void, name: *const c_char)>,
    pub step_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_template_info {
    pub size: usize,
    pub name: [c_char; 64],
    pub description: [c_char; 200],
    pub dir: [c_char; 400],
    pub created_unix_ns: u64,
    pub bytes: u64,
    pub disks: u32,
    pub warm: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_template_make_opts {
    pub size: usize,
    pub description: *const c_char,
    pub domid: u32,
    pub warm: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_template_create_opts {
    pub size: usize,
    pub paused: u32,
    pub cold: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_disk_info {
    pub size: usize,
    pub domid: u32,
    pub vdev: u32,
    pub state: u32,
    pub readonly: u32,
    pub cdrom: u32,
    pub event_channel: i32,
    pub ring_ref: i32,
    pub failed: u32,
    pub bytes: u64,
    pub name: [c_char; 24],
    pub backend_path: [c_char; 80],
    pub target: [c_char; 256],
    pub format: [c_char; 8],
    pub sector_size: u32,
    pub pad2: u32,
    pub reads: u64,
    pub writes: u64,
    pub flushes: u64,
    pub discards: u64,
    pub errors: u64,
    pub read_sectors: u64,
    pub write_sectors: u64,
    pub discard_sectors: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_cpuid_edit {
    pub size: usize,
    pub leaf: u32,
    pub subleaf: u32,
    pub reg: u32,
    pub set: u32,
    pub clear: u32,
    pub pad: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_disk_spec {
    pub size: usize,
    pub vdev: u32,
    pub sector_size: u32,
    pub readonly: u32,
    pub cdrom: u32,
    pub no_discard: u32,
    pub direct_io_safe: u32,
    pub untrusted: u32,
    pub name: [c_char; 24],
    pub format: [c_char; 8],
    pub backend: [c_char; 8],
    pub script: [c_char; 64],
    pub target: [c_char; 3008],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_disk_detach_opts {
    pub size: usize,
    pub force: u32,
    pub timeout_ms: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_disk_image_info {
    pub size: usize,
    pub bytes: u64,
    pub allocated_bytes: u64,
    pub is_device: u32,
    pub pad: u32,
    pub format: [c_char; 8],
    pub base: [c_char; 3008],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_disk_image_resize_opts {
    pub size: usize,
    pub format: *const c_char,
    pub bytes: u64,
    pub shrink: u32,
    pub pad: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_disk_copy_opts {
    pub size: usize,
    pub format: *const c_char,
    pub to_format: *const c_char,
    pub overlay: u32,
    pub compress: u32,
    pub progress: Option<unsafe extern "C" fn(data: *mut c_void, what: *const c_char, done: u64, total: u64) -> c_int>,
    pub progress_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_disk_flatten_opts {
    pub size: usize,
    pub progress: Option<unsafe extern "C" fn(data: *mut c_void, what: *const c_char, done: u64, total: u64) -> c_int>,
    pub progress_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_channel_info {
    pub size: usize,
    pub domid: u32,
    pub devid: u32,
    pub state: u32,
    pub event_channel: i32,
    pub ring_ref: i32,
    pub connection: [c_char; 12],
    pub name: [c_char; 64],
    pub path: [c_char; 112],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_vif_info {
    pub size: usize,
    pub domid: u32,
    pub devid: u32,
    pub state: u32,
    pub queues: u32,
    pub mtu: u32,
    pub tx_event_channel: i32,
    pub rx_event_channel: i32,
    pub tx_ring_ref: i32,
    pub rx_ring_ref: i32,
    pub mac: [u8; 6],
    pub pad: [u8; 6],
    pub link: [c_char; 16],
    pub bridge: [c_char; 16],
    pub backend_path: [c_char; 80],
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_drops: u64,
    pub tx_gso_packets: u64,
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_drops: u64,
    pub rx_gso_packets: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_vif_spec {
    pub size: usize,
    pub devid: i32,
    pub mtu: u32,
    pub rate_bytes: u64,
    pub rate_us: u32,
    pub trusted: u32,
    pub has_mac: u32,
    pub mac: [u8; 6],
    pub pad: [u8; 2],
    pub link: [c_char; 16],
    pub bridge: [c_char; 16],
    pub vifname: [c_char; 16],
    pub gatewaydev: [c_char; 16],
    pub script: [c_char; 256],
    pub ip: [c_char; 128],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_vif_detach_opts {
    pub size: usize,
    pub force: u32,
    pub timeout_ms: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_ended {
    pub size: usize,
    pub domid: u32,
    pub reason: i32,
    pub ended_unix_ns: u64,
    pub name: [c_char; 128],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_event {
    pub size: usize,
    pub type_: u32,
    pub domid: u32,
    pub reason: i32,
    pub pad: u32,
    pub time_unix_ns: u64,
    pub name: [c_char; 128],
    pub unique_id: u64,
    pub value: u64,
    pub state: u32,
    pub device_kind: [c_char; 12],
    pub device: [c_char; 24],
    pub detail: [c_char; 200],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_host_info {
    pub size: usize,
    pub hv_version: [c_char; 64],
    pub hv_extra: [c_char; 64],
    pub hv_caps: [c_char; 256],
    pub hv_compiler: [c_char; 128],
    pub hv_date: [c_char; 64],
    pub hv_changeset: [c_char; 64],
    pub hv_commandline: [c_char; 256],
    pub hv_major: u32,
    pub hv_minor: u32,
    pub page_size: u32,
    pub virt_start: u64,
    pub cpus: u32,
    pub max_cpu_id: u32,
    pub nodes: u32,
    pub cores_per_socket: u32,
    pub threads_per_core: u32,
    pub cpu_khz: u32,
    pub total_bytes: u64,
    pub free_bytes: u64,
    pub outstanding_bytes: u64,
    pub scrub_bytes: u64,
    pub hw_cap: [u32; 8],
    pub free_cpu_ns: [u64; 64],
    pub scheduler: [c_char; 32],
    pub reclaimable_bytes: u64,
    pub virt_caps: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_store_quota {
    pub size: usize,
    pub name: [c_char; 24],
    pub limit: u32,
    pub own: u32,
    pub used: i64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_boot_opts {
    pub size: usize,
    pub entry: *const c_char,
    pub timeout_ms: u32,
    pub list_only: u32,
    pub kernel: *const c_char,
    pub ramdisk: *const c_char,
    pub offset_bytes: u64,
    pub user: *const c_char,
    pub format: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_boot_entry {
    pub size: usize,
    pub title: *const c_char,
    pub id: *const c_char,
    pub kernel: *const c_char,
    pub ramdisk: *const c_char,
    pub cmdline: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct pvctl_boot_info {
    pub size: usize,
    pub default_entry: u32,
    pub chosen: i32,
    pub partition: u32,
    pub config: *const c_char,
    pub kernel_fd: c_int,
    pub ramdisk_fd: c_int,
    pub wait_s: i32,
}
