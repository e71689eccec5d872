/* SPDX-License-Identifier: MIT */
#ifndef PVCTL_COMMANDS_H
#define PVCTL_COMMANDS_H

extern const struct command cmd_config_check, cmd_config_keys, cmd_console, cmd_create, cmd_destroy, cmd_dmesg,
	cmd_domid, cmd_domname, cmd_events, cmd_help, cmd_info, cmd_list, cmd_node_info, cmd_node_list, cmd_node_start,
	cmd_node_stop, cmd_pause, cmd_reboot, cmd_rename, cmd_shutdown, cmd_store_read, cmd_store_rm, cmd_store_write,
	cmd_unpause, cmd_uptime, cmd_vcpu_list, cmd_version, cmd_vm_list;

#endif
