/* SPDX-License-Identifier: MIT */
/*
 * What the assembly may do for a vCPU without asking C is that vCPU's to say:
 * another one that changes a vm_assist of the domain must not bring back what
 * held a moment ago. Needs two vCPUs on two CPUs.
 */
#include "guest.h"

const char test_name[] = "fast-paths";

#define ROUNDS 4000u
#define CYCLES 12000000000ull /* a few seconds are enough, where rounds take long */
#define ARCHITECTURAL_IOPL 4

static uint8_t code[64] page_aligned = { 0x0f, 0x05, 0x0f, 0x0b }; /* syscall; ud2 */
static uint64_t user_stack[512] page_aligned, kernel_stack[512] page_aligned;
static evtchn_port_t port;
extern volatile uint64_t nmi_count;
extern char nmi_entry[];

/* Counts, and returns by iret: the next one may come then. */
__asm__(".pushsection .text\n"
	"nmi_entry:\n"
	"	lock incq nmi_count\n"
	"	pop %rcx\n"
	"	pop %r11\n"
	"	pushq $0\n"
	"	push %rcx\n"
	"	push %r11\n"
	"	push %rax\n"
	"	mov $23, %eax\n"
	"	syscall\n"
	"	ud2\n"
	"	.popsection\n"
	"	.comm nmi_count, 8\n");

static volatile unsigned int round, started, finished;
static volatile bool enough;

/* Within a round it is interrupted (disturb) at any instruction of this, between reading and storing too. */
void secondary_main(uint64_t arg)
{
	while (!secondary_stop) {
		if (started == round)
			continue;
		started = round;
		hc_vm_assist(VMASST_CMD_enable, ARCHITECTURAL_IOPL);
		while (!enough)
			hc_vm_assist(VMASST_CMD_disable, ARCHITECTURAL_IOPL);
		finished = started;
	}
	secondary_end();
}

/* The round is not over when this returns. */
static void disturb(unsigned int delay)
{
	struct evtchn_send send = { .port = port };

	__atomic_and_fetch(&shared.info.evtchn_pending[port / 64], ~(1ul << port % 64), __ATOMIC_SEQ_CST);
	shared.info.vcpu_info[1].evtchn_upcall_pending = 0;
	shared.info.vcpu_info[1].evtchn_pending_sel = 0;
	enough = false;
	round++;
	while (started != round)
		;
	for (; delay; delay--)
		barrier();
	hc_event_channel_op(EVTCHNOP_send, &send);
	enough = true;
}

static void wait_round(void)
{
	while (finished != round)
		;
}

static void syscall_callback_masks(bool mask)
{
	struct callback_register cb = { .type = CALLBACKTYPE_syscall, .flags = mask ? CALLBACKF_mask_events : 0,
					.address = (unsigned long)syscall_callback };

	EXPECT(hc_callback_op(CALLBACKOP_register, &cb), 0);
}

/* A callback that does not mask events is too special for the quick path, which always masks them. */
static void system_calls(void)
{
	uint64_t start = __builtin_ia32_rdtsc();
	unsigned int i, stale = 0;

	for (i = 0; i < ROUNDS && __builtin_ia32_rdtsc() - start < CYCLES; i++) {
		syscall_callback_masks(true);
		disturb(1000 + i % 500);
		syscall_callback_masks(false);
		wait_round();
		CATCH(enter_user((uint64_t)code, (uint64_t)(user_stack + 512)));
		CHECK(caught.vector == VEC_SYSCALL, "round %u: trap %d", i, caught.vector);
		stale += my_vcpu_info()->evtchn_upcall_mask;
		my_vcpu_info()->evtchn_upcall_mask = 0;
	}
	CHECK(stale == 0, "%u of %u system calls by a quick path that was closed", stale, i);
}

static void nmis(void)
{
	uint64_t start = __builtin_ia32_rdtsc();
	unsigned int i;

	for (i = 0; i < ROUNDS && __builtin_ia32_rdtsc() - start < CYCLES; i++) {
		uint64_t before = nmi_count;

		disturb(1000 + i % 500);
		EXPECT(hc_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
		wait_round();
		if (nmi_count != before + 1) {
			test_failed("round %u: an NMI's end was not noticed: no further one comes", i);
			return;
		}
	}
}

void test_main(void)
{
	struct mmuext_op user = { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = l4_mfn() };
	struct callback_register nmi = { .type = CALLBACKTYPE_nmi, .address = (unsigned long)nmi_entry };
	struct evtchn_bind_ipi ipi = { .vcpu = 1 };
	long ret;

	if (hc_vcpu_op(VCPUOP_is_up, 1, NULL) < 0) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	EXPECT(hc_mmuext_op(&user, 1, NULL, DOMID_SELF), 0);
	EXPECT(map_page(code, va_to_ma(code) | PTE_RO), 0);
	EXPECT(hc_stack_switch(FLAT_KERNEL_SS, kernel_stack + 512), 0);
	EXPECT(hc_callback_op(CALLBACKOP_register, &nmi), 0);
	EXPECT(hc_event_channel_op(EVTCHNOP_bind_ipi, &ipi), 0);
	port = ipi.port;
	shared.info.evtchn_mask[port / 64] &= ~(1ul << port % 64);
	shared.info.vcpu_info[1].evtchn_upcall_mask = 1;
	ret = start_secondary(0);
	EXPECT(ret, 0);
	system_calls();
	nmis();
	stop_secondary();
}
