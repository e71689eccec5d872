/* SPDX-License-Identifier: MIT */
/*
 * The ways into the hypervisor and out of it.
 *
 * Every entry builds a struct cpu_user_regs on the stack, r15 lowest. From a
 * guest (ring 3) it is guest_regs() at the top of the CPU's stack, because
 * TSS.rsp0 and the system call stubs point there; from the hypervisor itself it
 * is wherever the stack was.
 *
 *	entry                        gets here by              continues with
 *	exc_*  (0..19)               IDT, interrupt gates      do_exception
 *	exc_debug                    IDT, IST 4                same, or do_ist_debug from ring 0
 *	exc_nmi, exc_double_fault,
 *	exc_machine_check            IDT, IST 1..3             do_nmi, do_fatal; no exit work
 *	irq_stubs (0x20..0xff)       IDT                       pv_interrupt, from ring 0 irq_dispatch
 *	exc_int80                    IDT, DPL 3                do_guest_int80
 *	syscall_stubs (per CPU)      LSTAR                     kernel: pv_hypercall, or fast_iret
 *	                                                       user: bounce_syscall (bounce.S)
 *	                             CSTAR                     pv_syscall32
 *	sysenter_entry               SYSENTER_EIP              pv_sysenter
 *
 *	exit                         used by
 *	ret_to_guest                 everything above that came from a guest: pv_exit_work if
 *	                             softirqs, an NMI or an event are pending, then sysret or iret
 *	ret_to_hv                    what came from ring 0
 *	fast_iret, bounce_syscall    leave by themselves
 *	iret_failed, iret_again      these irets faulted: ret_to_guest, once more
 *
 * Registers: on a system call the CPU leaves rip in rcx and rflags in r11, so
 * these two are free as soon as both are on the stack. GS belongs to the guest
 * all the time: GS_BASE is that of the guest's present mode, KERNEL_GS_BASE the
 * other mode's, and swapgs is done where the mode changes, not on entry.
 * Interrupts are off at every entry; NMI, #MC and #DB have their own stacks, as
 * they may come while rsp is still, or is again, the guest's.
 *
 * SFMASK clears DF, IF, TF, NT, AC and IOPL. Interrupt gates clear IF, TF, NT, RF; DF and AC are left to us.
 */
#include "asm_offsets.h"
#include "x86/cpu_info.h"
#include "x86/extable.h"
#include "x86/page.h"
#include "x86/smap.h"
#include "x86/traps.h"
#include <xen/xen.h>

	.section .text.entry, "ax", @progbits

.macro FUNC name
	.globl \name
	.type \name, @function
	.balign 16
\name:
.endm

.macro SAVE_REGS
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push %rax
	push %r8
	push %r9
	push %r10
	push %r11
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
.endm

/* Leaves rsp at error_code. */
.macro RESTORE_REGS
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rax
	pop %rcx
	pop %rdx
	pop %rsi
	pop %rdi
.endm

/* A frame is 8 modulo 16, the C ABI wants 0 at a call. */
.macro CALL_C fn
	sub $8, %rsp
	call \fn
	add $8, %rsp
.endm

/*
 * On a system call, rsp at the rip slot, rcx and r11 dead: completes the frame.
 * Their slots get what the guest knows they hold, never our own values.
 */
.macro SYSCALL_FRAME
	movq $FLAT_RING3_SS64, (REGS_ss - REGS_rip)(%rsp)
	pushq $0
	movl $ENTRY_SYSRET_OK, 4(%rsp)
	push %rdi
	push %rsi
	push %rdx
	pushq (REGS_rip - REGS_rdx)(%rsp)
	push %rax
	push %r8
	push %r9
	push %r10
	pushq (REGS_rflags - REGS_r10)(%rsp)
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
.endm

/* --- system calls --- */

/* The stub's long form, for a stack out of its reach: rax is the guest's rsp. */
FUNC syscall_far
	mov %rax, (%rsp)
	mov (CPUINFO_scratch - REGS_rsp)(%rsp), %rax
FUNC syscall_near
	push %r11
	pushq $FLAT_RING3_CS64
	push %rcx
	mov (CPUINFO_current - REGS_rip)(%rsp), %r11
	cmpb $0, VCPU_kernel_mode(%r11)
	je bounce_syscall
	cmp $__HYPERVISOR_iret, %rax
	je fast_iret

	/* rsp: rip slot */
	.globl hypercall_entry
hypercall_entry:
	SYSCALL_FRAME
	mov %rsp, %rdi
	sti
	CALL_C pv_hypercall

/* rsp is guest_regs(); interrupts on or off. */
FUNC ret_to_guest
	cli
	mov CPUINFO_cpu(%rsp), %eax
	lea softirq_pending(%rip), %rcx
	mov CPUINFO_current(%rsp), %rbx
	cmpl $0, (%rcx, %rax, 4)
	jne exit_work
	cmpb $0, VCPU_nmi_pending(%rbx)
	jne exit_work
	mov VCPU_vcpu_info(%rbx), %rcx
	movzwl VCPUINFO_pending(%rcx), %eax
	test %al, %al
	je restore_guest
	test %ah, %ah
	je exit_work

	/*
	 * sysret needs the flat selectors, a canonical rip (it faults in ring 0
	 * with the guest's stack otherwise) and no RF or TF.
	 */
restore_guest:
	testl $ENTRY_SYSRET_OK, REGS_entry_vector(%rsp)
	jz restore_iret
	mov REGS_rip(%rsp), %rcx
	mov %rcx, %rax
	shl $16, %rax
	sar $16, %rax
	cmp %rcx, %rax
	jne restore_iret
	testl $(FLAGS_RF | FLAGS_TF | FLAGS_VM), REGS_rflags(%rsp)
	jnz restore_iret
	movzwl REGS_cs(%rsp), %eax
	cmp $FLAT_RING3_CS64, %eax
	jne restore_iret
	movzwl REGS_ss(%rsp), %eax
	cmp $FLAT_RING3_SS64, %eax
	jne restore_iret
	RESTORE_REGS
	mov (REGS_rip - REGS_error_code)(%rsp), %rcx
	mov (REGS_rflags - REGS_error_code)(%rsp), %r11
	mov (REGS_rsp - REGS_error_code)(%rsp), %rsp
	sysretq

restore_iret:
	/* The upper half holds saved_upcall_mask; ring 3 whatever anybody wrote there. */
	movzwl REGS_cs(%rsp), %eax
	or $3, %eax
	mov %rax, REGS_cs(%rsp)
	RESTORE_REGS
	add $8, %rsp
	/* The descriptors that it reads may be user's pages: pv/far.c. */
	SMAP_OPEN
1:	iretq
	EXTABLE 1b, iret_failed

exit_work:
	CALL_C pv_exit_work
	jmp restore_guest

/*
 * The iret of an exit faulted: in ring 0, on this stack, below the frame that it
 * was to consume, with the guest's general registers live.
 */
	.globl iret_failed
iret_failed:
	SMAP_CLOSE
	pushq $0
	SAVE_REGS
	mov %rsp, %rdi
	sti
	CALL_C pv_failed_iret
	jmp ret_to_guest

/*
 * The same fault, and what was missing is there now (hypervisor_fault): interrupts
 * have been on since the exit looked for work, so it looks again.
 */
	.globl iret_again
iret_again:
	SMAP_CLOSE
	pushq $0
	SAVE_REGS
	jmp ret_to_guest

/* From C, off any stack. */
FUNC exit_to_guest
	cli
	or $(STACK_SIZE - 1), %rsp
	sub $(CPUINFO_sizeof - 1), %rsp
	jmp ret_to_guest

FUNC reset_stack_and_jump
	or $(STACK_SIZE - 1), %rsp
	sub $(CPUINFO_sizeof - 1), %rsp
	and $-16, %rsp
	xor %ebp, %ebp
	pushq $0
	jmp *%rdi

/*
 * User's system call that bounce.S left alone: rsp at the rip slot, general
 * registers as the guest had them but rcx and r11.
 */
	.globl syscall_slow
syscall_slow:
	SYSCALL_FRAME
	mov %rsp, %rdi
	sti
	CALL_C pv_syscall64
	jmp ret_to_guest

/* The same, after the mode was switched and with rsp at guest_regs(): the kernel stack cannot be written. */
	.globl bounce_fault
bounce_fault:
	SMAP_CLOSE
	mov REGS_rax(%rsp), %rax
	mov REGS_rdx(%rsp), %rdx
	add $REGS_rip, %rsp
	SYSCALL_FRAME
	mov %rsp, %rdi
	sti
	CALL_C pv_bounce_failed
	jmp ret_to_guest

/* syscall from a 32-bit code segment. */
FUNC syscall32_far
	mov %rax, (%rsp)
	mov (CPUINFO_scratch - REGS_rsp)(%rsp), %rax
FUNC syscall32_near
	push %r11
	pushq $FLAT_RING3_CS32
	push %rcx
	SYSCALL_FRAME
	mov %rsp, %rdi
	sti
	CALL_C pv_syscall32
	jmp ret_to_guest

/*
 * sysenter says nothing of where it came from, and clears no flag but IF:
 * rsp is at the end of the frame (SYSENTER_ESP). NT would fault our iret.
 */
FUNC sysenter_entry
	pushq $FLAT_RING3_SS32
	pushq $0
	pushfq
	pushq $FLAT_RING3_CS32
	pushq $0
	pushq $0
	SAVE_REGS
	pushq $2
	popfq
	mov %rsp, %rdi
	sti
	CALL_C pv_sysenter
	jmp ret_to_guest

/* --- exceptions and interrupts --- */

.macro EXC name, vec
FUNC exc_\name
	pushq $0
	movl $\vec, 4(%rsp)
	jmp exception
.endm
.macro EXC_CODE name, vec
FUNC exc_\name
	movl $\vec, 4(%rsp)
	jmp exception
.endm
	EXC divide, TRAP_divide
	EXC int3, TRAP_int3
	EXC overflow, TRAP_overflow
	EXC bounds, TRAP_bounds
	EXC invalid_op, TRAP_invalid_op
	EXC no_device, TRAP_no_device
	EXC_CODE invalid_tss, TRAP_invalid_tss
	EXC_CODE no_segment, TRAP_no_segment
	EXC_CODE stack_error, TRAP_stack_error
	EXC_CODE gp_fault, TRAP_gp_fault
	EXC copro_error, TRAP_copro_error
	EXC_CODE alignment, TRAP_alignment
	EXC simd_error, TRAP_simd_error
FUNC exc_page_fault
	movl $TRAP_page_fault, 4(%rsp)
exception:
	cld
	SMAP_CLOSE
	SAVE_REGS
exception_saved:
	mov %rsp, %rdi
	testb $3, REGS_cs(%rsp)
	jz 1f
	CALL_C do_exception
	jmp ret_to_guest
1:	CALL_C do_exception

ret_to_hv:
	RESTORE_REGS
	add $8, %rsp
	iretq

FUNC exc_int80
	pushq $0
	movl $0x80, 4(%rsp)
	cld
	SMAP_CLOSE
	SAVE_REGS
	mov %rsp, %rdi
	sti
	CALL_C do_guest_int80
	jmp ret_to_guest

	.globl irq_stubs
	.balign 16
irq_stubs:
	vec = 0x20
	.rept 256 - 0x20
	.balign 16
	pushq $0
	movl $vec, 4(%rsp)
	jmp interrupt
	vec = vec + 1
	.endr
	.balign 16
interrupt:
	cld
	SMAP_CLOSE
	SAVE_REGS
	mov REGS_entry_vector(%rsp), %edi
	testb $3, REGS_cs(%rsp)
	jz 1f
	CALL_C pv_interrupt
	jmp ret_to_guest
1:	CALL_C irq_dispatch
	jmp ret_to_hv

/*
 * #DB may hit the first instruction of a system call stub, rsp still the
 * guest's. Its stack is a small one of its own with the address of cpu_info at
 * the top; from a guest, the frame moves to where it belongs at once.
 */
FUNC exc_debug
	pushq $0
	movl $TRAP_debug, 4(%rsp)
	cld
	SMAP_CLOSE
	SAVE_REGS
	testb $3, REGS_cs(%rsp)
	jz 1f
	mov REGS_es(%rsp), %rdi
	mov %rsp, %rsi
	mov %rdi, %rdx
	mov $(REGS_es / 8), %ecx
	rep movsq
	mov %rdx, %rsp
	jmp exception_saved
1:	mov %rsp, %rdi
	CALL_C do_ist_debug
	jmp ret_to_hv

FUNC exc_nmi
	pushq $0
	movl $TRAP_nmi, 4(%rsp)
	cld
	SMAP_CLOSE
	SAVE_REGS
	mov %rsp, %rdi
	CALL_C do_nmi
	jmp ret_to_hv

FUNC exc_machine_check
	pushq $0
	movl $TRAP_machine_check, 4(%rsp)
	jmp 1f
FUNC exc_double_fault
	movl $TRAP_double_fault, 4(%rsp)
1:	cld
	SMAP_CLOSE
	SAVE_REGS
	mov %rsp, %rdi
	CALL_C do_fatal

/*
 * 64 bytes for each CPU: LSTAR's stub and, 32 further, CSTAR's; idt.c writes
 * them at boot. All data is on the stack's page: a store to a page with code in
 * it would cost its translations under TCG.
 */
	.globl syscall_stubs
	.balign 64
syscall_stubs:
	.skip 64 * NR_CPUS, 0xcc

	.section .note.GNU-stack, "", @progbits
