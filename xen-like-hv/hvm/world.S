/* SPDX-License-Identifier: MIT */
/*
 * void svm_enter(paddr_t vmcb, struct cpu_user_regs *regs, paddr_t host_vmcb)
 *
 * Into the guest, until something ends that. Interrupts are off before and
 * after; while GIF is clear nothing can come, so that the guest's TR, segment
 * bases and system call registers are in the CPU for no handler of ours to
 * see. IF must be set: with virtual interrupts it says whether real ones end
 * the guest's turn. rax, rsp, rip and flags are in the VMCB; the CPU's own come back from
 * where VMRUN put them, and what it does not save from host_vmcb.
 */
#include "asm_offsets.h"

	.section .text, "ax", @progbits
	.globl svm_enter
	.type svm_enter, @function
	.balign 16
svm_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdx
	push %rsi
	mov %rdi, %rax
	mov REGS_r15(%rsi), %r15
	mov REGS_r14(%rsi), %r14
	mov REGS_r13(%rsi), %r13
	mov REGS_r12(%rsi), %r12
	mov REGS_rbp(%rsi), %rbp
	mov REGS_rbx(%rsi), %rbx
	mov REGS_r11(%rsi), %r11
	mov REGS_r10(%rsi), %r10
	mov REGS_r9(%rsi), %r9
	mov REGS_r8(%rsi), %r8
	mov REGS_rcx(%rsi), %rcx
	mov REGS_rdx(%rsi), %rdx
	mov REGS_rdi(%rsi), %rdi
	mov REGS_rsi(%rsi), %rsi
	clgi
	sti
	vmload %rax
	vmrun %rax
	vmsave %rax
	cli
	xchg %rsi, (%rsp)
	mov %r15, REGS_r15(%rsi)
	mov %r14, REGS_r14(%rsi)
	mov %r13, REGS_r13(%rsi)
	mov %r12, REGS_r12(%rsi)
	mov %rbp, REGS_rbp(%rsi)
	mov %rbx, REGS_rbx(%rsi)
	mov %r11, REGS_r11(%rsi)
	mov %r10, REGS_r10(%rsi)
	mov %r9, REGS_r9(%rsi)
	mov %r8, REGS_r8(%rsi)
	mov %rcx, REGS_rcx(%rsi)
	mov %rdx, REGS_rdx(%rsi)
	mov %rdi, REGS_rdi(%rsi)
	pop %rax
	mov %rax, REGS_rsi(%rsi)
	pop %rax
	vmload %rax
	/* What an exception of ours counts on: nothing of the guest's is in rflags, VMRUN's own were kept. */
	stgi
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.section .note.GNU-stack, "", @progbits
