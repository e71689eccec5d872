/* SPDX-License-Identifier: MIT */
/* Start of a PVH test guest in 32-bit mode, flat; its traps; where its second vCPU starts. */
	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, 18 /* PHYS32_ENTRY */
	.asciz "Xen"
	.long start32

	.section .text.head, "ax"
	.code32
	.globl start32
start32:
	cld
	mov %ebx, start_paddr
	mov $boot_stack_end, %esp
	mov $tables, %edi
	/* 4 GiB, one to one, in pages of 2 MiB. */
	movl $tables + 0x1003, (%edi)
	xor %ecx, %ecx
1:	mov %ecx, %eax
	shl $12, %eax
	add $tables + 0x2003, %eax
	mov %eax, tables + 0x1000(, %ecx, 8)
	inc %ecx
	cmp $4, %ecx
	jne 1b
	xor %ecx, %ecx
2:	mov %ecx, %eax
	shl $21, %eax
	or $0x83, %eax
	mov %eax, tables + 0x2000(, %ecx, 8)
	inc %ecx
	cmp $2048, %ecx
	jne 2b
	call to_long_mode
	ljmp $8, $start64

	.globl to_long_mode
to_long_mode:
	mov %cr4, %eax
	or $0x6a0, %eax /* PAE PGE OSFXSR OSXMMEXCPT */
	mov %eax, %cr4
	mov $tables, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	rdmsr
	or $0x901, %eax /* SCE LME NXE */
	wrmsr
	mov %cr0, %eax
	or $0x80010021, %eax
	and $~4, %eax
	mov %eax, %cr0
	lgdt gdt_pointer
	ret

	.code64
start64:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $boot_stack_end, %rsp
	mov start_paddr, %edi
	xor %ebp, %ebp
	call guest_start
1:	ud2
	jmp 1b

/* Copied to 0x8000; real mode, from a SIPI with vector 8. */
	.code16
	.globl ap_start, ap_end
ap_start:
	cli
	xor %ax, %ax
	mov %ax, %ds
	lgdtl 0x8000 + ap_gdt - ap_start
	mov %cr0, %eax
	or $1, %eax
	mov %eax, %cr0
	ljmpl $0x18, $ap32
ap_gdt:
	.word 47
	.long gdt
ap_end:
	.code32
ap32:
	mov $0x20, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov ap_stack, %esp
	call to_long_mode
	ljmp $8, $ap64
	.code64
ap64:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov ap_stack, %rsp
	xor %ebp, %ebp
	call ap_main
1:	cli
	hlt
	jmp 1b

	.text
trap_common:
	push %rax; push %rcx; push %rdx; push %rbx; push %rbp; push %rsi; push %rdi
	push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15
	cld
	mov %rsp, %rdi
	mov %rsp, %rbx
	and $-16, %rsp
	call trap_entry
	mov %rbx, %rsp
	pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8
	pop %rdi; pop %rsi; pop %rbp; pop %rbx; pop %rdx; pop %rcx; pop %rax
	add $16, %rsp
	iretq

	.balign 16
	.globl trap_stubs
trap_stubs: /* 256 of 16 bytes */
	.set vec, 0
	.rept 256
	.balign 16
	.if (vec == 8) || ((vec >= 10) && (vec <= 14)) || (vec == 17)
	.else
	pushq $0
	.endif
	pushq $vec
	jmp trap_common
	.set vec, vec + 1
	.endr

	.data
	.balign 16
	.globl gdt
gdt:	.quad 0
	.quad 0x00af9b000000ffff /* 08: 64-bit code */
	.quad 0x00cf93000000ffff /* 10: data */
	.quad 0x00cf9b000000ffff /* 18: 32-bit code */
	.quad 0x00cf93000000ffff /* 20: data */
	.quad 0x00cff3000000ffff /* 28: user data */
	.quad 0x00affb000000ffff /* 30: user code */
	.quad 0, 0               /* 38: TSS */
gdt_pointer:
	.word 71
	.quad gdt
start_paddr:
	.long 0

	.globl ap_stack
	.balign 8
ap_stack:
	.quad 0

	.bss
	.balign 4096
	.globl tables
tables:
	.skip 4096 * 6
	.skip 16384
boot_stack_end:
	.section .note.GNU-stack, "", @progbits
