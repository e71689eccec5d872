/* SPDX-License-Identifier: MIT */
/* PVH domains: a virtual machine with page tables of its own, Xen's hypercalls and no devices. */
#ifndef HVM_HVM_H
#define HVM_HVM_H
#include "domain/domain.h"

/* Every CPU has SVM and nested paging: PVH domains can be made. */
bool hvm_available(void);
/* On each CPU, once it has its final descriptor tables. */
void hvm_init_cpu(void);

int hvm_init_domain(struct domain *d);     /* d->hvm; 0 or -ENOMEM */
void hvm_free_domain(struct domain *d);
int hvm_init_vcpu(struct vcpu *v);
void hvm_stop_vcpu(struct vcpu *v);        /* it runs no more: no timer may fire for it */
void hvm_destroy_vcpu(struct vcpu *v);

/* v is current; 0 or -EFAULT, -EINVAL ... */
long do_hvm_op(unsigned long cmd, unsigned long arg);
/* v gets an NMI when it runs. */
void hvm_send_nmi(struct vcpu *v);

/* CPUID as v sees it. */
void hvm_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4]);
int hvm_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *val); /* 0 or -EPERM: #GP */
int hvm_wrmsr(struct vcpu *v, uint32_t msr, uint64_t val);

/* state.c: v is paused. The public form; what is set was checked, or -EINVAL. */
struct hvm_hw_cpu;
int hvm_set_cpu(struct vcpu *v, const struct hvm_hw_cpu *c);
void hvm_get_cpu(const struct vcpu *v, struct hvm_hw_cpu *c);
struct hvm_hw_mtrr;
void hvm_get_mtrr(const struct vcpu *v, struct hvm_hw_mtrr *m);
int hvm_set_mtrr(struct vcpu *v, const struct hvm_hw_mtrr *m);
/* context.c: the same in Xen's form for PV domains; what is set are the general registers alone. */
void hvm_get_context(const struct vcpu *v, struct vcpu_guest_context *c);
int hvm_set_context(struct vcpu *v, const struct vcpu_guest_context *c);
/* vlapic_state.c: the registers at their offsets in a page, as a memory-mapped local APIC has them. */
struct hvm_hw_lapic;
struct hvm_hw_lapic_regs;
void hvm_get_lapic(const struct vcpu *v, struct hvm_hw_lapic *l, struct hvm_hw_lapic_regs *r);
/* Is it on, in the one mode that there is here? */
int hvm_check_lapic(const struct vcpu *v, const struct hvm_hw_lapic *l);
int hvm_set_lapic(struct vcpu *v, const struct hvm_hw_lapic_regs *r);

/* How often each reason ended a guest's turn, to the log. */
void hvm_show_exits(void);
#endif
