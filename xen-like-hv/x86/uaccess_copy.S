/* SPDX-License-Identifier: MIT */
/*
 * The instructions that touch guest memory, and MSR accesses that may fault.
 * Each has an exception table entry.
 */
#include "x86/extable.h"
#include "x86/smap.h"

	.text
.macro FUNC name
	.globl \name
	.type \name, @function
	.balign 16
\name:
.endm

/* unsigned long uaccess_copy(void *dst, const void *src, unsigned long n): bytes not copied. */
FUNC uaccess_copy
	SMAP_OPEN
	mov %rdx, %rcx
	and $7, %edx
	shr $3, %rcx
1:	rep movsq
	mov %rdx, %rcx
2:	rep movsb
	xor %eax, %eax
3:	SMAP_CLOSE
	ret
4:	lea (%rdx, %rcx, 8), %rax
	jmp 3b
5:	mov %rcx, %rax
	jmp 3b
	EXTABLE 1b, 4b
	EXTABLE 2b, 5b

/* unsigned long uaccess_clear(void *dst, unsigned long n): bytes not cleared. */
FUNC uaccess_clear
	SMAP_OPEN
	xor %eax, %eax
	mov %rsi, %rcx
	and $7, %esi
	shr $3, %rcx
1:	rep stosq
	mov %rsi, %rcx
2:	rep stosb
3:	SMAP_CLOSE
	ret
4:	lea (%rsi, %rcx, 8), %rax
	jmp 3b
5:	mov %rcx, %rax
	jmp 3b
	EXTABLE 1b, 4b
	EXTABLE 2b, 5b

/* int uaccess_cmpxchg8(uint64_t *p, uint64_t *old, uint64_t new): 0 or -EFAULT. */
FUNC uaccess_cmpxchg8
	SMAP_OPEN
	mov (%rsi), %rax
1:	lock cmpxchg %rdx, (%rdi)
	mov %rax, (%rsi)
	xor %eax, %eax
2:	SMAP_CLOSE
	ret
3:	mov $-14, %eax
	jmp 2b
	EXTABLE 1b, 3b

/* int rdmsr_safe(uint32_t msr, uint64_t *val): 0 or -EFAULT. */
FUNC rdmsr_safe
	mov %edi, %ecx
1:	rdmsr
	shl $32, %rdx
	mov %eax, %eax
	or %rdx, %rax
	mov %rax, (%rsi)
	xor %eax, %eax
	ret
2:	mov $-14, %eax
	ret
	EXTABLE 1b, 2b

/* int wrmsr_safe(uint32_t msr, uint64_t val): 0 or -EFAULT. */
FUNC wrmsr_safe
	mov %edi, %ecx
	mov %esi, %eax
	mov %rsi, %rdx
	shr $32, %rdx
1:	wrmsr
	xor %eax, %eax
	ret
2:	mov $-14, %eax
	ret
	EXTABLE 1b, 2b

	.section .note.GNU-stack, "", @progbits
