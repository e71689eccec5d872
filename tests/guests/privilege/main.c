/* SPDX-License-Identifier: MIT */
/* What only the tools may do is refused to a guest, before its arguments are read. */
#include "guest.h"
#include <xen/domctl.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

const char test_name[] = "privilege";

static void domctls(void)
{
	static struct xen_domctl op;
	uint32_t cmd;

	for (cmd = 0; cmd < 100; cmd++) {
		memset(&op, 0, sizeof(op));
		op.cmd = cmd;
		op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
		op.domain = DOMID_SELF;
		EXPECT(HC(domctl, &op, 0, 0, 0, 0), -EPERM);
	}
	EXPECT(HC(domctl, 0, 0, 0, 0, 0), -EPERM);
	EXPECT(HC(domctl, HV_START, 0, 0, 0, 0), -EPERM);
}

static void sysctls(void)
{
	static struct xen_sysctl op;
	uint32_t cmd;

	for (cmd = 0; cmd < 40; cmd++) {
		memset(&op, 0, sizeof(op));
		op.cmd = cmd;
		op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
		EXPECT(HC(sysctl, &op, 0, 0, 0, 0), -EPERM);
	}
	EXPECT(HC(sysctl, HV_START, 0, 0, 0, 0), -EPERM);
}

static void platform(void)
{
	static struct xen_platform_op op;

	op.cmd = XENPF_settime32;
	op.interface_version = XENPF_INTERFACE_VERSION;
	EXPECT(HC(platform_op, &op, 0, 0, 0, 0), -EPERM);
}

static void others(void)
{
	struct xen_memory_reservation res = { .nr_extents = 1, .domid = 0 };
	struct evtchn_status st = { .dom = 0, .port = 1 };
	struct evtchn_alloc_unbound au = { .dom = 0, .remote_dom = 0 };
	struct evtchn_bind_virq bv = { .virq = VIRQ_DOM_EXC, .vcpu = 0 };
	struct gnttab_setup_table gs = { .dom = 0, .nr_frames = 1 };
	struct gnttab_dump_table gd = { .dom = DOMID_SELF };
	struct physdev_set_iopl iopl = { .iopl = 4 };
	domid_t dom0 = 0;
	uint64_t frame = va_to_mfn(&shared), list[1] = { 0 };

	(void)frame;
	set_xen_guest_handle(res.extent_start, list);
	EXPECT_ERROR(hc_memory_op(XENMEM_decrease_reservation, &res));
	EXPECT_ERROR(hc_memory_op(XENMEM_current_reservation, &dom0));
	EXPECT_ERROR(hc_memory_op(XENMEM_claim_pages, &res));
	EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_status, &st));
	EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_alloc_unbound, &au));
	EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_bind_virq, &bv));
	EXPECT(hc_grant_table_op(GNTTABOP_setup_table, &gs, 1), 0);
	CHECK(gs.status < 0, "setup_table of domain 0: %d", gs.status);
	EXPECT(hc_grant_table_op(GNTTABOP_dump_table, &gd, 1), 0);
	CHECK(gd.status == GNTST_permission_denied, "dump_table: %d", gd.status);
	EXPECT_ERROR(HC(physdev_op, PHYSDEVOP_set_iopl, &iopl, 0, 0, 0));
	EXPECT_ERROR(hc_console_io(CONSOLEIO_read, 16, list));
}

void test_main(void)
{
	unsigned int nr;

	domctls();
	sysctls();
	platform();
	others();
	for (nr = 48; nr < 64; nr++) /* architecture specific ones: nothing behind them that a guest may use */
		CHECK(hypercall(nr, HV_START, HV_START, HV_START, HV_START, HV_START) < 0, "hypercall %u worked", nr);
	EXPECT(hypercall(64, 0, 0, 0, 0, 0), -ENOSYS);
	EXPECT(hypercall(0x7fffffff, 0, 0, 0, 0, 0), -ENOSYS);
	EXPECT(hypercall(~0ul, 0, 0, 0, 0, 0), -ENOSYS);
}
