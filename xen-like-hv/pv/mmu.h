/* SPDX-License-Identifier: MIT */
/*
 * Direct paging: page types, references by page table entries, the roots.
 * -EINTR/-ERESTART_HC: preempted, call again to go on where it stopped.
 */
#ifndef PV_MMU_H
#define PV_MMU_H
#include "domain/domain.h"
#include "mm/frametable.h"

/* A reference to the page as being of a type (PGT_l1..PGT_writable): 0, -EINVAL (wrong use),
 * -EBUSY (of another type now), -ERESTART_HC (only if preemptible). */
int get_page_type(struct page_info *pg, uint64_t type, bool preemptible);
int put_page_type(struct page_info *pg, bool preemptible);
int get_page_and_type(struct page_info *pg, struct domain *d, uint64_t type);
void put_page_and_type(struct page_info *pg);

/* Grant mapping: install an L1 entry in current's tables for a frame whose
 * references the caller already holds (grant/map.c). linear: host_addr is a
 * virtual address; else (contains_pte) the machine address of an L1 entry. */
int pv_grant_map_pte(struct vcpu *v, uint64_t host_addr, bool contains_pte, mfn_t frame, bool readonly, uint64_t avail_bits);
/* Removes it after checking that it still maps frame; unmap_and_replace puts the entry of
 * new_addr there instead (new_addr 0: clear). Flushes the TLB. 0, -EINVAL... */
int pv_grant_unmap_pte(struct vcpu *v, uint64_t host_addr, bool contains_pte, mfn_t frame, bool readonly, uint64_t new_addr);

/* pv/root.c */
int pv_root_init_vcpu(struct vcpu *v);        /* its two roots and descriptor area */
void pv_root_destroy_vcpu(struct vcpu *v);
int pv_set_base(struct vcpu *v, mfn_t m, bool user, bool preemptible); /* new_guest_cr3: takes and drops type references */
void pv_drop_bases(struct vcpu *v);           /* domain teardown */
void toggle_guest_mode(struct vcpu *v);       /* current: kernel <-> user, GS base and CR3 (C form; the hot paths do it in bounce.S) */
/* An L4 entry of a live L4 changed: bring it to every root made from that L4. */
void pv_root_sync_entry(struct domain *d, struct page_info *l4, unsigned int slot, uint64_t new_entry);
/* On v's CPU, interrupts off, before anybody may find v not running: what pv_mmu_switch_to loaded is to be let go. */
void pv_mmu_switch_from(struct vcpu *v);
void pv_init_idle_root(unsigned int cpu);
/* Interrupts off, with the switch to v: its root into CR3, the idle root for an idle vCPU. */
void pv_mmu_switch_to(struct vcpu *v);
/* To a vCPU of d with nested tables: the hypervisor runs on the idle root, and the CPU counts as one that has d's translations. */
void mmu_switch_to_hvm(struct domain *d);

/* A page fault taken by a guest: true if handled (writable-page-table emulation,
 * a spurious fault, LDT page demand mapping) and the guest may go on. */
bool pv_mmu_fault(struct cpu_user_regs *regs, uint64_t addr, uint32_t error_code);

/* A fault of the hypervisor's own access to current's memory, interrupts on. true: it may go through now. */
bool pv_fault_in(uint64_t addr, uint32_t error_code);
/* Current's guest ran an INT3 at addr, or what an emulator took for one. */
void pv_breakpoint(uint64_t addr);

/* Demand mapping of an LDT page: also for a fault of the hypervisor's own iret. Interrupts on. */
bool pv_ldt_fault(struct vcpu *v, uint64_t addr);
/* Finishes what a preempted call left in v->partial_page: 0 or -ERESTART_HC. */
int pv_finish_partial(struct vcpu *v);

/* Lets the kernel run on the user root, without a CR3 write (fast_root is set), and back (CR3 written). */
void root_open_kernel(struct vcpu *v);
void root_close_kernel(struct vcpu *v);
uint64_t pv_idle_cr3(unsigned int cpu);

/* Domain teardown: drop pins, bases and all page references; 0 or -ERESTART_HC. */
int pv_relinquish_memory(struct domain *d);

/* Descriptor pages, pv/descriptors.c */
int pv_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned int entries);
void pv_destroy_gdt(struct vcpu *v);
bool pv_fix_descriptor(uint64_t *desc); /* makes it safe (DPL 3, no gates, no hv limits); false: refused */
void pv_invalidate_ldt(struct vcpu *v); /* true work only if pages are mapped */

long do_mmu_update(unsigned long ureqs, unsigned long count, unsigned long pdone, unsigned long foreigndom);
long do_mmuext_op(unsigned long uops, unsigned long count, unsigned long pdone, unsigned long foreigndom);
long do_update_va_mapping(unsigned long va, unsigned long val, unsigned long flags);
long do_update_va_mapping_otherdomain(unsigned long va, unsigned long val, unsigned long flags, unsigned long domid);
long do_set_gdt(unsigned long frame_list, unsigned long entries);
long do_update_descriptor(unsigned long pa, unsigned long desc);
long do_vm_assist(unsigned long cmd, unsigned long type);
void vm_assist_set(struct domain *d, uint64_t bits); /* all of them: what is not known is left out */

/* The machine-to-physical table, writable view: m2p[mfn] = gfn. */
void m2p_set(mfn_t m, uint64_t gfn);
uint64_t m2p_get(mfn_t m);
#endif
