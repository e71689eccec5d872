/* SPDX-License-Identifier: MIT */
/* Start of a test guest, its Xen notes, its trap entries. */

#define ELFNOTE(type, desctype, desc...) \
	.pushsection .note.Xen, "a", @note; \
	.balign 4; .long 4, 7771f - 7770f, type; .asciz "Xen"; \
7770:	desctype desc; \
7771:	.balign 4; .popsection

	ELFNOTE(6, .asciz, "test-guest")            /* GUEST_OS */
	ELFNOTE(5, .asciz, "xen-3.0")               /* XEN_VERSION */
	ELFNOTE(8, .asciz, "generic")               /* LOADER */
	ELFNOTE(9, .asciz, "yes")                   /* PAE_MODE */
	ELFNOTE(10, .asciz, "!writable_page_tables|pae_pgdir_above_4gb") /* FEATURES */
	ELFNOTE(3, .quad, 0xffffffff80000000)       /* VIRT_BASE */
	ELFNOTE(4, .quad, 0xffffffff80000000)       /* PADDR_OFFSET: p_paddr is what was linked */
	ELFNOTE(1, .quad, _start)                   /* ENTRY */
	ELFNOTE(2, .quad, hypercall_page)           /* HYPERCALL_PAGE */

	.section .text.head, "ax"
	.globl _start, hypercall_page
_start:
	cld
	lea boot_stack_end(%rip), %rsp
	mov %rsi, %rdi
	xor %ebp, %ebp
	call guest_start
1:	ud2
	jmp 1b

	.balign 4096
hypercall_page:
	.fill 4096, 1, 0xcc

	.text
/*
 * Xen pushes rcx and r11 below the usual frame. Entries bring the stack to:
 * 15 registers, vector, error code, rip, cs, rflags, rsp, ss.
 */
	.macro save_all
	push %rax; push %rcx; push %rdx; push %rbx; push %rbp; push %rsi; push %rdi
	push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15
	.endm
	.macro restore_all
	pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8
	pop %rdi; pop %rsi; pop %rbp; pop %rbx; pop %rdx; pop %rcx; pop %rax
	.endm

trap_common:
	save_all
	cld
	mov %rsp, %rdi
	mov %rsp, %rbx
	and $-16, %rsp
	call trap_entry
	mov %rbx, %rsp
return_from_trap:
	restore_all
	add $16, %rsp
	pushq $0
	push %rcx
	push %r11
	push %rax
	mov $23, %eax /* __HYPERVISOR_iret takes its frame from the stack */
	syscall
	ud2

	.balign 16
	.globl trap_stubs
trap_stubs: /* 256 of 16 bytes */
	.set vec, 0
	.rept 256
	.balign 16
	pop %rcx
	pop %r11
	.if (vec == 8) || ((vec >= 10) && (vec <= 14)) || (vec == 17) || (vec == 21)
	.else
	pushq $0
	.endif
	pushq $vec
	jmp trap_common
	.set vec, vec + 1
	.endr

	.globl event_callback, failsafe_callback, syscall_callback
event_callback:
	pop %rcx
	pop %r11
	pushq $0
	pushq $0x100
	jmp trap_common
/* Four selectors, then an ordinary frame. */
failsafe_callback:
	pop %rcx
	pop %r11
	add $32, %rsp
	pushq $0
	pushq $0x101
	jmp trap_common
/* From user mode: rcx, r11, rip, cs, rflags, rsp, ss. */
syscall_callback:
	pop %rcx
	pop %r11
	pushq $0
	pushq $0x102
	jmp trap_common

/* void enter_user(uint64_t rip, uint64_t rsp): comes back through a trap that longjmps. */
	.globl enter_user
enter_user:
	pushq $0xe02b
	push %rsi
	pushq $0x202
	pushq $0xe033
	push %rdi
	pushq $0
	pushq $0
	pushq $0
	pushq $0
	mov $23, %eax
	syscall
	ud2

/* Where a second vCPU starts: rdi as its context says. */
	.globl secondary_start
secondary_start:
	cld
	xor %ebp, %ebp
	.weak secondary_main
	call secondary_main
1:	ud2
	jmp 1b

	.bss
	.balign 4096
	.skip 16384
boot_stack_end:
	.section .note.GNU-stack, "", @progbits
