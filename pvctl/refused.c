/* SPDX-License-Identifier: MIT */
/* Commands of xl's that there are not, and why. */
#include <string.h>

#include "pvctl/cmd.h"

#define PASSTHROUGH "a node has no host devices to give: it is a process without rights to them; use disk=, vif=, p9= or channel="
#define HVM "it is for HVM domains; all domains here are paravirtualized"
#define POOLS "a node has one pool, of all its CPUs (see cpupool-list); use vcpu-pin, or nodes of their own with `pvctl node start --cpus'"
#define RDT "it programs the CPU's cache and bandwidth allocation (RDT), which a process cannot"
#define FLASK "there is no security module: what keeps domains apart is always in force (see docs/threat-model.md)"
#define USER_DEVICE "there is no backend for this device"

static const struct { const char *name, *why; } refused[] = {
	{ "button-press", HVM "; shutdown and reboot ask the guest" },
	{ "cpupool-cpu-add", POOLS }, { "cpupool-cpu-remove", POOLS }, { "cpupool-create", POOLS }, { "cpupool-destroy", POOLS },
	{ "cpupool-migrate", POOLS }, { "cpupool-numa-split", POOLS }, { "cpupool-rename", POOLS },
	{ "devd", "backends are in pvctld; there are no driver domains" },
	{ "dt-overlay", "it is for Arm" },
	{ "getenforce", FLASK }, { "loadpolicy", FLASK }, { "setenforce", FLASK },
	{ "pci-assignable-add", PASSTHROUGH }, { "pci-assignable-list", PASSTHROUGH }, { "pci-assignable-remove", PASSTHROUGH },
	{ "pci-attach", PASSTHROUGH }, { "pci-detach", PASSTHROUGH }, { "pci-list", PASSTHROUGH },
	{ "psr-cat-set", RDT }, { "psr-cat-show", RDT }, { "psr-cmt-attach", RDT }, { "psr-cmt-detach", RDT }, { "psr-cmt-show", RDT },
	{ "psr-hwinfo", RDT }, { "psr-mba-set", RDT }, { "psr-mba-show", RDT },
	{ "qemu-monitor-command", "no domain has a QEMU of its own: the node's runs the hypervisor, and its monitor could read all domains" },
	{ "remus", "it copies a domain to a second host without end; save and migrate are there" },
	{ "sched-rtds", "the scheduler is credit; see sched-credit" },
	{ "sharing", HVM },
	{ "trigger", HVM "; see sysrq" },
	{ "usb-list", USER_DEVICE }, { "usbctrl-attach", USER_DEVICE }, { "usbctrl-detach", USER_DEVICE },
	{ "usbdev-attach", USER_DEVICE }, { "usbdev-detach", USER_DEVICE },
	{ "vdispl-attach", USER_DEVICE }, { "vdispl-detach", USER_DEVICE }, { "vdispl-list", USER_DEVICE },
	{ "vkb-attach", USER_DEVICE }, { "vkb-detach", USER_DEVICE }, { "vkb-list", USER_DEVICE },
	{ "vncviewer", "there is no framebuffer: `pvctl console' is the screen" },
	{ "vsnd-attach", USER_DEVICE }, { "vsnd-detach", USER_DEVICE }, { "vsnd-list", USER_DEVICE },
	{ "vtpm-attach", USER_DEVICE }, { "vtpm-detach", USER_DEVICE }, { "vtpm-list", USER_DEVICE },
};

const char *xl_refusal(const char *word)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (!strcmp(refused[i].name, word))
			return refused[i].why;
	return NULL;
}
