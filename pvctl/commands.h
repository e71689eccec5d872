/* SPDX-License-Identifier: MIT */
#ifndef PVCTL_COMMANDS_H
#define PVCTL_COMMANDS_H

/* In the order of `pvctl help'; those of a group stand together. */
#define COMMANDS(X) \
	X(create) \
	X(define) \
	X(start) \
	X(undefine) \
	X(autostart) \
	X(defined) \
	X(list) \
	X(console) \
	X(shutdown) \
	X(reboot) \
	X(destroy) \
	X(pause) \
	X(unpause) \
	X(suspend) \
	X(resume) \
	X(save) \
	X(restore) \
	X(migrate) \
	X(migrate_receive) \
	X(clone) \
	X(snapshot_create) \
	X(snapshot_list) \
	X(snapshot_info) \
	X(snapshot_revert) \
	X(snapshot_delete) \
	X(reinstall) \
	X(template_create) \
	X(template_list) \
	X(template_show) \
	X(template_verify) \
	X(template_delete) \
	X(template_export) \
	X(template_import) \
	X(dump_core) \
	X(rename) \
	X(domid) \
	X(domname) \
	X(vm_list) \
	X(vcpu_list) \
	X(vcpu_set) \
	X(vcpu_pin) \
	X(mem_set) \
	X(mem_max) \
	X(claims) \
	X(sched_credit) \
	X(sched_credit2) \
	X(sysrq) \
	X(uptime) \
	X(top) \
	X(info) \
	X(dmesg) \
	X(debug_keys) \
	X(set_parameters) \
	X(cpupool_list) \
	X(config_update) \
	X(block_attach) \
	X(block_detach) \
	X(block_list) \
	X(disk_resize) \
	X(disk_clone) \
	X(disk_convert) \
	X(disk_flatten) \
	X(channel_list) \
	X(cd_eject) \
	X(cd_insert) \
	X(network_attach) \
	X(network_detach) \
	X(network_list) \
	X(events) \
	X(wait) \
	X(node_start) \
	X(node_stop) \
	X(node_restart_daemon) \
	X(node_list) \
	X(node_info) \
	X(doctor) \
	X(config_check) \
	X(config_show) \
	X(config_convert) \
	X(domxml_to_native) \
	X(domxml_from_native) \
	X(config_keys) \
	X(bootloader) \
	X(store_read) \
	X(store_write) \
	X(store_rm) \
	X(limits) \
	X(xenstore_quota_get) \
	X(xenstore_quota_set) \
	X(shell) \
	X(completion) \
	X(version) \
	X(help)

struct command;
#define COMMAND_DECLARE(name) extern const struct command cmd_##name;
COMMANDS(COMMAND_DECLARE)

#endif
