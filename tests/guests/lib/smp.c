/* SPDX-License-Identifier: MIT */
/* A second vCPU for tests. */
#include "guest.h"

uint64_t secondary_stack[1024] page_aligned;
volatile uint64_t secondary_fixup;
volatile bool secondary_stop;

void secondary_context(struct vcpu_guest_context *c, uint64_t arg)
{
	unsigned int v;

	memset(c, 0, sizeof(*c));
	c->flags = VGCF_IN_KERNEL;
	c->user_regs.rip = (uint64_t)secondary_start;
	c->user_regs.rsp = (uint64_t)(secondary_stack + 1024);
	c->user_regs.rdi = arg;
	c->user_regs.rflags = 0x1000;
	c->user_regs.cs = FLAT_KERNEL_CS;
	c->user_regs.ss = FLAT_KERNEL_SS;
	c->kernel_ss = FLAT_KERNEL_SS;
	c->kernel_sp = (uint64_t)(secondary_stack + 1024);
	c->event_callback_eip = (uint64_t)event_callback;
	c->failsafe_callback_eip = (uint64_t)failsafe_callback;
	c->ctrlreg[3] = l4_mfn() << PAGE_SHIFT;
	for (v = 0; v < 32; v++) {
		c->trap_ctxt[v].vector = v;
		c->trap_ctxt[v].cs = FLAT_KERNEL_CS;
		c->trap_ctxt[v].address = (unsigned long)trap_stubs + 16ul * v;
	}
}

long start_secondary(uint64_t arg)
{
	static struct vcpu_guest_context ctx;
	static bool initialised;
	long ret = 0;

	if (hc_vcpu_op(VCPUOP_is_up, 1, NULL) < 0)
		return -ENOENT;
	secondary_stop = false;
	if (!initialised) {
		secondary_context(&ctx, arg);
		ret = hc_vcpu_op(VCPUOP_initialise, 1, &ctx);
	}
	initialised = ret == 0;
	return ret ? ret : hc_vcpu_op(VCPUOP_up, 1, NULL);
}

/* Down until somebody brings it up again: then it runs secondary_main from its start. */
void secondary_end(void)
{
	hc_vcpu_op(VCPUOP_down, 1, NULL);
	__asm__ volatile("mov %0, %%rsp; jmp secondary_start" : : "r"(secondary_stack + 1024), "D"(0) : "memory");
	__builtin_unreachable();
}

void stop_secondary(void)
{
	unsigned int i;

	secondary_stop = true;
	for (i = 0; i < 2000000 && hc_vcpu_op(VCPUOP_is_up, 1, NULL) == 1; i++)
		hc_sched_op(SCHEDOP_yield, NULL);
	CHECK(hc_vcpu_op(VCPUOP_is_up, 1, NULL) == 0, "the second vCPU did not go down");
}

#define NAP_AFTER 300u
#define NAP_NS 20000u

static uint64_t system_time(void)
{
	const struct vcpu_time_info *t = &shared.info.vcpu_info[0].time;
	uint64_t delta = __builtin_ia32_rdtsc() - t->tsc_timestamp;

	delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
	return t->system_time + (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
}

void spin_or_nap(unsigned int *spins)
{
	struct sched_poll poll = { 0 };

	if (++*spins < NAP_AFTER) {
		__builtin_ia32_pause();
		return;
	}
	poll.timeout = system_time() + NAP_NS;
	hc_sched_op(SCHEDOP_poll, &poll);
}

void secondary_store(volatile uint64_t *p, uint64_t v)
{
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %2; mov %1, (%0); 1: movq $0, %2"
			 : : "r"(p), "r"(v), "m"(secondary_fixup) : "rax", "memory");
}
