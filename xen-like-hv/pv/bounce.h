/* SPDX-License-Identifier: MIT */
/* Inside the trap code of pv/: frames for the guest kernel, its CPU state. */
#ifndef PV_BOUNCE_H
#define PV_BOUNCE_H
#include "pv/trap.h"
#include "x86/processor.h"
#include "x86/traps.h"

#define BOUNCE_MASK_EVENTS 1u /* the upcall mask is set while the handler runs */
#define BOUNCE_ERROR_CODE 2u  /* a word above rip */
#define BOUNCE_FAILSAFE 4u    /* four words with ds, es, fs, gs above rip */

/*
 * Makes current continue in its guest kernel at handler, with a frame of
 * guest_regs() on its kernel stack. A stack that cannot be written is the
 * guest's end. sel: the four words of a failsafe frame.
 */
void pv_bounce(uint64_t handler, unsigned int flags, uint32_t error_code, const uint16_t sel[4]);
/* `int vector` by current: through the trap table if it may, else #GP; rip is at the instruction. */
void pv_software_interrupt(struct cpu_user_regs *regs, uint8_t vector, unsigned int length);
/* Crashes current's domain with its registers in the log. */
void pv_crash_current(const char *why);

/* Recomputes what bounce.S may do for current: after a change of callbacks, kernel_sp, vm_assist, NMI state. */
void pv_update_fast_paths(void);
bool pv_architectural_iopl(const struct vcpu *v);

/* v->pv.nmi_pending: what the exit path is to look at, besides events. */
#define PENDING_NMI 1u
#define PENDING_FAILSAFE 2u /* a segment register could not be loaded: v->pv.ds .. gs */
#define PENDING_FAST_PATHS 4u /* something changed that pv_update_fast_paths looks at */

/* context.c: a fault of the hypervisor's on guest memory, interrupts off: true if it is worth another try. */
bool pv_retry_guest_access(void);
/* toggle_guest_mode, which wants no interrupt while it changes the loaded root. */
void pv_toggle_mode(struct vcpu *v);

/* m2p_strict would hide the table from user mode; that is not done, so it is refused. */
#define PV_VM_ASSIST_KNOWN \
	((1UL << VMASST_TYPE_4gb_segments) | (1UL << VMASST_TYPE_4gb_segments_notify) | \
	 (1UL << VMASST_TYPE_writable_pagetables) | (1UL << VMASST_TYPE_pae_extended_cr3) | \
	 (1UL << VMASST_TYPE_architectural_iopl) | (1UL << VMASST_TYPE_runstate_update_flag))

/* context.c: by way of what the CPU is known to hold; the switch to another vCPU relies on that. */
void cpu_set_tsc_aux(uint64_t val);

/* stack_segment.c. They act on the CPU: v is current, or being switched. -EINVAL: not canonical. */
/* A guest may have it off, for its user mode's sake. */
static inline bool cpu_fsgsbase_works(void)
{
	return this_cpu(cpu_cr4) & CR4_FSGSBASE;
}
uint64_t cpu_get_fs_base(void);
void cpu_set_fs_base(uint64_t base);
uint64_t cpu_get_gs_base(void);
void cpu_set_gs_base(uint64_t base);
uint16_t fix_selector(uint64_t sel); /* RPL 3, unless null */

/* debugreg.c. 4 and 5 are other names of 6 and 7, unless the guest's CR4.DE is set. */
bool pv_debugreg_exists(const struct vcpu *v, unsigned long reg);
/* value may be anything: 0, -EPERM, -EINVAL. v is current or does not run. */
int pv_set_debugreg(struct vcpu *v, unsigned int reg, uint64_t value);
void debugreg_switch_from(const struct vcpu *v);
void debugreg_switch_to(const struct vcpu *v);
#define DR6_INIT 0xffff0ff0UL
#define DR7_INIT 0x400UL

/* fpu.c */
int fpu_init_vcpu(struct vcpu *v);
void fpu_destroy_vcpu(struct vcpu *v);
void fpu_switch_from(struct vcpu *v);
void fpu_switch_to(struct vcpu *v);
void fpu_set_ts(struct vcpu *v, bool ts);             /* v is current */
void fpu_set_legacy(struct vcpu *v, const void *fx);  /* 512 bytes, FXSAVE format; NULL: initial state */
void fpu_get_legacy(const struct vcpu *v, void *fx);
int fpu_set_xcr0(struct vcpu *v, uint64_t xcr0);      /* v is current: 0 or -EINVAL */

/* For the tools; v is paused. Area: what XSAVE writes in its standard form, for the components of fpu_get_xcr0_accum. */
uint32_t fpu_xstate_bytes(uint64_t xcr0);
uint64_t fpu_get_xcr0_accum(const struct vcpu *v);    /* 0: no XSAVE */
void fpu_get_xstate(const struct vcpu *v, void *buf); /* fpu_xstate_bytes(fpu_get_xcr0_accum(v)) */
/* area may be anything, standard or compacted; bytes 0: all in the initial state. 0 or -EINVAL, then v is as it was. */
int fpu_set_xstate(struct vcpu *v, uint64_t xcr0, uint64_t accum, const void *area, uint64_t bytes);

/* From entry.S. */
void pv_syscall64(struct cpu_user_regs *regs);
void pv_syscall32(struct cpu_user_regs *regs);
void pv_sysenter(struct cpu_user_regs *regs);
void pv_bounce_failed(struct cpu_user_regs *regs);
void pv_failed_iret(struct cpu_user_regs *regs);

/* callback.c: current's handlers, checked. */
int pv_register_callback(unsigned int type, unsigned int flags, uint64_t address);

/* emul_priv.c: CR4 as a guest sees it, of what it asked for. */
uint64_t pv_fix_cr4(const struct vcpu *v, uint64_t cr4);
uint64_t pv_hardware_cr4(const struct vcpu *v); /* while v is in the CPU */
#define CR0_GUEST 0x80050033UL /* PG AM WP NE ET MP PE; TS comes and goes */
#endif
