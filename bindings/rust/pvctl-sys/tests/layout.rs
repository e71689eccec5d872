// SPDX-License-Identifier: MIT
//! The structs and constants of this crate are those of the header.

use std::mem::{align_of, size_of, MaybeUninit};
use std::process::Command;

type Row = (String, usize);

macro_rules! layout {
    ($rows:ident, $c:ident, $($name:ident { $($field:ident $c_field:ident),* })*) => {$(
        $rows.push((stringify!($name).into(), size_of::<pvctl_sys::$name>()));
        $c.push_str(concat!("\tprintf(\"%zu\\n\", sizeof(struct ", stringify!($name), "));\n"));
        $rows.push((concat!(stringify!($name), " align").into(), align_of::<pvctl_sys::$name>()));
        $c.push_str(concat!("\tprintf(\"%zu\\n\", _Alignof(struct ", stringify!($name), "));\n"));
        $(
            let whole = MaybeUninit::<pvctl_sys::$name>::uninit();
            let base = whole.as_ptr();
            let field = unsafe { std::ptr::addr_of!((*base).$field) };
            $rows.push((concat!(stringify!($name), ".", stringify!($field)).into(), field as usize - base as usize));
            $c.push_str(concat!("\tprintf(\"%zu\\n\", offsetof(struct ", stringify!($name), ", ", stringify!($c_field), "));\n"));
            $rows.push((concat!(stringify!($name), ".", stringify!($field), " size").into(), size_of_field(field)));
            $c.push_str(concat!("\tprintf(\"%zu\\n\", sizeof(((struct ", stringify!($name), " *)0)->", stringify!($c_field), "));\n"));
        )*
    )*};
}

macro_rules! constants {
    ($rows:ident, $c:ident, $($name:ident)*) => {$(
        $rows.push((stringify!($name).into(), pvctl_sys::$name as u32 as usize));
        $c.push_str(concat!("\tprintf(\"%zu\\n\", (size_t)(uint32_t)", stringify!($name), ");\n"));
    )*};
}

fn size_of_field<T>(_: *const T) -> usize {
    size_of::<T>()
}

fn rows(c: &mut String) -> Vec<Row> {
    let mut rows = Vec::new();
    layout! { rows, c,
        pvctl_error {
            code code, origin origin, hv_rc hv_rc, msg msg
        }
        pvctl_node_start_opts {
            size size, name name, memory_bytes memory_bytes, cpus cpus, accel accel, icount icount,
            hv_path hv_path, hv_cmdline hv_cmdline, timeout_ms timeout_ms, daemon_path daemon_path,
            overcommit overcommit, slow_after_ms slow_after_ms, qemu_path qemu_path, limits limits,
            no_autostart no_autostart
        }
        pvctl_node_info {
            size size, name name, running running, pid pid, qemu_pid qemu_pid, memory_bytes memory_bytes,
            cpus cpus, accel accel, store_socket store_socket, state_dir state_dir, uptime_ns uptime_ns,
            domains domains, overcommit overcommit, backed_bytes backed_bytes,
            qemu_resident_bytes qemu_resident_bytes, host_available_bytes host_available_bytes,
            silent_ns silent_ns, qemu_confinement qemu_confinement, daemon_confinement daemon_confinement,
            spawner_pid spawner_pid, daemon_restarts daemon_restarts,
            daemon_restarted_unix_ns daemon_restarted_unix_ns
        }
        pvctl_paths {
            size size, run_base run_base, run_dir run_dir, state_dir state_dir, cache_dir cache_dir,
            daemon daemon, hypervisor hypervisor
        }
        pvctl_open_opts {
            size size, node node, log log, log_data log_data, progress progress, progress_data progress_data,
            step step, step_data step_data
        }
        pvctl_parse_message {
            size size, level level, line line, column column, file file, text text,
            source_line source_line, hint hint
        }
        pvctl_parse_opts {
            size size, file file, strict strict, message message, data data
        }
        pvctl_defined_info {
            size size, name name, autostart autostart, order order, delay_ms delay_ms
        }
        pvctl_autostart_opts {
            size size, autostart autostart, order order, delay_ms delay_ms
        }
        pvctl_domain_info {
            size size, domid domid, unique_id unique_id, name name, uuid uuid, state state, reason reason,
            flags flags, cpu_ns cpu_ns, memory_bytes memory_bytes, max_memory_bytes max_memory_bytes,
            outstanding_bytes outstanding_bytes, vcpus_online vcpus_online, vcpus_max vcpus_max,
            created_unix_ns created_unix_ns, type_ type
        }
        pvctl_create_opts {
            size size, paused paused, boot_entry boot_entry
        }
        pvctl_destroy_opts {
            size size, unique_id unique_id
        }
        pvctl_migrate_opts {
            size size, config config, paused paused, pad pad, say say, step step, data data,
            keep_domid keep_domid, pad2 pad2
        }
        pvctl_migrate_result {
            size size, end end, rounds rounds, bytes bytes, pages pages, total_ns total_ns,
            pause_ns pause_ns
        }
        pvctl_vcpu_info {
            size size, domid domid, vcpu vcpu, online online, blocked blocked, running running, cpu cpu,
            cpu_ns cpu_ns, hard_affinity hard_affinity, soft_affinity soft_affinity
        }
        pvctl_save_opts {
            size size, live live, leave leave, compress compress, suspend_timeout_ms suspend_timeout_ms,
            config config, written written, written_data written_data, max_rounds max_rounds,
            pad pad, keep_domid keep_domid, pad2 pad2
        }
        pvctl_save_stats {
            size size, bytes bytes, pages pages, zero_pages zero_pages, total_ns total_ns,
            pause_ns pause_ns, rounds rounds, pad pad
        }
        pvctl_restore_opts {
            size size, paused paused, pad pad, name name, ready ready, ready_data ready_data
        }
        pvctl_restore_stats {
            size size, bytes bytes, pages pages, total_ns total_ns
        }
        pvctl_dump_opts {
            size size, live live, then then
        }
        pvctl_clone_opts {
            size size, count count, paused paused, suspend_timeout_ms suspend_timeout_ms, pad pad,
            disks disks, say say, say_data say_data
        }
        pvctl_clone_stats {
            size size, total_ns total_ns, pause_ns pause_ns, bytes bytes, restore_ns restore_ns,
            rounds rounds, pad pad
        }
        pvctl_snapshot_info {
            size size, domain domain, name name, description description, created_unix_ns created_unix_ns,
            memory_bytes memory_bytes, disk_bytes disk_bytes, disks disks, has_memory has_memory
        }
        pvctl_snapshot_disk_info {
            size size, vdev vdev, format format, bytes bytes, allocated_bytes allocated_bytes, overlay overlay,
            pad pad, file file, disk disk
        }
        pvctl_snapshot_opts {
            size size, description description, disks disks, no_memory no_memory,
            suspend_timeout_ms suspend_timeout_ms, say say, say_data say_data, step step, step_data step_data
        }
        pvctl_snapshot_stats {
            size size, name name, total_ns total_ns, pause_ns pause_ns, bytes bytes, rounds rounds, pad pad
        }
        pvctl_snapshot_revert_opts {
            size size, paused paused, pad pad, step step, step_data step_data
        }
        pvctl_snapshot_delete_opts {
            size size, progress progress, progress_data progress_data, step step, step_data step_data
        }
        pvctl_template_info {
            size size, name name, description description, dir dir, created_unix_ns created_unix_ns,
            bytes bytes, disks disks, warm warm
        }
        pvctl_template_make_opts {
            size size, description description, domid domid, warm warm
        }
        pvctl_template_create_opts {
            size size, paused paused, cold cold
        }
        pvctl_disk_info {
            size size, domid domid, vdev vdev, state state, readonly readonly, cdrom cdrom,
            event_channel event_channel, ring_ref ring_ref, failed failed, bytes bytes, name name,
            backend_path backend_path, target target, format format, sector_size sector_size, pad2 pad2,
            reads reads, writes writes, flushes flushes, discards discards, errors errors,
            read_sectors read_sectors, write_sectors write_sectors, discard_sectors discard_sectors
        }
        pvctl_cpuid_edit {
            size size, leaf leaf, subleaf subleaf, reg reg, set set, clear clear, pad pad
        }
        pvctl_disk_spec {
            size size, vdev vdev, sector_size sector_size, readonly readonly, cdrom cdrom,
            no_discard no_discard, direct_io_safe direct_io_safe, untrusted untrusted, name name,
            format format, backend backend, script script, target target
        }
        pvctl_disk_detach_opts {
            size size, force force, timeout_ms timeout_ms
        }
        pvctl_disk_image_info {
            size size, bytes bytes, allocated_bytes allocated_bytes, is_device is_device, pad pad,
            format format, base base
        }
        pvctl_disk_image_resize_opts {
            size size, format format, bytes bytes, shrink shrink, pad pad
        }
        pvctl_disk_copy_opts {
            size size, format format, to_format to_format, overlay overlay, compress compress,
            progress progress, progress_data progress_data
        }
        pvctl_disk_flatten_opts {
            size size, progress progress, progress_data progress_data
        }
        pvctl_channel_info {
            size size, domid domid, devid devid, state state, event_channel event_channel,
            ring_ref ring_ref, connection connection, name name, path path
        }
        pvctl_vif_info {
            size size, domid domid, devid devid, state state, queues queues, mtu mtu,
            tx_event_channel tx_event_channel, rx_event_channel rx_event_channel, tx_ring_ref tx_ring_ref,
            rx_ring_ref rx_ring_ref, mac mac, pad pad, link link, bridge bridge, backend_path backend_path,
            tx_bytes tx_bytes, tx_packets tx_packets, tx_drops tx_drops, tx_gso_packets tx_gso_packets,
            rx_bytes rx_bytes, rx_packets rx_packets, rx_drops rx_drops, rx_gso_packets rx_gso_packets
        }
        pvctl_vif_spec {
            size size, devid devid, mtu mtu, rate_bytes rate_bytes, rate_us rate_us, trusted trusted,
            has_mac has_mac, mac mac, pad pad, link link, bridge bridge, vifname vifname,
            gatewaydev gatewaydev, script script, ip ip
        }
        pvctl_vif_detach_opts {
            size size, force force, timeout_ms timeout_ms
        }
        pvctl_ended {
            size size, domid domid, reason reason, ended_unix_ns ended_unix_ns, name name
        }
        pvctl_event {
            size size, type_ type, domid domid, reason reason, pad pad, time_unix_ns time_unix_ns,
            name name, unique_id unique_id, value value, state state, device_kind device_kind,
            device device, detail detail
        }
        pvctl_host_info {
            size size, hv_version hv_version, hv_extra hv_extra, hv_caps hv_caps, hv_compiler hv_compiler,
            hv_date hv_date, hv_changeset hv_changeset, hv_commandline hv_commandline, hv_major hv_major,
            hv_minor hv_minor, page_size page_size, virt_start virt_start, cpus cpus,
            max_cpu_id max_cpu_id, nodes nodes, cores_per_socket cores_per_socket,
            threads_per_core threads_per_core, cpu_khz cpu_khz, total_bytes total_bytes,
            free_bytes free_bytes, outstanding_bytes outstanding_bytes, scrub_bytes scrub_bytes,
            hw_cap hw_cap, free_cpu_ns free_cpu_ns, scheduler scheduler, reclaimable_bytes reclaimable_bytes,
            virt_caps virt_caps
        }
        pvctl_store_quota {
            size size, name name, limit limit, own own, used used
        }
        pvctl_boot_opts {
            size size, entry entry, timeout_ms timeout_ms, list_only list_only, kernel kernel,
            ramdisk ramdisk, offset_bytes offset_bytes, user user, format format
        }
        pvctl_boot_entry {
            size size, title title, id id, kernel kernel, ramdisk ramdisk, cmdline cmdline
        }
        pvctl_boot_info {
            size size, default_entry default_entry, chosen chosen, partition partition, config config,
            kernel_fd kernel_fd, ramdisk_fd ramdisk_fd, wait_s wait_s
        }
    }
    constants! { rows, c,
        PVCTL_ORIGIN_LIB PVCTL_ORIGIN_OS PVCTL_ORIGIN_HV PVCTL_ORIGIN_STORE PVCTL_ORIGIN_IMAGE
        PVCTL_ORIGIN_DAEMON PVCTL_STATE_RUNNING PVCTL_STATE_BLOCKED PVCTL_STATE_PAUSED PVCTL_STATE_SHUTDOWN
        PVCTL_STATE_DYING PVCTL_TYPE_PV PVCTL_TYPE_PVH PVCTL_VIRT_PV PVCTL_VIRT_HVM PVCTL_VIRT_HAP PVCTL_REASON_NONE PVCTL_REASON_POWEROFF PVCTL_REASON_REBOOT PVCTL_REASON_SUSPEND
        PVCTL_REASON_CRASH PVCTL_REASON_WATCHDOG PVCTL_REASON_SOFT_RESET PVCTL_MIGRATE_THERE
        PVCTL_MIGRATE_HERE PVCTL_MIGRATE_STUCK PVCTL_MIGRATE_UNKNOWN PVCTL_SAVE_DESTROY PVCTL_SAVE_PAUSED
        PVCTL_SAVE_RUNNING PVCTL_SAVE_SUSPENDED PVCTL_DUMP_NOTHING PVCTL_DUMP_CRASH PVCTL_DUMP_RESET
        PVCTL_EVENT_CREATED PVCTL_EVENT_SHUTDOWN
        PVCTL_EVENT_DESTROYED PVCTL_EVENT_PAUSED PVCTL_EVENT_UNPAUSED PVCTL_EVENT_NODE_DOWN PVCTL_EVENT_KEPT
        PVCTL_EVENT_NODE_SLOW PVCTL_EVENT_NODE_BACK PVCTL_EVENT_RENAMED PVCTL_EVENT_MEMORY PVCTL_EVENT_VCPUS
        PVCTL_EVENT_DEVICE_ATTACHED PVCTL_EVENT_DEVICE_DETACHED PVCTL_EVENT_DEVICE_FAILED
        PVCTL_EVENT_CONSOLE PVCTL_EVENT_NODE_UP PVCTL_EVENT_PRESENT PVCTL_EVENT_RESUMED PVCTL_EVENT_LOST
        PVCTL_EVENT_DAEMON_RESTARTED PVCTL_EVENT_ALL
    }
    rows
}

/// What the C compiler makes of the same.
fn compiled(body: &str) -> Vec<usize> {
    let dir = std::env::temp_dir().join(format!("pvctl-layout.{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    let (source, program) = (dir.join("layout.c"), dir.join("layout"));
    let text =
        format!("#include <libpvctl.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{{\n{body}\treturn 0;\n}}\n");
    std::fs::write(&source, text).unwrap();
    let flags = Command::new("pkg-config").args(["--cflags", "libpvctl"]).output().unwrap();
    let flags = String::from_utf8(flags.stdout).unwrap();
    let cc = Command::new("cc").args(flags.split_whitespace()).arg("-o").args([&program, &source]).status().unwrap();
    assert!(cc.success());
    let out = Command::new(&program).output().unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    String::from_utf8(out.stdout).unwrap().lines().map(|l| l.parse().unwrap()).collect()
}

#[test]
fn layout_is_that_of_the_header() {
    let mut c = String::new();
    let ours = rows(&mut c);
    let theirs = compiled(&c);
    assert_eq!(ours.len(), theirs.len());
    for ((what, ours), theirs) in ours.iter().zip(theirs) {
        assert_eq!(*ours, theirs, "{what}");
    }
}
