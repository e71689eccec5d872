/* SPDX-License-Identifier: MIT */
/* The kernel stack pointer, and the segment bases. */
#include "lib/errno.h"
#include "pv/bounce.h"
#include "x86/extable.h"
#include "x86/msr.h"
#include "x86/processor.h"
#include "x86/smap.h"
#include "x86/spinlock.h"

uint16_t fix_selector(uint64_t sel)
{
	return (sel & 0xfffc) ? (uint16_t)(sel | 3) : (uint16_t)sel;
}

uint64_t cpu_get_fs_base(void)
{
	uint64_t b;

	if (!cpu_fsgsbase_works())
		return rdmsr(MSR_FS_BASE);
	__asm__ volatile("rdfsbase %0" : "=r"(b));
	return b;
}

void cpu_set_fs_base(uint64_t base)
{
	if (cpu_fsgsbase_works())
		__asm__ volatile("wrfsbase %0" :: "r"(base));
	else
		wrmsr(MSR_FS_BASE, base);
}

uint64_t cpu_get_gs_base(void)
{
	uint64_t b;

	if (!cpu_fsgsbase_works())
		return rdmsr(MSR_GS_BASE);
	__asm__ volatile("rdgsbase %0" : "=r"(b));
	return b;
}

void cpu_set_gs_base(uint64_t base)
{
	if (cpu_fsgsbase_works())
		__asm__ volatile("wrgsbase %0" :: "r"(base));
	else
		wrmsr(MSR_GS_BASE, base);
}

/* ss is not needed: the kernel's stack segment is always the flat one. */
long do_stack_switch(unsigned long ss, unsigned long esp)
{
	struct vcpu *v = current;

	if (is_host_domain(v->domain))
		return -EPERM;
	if (!is_canonical(esp))
		return -EINVAL;
	v->pv.kernel_ss = fix_selector(ss);
	v->pv.kernel_sp = esp & ~15UL;
	pv_update_fast_paths();
	return 0;
}

/* User's %gs, while the kernel's base is active: a bad selector becomes null. */
static void load_user_gs(uint16_t sel)
{
	unsigned long flags = irq_save();
	uint32_t s = fix_selector(sel);

	__asm__ volatile("swapgs\n"
			 SMAP_OPEN
			 "1:	mov %0, %%gs\n"
			 "2:	" SMAP_CLOSE
			 "swapgs\n"
			 "	.pushsection .fixup, \"ax\", @progbits\n"
			 "3:	xor %0, %0\n"
			 "	mov %0, %%gs\n"
			 "	jmp 2b\n"
			 "	.popsection\n"
			 EXTABLE(1b, 3b)
			 : "+r"(s) :: "memory");
	irq_restore(flags);
}

/* The caller is the guest kernel: GS_BASE is the kernel's, KERNEL_GS_BASE the user's. */
long do_set_segment_base(unsigned long which, unsigned long base)
{
	if (is_host_domain(current->domain))
		return -EPERM;
	if (which != SEGBASE_GS_USER_SEL && !is_canonical(base))
		return -EINVAL;
	switch (which) {
	case SEGBASE_FS:
		cpu_set_fs_base(base);
		return 0;
	case SEGBASE_GS_USER:
		wrmsr(MSR_KERNEL_GS_BASE, base);
		return 0;
	case SEGBASE_GS_KERNEL:
		cpu_set_gs_base(base);
		return 0;
	case SEGBASE_GS_USER_SEL:
		load_user_gs((uint16_t)base);
		return 0;
	}
	return -EINVAL;
}
