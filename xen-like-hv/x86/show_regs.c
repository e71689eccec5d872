/* SPDX-License-Identifier: MIT */
#include "x86/cpu_info.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/traps.h"

void dump_regs(print_fn out, const struct cpu_user_regs *regs)
{
	out("cpu%u vector %u error %04x rip %04x:%016lx rflags %08lx\n", smp_cpu(), regs->entry_vector & 0xff,
	    regs->error_code, regs->cs, regs->rip, regs->rflags);
	out("rsp %04x:%016lx cr2 %016lx cr3 %016lx\n", regs->ss, regs->rsp, read_cr2(), read_cr3());
	out("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", regs->rax, regs->rbx, regs->rcx, regs->rdx);
	out("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", regs->rsi, regs->rdi, regs->rbp, regs->r8);
	out("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", regs->r9, regs->r10, regs->r11, regs->r12);
	out("r13 %016lx r14 %016lx r15 %016lx\n", regs->r13, regs->r14, regs->r15);
}
