/* SPDX-License-Identifier: MIT */
/*
 * An L4 entry is taken away while a vCPU whose user root had it comes back from
 * sleep, enters or leaves its kernel, or changes its kernel's base. From then on
 * user mode must not find it.
 */
#include "guest.h"

const char test_name[] = "root-race";

#define SLOT 400u
#define TARGET ((0xfffful << 48) | (uint64_t)SLOT << 39)
#define ROUNDS 4000u
#define CYCLES (20ul << 30) /* at most */

static uint64_t kernel_l4[512] page_aligned, other_l4[512] page_aligned, user_l4[512] page_aligned;
static uint64_t l3[512] page_aligned, l2[512] page_aligned, l1[512] page_aligned;
static uint64_t data[512] page_aligned, kernel_stack[512] page_aligned;
/* mov (%rsi), %rax; syscall: rsi is the stack pointer that enter_user was given */
static uint8_t reads[16] page_aligned = { 0x48, 0x8b, 0x06, 0x0f, 0x05 };
static uint8_t only_calls[16] page_aligned = { 0x0f, 0x05 };

/* What the second vCPU is to do next; it goes back to NOTHING when that is done. */
enum step { NOTHING, OPEN, SLEEP, READ, REBASE };
static volatile enum step step;
static volatile bool asleep, awake, rebasing;
static volatile int trap_seen;
static evtchn_port_t port;

static long ext(unsigned int cmd, uint64_t arg)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.mfn = arg };

	return hc_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void forget_events(void)
{
	struct vcpu_info *info = &shared.info.vcpu_info[1];

	__atomic_and_fetch(&shared.info.evtchn_pending[port / 64], ~(1ul << (port % 64)), __ATOMIC_SEQ_CST);
	info->evtchn_pending_sel = 0;
	info->evtchn_upcall_pending = 0;
	info->evtchn_upcall_mask = 1;
}

static void user_runs(const void *code)
{
	CATCH(enter_user((uint64_t)code, TARGET));
	trap_seen = caught.vector;
	forget_events();
}

static void go_to_sleep(void)
{
	static evtchn_port_t ports[1];
	struct sched_poll poll = { .nr_ports = 1 };

	ports[0] = port;
	set_xen_guest_handle(poll.ports, ports);
	asleep = true;
	hc_sched_op(SCHEDOP_poll, &poll);
	awake = true;
	forget_events();
}

static void do_step(enum step what)
{
	switch (what) {
	case OPEN:
		/* A new base makes a new list of slots; a system call from user mode opens the root. */
		if (ext(MMUEXT_NEW_USER_BASEPTR, 0) || ext(MMUEXT_NEW_USER_BASEPTR, va_to_mfn(user_l4)))
			test_error("the user's base");
		user_runs(only_calls);
		break;
	case SLEEP:
		go_to_sleep();
		break;
	case READ:
		user_runs(reads);
		break;
	case REBASE:
		/* Away and back; the first one ends the list. */
		rebasing = true;
		if (ext(MMUEXT_NEW_BASEPTR, va_to_mfn(other_l4)) || ext(MMUEXT_NEW_BASEPTR, va_to_mfn(kernel_l4)))
			test_error("the kernel's base");
		break;
	case NOTHING:
		break;
	}
}

void secondary_main(uint64_t arg)
{
	struct callback_register cb = { .type = CALLBACKTYPE_syscall, .flags = CALLBACKF_mask_events,
					.address = (unsigned long)syscall_callback };
	unsigned int spins;

	forget_events();
	if (hc_callback_op(CALLBACKOP_register, &cb) || hc_stack_switch(FLAT_KERNEL_SS, kernel_stack + 512) ||
	    ext(MMUEXT_NEW_BASEPTR, va_to_mfn(kernel_l4)))
		test_error("the second vCPU cannot start");
	while (!secondary_stop) {
		do_step(step);
		step = NOTHING;
		for (spins = 0; step == NOTHING && !secondary_stop;)
			spin_or_nap(&spins);
	}
	ext(MMUEXT_NEW_BASEPTR, l4_mfn());
	ext(MMUEXT_NEW_USER_BASEPTR, 0);
	secondary_end();
}

static void wait_until_done(void)
{
	unsigned int spins = 0;

	while (step != NOTHING)
		spin_or_nap(&spins);
}

static void make(enum step what)
{
	step = what;
	wait_until_done();
}

static void wait_cycles(uint64_t n)
{
	uint64_t start = __builtin_ia32_rdtsc();

	while (__builtin_ia32_rdtsc() - start < n)
		;
}

static uint64_t random_below(uint64_t n)
{
	static uint64_t r = 88172645463325252ul;

	r ^= r << 13;
	r ^= r >> 7;
	r ^= r << 17;
	return r % n;
}

static void wait_for_state(int state)
{
	struct vcpu_runstate_info info;

	do {
		memset(&info, 0, sizeof(info));
		EXPECT(hc_vcpu_op(VCPUOP_get_runstate_info, 1, &info), 0);
	} while (info.state != state && !awake);
}

static void remove_after_sleep(void)
{
	struct evtchn_send send = { .port = port };
	unsigned int spins = 0;

	make(OPEN);
	asleep = awake = false;
	step = SLEEP;
	while (!asleep)
		spin_or_nap(&spins);
	wait_for_state(RUNSTATE_blocked);
	/* A CPU that idles with its tables loaded drops them when it is asked for a flush. */
	EXPECT(ext(MMUEXT_TLB_FLUSH_ALL, 0), 0);
	wait_cycles(2000);
	EXPECT(hc_event_channel_op(EVTCHNOP_send, &send), 0);
	/* The scheduler has chosen it: its tables are about to be loaded. */
	wait_for_state(RUNSTATE_running);
	wait_cycles(random_below(1ul << random_below(18)));
	EXPECT(set_pte(&user_l4[SLOT], 0), 0);
	wait_until_done();
}

/* It goes to user mode and back. */
static void remove_while_it_runs(void)
{
	make(OPEN);
	step = READ;
	wait_cycles(random_below(20000));
	EXPECT(set_pte(&user_l4[SLOT], 0), 0);
	wait_until_done();
}

static void remove_while_the_base_changes(void)
{
	make(OPEN);
	rebasing = false;
	step = REBASE;
	while (!rebasing)
		;
	wait_cycles(random_below(1ul << random_below(16)));
	EXPECT(set_pte(&user_l4[SLOT], 0), 0);
	wait_until_done();
}

static void read_only(void *page)
{
	EXPECT(map_page(page, va_to_ma(page) | PTE_RO), 0);
}

static void build(void)
{
	memcpy(kernel_l4, (void *)start_info->pt_base, sizeof(kernel_l4));
	memset(kernel_l4 + 256, 0, 16 * sizeof(uint64_t));
	memcpy(other_l4, kernel_l4, sizeof(other_l4));
	memcpy(user_l4, kernel_l4, sizeof(user_l4));
	data[0] = 0x5ec7e7;
	l1[0] = va_to_ma(data) | PTE_RO;
	l2[0] = va_to_ma(l1) | PTE_RW;
	l3[0] = va_to_ma(l2) | PTE_RW;
	user_l4[SLOT] = va_to_ma(l3) | PTE_RW;
	read_only(l1);
	read_only(l2);
	read_only(l3);
	read_only(kernel_l4);
	read_only(other_l4);
	read_only(user_l4);
	EXPECT(ext(MMUEXT_PIN_L4_TABLE, va_to_mfn(kernel_l4)), 0);
	EXPECT(ext(MMUEXT_PIN_L4_TABLE, va_to_mfn(other_l4)), 0);
	EXPECT(ext(MMUEXT_PIN_L4_TABLE, va_to_mfn(user_l4)), 0);
}

static void wire_event(void)
{
	struct evtchn_bind_ipi ipi = { .vcpu = 1 };

	EXPECT(hc_event_channel_op(EVTCHNOP_bind_ipi, &ipi), 0);
	port = ipi.port;
	__atomic_or_fetch(&shared.info.evtchn_mask[port / 64], 1ul << (port % 64), __ATOMIC_SEQ_CST);
}

static bool one_round(unsigned int round)
{
	uint64_t entry = user_l4[SLOT];

	static void (*const removals[])(void) = { remove_while_it_runs, remove_after_sleep, remove_while_the_base_changes,
						  remove_after_sleep, remove_while_the_base_changes };

	removals[round % ARRAY_SIZE(removals)]();
	make(READ);
	CHECK(trap_seen == 14, "round %u: user mode reads through a removed entry: trap %d", round, trap_seen);
	EXPECT(set_pte(&user_l4[SLOT], entry), 0);
	return trap_seen == 14;
}

void test_main(void)
{
	uint64_t start = __builtin_ia32_rdtsc();
	unsigned int round = 0;
	long ret;

	build();
	wire_event();
	ret = start_secondary(0);
	if (ret == -ENOENT) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	EXPECT(ret, 0);
	make(OPEN);
	make(READ);
	CHECK(trap_seen == VEC_SYSCALL, "user mode cannot read through the entry: trap %d", trap_seen);
	while (round < ROUNDS && __builtin_ia32_rdtsc() - start < CYCLES && one_round(round))
		round++;
	stop_secondary();
	printk("%u rounds\n", round);
}
