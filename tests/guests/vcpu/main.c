/* SPDX-License-Identifier: MIT */
/* A second vCPU, and the operations on vCPUs. One vCPU alone: the rest is skipped. */
#include "guest.h"

const char test_name[] = "vcpu";

static struct vcpu_guest_context ctx;
static uint64_t no_table[512] page_aligned;
static volatile uint64_t alive, counter;

void secondary_main(uint64_t arg)
{
	alive = arg;
	while (!secondary_stop)
		__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
	secondary_end();
}

static void fill(void)
{
	secondary_context(&ctx, 0x77);
}

static void bad_contexts(void)
{
	fill();
	ctx.ctrlreg[3] = 0x200ul << PAGE_SHIFT;
	EXPECT_ERROR(hc_vcpu_op(VCPUOP_initialise, 1, &ctx));
	fill();
	ctx.ctrlreg[3] = va_to_ma(no_table); /* no L4, and mapped writable */
	EXPECT_ERROR(hc_vcpu_op(VCPUOP_initialise, 1, &ctx));
	fill();
	ctx.gdt_ents = 512;
	ctx.gdt_frames[0] = 0x200;
	EXPECT_ERROR(hc_vcpu_op(VCPUOP_initialise, 1, &ctx));
	fill();
	ctx.event_callback_eip = 0x8000000000000000;
	EXPECT_ERROR(hc_vcpu_op(VCPUOP_initialise, 1, &ctx));
	fill();
	ctx.gs_base_kernel = 0x8000000000000000;
	EXPECT_ERROR(hc_vcpu_op(VCPUOP_initialise, 1, &ctx));
	EXPECT(hc_vcpu_op(VCPUOP_initialise, 1, HV_START), -EFAULT);
	EXPECT_ERROR(hc_vcpu_op(VCPUOP_up, 1, NULL)); /* not initialised */
}

static struct vcpu_runstate_info area1 page_aligned;

/* vCPU 1's area, read from here: it says that it stopped. */
static void area_when_down(void)
{
	struct vcpu_runstate_info info;
	unsigned int i;

	for (i = 0; i < 100000 && (hc_vcpu_op(VCPUOP_get_runstate_info, 1, &info) || info.state != RUNSTATE_offline); i++)
		hc_sched_op(SCHEDOP_yield, NULL);
	CHECK(info.state == RUNSTATE_offline, "a vCPU that is down is in state %d", info.state);
	/* The area is written after that. */
	for (i = 0; i < 100000 && READ_ONCE(area1.state) != RUNSTATE_offline; i++)
		hc_sched_op(SCHEDOP_yield, NULL);
	CHECK(READ_ONCE(area1.state) == RUNSTATE_offline, "its area says %d", area1.state);
	CHECK(READ_ONCE(area1.time[RUNSTATE_running]) != 0, "its area says that it never ran");
}

static void wait_while(bool (*busy)(void), const char *what)
{
	unsigned int i;

	for (i = 0; i < 2000000 && busy(); i++)
		hc_sched_op(SCHEDOP_yield, NULL);
	CHECK(!busy(), "%s", what);
}

static bool not_alive(void) { return alive != 0x77; }

static void second(void)
{
	uint64_t before;

	fill();
	EXPECT(hc_vcpu_op(VCPUOP_initialise, 1, &ctx), 0);
	EXPECT(hc_vcpu_op(VCPUOP_initialise, 1, &ctx), -EEXIST);
	EXPECT(hc_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
	EXPECT(hc_vcpu_op(VCPUOP_up, 1, NULL), 0);
	wait_while(not_alive, "the second vCPU does not run");
	EXPECT(hc_vcpu_op(VCPUOP_register_runstate_memory_area, 1, &(uint64_t){ (uint64_t)&area1 }), 0);
	EXPECT(hc_vcpu_op(VCPUOP_is_up, 1, NULL), 1);
	EXPECT(hc_vcpu_op(VCPUOP_down, 1, NULL), 0);
	EXPECT(hc_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
	area_when_down();
	hc_sched_op(SCHEDOP_yield, NULL);
	before = counter;
	for (unsigned int i = 0; i < 1000; i++)
		hc_sched_op(SCHEDOP_yield, NULL);
	CHECK(counter - before < 1000000, "a vCPU that is down runs");
	EXPECT(hc_vcpu_op(VCPUOP_up, 1, NULL), 0);
	stop_secondary();
}

static void runstate(void)
{
	static struct vcpu_runstate_info area;
	struct vcpu_runstate_info info;
	struct vcpu_register_runstate_memory_area reg = { .addr.v = &area };

	EXPECT(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &info), 0);
	CHECK(info.state == RUNSTATE_running, "current's state is %d", info.state);
	EXPECT(hc_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
	hc_sched_op(SCHEDOP_yield, NULL);
	CHECK(area.state == RUNSTATE_running, "the area says %d", area.state);
	reg.addr.v = (void *)HV_START;
	EXPECT_ERROR(hc_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &reg));
	hc_sched_op(SCHEDOP_yield, NULL);
}

static void info_area(void)
{
	static struct { struct vcpu_info vi; char pad[4096 - sizeof(struct vcpu_info)]; } page page_aligned;
	struct vcpu_register_vcpu_info r = { .mfn = 0x200, .offset = 0 };

	EXPECT_ERROR(hc_vcpu_op(VCPUOP_register_vcpu_info, 0, &r));
	r.mfn = l4_mfn();
	EXPECT_ERROR(hc_vcpu_op(VCPUOP_register_vcpu_info, 0, &r));
	r.mfn = va_to_mfn(&page);
	r.offset = 4096 - 16;
	EXPECT_ERROR(hc_vcpu_op(VCPUOP_register_vcpu_info, 0, &r));
	r.offset = 0xfffffff0;
	EXPECT_ERROR(hc_vcpu_op(VCPUOP_register_vcpu_info, 0, &r));
}

void test_main(void)
{
	runstate();
	info_area();
	EXPECT(hc_vcpu_op(VCPUOP_is_up, 0, NULL), 1);
	EXPECT(hc_vcpu_op(VCPUOP_is_up, 5000, NULL), -ENOENT);
	EXPECT(hc_vcpu_op(VCPUOP_initialise, 0, &ctx) < 0, 1);
	EXPECT(hc_vcpu_op(999, 0, &ctx), -ENOSYS);
	if (hc_vcpu_op(VCPUOP_is_up, 1, NULL) < 0) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	bad_contexts();
	second();
}
