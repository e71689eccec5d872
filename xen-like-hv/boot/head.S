/* SPDX-License-Identifier: MIT */
/*
 * PVH entry: 32-bit protected mode, flat segments, paging off, EBX = physical
 * address of hvm_start_info. Goes to long mode on tables of our own that map
 * the first 4 GiB at 0 and at the direct map, and the image where it is linked.
 */
#include "asm_offsets.h"
#include "x86/cpu_info.h"
#include "x86/page.h"

#define PADDR(sym) ((sym) - HV_IMAGE_VIRT_ + HV_LOAD_PADDR_)
/* page.h's constants carry C suffixes. */
HV_IMAGE_VIRT_ = 0xffff830000000000
HV_LOAD_PADDR_ = 0x200000
#define SLOT_IMAGE 262
#define SLOT_DIRECTMAP 264
#define PTE_TABLE 0x63	/* P W A D */
#define PTE_LARGE 0xe3	/* and PSE */
#define IMAGE_LARGE_PAGES 32
#define BOOT_CS 0x08
#define BOOT_DS 0x10

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad PADDR(_start)

	.section .text.head, "ax", @progbits
	.code32
	.globl _start
_start:
	cld
	cli
	mov %ebx, %ebp
	mov $PADDR(__bss_start), %edi
	mov $PADDR(__bss_end), %ecx
	sub %edi, %ecx
	shr $2, %ecx
	xor %eax, %eax
	rep stosl

	/* 4 GiB in 2 MiB pages */
	mov $PADDR(boot_l2), %edi
	mov $PTE_LARGE, %eax
	mov $2048, %ecx
1:	mov %eax, (%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 1b
	mov $PADDR(boot_l2) + PTE_TABLE, %eax
	mov $PADDR(boot_l3), %edi
	mov $4, %ecx
2:	mov %eax, (%edi)
	add $0x1000, %eax
	add $8, %edi
	loop 2b
	mov $HV_LOAD_PADDR_ + PTE_LARGE, %eax
	mov $PADDR(boot_l2_image), %edi
	mov $IMAGE_LARGE_PAGES, %ecx
3:	mov %eax, (%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 3b
	movl $PADDR(boot_l2_image) + PTE_TABLE, PADDR(boot_l3_image)
	movl $PADDR(boot_l3) + PTE_TABLE, PADDR(boot_l4)
	movl $PADDR(boot_l3) + PTE_TABLE, PADDR(boot_l4) + 8 * SLOT_DIRECTMAP
	movl $PADDR(boot_l3_image) + PTE_TABLE, PADDR(boot_l4) + 8 * SLOT_IMAGE

	mov $0x20, %eax			/* CR4.PAE */
	mov %eax, %cr4
	mov $PADDR(boot_l4), %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx		/* EFER.LME */
	rdmsr
	or $0x100, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80010001, %eax		/* PG WP PE */
	mov %eax, %cr0
	lgdt PADDR(boot_gdt_ptr)
	ljmp $BOOT_CS, $PADDR(start64)

	.code64
start64:
	movabs $start64_high, %rax
	jmp *%rax
start64_high:
	mov $BOOT_DS, %eax
	mov %eax, %ss
	mov %eax, %ds
	mov %eax, %es
	movabs $boot_stack + STACK_SIZE_ - CPUINFO_sizeof, %rsp
	and $~15, %rsp
	mov %ebp, %edi
	xor %ebp, %ebp
	call hv_main
	ud2

	/* From the trampoline: long mode, boot_l4, one processor at a time. */
	.globl ap_entry64
ap_entry64:
	mov ap_boot_cr3(%rip), %rax
	mov %rax, %cr3
	mov ap_boot_rsp(%rip), %rsp
	xor %ebp, %ebp
	call cpu_start_secondary
	ud2

STACK_SIZE_ = 4096 << STACK_ORDER

	.section .rodata
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
boot_gdt_ptr:
	.word . - boot_gdt - 1
	.long PADDR(boot_gdt)

	.section .data
	.balign 8
	.globl ap_boot_cr3, ap_boot_rsp
ap_boot_cr3:
	.quad 0
ap_boot_rsp:
	.quad 0

	.section .bss.page_aligned, "aw", @nobits
	.balign 4096 << STACK_ORDER
	.globl boot_stack, boot_l4
boot_stack:
	.skip 4096 << STACK_ORDER
boot_l4:
	.skip 4096
boot_l3:
	.skip 4096
boot_l3_image:
	.skip 4096
boot_l2_image:
	.skip 4096
boot_l2:
	.skip 4096 * 4

	.section .note.GNU-stack, "", @progbits
