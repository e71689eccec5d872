/* SPDX-License-Identifier: MIT */
/* The local APIC by its MSRs, events by callback and by upcall vector, timers, and starting the second CPU again and again. */
#include "pvh.h"

const char test_name[] = "pvh-apic";

#define VEC_A 0x40u
#define VEC_B 0x51u
#define VEC_UPCALL 0xf3u

static uint64_t now_ns(void)
{
	const struct vcpu_time_info *t = &shared.info.vcpu_info[0].time;
	uint64_t delta = rdtsc() - t->tsc_timestamp;

	delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
	return t->system_time + (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
}

static bool wait_irq(unsigned int vector, uint32_t want)
{
	irqs_on();
	for (unsigned int i = 0; i < 20000000 && irq_count[vector] < want; i++)
		__asm__ volatile("pause");
	irqs_off();
	return irq_count[vector] >= want;
}

static void map_shared(void)
{
	struct xen_add_to_physmap x = { .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = (uint64_t)&shared >> 12 };

	EXPECT(hc_memory_op(XENMEM_add_to_physmap, &x), 0);
}

static void check_self_ipi(void)
{
	irq_eoi = true;
	wrmsr(X2APIC(0x0f), 0x1ff);
	wrmsr(X2APIC(0x3f), VEC_A);
	CHECK(rdmsr(X2APIC(0x20 + VEC_A / 32)) >> VEC_A % 32 & 1, "it is not requested");
	CHECK(wait_irq(VEC_A, 1), "no interrupt by SELF IPI");
	CHECK(irq_count[VEC_A] == 1, "%u interrupts", irq_count[VEC_A]);
	wrmsr(X2APIC(0x30), 1u << 18 | VEC_B);
	CHECK(wait_irq(VEC_B, 1), "no interrupt by ICR to oneself");
	/* Priority: in service, or by the TPR, nothing lower comes. */
	wrmsr(X2APIC(0x08), 0x60);
	wrmsr(X2APIC(0x3f), VEC_A);
	CHECK(!wait_irq(VEC_A, 2), "it came in spite of the task priority");
	wrmsr(X2APIC(0x08), 0);
	CHECK(wait_irq(VEC_A, 2), "it did not come when the task priority went");
	__asm__ volatile("mov %0, %%cr8" :: "r"(15ul));
	CHECK(rdmsr(X2APIC(0x08)) == 0xf0, "TPR is %lx after CR8", rdmsr(X2APIC(0x08)));
	__asm__ volatile("mov %0, %%cr8" :: "r"(0ul));
}

static void check_bad_registers(void)
{
	for (uint32_t r = 0; r < 0x100; r++)
		CATCH((void)rdmsr(X2APIC(r)));
	for (uint32_t r = 0; r < 0x100; r++)
		if (r != 0x30 && r != 0x3f)
			CATCH(wrmsr(X2APIC(r), ~0ul));
	for (unsigned int mode = 0; mode < 8; mode++)
		if (mode != 4 && mode != 5 && mode != 6)
			for (unsigned int sh = 0; sh < 4; sh++)
				CATCH(wrmsr(X2APIC(0x30), 99ul << 32 | sh << 18 | mode << 8 | (sh ? 5 : VEC_A)));
	EXPECT_TRAP(13, wrmsr(X2APIC(0x30), ~0ul));
	EXPECT_TRAP(13, wrmsr(X2APIC(0x3f), 0x100));
	EXPECT_TRAP(13, wrmsr(0x1b, 0xfee00900));
	wrmsr(X2APIC(0x0b), 0);
	wrmsr(X2APIC(0x0b), 0);
	wrmsr(X2APIC(0x0f), 0x1ff);
	wrmsr(X2APIC(0x08), 0);
	wrmsr(X2APIC(0x28), 0);
}

static void check_timer(void)
{
	wrmsr(X2APIC(0x3e), 0xb);
	wrmsr(X2APIC(0x32), VEC_B);
	wrmsr(X2APIC(0x38), 100000); /* a millisecond */
	CHECK(wait_irq(VEC_B, 2), "no interrupt of the timer");
	wrmsr(X2APIC(0x32), 1u << 17 | VEC_B);
	wrmsr(X2APIC(0x38), 1);
	CHECK(wait_irq(VEC_B, 6), "the periodic timer stands");
	wrmsr(X2APIC(0x38), 0);
	wrmsr(X2APIC(0x32), 1u << 16);
	wrmsr(X2APIC(0x38), 200000);
	for (unsigned int i = 0; i < 3; i++)
		irq_count[VEC_A] = 0, wrmsr(X2APIC(0x32), VEC_A), wrmsr(X2APIC(0x38), 100000), sti_hlt();
	CHECK(irq_count[VEC_A], "HLT did not end");
}

static void arm(uint64_t ns)
{
	struct vcpu_set_singleshot_timer s = { .timeout_abs_ns = now_ns() + ns };

	EXPECT(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &s), 0);
}

static void take_events(unsigned int vector)
{
	if (vector != VEC_UPCALL)
		return;
	my_vcpu_info()->evtchn_upcall_pending = 0;
	my_vcpu_info()->evtchn_pending_sel = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(shared.info.evtchn_pending); i++)
		shared.info.evtchn_pending[i] = 0;
	event_count++;
}

static void check_events(void)
{
	struct evtchn_bind_virq b = { .virq = VIRQ_TIMER, .vcpu = 0 };
	struct xen_hvm_evtchn_upcall_vector u = { .vcpu = 0, .vector = VEC_UPCALL }, bad = { .vcpu = 0, .vector = 2 };

	irq_hook = take_events;
	EXPECT(hc_event_channel_op(EVTCHNOP_bind_virq, &b), 0);
	shared.info.evtchn_mask[0] = 0;
	irq_eoi = false;
	EXPECT(set_hvm_param(HVM_PARAM_CALLBACK_IRQ, 2ul << 56 | VEC_UPCALL), 0);
	for (unsigned int i = 1; i <= 3; i++) {
		arm(1000000);
		for (unsigned int k = 0; k < 5 && event_count < i; k++)
			sti_hlt();
		CHECK(event_count >= i, "event %u did not come by the callback", i);
	}
	EXPECT(hc_hvm_op(HVMOP_set_evtchn_upcall_vector, &bad), -EINVAL);
	EXPECT(hc_hvm_op(HVMOP_set_evtchn_upcall_vector, &u), 0);
	irq_eoi = true;
	event_count = 0;
	for (unsigned int i = 1; i <= 3; i++) {
		arm(1000000);
		for (unsigned int k = 0; k < 5 && event_count < i; k++)
			sti_hlt();
		CHECK(event_count >= i, "event %u did not come by the upcall vector", i);
	}
	CHECK(!(rdmsr(X2APIC(0x17)) | rdmsr(X2APIC(0x27))), "something is left in service");
	/* Work for SCHEDOP_block and _poll, too. */
	arm(1000000);
	EXPECT(hc_sched_op(SCHEDOP_block, NULL), 0);
	irqs_on();
	irqs_off();
}

static volatile uint32_t ups;
static void secondary(void)
{
	ups++;
	if (ups & 1)
		for (;;)
			__asm__ volatile("pause");
}

static void check_starts(void)
{
	for (unsigned int i = 1; i <= 200; i++) {
		on_secondary(secondary);
		if (i % 3) /* the others are stopped on their way */
			for (unsigned int k = 0; k < 1000000 && ups < i; k++)
				hc_sched_op(SCHEDOP_yield, NULL);
		ups = i;
	}
	on_secondary(secondary);
	wrmsr(X2APIC(0x30), 1ul << 32 | 0x4500);
	/* It may have to wait for a CPU before it sees that. */
	for (unsigned int i = 0; i < 1000000 && hc_vcpu_op(VCPUOP_is_up, 1, NULL) != 0; i++)
		hc_sched_op(SCHEDOP_yield, NULL);
	CHECK(hc_vcpu_op(VCPUOP_is_up, 1, NULL) == 0, "the second vCPU is not down after INIT");
	EXPECT(hc_vcpu_op(VCPUOP_initialise, 1, NULL), -EEXIST);
}

void test_main(void)
{
	map_shared();
	check_self_ipi();
	check_bad_registers();
	check_timer();
	check_events();
	check_starts();
}
