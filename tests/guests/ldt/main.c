/* SPDX-License-Identifier: MIT */
/*
 * LDTs: a vCPU sees its own or none, whoever ran before it on this CPU (give both
 * vCPUs cpus="0"); a new base ends what was found by the old one; and an exit whose iret has to wait for a page of the LDT still
 * does what came up meanwhile.
 */
#include "guest.h"

const char test_name[] = "ldt";

#define SWITCHES 1000u
#define TIMERS 1000u
#define DATA32 0x00cff3000000ffffull
#define CODE64 0x00affb000000ffffull
#define US 1000ul
#define MS 1000000ul

static uint64_t data_ldt[512] page_aligned, code_ldt[512] page_aligned;
static evtchn_port_t timer_port;

static uint64_t now(void)
{
	const volatile struct vcpu_time_info *t = &shared.info.vcpu_info[0].time;
	uint32_t lo, hi;
	uint64_t delta;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	delta = ((uint64_t)hi << 32 | lo) - t->tsc_timestamp;
	delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
	return t->system_time + (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
}

static long set_ldt(const uint64_t *ldt)
{
	struct mmuext_op op = { .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = (unsigned long)ldt, .arg2.nr_ents = ldt ? 512 : 0 };

	return hc_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void make_ldt(uint64_t *ldt, uint64_t descriptor)
{
	unsigned int i;

	for (i = 0; i < 512; i++)
		ldt[i] = descriptor;
	EXPECT(map_page(ldt, va_to_ma(ldt) | PTE_RO), 0);
}

static volatile unsigned int owner_rounds;

/* It comes without one, and the hypercall loads it, not the switch. */
void secondary_main(uint64_t arg)
{
	while (!secondary_stop) {
		if (set_ldt(data_ldt) == 0)
			owner_rounds++;
		__asm__ volatile("mov %0, %%ds; mov %1, %%ds" : : "r"(7), "r"(0));
		hc_sched_op(SCHEDOP_yield, NULL);
		set_ldt(NULL);
		hc_sched_op(SCHEDOP_yield, NULL);
	}
	secondary_end();
}

static void own_or_none(void)
{
	unsigned int i, wrong = 0;
	long ret = start_secondary(0);

	if (ret == -ENOENT) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	EXPECT(ret, 0);
	for (i = 0; i < SWITCHES; i++) {
		CATCH(__asm__ volatile("mov %0, %%ds" : : "r"(0x17)));
		if (caught.vector != 13 || caught.error_code != 0x14)
			wrong++;
		hc_sched_op(SCHEDOP_yield, NULL);
	}
	CHECK(wrong == 0, "no LDT, but %u of %u loads gave no #GP; the last: trap %d, cr2 %#lx", wrong, SWITCHES,
	      caught.vector, caught.cr2);
	stop_secondary();
	if (owner_rounds == 0)
		test_error("the other vCPU set no LDT");
}

/* iret to the next instruction, its code segment in the LDT. */
static void iret_through_ldt(void)
{
	__asm__ volatile("mov %%rsp, %%rax\n\t"
			 "pushq $0xe02b\n\t"
			 "pushq %%rax\n\t"
			 "pushq $0x202\n\t"
			 "pushq $0x2c\n\t" /* entry 5; RPL 0: kernel to kernel */
			 "lea 1f(%%rip), %%rcx\n\t"
			 "pushq %%rcx\n\t"
			 "pushq $0; pushq $0; pushq $0; pushq $0\n\t"
			 "mov $23, %%eax\n\t"
			 "syscall\n"
			 "1:"
			 : : : "rax", "rcx", "r11", "memory");
}

static bool timer_is_pending(void)
{
	return READ_ONCE(shared.info.evtchn_pending[timer_port / 64]) >> timer_port % 64 & 1;
}

/* Without a way into the hypervisor. Long, for a host that is busy, by its own time and by ours. */
static bool timer_comes(uint64_t due)
{
	uint64_t looks;

	for (looks = 0; looks < 20000000 || now() < due + 500 * MS; looks++)
		if (timer_is_pending())
			return true;
	return false;
}

static void work_during_the_fault(void)
{
	struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER, .vcpu = 0 };
	unsigned int i;

	make_ldt(code_ldt, CODE64);
	EXPECT(hc_event_channel_op(EVTCHNOP_bind_virq, &virq), 0);
	timer_port = virq.port;
	for (i = 0; i < TIMERS; i++) {
		uint64_t due = now() + 60 * US + i % 17 * US;

		__atomic_and_fetch(&shared.info.evtchn_pending[timer_port / 64], ~(1ul << timer_port % 64), __ATOMIC_SEQ_CST);
		my_vcpu_info()->evtchn_upcall_pending = 0;
		my_vcpu_info()->evtchn_pending_sel = 0;
		EXPECT(hc_set_timer(due), 0);
		while (now() < due) {
			EXPECT(set_ldt(code_ldt), 0); /* its pages are not mapped now */
			iret_through_ldt();
		}
		if (!timer_comes(due)) {
			test_failed("timer %u came while an iret waited for the LDT, and was forgotten", i);
			break;
		}
	}
	EXPECT(set_ldt(NULL), 0);
}

/* Its pages are found by address: with another base they are looked for anew, whichever way that came. */
static void base_by_instruction(void)
{
	EXPECT(set_ldt(data_ldt), 0);
	__asm__ volatile("mov %0, %%ds; mov %1, %%ds" : : "r"(7), "r"(0));
	CHECK(map_page(data_ldt, va_to_ma(data_ldt) | PTE_RW) != 0, "a page of the LDT in use became writable");
	__asm__ volatile("mov %0, %%cr3" : : "r"(l4_mfn() << 12) : "memory");
	EXPECT(map_page(data_ldt, va_to_ma(data_ldt) | PTE_RW), 0);
	EXPECT(map_page(data_ldt, va_to_ma(data_ldt) | PTE_RO), 0);
	EXPECT(set_ldt(NULL), 0);
}

void test_main(void)
{
	/* Masked ports stay pending and disturb nobody. */
	memset(shared.info.evtchn_mask, 0xff, sizeof(shared.info.evtchn_mask));
	make_ldt(data_ldt, DATA32);
	base_by_instruction();
	own_or_none();
	work_during_the_fault();
}
