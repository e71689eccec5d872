/* SPDX-License-Identifier: MIT */
/* HV_DELAY_POINT of assembly code (lib/delay.h): all registers are kept, flags too. */
#ifdef HV_DELAYS
	.section .text, "ax", @progbits
	.globl hv_delay_asm
hv_delay_asm:
	pushfq
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %rbp
	mov %rsp, %rbp
	and $-16, %rsp
	cld
	call hv_delay_marked
	mov %rbp, %rsp
	pop %rbp
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	popfq
	ret
#endif
	.section .note.GNU-stack, "", @progbits
