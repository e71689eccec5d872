/* SPDX-License-Identifier: MIT */
/* Traps, events and privileged instructions of PV guests. */
#ifndef PV_TRAP_H
#define PV_TRAP_H
#include "domain/domain.h"

/* Context switch, interrupts off: CPU state from the CPU into v, and back. guest_regs() is copied by sched/context.c. */
void pv_ctxt_switch_from(struct vcpu *v);
void pv_ctxt_switch_to(struct vcpu *v);

/* Queues an exception for current's guest kernel: the frame is built on the way out, at once. */
void pv_inject_trap(uint32_t vector, uint32_t error_code, bool has_error_code);
void pv_inject_page_fault(uint64_t addr, uint32_t error_code);
/* From the entry path: an interrupt that came while a guest ran. */
void pv_interrupt(unsigned int vector);
/* C part of the exit path (interrupts off): softirqs, pending events -> event callback. */
void pv_exit_work(void);

bool pv_emulate_privileged_op(struct cpu_user_regs *regs);   /* after #GP from guest kernel */
bool pv_emulate_forced_cpuid(struct cpu_user_regs *regs);    /* after #UD */
void pv_cpuid_default(uint32_t leaf, uint32_t sub, uint32_t out[4]); /* of a domain whose tools said nothing */
void pv_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4]);
int pv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *val);   /* 0 or -EPERM: #GP */
int pv_wrmsr(struct vcpu *v, uint32_t msr, uint64_t val);

int pv_init_vcpu(struct vcpu *v);     /* trap table, FPU area; calls pv_root_init_vcpu */
void pv_destroy_vcpu(struct vcpu *v);
/* Full register state in the public form, all of it validated (VCPUOP_initialise, setvcpucontext). */
struct vcpu_guest_context;
int pv_set_context(struct vcpu *v, const struct vcpu_guest_context *c); /* 0, -EINVAL, -ERESTART_HC */
void pv_get_context(struct vcpu *v, struct vcpu_guest_context *c);       /* v is paused */
void pv_fill_hypercall_page(void *page);

long do_set_trap_table(unsigned long traps);
long do_stack_switch(unsigned long ss, unsigned long esp);
long do_set_callbacks(unsigned long event, unsigned long failsafe, unsigned long syscall);
long do_callback_op(unsigned long cmd, unsigned long arg);
long do_fpu_taskswitch(unsigned long set);
long do_set_debugreg(unsigned long reg, unsigned long value);
long do_get_debugreg(unsigned long reg);
long do_set_segment_base(unsigned long which, unsigned long base);
long do_iret(void);
long do_nmi_op(unsigned long cmd, unsigned long arg);
long do_physdev_op(unsigned long cmd, unsigned long arg);
#endif
