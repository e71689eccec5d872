/* SPDX-License-Identifier: MIT */
#ifndef PVCTL_COMMANDS_H
#define PVCTL_COMMANDS_H

extern const struct command cmd_block_attach, cmd_block_detach, cmd_block_list, cmd_bootloader, cmd_channel_list, cmd_cd_eject, cmd_cd_insert, cmd_claims, cmd_config_check, cmd_config_keys, cmd_console, cmd_create, cmd_debug_keys, cmd_destroy,
	cmd_dmesg, cmd_domid, cmd_domname, cmd_events, cmd_help, cmd_info, cmd_list, cmd_mem_max, cmd_mem_set,
	cmd_network_attach, cmd_network_detach, cmd_network_list, cmd_node_info, cmd_node_list, cmd_node_restart_daemon, cmd_node_start, cmd_node_stop, cmd_pause, cmd_reboot, cmd_rename,
	cmd_sched_credit, cmd_sched_credit2, cmd_shutdown, cmd_store_read, cmd_store_rm, cmd_store_write,
	cmd_sysrq, cmd_unpause, cmd_uptime, cmd_vcpu_list, cmd_vcpu_pin, cmd_vcpu_set, cmd_version, cmd_vm_list;

#endif
