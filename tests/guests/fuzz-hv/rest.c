/* SPDX-License-Identifier: MIT */
/*
 * All that a guest may ask for and that has no place in another file: questions, what is refused to guests, and what
 * changes nothing that another fuzzer looks at. Breakpoints and NMIs come wherever the vCPUs are just then.
 */
#include "fuzz.h"
#include <xen/nmi.h>
#include <xen/physdev.h>

/* Big enough for every answer. */
static uint64_t answer[FUZZERS][512] page_aligned;
static uint8_t ports[FUZZERS][8192] page_aligned;

static void memory_questions(struct fuzzer *z)
{
	uint64_t *a = answer[z->id];
	struct xen_memory_map map = { .nr_entries = (uint32_t)below(z, 3) };
	struct xen_machphys_mfn_list list = { .max_extents = (uint32_t)below(z, 512) };
	struct xen_memory_domain self = { .domid = DOMID_SELF }, peer = { .domid = peer_id };
	struct xen_machphys_mapping mapping;

	z->what = "memory question";
	set_xen_guest_handle(map.buffer, a);
	set_xen_guest_handle(list.extent_start, a);
	expect(z, CALL(memory_op, XENMEM_current_reservation, &self, 0, 0) > 0 ? 0 : -1, true);
	expect(z, CALL(memory_op, XENMEM_maximum_reservation, &self, 0, 0) > 0 ? 0 : -1, true);
	(void)CALL(memory_op, XENMEM_maximum_gpfn, &self, 0, 0);
	if (peer_id)
		expect(z, CALL(memory_op, XENMEM_current_reservation, &peer, 0, 0) >= 0 ? 0 : -1, false);
	expect(z, CALL(memory_op, XENMEM_memory_map, &map, 0, 0), map.nr_entries > 0);
	expect(z, CALL(memory_op, XENMEM_machphys_mapping, &mapping, 0, 0), true);
	expect(z, CALL(memory_op, XENMEM_machphys_mfn_list, &list, 0, 0), true);
}

/* Several at a time, larger than a page; the first perhaps as after a preemption. Those that come go again. */
static void extents(struct fuzzer *z)
{
	struct xen_memory_reservation *r = reservation(z, 0);
	uint64_t n = 1 + below(z, 3), from = below(z, 2), got;

	z->what = "extents";
	r->nr_extents = n;
	r->extent_order = (unsigned int)below(z, 4);
	/* As many as there is room for. */
	got = (uint64_t)CALL(memory_op, XENMEM_increase_reservation | from << 6, r, 0, 0);
	if (got < from || got > n)
		finding(z, "%#lx of %lu extents from %lu", got, n, from);
	r->nr_extents = got;
	expect(z, (uint64_t)CALL(memory_op, XENMEM_decrease_reservation | from << 6, r, 0, 0) == got ? 0 : -1, true);
}

static void grant_questions(struct fuzzer *z)
{
	struct gnttab_query_size size = { .dom = one_in(z, 4) ? peer_id : DOMID_SELF };
	struct gnttab_get_version v = { .dom = DOMID_SELF };
	struct gnttab_dump_table dump = { .dom = DOMID_SELF };
	struct gnttab_cache_flush flush = { .a.dev_bus_addr = own_frame(z)->mfn << PAGE_SHIFT, .length = 8,
					    .op = GNTTAB_CACHE_CLEAN };

	z->what = "grant question";
	expect(z, CALL(grant_table_op, GNTTABOP_query_size, &size, 1, 0), true);
	expect(z, size.status, size.dom == DOMID_SELF);
	expect(z, CALL(grant_table_op, GNTTABOP_get_version, &v, 1, 0), true);
	expect(z, CALL(grant_table_op, GNTTABOP_dump_table, &dump, 1, 0), true);
	expect(z, dump.status, false);
	expect(z, CALL(grant_table_op, GNTTABOP_cache_flush, &flush, 1, 0), true);
	/* The hypervisor's own memory. */
	flush.a.dev_bus_addr = 0x200000;
	expect(z, CALL(grant_table_op, GNTTABOP_cache_flush, &flush, 1, 0), false);
}

static void ports_of_its_own(struct fuzzer *z)
{
	struct evtchn_bind_virq virq = { .virq = VIRQ_DEBUG, .vcpu = z->id }, other = { .virq = VIRQ_CONSOLE };
	struct evtchn_set_priority prio = { .priority = (uint32_t)below(z, 18) };
	struct evtchn_unmask unmask;
	struct evtchn_close close;

	z->what = "VIRQ";
	expect(z, CALL(event_channel_op, EVTCHNOP_bind_virq, &other, 0, 0), false);
	expect(z, CALL(event_channel_op, EVTCHNOP_bind_virq, &virq, 0, 0), true);
	expect(z, CALL(event_channel_op, EVTCHNOP_bind_virq, &virq, 0, 0), false);
	prio.port = unmask.port = close.port = virq.port;
	(void)CALL(event_channel_op, EVTCHNOP_set_priority, &prio, 0, 0);
	expect(z, CALL(event_channel_op, EVTCHNOP_unmask, &unmask, 0, 0), true);
	expect(z, CALL(event_channel_op, EVTCHNOP_close, &close, 0, 0), true);
	expect(z, CALL(event_channel_op, EVTCHNOP_unmask, &unmask, 0, 0), false);
}

/* Some of them are answered otherwise to domain 0, and all before anything is read. */
static void refused(struct fuzzer *z)
{
	static const struct { uint16_t nr; uint32_t cmd; } calls[] = {
		{ __HYPERVISOR_platform_op, 0 }, { __HYPERVISOR_sysctl, 0 }, { __HYPERVISOR_domctl, 0 }, { __HYPERVISOR_hypfs_op, 0 },
		{ __HYPERVISOR_xenpmu_op, 0 }, { __HYPERVISOR_memory_op, XENMEM_claim_pages },
		{ __HYPERVISOR_memory_op, XENMEM_acquire_resource }, { __HYPERVISOR_memory_op, XENMEM_set_memory_map },
		{ __HYPERVISOR_memory_op, XENMEM_machine_memory_map }, { __HYPERVISOR_memory_op, XENMEM_add_to_physmap },
		{ __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown }, { __HYPERVISOR_sched_op, SCHEDOP_pin_override },
		{ __HYPERVISOR_event_channel_op, EVTCHNOP_bind_pirq }, { __HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq },
		{ __HYPERVISOR_physdev_op, PHYSDEVOP_eoi }, { __HYPERVISOR_console_io, CONSOLEIO_read },
		{ __HYPERVISOR_xen_version, XENVER_commandline }, { __HYPERVISOR_callback_op, 99 }, { __HYPERVISOR_vcpu_op, 99 },
		{ __HYPERVISOR_kexec_op, 0 }, { 63, 0 },
	};
	unsigned int i = below(z, ARRAY_SIZE(calls));

	z->what = "what guests may not";
	memset(z->arg, 0, sizeof(z->arg));
	expect(z, call(z, calls[i].nr, calls[i].cmd, (unsigned long)z->arg, (unsigned long)z->arg, 0), false);
}

static void privileges(struct fuzzer *z)
{
	struct physdev_set_iopl iopl = { .iopl = (uint32_t)below(z, 5) };
	struct physdev_set_iobitmap bitmap = { .nr_ports = (uint32_t)below(z, 65538) };
	unsigned long assist = below(z, 6);

	z->what = "privilege";
	expect(z, CALL(physdev_op, PHYSDEVOP_set_iopl, &iopl, 0, 0), iopl.iopl <= 3);
	set_xen_guest_handle(bitmap.bitmap, ports[z->id]);
	expect(z, CALL(physdev_op, PHYSDEVOP_set_iobitmap, &bitmap, 0, 0), bitmap.nr_ports <= 65536);
	set_xen_guest_handle(bitmap.bitmap, (uint8_t *)HV_START + below(z, 1u << 20));
	expect(z, CALL(physdev_op, PHYSDEVOP_set_iobitmap, &bitmap, 0, 0), false);
	/* All vCPUs' frames change with it, wherever they are. */
	if (assist == VMASST_TYPE_architectural_iopl || assist == VMASST_TYPE_runstate_update_flag)
		expect(z, CALL(vm_assist, below(z, 2) ? VMASST_CMD_enable : VMASST_CMD_disable, assist, 0, 0), true);
}

/* In the memory that the hypervisor reads for it, and writes to. */
static void breakpoints(struct fuzzer *z)
{
	static const uint64_t rw_len[] = { 1, 3, 5, 7, 11, 13 };
	struct vcpu_runstate_info *info = (void *)answer[z->id];
	uint64_t addr = one_in(z, 2) ? (uint64_t)z->arg : (uint64_t)info, dr7 = 3ul | rw_len[below(z, 6)] << 16;

	z->what = "breakpoint";
	expect(z, CALL(set_debugreg, 0, addr, 0, 0), true);
	expect(z, CALL(set_debugreg, 7, dr7 | 2ul << 16 | 1ul << 13, 0, 0), false);
	expect(z, CALL(set_debugreg, 7, dr7, 0, 0), true);
	expect(z, CALL(vcpu_op, VCPUOP_get_runstate_info, z->id, info, 0), true);
	z->arg[0] = info->state;
	expect(z, mmuext(z, MMUEXT_TLB_FLUSH_LOCAL, 0, 0), true);
	if (one_in(z, 2))
		hc_sched_op(SCHEDOP_yield, NULL);
	expect(z, CALL(set_debugreg, 6, 0, 0, 0), true);
	expect(z, CALL(set_debugreg, 7, 0, 0, 0), true);
}

static void nmi(struct fuzzer *z)
{
	z->what = "NMI";
	expect(z, CALL(vcpu_op, VCPUOP_send_nmi, below(z, FUZZERS), 0, 0), true);
	expect(z, CALL(vcpu_op, VCPUOP_stop_singleshot_timer, z->id, 0, 0), true);
	expect(z, CALL(vcpu_op, VCPUOP_stop_singleshot_timer, (z->id + 1) % FUZZERS, 0, 0), false);
	expect(z, CALL(vcpu_op, VCPUOP_get_physid, z->id, answer[z->id], 0), false);
	if (!one_in(z, 4))
		return;
	/* It is lost, if it comes now. */
	expect(z, CALL(nmi_op, XENNMI_unregister_callback, 0, 0, 0), true);
	traps_init_vcpu(z);
}

/* Two for the whole domain. */
static void watchdog(struct fuzzer *z)
{
	struct sched_watchdog w = { .timeout = 3600 };
	long id;

	z->what = "watchdog";
	id = CALL(sched_op, SCHEDOP_watchdog, &w, 0, 0);
	if (id < 0)
		return;
	w.id = (uint32_t)id;
	expect(z, CALL(sched_op, SCHEDOP_watchdog, &w, 0, 0), true);
	w.timeout = 0;
	expect(z, CALL(sched_op, SCHEDOP_watchdog, &w, 0, 0), true);
}

/* As kernels of before 2006 have them. */
static void old_forms(struct fuzzer *z)
{
	struct evtchn_op event = { .cmd = EVTCHNOP_status, .u.status = { .dom = DOMID_SELF, .port = 1 } };
	struct physdev_op dev = { .cmd = PHYSDEVOP_set_iopl, .u.set_iopl = { .iopl = 1 } };

	z->what = "old form";
	expect(z, CALL(event_channel_op_compat, &event, 0, 0, 0), true);
	expect(z, CALL(physdev_op_compat, &dev, 0, 0, 0), true);
	expect(z, CALL(sched_op_compat, SCHEDOP_yield, 0, 0, 0), true);
	expect(z, CALL(sched_op_compat, SCHEDOP_poll, 0, 0, 0), false);
}

static void versions(struct fuzzer *z)
{
	static const uint8_t cmds[] = { XENVER_extraversion, XENVER_compile_info, XENVER_capabilities, XENVER_changeset,
					XENVER_platform_parameters, XENVER_guest_handle };
	uint32_t cmd = cmds[below(z, sizeof(cmds))];

	z->what = "version";
	expect(z, CALL(xen_version, cmd, answer[z->id], 0, 0), true);
	expect(z, CALL(xen_version, cmd, HV_START + below(z, 1u << 20), 0, 0), false);
	expect(z, CALL(console_io, CONSOLEIO_write, 8, HV_START, 0), false);
	expect(z, CALL(console_io, CONSOLEIO_write, 0, answer[z->id], 0), true);
}

void rest_step(struct fuzzer *z)
{
	static void (*const steps[])(struct fuzzer *) = { memory_questions, extents, extents, grant_questions, ports_of_its_own,
							  refused, refused, privileges, breakpoints, breakpoints, nmi, nmi,
							  watchdog, old_forms, versions };

	steps[below(z, ARRAY_SIZE(steps))](z);
}
