/* SPDX-License-Identifier: MIT */
/*
 * Every hypercall with pointers that no guest may pass: the guest and the
 * hypervisor survive, nothing is written into the hypervisor, and what the
 * hypercall says is an error.
 */
#include "guest.h"

const char test_name[] = "hypercall-args";

static const uint64_t bad[] = {
	0, 1, 0x1000, 0x00007fffffffffff, 0x0000800000000000, 0x7fffffffffffffff,
	HV_START, HV_START + 0x1000, 0xffff820000000000, 0xffff828000000000, 0xffff830000000000,
	0xffff838000000000, 0xffff840000000000, HV_END - 8, HV_END - 1, 0xfffffffffffffff8, ~0ul,
};

/* Calls that end the guest or wait, when they are given what they ask for. */
static bool avoided(unsigned int nr, unsigned long a1)
{
	switch (nr) {
	case __HYPERVISOR_iret:
	case __HYPERVISOR_set_trap_table: /* NULL clears the table */
	case __HYPERVISOR_stack_switch:
	case __HYPERVISOR_set_callbacks:
	case __HYPERVISOR_sched_op_compat:
	case __HYPERVISOR_set_segment_base:
	case __HYPERVISOR_set_gdt:
		return true;
	case __HYPERVISOR_sched_op:
		return a1 == SCHEDOP_block || a1 == SCHEDOP_shutdown || a1 == SCHEDOP_poll;
	case __HYPERVISOR_vcpu_op:
		return a1 == VCPUOP_down || a1 == VCPUOP_stop_periodic_timer;
	default:
		return false;
	}
}

/* First argument small: a sub-operation; the others a bad pointer. */
static void subops(void)
{
	unsigned int nr, cmd, i;

	for (nr = 0; nr < 48; nr++) {
		for (cmd = 0; cmd < 40; cmd++) {
			if (avoided(nr, cmd))
				continue;
			for (i = 6; i < ARRAY_SIZE(bad); i++)
				hypercall(nr, cmd, bad[i], bad[i], bad[i], bad[i]);
		}
	}
}

static void pointers(void)
{
	unsigned int nr, i;

	for (nr = 0; nr < 64; nr++) {
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			if (avoided(nr, 0))
				continue;
			if (nr == __HYPERVISOR_console_io || nr == __HYPERVISOR_sched_op)
				continue;
			hypercall(nr, bad[i], 1, bad[i], DOMID_SELF, 0);
			hypercall(nr, bad[i], 0x7fffffff, bad[i], DOMID_SELF, 0);
			hypercall(nr, bad[i], ~0ul, bad[i], DOMID_SELF, 0);
		}
	}
}

static long callback(uint16_t type, uint64_t address)
{
	struct callback_register cb = { .type = type, .address = address };

	return hc_callback_op(CALLBACKOP_register, &cb);
}

static void exact(void)
{
	unsigned int i;

	for (i = 6; i < ARRAY_SIZE(bad) - 3; i++) {
		void *p = (void *)bad[i];
		struct gnttab_query_size *q = p;

		EXPECT(hc_mmu_update(p, 1, NULL, DOMID_SELF), -EFAULT);
		EXPECT(hc_mmuext_op(p, 1, NULL, DOMID_SELF), -EFAULT);
		EXPECT(hc_multicall(p, 1), -EFAULT);
		EXPECT(hc_event_channel_op(EVTCHNOP_send, p), -EFAULT);
		EXPECT(hc_grant_table_op(GNTTABOP_query_size, q, 1), -EFAULT);
		EXPECT(hc_grant_table_op(GNTTABOP_map_grant_ref, p, 1), -EFAULT);
		EXPECT(hc_memory_op(XENMEM_populate_physmap, p), -EFAULT);
		EXPECT(hc_version(XENVER_extraversion, p), -EFAULT);
		EXPECT(hc_callback_op(CALLBACKOP_register, p), -EFAULT);
		EXPECT(hc_set_trap_table(p), -EFAULT);
		EXPECT_ERROR(hc_console_io(CONSOLEIO_write, 8, p));
		EXPECT(hc_vcpu_op(VCPUOP_initialise, 0, p) < 0, 1);
		EXPECT_ERROR(hc_set_gdt(p, 16));
	}
	EXPECT_ERROR(hc_grant_table_op(GNTTABOP_query_size, &bad, ~0u));
	EXPECT_ERROR(hc_set_gdt((void *)HV_START, 0xffffffff));
	EXPECT_ERROR(callback(CALLBACKTYPE_event, 0x8000000000000000));
	EXPECT_ERROR(callback(77, 0x1000));
	/* The result would lie over the end of the guest's half. */
	EXPECT(hc_version(XENVER_extraversion, 0x00007ffffffffff8), -EFAULT);
}

void test_main(void)
{
	long v = hc_version(XENVER_version, NULL);

	exact();
	pointers();
	subops();
	CHECK(hc_version(XENVER_version, NULL) == v, "the version changed");
}
