/* SPDX-License-Identifier: MIT */
/* Many hypercalls in one: results, long batches, and bad members. */
#include "guest.h"

const char test_name[] = "multicall";

static struct multicall_entry calls[2000];
static uint64_t data[512] page_aligned;

static void plain(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .result = 77 };
		calls[i].args[0] = XENVER_pagesize;
	}
	EXPECT(hc_multicall(calls, ARRAY_SIZE(calls)), 0);
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		CHECK((long)calls[i].result == 4096, "result %u is %ld", i, (long)calls[i].result);
}

static void bad_members(void)
{
	memset(calls, 0, sizeof(calls[0]) * 8);
	calls[0].op = 0x7fffffff;
	calls[1].op = ~0ul;
	calls[2].op = __HYPERVISOR_multicall;
	calls[2].args[0] = (unsigned long)calls;
	calls[2].args[1] = 1;
	calls[3].op = __HYPERVISOR_domctl;
	calls[4].op = __HYPERVISOR_xen_version;
	calls[4].args[0] = XENVER_pagesize;
	hc_multicall(calls, 5);
	CHECK((long)calls[0].result == -ENOSYS, "an unknown hypercall: %ld", (long)calls[0].result);
	CHECK((long)calls[1].result == -ENOSYS, "an unknown hypercall: %ld", (long)calls[1].result);
	CHECK((long)calls[2].result < 0, "a multicall in a multicall: %ld", (long)calls[2].result);
	CHECK((long)calls[3].result == -EPERM, "a domctl: %ld", (long)calls[3].result);
	CHECK((long)calls[4].result == 4096, "the one after them: %ld", (long)calls[4].result);
	EXPECT(hc_multicall(HV_START, 1), -EFAULT);
	EXPECT(hc_multicall(calls, 0), 0);
}

/* A member that is preempted goes on where it stopped. */
static void long_member(void)
{
	static struct mmu_update u[2048];
	unsigned int i, done = 0;
	uint64_t frame = va_to_ma(data);

	for (i = 0; i < ARRAY_SIZE(u); i++) {
		u[i].ptr = va_to_ma(pte_of(data, 1));
		u[i].val = frame | (i & 1 ? PTE_RW : PTE_RO);
	}
	for (i = 0; i < 20; i++) {
		calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_mmu_update, .result = 77 };
		calls[i].args[0] = (unsigned long)u;
		calls[i].args[1] = ARRAY_SIZE(u);
		calls[i].args[2] = (unsigned long)&done;
		calls[i].args[3] = DOMID_SELF;
	}
	EXPECT(hc_multicall(calls, 20), 0);
	for (i = 0; i < 20; i++)
		CHECK(calls[i].result == 0, "result %u is %ld", i, (long)calls[i].result);
	CHECK(done == ARRAY_SIZE(u), "%u done", done);
	WRITE_ONCE(data[0], 1);
}

/* calls with the stack pointer at an iret frame: rax afterwards, where the frame says. */
static uint64_t multicall_at_frame(unsigned int nr, uint64_t rax)
{
	uint64_t ret;

	__asm__ volatile("mov %%rsp, %%rcx\n\t"
			 "pushq $0xe02b\n\t"
			 "push %%rcx\n\t"
			 "pushq $0x202\n\t"
			 "pushq $0xe030\n\t"
			 "lea 1f(%%rip), %%rcx\n\t"
			 "push %%rcx\n\t"
			 "pushq $0; pushq $0; pushq $0; push %2\n\t"
			 "syscall\n\t"
			 "mov $-1, %%eax\n\t" /* it came back */
			 "add $72, %%rsp\n"
			 "1:"
			 : "=a"(ret)
			 : "0"((uint64_t)__HYPERVISOR_multicall), "r"(rax), "D"(calls), "S"((uint64_t)nr)
			 : "rcx", "rdx", "r8", "r10", "r11", "memory");
	return ret;
}

/* It is carried out, and is the last: what is behind it stays as it was. */
static void iret_member(void)
{
	static uint8_t code[16] page_aligned = { 0x0f, 0x0b };
	struct mmuext_op user = { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = l4_mfn() };
	static uint64_t user_stack[64];
	uint64_t ret;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		calls[i] = (struct multicall_entry){ .op = i == 1 ? __HYPERVISOR_iret : __HYPERVISOR_xen_version, .result = 77 };
		calls[i].args[0] = XENVER_pagesize;
	}
	my_vcpu_info()->evtchn_upcall_mask = 1;
	ret = multicall_at_frame(3, 0x123456789);
	CHECK(ret == 0x123456789, "rax after an iret in a multicall: %#lx", ret);
	CHECK(my_vcpu_info()->evtchn_upcall_mask == 0, "events are still masked");
	CHECK(calls[0].result == 4096 && calls[1].result == 77 && calls[2].result == 77, "results %ld %ld %ld",
	      (long)calls[0].result, (long)calls[1].result, (long)calls[2].result);
	EXPECT(hc_multicall(calls, 1), 0); /* not taken for one in a batch */

	EXPECT(map_page(code, va_to_ma(code) | PTE_RO), 0);
	EXPECT(hc_mmuext_op(&user, 1, NULL, DOMID_SELF), 0);
	CATCH(__asm__ volatile("pushq $0xe02b; push %1; pushq $0x202; pushq $0xe033; push %0\n\t"
			       "pushq $0; pushq $0; pushq $0; pushq $0\n\t"
			       "mov $13, %%eax; syscall; ud2"
			       : : "r"(code), "r"(user_stack + 64), "D"(calls + 1), "S"(2ul)
			       : "rax", "rcx", "r11", "memory"));
	CHECK(caught.vector == 6 && (caught.cs & 3) == 3 && caught.rip == (uint64_t)code,
	      "iret to user mode in a multicall: trap %d at %#lx, cs %#lx", caught.vector, caught.rip, caught.cs);
}

void test_main(void)
{
	plain();
	bad_members();
	long_member();
	iret_member();
}
