/* SPDX-License-Identifier: MIT */
/*
 * Where a further processor starts after its STARTUP message: real mode, CS =
 * the page's segment. Copied to TRAMPOLINE; straight to long mode on the boot
 * tables, then into the image.
 */
TRAMPOLINE = 0x8000
HV_IMAGE_VIRT_ = 0xffff830000000000
HV_LOAD_PADDR_ = 0x200000
#define AT(sym) ((sym) - trampoline_start + TRAMPOLINE)
#define REL(sym) ((sym) - trampoline_start)

	.section .rodata
	.balign 16
	.globl trampoline_start, trampoline_end
trampoline_start:
	.code16
	cli
	cld
	mov %cs, %ax
	mov %ax, %ds
	lgdtl REL(tramp_gdt_ptr)
	mov %cr0, %eax
	or $1, %eax
	mov %eax, %cr0
	ljmpl $0x18, $AT(tramp32)
	.code32
tramp32:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $0x20, %eax			/* CR4.PAE */
	mov %eax, %cr4
	mov $(boot_l4 - HV_IMAGE_VIRT_ + HV_LOAD_PADDR_), %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx		/* EFER: the final tables have NX entries */
	rdmsr
	or $0x900, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80010000, %eax		/* PG WP */
	and $~0x60000000, %eax		/* INIT leaves the caches off */
	mov %eax, %cr0
	ljmp $0x08, $AT(tramp64)
	.code64
tramp64:
	movabs $ap_entry64, %rax
	jmp *%rax
	.balign 8
tramp_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 64-bit code */
	.quad 0x00cf93000000ffff	/* data */
	.quad 0x00cf9b000000ffff	/* 32-bit code */
tramp_gdt_ptr:
	.word . - tramp_gdt - 1
	.long AT(tramp_gdt)
trampoline_end:

	.section .note.GNU-stack, "", @progbits
