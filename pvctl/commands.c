/* SPDX-License-Identifier: MIT */
#include "pvctl/commands.h"

#include <stddef.h>

#include "pvctl/cmd.h"

/* In the order of `pvctl help'; those of a group stand together. */
const struct command *const commands[] = {
	&cmd_create, &cmd_list, &cmd_console, &cmd_shutdown, &cmd_reboot, &cmd_destroy, &cmd_pause, &cmd_unpause,
	&cmd_suspend, &cmd_resume, &cmd_save, &cmd_restore, &cmd_migrate, &cmd_migrate_receive,
	&cmd_rename, &cmd_domid, &cmd_domname, &cmd_vm_list, &cmd_vcpu_list, &cmd_vcpu_set,
	&cmd_vcpu_pin, &cmd_mem_set, &cmd_mem_max, &cmd_claims, &cmd_sched_credit, &cmd_sched_credit2, &cmd_sysrq,
	 &cmd_uptime, &cmd_info, &cmd_dmesg, &cmd_debug_keys,
	&cmd_block_attach, &cmd_block_detach, &cmd_block_list, &cmd_channel_list, &cmd_cd_eject, &cmd_cd_insert, &cmd_network_attach, &cmd_network_detach,
	&cmd_network_list, &cmd_events, &cmd_wait, &cmd_node_start, &cmd_node_stop, &cmd_node_restart_daemon, &cmd_node_list, &cmd_node_info, &cmd_doctor, &cmd_config_check,
	&cmd_config_keys, &cmd_bootloader, &cmd_store_read, &cmd_store_write, &cmd_store_rm, &cmd_version, &cmd_help, NULL
};
