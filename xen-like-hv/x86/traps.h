/* SPDX-License-Identifier: MIT */
/* Exception vectors, and the ways into and out of the hypervisor (entry/entry.S). */
#ifndef X86_TRAPS_H
#define X86_TRAPS_H

#define TRAP_divide 0
#define TRAP_debug 1
#define TRAP_nmi 2
#define TRAP_int3 3
#define TRAP_overflow 4
#define TRAP_bounds 5
#define TRAP_invalid_op 6
#define TRAP_no_device 7
#define TRAP_double_fault 8
#define TRAP_invalid_tss 10
#define TRAP_no_segment 11
#define TRAP_stack_error 12
#define TRAP_gp_fault 13
#define TRAP_page_fault 14
#define TRAP_copro_error 16
#define TRAP_alignment 17
#define TRAP_machine_check 18
#define TRAP_simd_error 19

#define PFEC_present 1u
#define PFEC_write 2u
#define PFEC_user 4u
#define PFEC_reserved 8u
#define PFEC_fetch 16u

/*
 * Bit in guest_regs().entry_vector: rcx and r11 hold nothing that the guest
 * expects back, so that the exit may be a sysret. Set by a hypercall and by
 * each frame built for the guest kernel, clear in an interrupted context.
 */
#define ENTRY_SYSRET_OK 0x100

#define IST_NMI 1
#define IST_DF 2
#define IST_MC 3
#define IST_DB 4 /* a guest can have #DB hit the first instruction of a system call */

#define FLAGS_TF (1UL << 8)
#define FLAGS_IF (1UL << 9)
#define FLAGS_DF (1UL << 10)
#define FLAGS_IOPL (3UL << 12)
#define FLAGS_NT (1UL << 14)
#define FLAGS_RF (1UL << 16)
#define FLAGS_VM (1UL << 17)
#define FLAGS_AC (1UL << 18)
/* What a guest may have in rflags while it runs: CF PF AF ZF SF TF DF OF NT RF AC ID. */
#define FLAGS_GUEST 0x254dd5UL

#ifndef __ASSEMBLER__
#include "lib/types.h"
#include <xen/xen.h>

/* IDT, syscall MSRs and entry stub of the calling CPU; its TSS and stack exist. */
void traps_init_cpu(unsigned int cpu);

static inline bool guest_mode(const struct cpu_user_regs *regs)
{
	return regs->cs & 3;
}

/* To the log, by printk, or gprintk for a guest's. */
typedef void (*print_fn)(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void dump_regs(print_fn out, const struct cpu_user_regs *regs);

/* From entry.S */
void do_exception(struct cpu_user_regs *regs);
void do_guest_int80(struct cpu_user_regs *regs);
void do_nmi(struct cpu_user_regs *regs);
void do_ist_debug(struct cpu_user_regs *regs);
void do_fatal(struct cpu_user_regs *regs) __noreturn;
#endif
#endif
