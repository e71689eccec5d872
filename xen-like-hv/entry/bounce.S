/* SPDX-License-Identifier: MIT */
/*
 * The two hot paths of a system call of a guest's user process: into the guest
 * kernel, and back by the iret hypercall. Both run with interrupts off and
 * touch the entry stack's page, the vCPU, its vcpu_info, the guest's kernel
 * stack, and its user root where the kernel can run on that (pv/root_fast.c).
 * What is not plain goes to C: syscall_slow, hypercall_entry.
 *
 * Softirqs are not looked at: none is raised here, and other CPUs send an
 * interrupt with theirs, which comes as soon as the guest runs.
 *
 * What they use, who writes it, and why it cannot hurt whatever the moment:
 *
 *	current                      this CPU's context switch, never with a guest's code in between
 *	fast_sp                      the CPU that runs the vCPU (pv_update_fast_paths); one word, read once: 0, or
 *	                             a stack with room for the frame among the guest's addresses. The guest's own
 *	                             kernel_sp can be any address and has no name here (entry/asm_offsets.c)
 *	fast_iret                    the same CPU; set while an NMI is handled, it would lose the NMI's end
 *	syscall_cb                   the same CPU, or setvcpucontext while the vCPU is paused; always canonical
 *	kernel_mode                  the same; KERNEL_GS_BASE, CR3 and this change together, interrupts off
 *	vcpu_info                    also another vCPU (register_vcpu_info, of one that it has just sent down): both
 *	                             the old and the new one stay mapped and the domain's. Read once a path
 *	fast_root                    also other CPUs, under root_lock, which then wait until this one has had
 *	                             interrupts on before they rely on it (pv/root_fast.c)
 *	fast_nr, fast_slot           pv_set_base, of current or of a vCPU that does not run; at most FAST_SLOTS_MAX,
 *	                             slots of a root
 *	fast_kernel, fast_user       other CPUs, whole entries of validated tables (pv/root_fast.c)
 *	root_opened                  the CPU that runs the vCPU, or nobody does
 *	root_user, cr3_*             set when the vCPU is made
 *
 * Whoever changes for another vCPU what fast_sp and fast_iret are made from sets PENDING_FAST_PATHS there and
 * interrupts it: that comes as soon as the guest runs, and the way out from it looks.
 *
 * On entry to both, from entry.S: rsp at the rip slot of guest_regs(), with
 * rip, cs, rflags and rsp stored; r11 = current; rcx = rip, dead; all other
 * registers the guest's.
 */
#include "asm_offsets.h"
#include "lib/delay.h"
#include "x86/cpu_info.h"
#include "x86/extable.h"
#include "x86/page.h"
#include "x86/smap.h"
#include "x86/traps.h"
#include <xen/xen.h>

/*
 * rsp is at guest_regs() while these are used: a fault on the guest's stack
 * pushes its frame below rsp, and must not find our notes there.
 */
#define SLOT(reg) REGS_##reg(%rsp)
#define SCRATCH0 CPUINFO_scratch(%rsp)

	.section .text.entry, "ax", @progbits

/* from[i] to slot fast_slot[i] of the user root, i < fast_nr. Uses rax, rcx, rdx, rsi. */
.macro copy_slots from
	movzbl VCPU_fast_nr(%r11), %ecx
	mov VCPU_root_user(%r11), %rax
	jrcxz 22f
21:	movzwl VCPU_fast_slot - 2(%r11, %rcx, 2), %edx
	mov \from - 8(%r11, %rcx, 8), %rsi
	mov %rsi, (%rax, %rdx, 8)
	dec %ecx
	jnz 21b
22:
.endm

/*
 * User to kernel. The frame, as the kernel pops it: rcx, r11, rip, cs, rflags,
 * rsp, ss.
 */
40:	mov (REGS_rax - REGS_rip)(%rsp), %rax
41:	jmp syscall_slow
	.globl bounce_syscall
	.type bounce_syscall, @function
	.balign 16
bounce_syscall:
	mov VCPU_fast_sp(%r11), %rcx
	jrcxz 41b
	HV_DELAY_POINT
	mov %rax, (REGS_rax - REGS_rip)(%rsp)
	mov VCPU_vcpu_info(%r11), %rax
	cmpb $0, VCPUINFO_mask(%rax)
	jne 40b
	movb $1, VCPUINFO_mask(%rax)
	sub $REGS_rip, %rsp
	mov %rcx, SCRATCH0
	mov %rdx, SLOT(rdx)
	cmpb $0, VCPU_fast_root(%r11)
	je 31f

	/* root_open_kernel(): the kernel's slots into the root that is loaded. */
	mov %rsi, SLOT(rsi)
	copy_slots VCPU_fast_kernel
	movb $1, VCPU_root_opened(%r11)
	mov SLOT(rsi), %rsi
	HV_DELAY_POINT
30:	swapgs
	movb $1, VCPU_kernel_mode(%r11)

	mov SCRATCH0, %rax
	mov SLOT(rip), %rcx
	mov SLOT(rflags), %rdx
	SMAP_OPEN
1:	mov %rcx, -56(%rax)
2:	mov %rdx, -48(%rax)
3:	mov %rcx, -40(%rax)
4:	movq $FLAT_RING3_CS64, -32(%rax)
5:	mov %rdx, -24(%rax)
	mov SLOT(rsp), %rcx
6:	mov %rcx, -16(%rax)
7:	movq $FLAT_RING3_SS64, -8(%rax)
	SMAP_CLOSE
	EXTABLE 1b, bounce_fault
	EXTABLE 2b, bounce_fault
	EXTABLE 3b, bounce_fault
	EXTABLE 4b, bounce_fault
	EXTABLE 5b, bounce_fault
	EXTABLE 6b, bounce_fault
	EXTABLE 7b, bounce_fault

	mov VCPU_syscall_cb(%r11), %rcx
	lea -56(%rax), %r11
	mov SLOT(rax), %rax
	mov SLOT(rdx), %rdx
	mov %r11, %rsp
	mov $(FLAGS_IF | 2), %r11d
	sysretq

31:	mov VCPU_cr3_kernel(%r11), %rax
	mov %rax, %cr3
	jmp 30b

/*
 * The iret hypercall: struct iret_context at the guest's rsp. Each word is read
 * once. Until the upcall mask is cleared nothing of the vCPU changes, so that
 * the C path can start over; events that are pending then also go there.
 */
	.globl fast_iret
	.type fast_iret, @function
	.balign 16
fast_iret:
	cmpb $0, VCPU_fast_iret(%r11)
	je hypercall_entry
	sub $REGS_rip, %rsp
	mov SLOT(rsp), %rcx
	movabs $HV_VIRT_END, %rax
	cmp %rax, %rcx
	jb 20f
	mov %rcx, SCRATCH0
	SMAP_OPEN
1:	mov IRET_rflags(%rcx), %rax
	test $FLAGS_IF, %eax
	jz 10f
	and $FLAGS_GUEST, %eax
	or $(FLAGS_IF | 2), %eax
	mov %rax, SLOT(rflags)
2:	movzwl IRET_cs(%rcx), %eax
	mov %rax, SLOT(cs)
3:	movzwl IRET_ss(%rcx), %eax
	or $3, %eax
	mov %rax, SLOT(ss)
4:	testl $VGCF_in_syscall, IRET_flags(%rcx)
	jnz 10f
5:	mov IRET_rax(%rcx), %rax
	mov %rax, SLOT(rax)
6:	mov IRET_r11(%rcx), %rax
	mov %rax, SLOT(r11)
7:	mov IRET_rip(%rcx), %rax
	mov %rax, SLOT(rip)
8:	mov IRET_rsp(%rcx), %rax
	mov %rax, SLOT(rsp)
9:	mov IRET_rcx(%rcx), %rax
	SMAP_CLOSE
	mov %rax, SLOT(rcx)
	EXTABLE 1b, 10f
	EXTABLE 2b, 10f
	EXTABLE 3b, 10f
	EXTABLE 4b, 10f
	EXTABLE 5b, 10f
	EXTABLE 6b, 10f
	EXTABLE 7b, 10f
	EXTABLE 8b, 10f
	EXTABLE 9b, 10f

	mov VCPU_vcpu_info(%r11), %rax
	movb $0, VCPUINFO_mask(%rax)
	cmpb $0, VCPUINFO_pending(%rax)
	jne 10f
	mov SLOT(cs), %eax
	and $3, %eax
	cmp $3, %eax
	jne 11f
	cmpb $0, VCPU_root_opened(%r11)
	je 14f
	/* root_close_kernel() */
	mov %rdx, SLOT(rdx)
	mov %rsi, SLOT(rsi)
	HV_DELAY_POINT
	copy_slots VCPU_fast_user
	movb $0, VCPU_root_opened(%r11)
	mov SLOT(rdx), %rdx
	mov SLOT(rsi), %rsi
14:	mov VCPU_cr3_user(%r11), %rax
	mov %rax, %cr3
	swapgs
	movb $0, VCPU_kernel_mode(%r11)
	mov SLOT(rax), %rax
	mov SLOT(rcx), %rcx
	mov SLOT(r11), %r11
	add $REGS_rip, %rsp
	SMAP_OPEN
12:	iretq
	EXTABLE 12b, iret_failed

	/* Kernel to kernel. */
11:	orb $3, SLOT(cs)
	mov SLOT(rax), %rax
	mov SLOT(rcx), %rcx
	mov SLOT(r11), %r11
	add $REGS_rip, %rsp
	SMAP_OPEN
13:	iretq
	EXTABLE 13b, iret_failed

	/*
	 * To C, as if nothing had been done: cs above all, as the exit path
	 * would return through it.
	 */
10:	SMAP_CLOSE
	mov SCRATCH0, %rax
	mov %rax, SLOT(rsp)
	movq $FLAT_RING3_CS64, SLOT(cs)
20:	add $REGS_rip, %rsp
	mov $__HYPERVISOR_iret, %eax
	jmp hypercall_entry

	.section .note.GNU-stack, "", @progbits
