// SPDX-License-Identifier: MIT
//! The header's functions, in its order.

use crate::types::*;
use std::os::raw::{c_char, c_int, c_void};

extern "C" {
    pub fn pvctl_node_start(opts: *const pvctl_node_start_opts, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_node_restart_daemon(name: *const c_char, timeout_ms: u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_node_stop(name: *const c_char, timeout_ms: u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_node_get(name: *const c_char, ret: *mut pvctl_node_info, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_node_list(ret: *mut *mut pvctl_node_list, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_node_list_count(list: *const pvctl_node_list) -> usize;
    pub fn pvctl_node_list_at(list: *const pvctl_node_list, i: usize) -> *const pvctl_node_info;
    pub fn pvctl_node_list_free(list: *mut pvctl_node_list);
    pub fn pvctl_paths_get(node: *const c_char, ret: *mut pvctl_paths, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_open(opts: *const pvctl_open_opts, ret_ctx: *mut *mut pvctl, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_close(ctx: *mut pvctl);
    pub fn pvctl_version() -> *const c_char;
    pub fn pvctl_config_new(ret: *mut *mut pvctl_config, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_config_free(config: *mut pvctl_config);
    pub fn pvctl_config_set_str(
        config: *mut pvctl_config,
        key: *const c_char,
        value: *const c_char,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_config_set_int(config: *mut pvctl_config, key: *const c_char, value: i64, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_config_set_list(
        config: *mut pvctl_config,
        key: *const c_char,
        values: *const *const c_char,
        n: usize,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_config_get_str(config: *const pvctl_config, key: *const c_char) -> *const c_char;
    pub fn pvctl_config_get_int(config: *const pvctl_config, key: *const c_char, ret: *mut i64) -> c_int;
    pub fn pvctl_config_get_cpuid(
        config: *const pvctl_config,
        i: usize,
        ret: *mut pvctl_cpuid_edit,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_config_get_item(config: *const pvctl_config, key: *const c_char, i: usize) -> *const c_char;
    pub fn pvctl_config_to_json(config: *const pvctl_config, ret_text: *mut *mut c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_config_from_json(text: *const c_char, ret: *mut *mut pvctl_config, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_config_parse(
        text: *const c_char,
        len: usize,
        opts: *const pvctl_parse_opts,
        ret: *mut *mut pvctl_config,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_config_from_xml(
        text: *const c_char,
        len: usize,
        opts: *const pvctl_parse_opts,
        ret: *mut *mut pvctl_config,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_config_to_xml(
        config: *const pvctl_config,
        opts: *const pvctl_parse_opts,
        ret_text: *mut *mut c_char,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_config_check(ctx: *mut pvctl, config: *const pvctl_config, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_config_check_log(
        config: *const pvctl_config,
        log: Option<unsafe extern "C" fn(data: *mut c_void, level: c_int, msg: *const c_char)>,
        data: *mut c_void,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_free(text: *mut c_void);
    pub fn pvctl_defined_set(node: *const c_char, config: *const pvctl_config, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_defined_remove(node: *const c_char, name: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_defined_get(node: *const c_char, name: *const c_char, ret: *mut *mut pvctl_config, err: *mut pvctl_error)
        -> c_int;
    pub fn pvctl_defined_autostart(
        node: *const c_char,
        name: *const c_char,
        opts: *const pvctl_autostart_opts,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_defined_list(node: *const c_char, ret: *mut *mut pvctl_defined_list, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_defined_list_count(list: *const pvctl_defined_list) -> usize;
    pub fn pvctl_defined_list_at(list: *const pvctl_defined_list, i: usize) -> *const pvctl_defined_info;
    pub fn pvctl_defined_list_free(list: *mut pvctl_defined_list);
    pub fn pvctl_domain_create(
        ctx: *mut pvctl,
        config: *const pvctl_config,
        opts: *const pvctl_create_opts,
        ret_domid: *mut u32,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_domain_destroy(ctx: *mut pvctl, domid: u32, opts: *const pvctl_destroy_opts, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_pause(ctx: *mut pvctl, domid: u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_unpause(ctx: *mut pvctl, domid: u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_suspend(ctx: *mut pvctl, domid: u32, timeout_ms: u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_keep_suspended(ctx: *mut pvctl, domid: u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_release_disks(ctx: *mut pvctl, domid: u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_resume(ctx: *mut pvctl, domid: u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_migrate_send(
        ctx: *mut pvctl,
        domid: u32,
        in_: c_int,
        out: c_int,
        opts: *const pvctl_migrate_opts,
        ret: *mut pvctl_migrate_result,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_domain_migrate_receive(
        ctx: *mut pvctl,
        in_: c_int,
        out: c_int,
        opts: *const pvctl_migrate_opts,
        ret_domid: *mut u32,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_domain_request(ctx: *mut pvctl, domid: u32, what: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_wait(ctx: *mut pvctl, domid: u32, timeout_ms: u32, ret_reason: *mut i32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_get(ctx: *mut pvctl, domid: u32, ret: *mut pvctl_domain_info, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_lookup(ctx: *mut pvctl, name: *const c_char, ret_domid: *mut u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_config(ctx: *mut pvctl, domid: u32, ret: *mut *mut pvctl_config, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_set_config(ctx: *mut pvctl, domid: u32, config: *const pvctl_config, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_rename(ctx: *mut pvctl, domid: u32, name: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_list(ctx: *mut pvctl, ret: *mut *mut pvctl_domain_list, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_list_count(list: *const pvctl_domain_list) -> usize;
    pub fn pvctl_domain_list_at(list: *const pvctl_domain_list, i: usize) -> *const pvctl_domain_info;
    pub fn pvctl_domain_list_free(list: *mut pvctl_domain_list);
    pub fn pvctl_vcpu_list(ctx: *mut pvctl, domid: u32, ret: *mut *mut pvctl_vcpu_list, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_vcpu_list_count(list: *const pvctl_vcpu_list) -> usize;
    pub fn pvctl_vcpu_list_at(list: *const pvctl_vcpu_list, i: usize) -> *const pvctl_vcpu_info;
    pub fn pvctl_vcpu_list_free(list: *mut pvctl_vcpu_list);
    pub fn pvctl_domain_set_memory_target(ctx: *mut pvctl, domid: u32, bytes: u64, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_wait_memory(ctx: *mut pvctl, domid: u32, bytes: u64, timeout_ms: u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_set_memory_max(ctx: *mut pvctl, domid: u32, bytes: u64, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_set_vcpus(ctx: *mut pvctl, domid: u32, count: u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_vcpu_set_affinity(
        ctx: *mut pvctl,
        domid: u32,
        vcpu: u32,
        hard: *const u64,
        soft: *const u64,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_cpus_parse(text: *const c_char, ret_mask: *mut u64, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_get_sched(
        ctx: *mut pvctl,
        domid: u32,
        ret_weight: *mut u32,
        ret_cap_percent: *mut u32,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_domain_get_grants(
        ctx: *mut pvctl,
        domid: u32,
        ret_pages: *mut u32,
        ret_max_pages: *mut u32,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_domain_set_sched(ctx: *mut pvctl, domid: u32, weight: i32, cap_percent: i32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_sysrq(ctx: *mut pvctl, domid: u32, letter: c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_domain_save(
        ctx: *mut pvctl,
        domid: u32,
        fd: c_int,
        opts: *const pvctl_save_opts,
        ret: *mut pvctl_save_stats,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_domain_restore(
        ctx: *mut pvctl,
        fd: c_int,
        override_: *const pvctl_config,
        opts: *const pvctl_restore_opts,
        ret_domid: *mut u32,
        ret: *mut pvctl_restore_stats,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_domain_dump_core(
        ctx: *mut pvctl,
        domid: u32,
        fd: c_int,
        opts: *const pvctl_dump_opts,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_domain_clone(
        ctx: *mut pvctl,
        domid: u32,
        name: *const c_char,
        opts: *const pvctl_clone_opts,
        ret_domids: *mut u32,
        ret: *mut pvctl_clone_stats,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_snapshot_create(
        ctx: *mut pvctl,
        domid: u32,
        name: *const c_char,
        opts: *const pvctl_snapshot_opts,
        ret: *mut pvctl_snapshot_stats,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_snapshot_create_stopped(
        node: *const c_char,
        domain: *const c_char,
        name: *const c_char,
        opts: *const pvctl_snapshot_opts,
        ret: *mut pvctl_snapshot_stats,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_snapshot_list(
        node: *const c_char,
        domain: *const c_char,
        ret: *mut *mut pvctl_snapshot_list,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_snapshot_list_count(list: *const pvctl_snapshot_list) -> usize;
    pub fn pvctl_snapshot_list_at(list: *const pvctl_snapshot_list, i: usize) -> *const pvctl_snapshot_info;
    pub fn pvctl_snapshot_list_free(list: *mut pvctl_snapshot_list);
    pub fn pvctl_snapshot_get(
        node: *const c_char,
        domain: *const c_char,
        name: *const c_char,
        ret: *mut pvctl_snapshot_info,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_snapshot_get_disk(
        node: *const c_char,
        domain: *const c_char,
        name: *const c_char,
        i: usize,
        ret: *mut pvctl_snapshot_disk_info,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_snapshot_config(
        node: *const c_char,
        domain: *const c_char,
        name: *const c_char,
        ret: *mut *mut pvctl_config,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_snapshot_verify(node: *const c_char, domain: *const c_char, name: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_snapshot_revert(
        ctx: *mut pvctl,
        domain: *const c_char,
        name: *const c_char,
        opts: *const pvctl_snapshot_revert_opts,
        ret_domid: *mut u32,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_snapshot_delete(
        node: *const c_char,
        domain: *const c_char,
        name: *const c_char,
        opts: *const pvctl_snapshot_delete_opts,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_template_make(
        ctx: *mut pvctl,
        name: *const c_char,
        from: *const pvctl_config,
        opts: *const pvctl_template_make_opts,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_template_get(name: *const c_char, ret: *mut pvctl_template_info, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_template_config(name: *const c_char, ret: *mut *mut pvctl_config, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_template_list(ret: *mut *mut pvctl_template_list, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_template_list_count(list: *const pvctl_template_list) -> usize;
    pub fn pvctl_template_list_at(list: *const pvctl_template_list, i: usize) -> *const pvctl_template_info;
    pub fn pvctl_template_list_free(list: *mut pvctl_template_list);
    pub fn pvctl_template_verify(ctx: *mut pvctl, name: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_template_delete(name: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_template_export(ctx: *mut pvctl, name: *const c_char, dir: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_template_import(ctx: *mut pvctl, dir: *const c_char, name: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_template_create(
        ctx: *mut pvctl,
        name: *const c_char,
        over: *const pvctl_config,
        opts: *const pvctl_template_create_opts,
        ret_domid: *mut u32,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_domain_reinstall(
        ctx: *mut pvctl,
        domain: *const c_char,
        name: *const c_char,
        ret_domid: *mut u32,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_template_disks_remove(domain: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_disk_parse(text: *const c_char, ret: *mut pvctl_disk_spec, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_disk_attach(ctx: *mut pvctl, domid: u32, spec: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_disk_change(
        ctx: *mut pvctl,
        domid: u32,
        vdev: *const c_char,
        target: *const c_char,
        opts: *const pvctl_disk_detach_opts,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_disk_detach(
        ctx: *mut pvctl,
        domid: u32,
        vdev: *const c_char,
        opts: *const pvctl_disk_detach_opts,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_disk_list(ctx: *mut pvctl, domid: u32, ret: *mut *mut pvctl_disk_list, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_disk_list_count(list: *const pvctl_disk_list) -> usize;
    pub fn pvctl_disk_list_at(list: *const pvctl_disk_list, i: usize) -> *const pvctl_disk_info;
    pub fn pvctl_disk_list_free(list: *mut pvctl_disk_list);
    pub fn pvctl_disk_image_get(
        path: *const c_char,
        format: *const c_char,
        ret: *mut pvctl_disk_image_info,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_disk_image_resize(path: *const c_char, opts: *const pvctl_disk_image_resize_opts, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_disk_image_copy(
        from: *const c_char,
        to: *const c_char,
        opts: *const pvctl_disk_copy_opts,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_disk_image_flatten(path: *const c_char, opts: *const pvctl_disk_flatten_opts, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_disk_resize(
        ctx: *mut pvctl,
        domid: u32,
        vdev: *const c_char,
        bytes: u64,
        ret_bytes: *mut u64,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_channel_list(ctx: *mut pvctl, domid: u32, ret: *mut *mut pvctl_channel_list, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_channel_list_count(list: *const pvctl_channel_list) -> usize;
    pub fn pvctl_channel_list_at(list: *const pvctl_channel_list, i: usize) -> *const pvctl_channel_info;
    pub fn pvctl_channel_list_free(list: *mut pvctl_channel_list);
    pub fn pvctl_vif_parse(text: *const c_char, ret: *mut pvctl_vif_spec, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_vif_attach(ctx: *mut pvctl, domid: u32, spec: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_vif_detach(
        ctx: *mut pvctl,
        domid: u32,
        which: *const c_char,
        opts: *const pvctl_vif_detach_opts,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_vif_list(ctx: *mut pvctl, domid: u32, ret: *mut *mut pvctl_vif_list, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_vif_list_count(list: *const pvctl_vif_list) -> usize;
    pub fn pvctl_vif_list_at(list: *const pvctl_vif_list, i: usize) -> *const pvctl_vif_info;
    pub fn pvctl_vif_list_free(list: *mut pvctl_vif_list);
    pub fn pvctl_domain_ended(
        ctx: *mut pvctl,
        name: *const c_char,
        domid: u32,
        ret: *mut pvctl_ended,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_console_attach(ctx: *mut pvctl, domid: u32, replay_bytes: u64, ret_fd: *mut c_int, err: *mut pvctl_error)
        -> c_int;
    pub fn pvctl_events_open(ctx: *mut pvctl, mask: u32, ret: *mut *mut pvctl_events, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_events_fd(events: *const pvctl_events) -> c_int;
    pub fn pvctl_events_next(events: *mut pvctl_events, ret: *mut pvctl_event, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_events_close(events: *mut pvctl_events);
    pub fn pvctl_host_get(ctx: *mut pvctl, ret: *mut pvctl_host_info, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_host_dmesg(ctx: *mut pvctl, clear: c_int, ret_text: *mut *mut c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_host_set_parameter(ctx: *mut pvctl, name: *const c_char, value: u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_host_debug_keys(ctx: *mut pvctl, keys: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_store_read(
        ctx: *mut pvctl,
        path: *const c_char,
        ret_value: *mut *mut c_char,
        ret_len: *mut usize,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_store_write(
        ctx: *mut pvctl,
        path: *const c_char,
        value: *const c_void,
        len: usize,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_store_rm(ctx: *mut pvctl, path: *const c_char, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_store_quota_get(ctx: *mut pvctl, domid: u32, i: u32, ret: *mut pvctl_store_quota, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_store_quota_set(ctx: *mut pvctl, domid: u32, name: *const c_char, value: u32, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_boot_open(
        disk: *const c_char,
        opts: *const pvctl_boot_opts,
        ret: *mut *mut pvctl_boot,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_boot_open_config(
        config: *const pvctl_config,
        opts: *const pvctl_boot_opts,
        ret: *mut *mut pvctl_boot,
        err: *mut pvctl_error,
    ) -> c_int;
    pub fn pvctl_boot_get(boot: *const pvctl_boot, ret: *mut pvctl_boot_info, err: *mut pvctl_error) -> c_int;
    pub fn pvctl_boot_entry_count(boot: *const pvctl_boot) -> usize;
    pub fn pvctl_boot_entry_at(boot: *const pvctl_boot, i: usize) -> *const pvctl_boot_entry;
    pub fn pvctl_boot_free(boot: *mut pvctl_boot);
}
