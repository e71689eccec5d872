/* SPDX-License-Identifier: MIT */
/* The PV part of a vCPU, embedded in struct vcpu, and of a domain. */
#ifndef DOMAIN_VCPU_PV_H
#define DOMAIN_VCPU_PV_H
#include "lib/types.h"
#include "x86/page.h"
#include "x86/spinlock.h"
#include <xen/xen.h>

struct page_info;
struct xsave_area;
struct shadow;

#define GDT_GUEST_PAGES 14 /* FIRST_RESERVED_GDT_PAGE */
#define LDT_MAX_PAGES 16
#define FAST_SLOTS_MAX 16

struct pv_vcpu {
	/* --- hot: system call and exception bounce (entry/bounce.S uses these) --- */
	uint64_t kernel_sp, kernel_ss;      /* stack_switch */
	uint64_t fast_sp;                   /* kernel_sp, where bounce.S may push without asking C; else 0 */
	uint64_t syscall_cb, event_cb, failsafe_cb, syscall32_cb, sysenter_cb; /* callback_op */
	uint8_t kernel_mode;                /* 1: guest kernel, 0: guest user */
	uint8_t syscall_mask_events, event_mask_events, failsafe_mask_events, sysenter_mask_events, syscall32_mask_events;
	uint8_t iopl;                       /* virtual IOPL, 0..3 */
	uint8_t nmi_pending;                /* PENDING_*, changed atomically, by anybody */
	uint8_t fast_root;                  /* root.c: the user root can be opened for the kernel */
	uint8_t fast_iret;                  /* no IOPL in the frames, no NMI being handled: bounce.S may do it */
	uint8_t in_nmi;                     /* between the NMI's frame and its iret: no other NMI */
	uint64_t cr3_kernel, cr3_user;      /* physical addresses of this vCPU's roots */
	uint64_t *root_kernel, *root_user;  /* the same, in the direct map */
	/* The kernel's half in the user root (pv/root_fast.c): while fast_root, these slots of root_user
	 * hold fast_user[]; with fast_kernel[] in them instead (root_opened) the kernel can run on it. */
	uint8_t root_opened, fast_nr;
	uint8_t fault_again_nr;               /* of faults in the hypervisor that nothing was missing for, one after the other: */
	uint64_t fault_again, fault_again_at; /* the address, and when */
	uint16_t fast_slot[FAST_SLOTS_MAX];
	uint64_t fast_kernel[FAST_SLOTS_MAX], fast_user[FAST_SLOTS_MAX];
	uint32_t fast_low_diff;             /* slots below 256 in which the two roots differ */
	uint8_t fast_list_ok;               /* fast_slot[] has all slots above that differ */
	spinlock_t root_lock;               /* contents of the two roots against other CPUs */
	/* --- address space (pv/root.c, pv/mmuext.c) --- */
	struct page_info *base;             /* guest's kernel L4; a type reference is held; may be NULL */
	struct page_info *user_base;        /* guest's user L4; may be NULL */
	uint64_t groups_kernel, groups_user;/* 8-entry groups in use in the two roots */
	/* --- descriptors (pv/descriptors.c) --- */
	uint64_t gdt_frames[GDT_GUEST_PAGES]; /* machine frames */
	uint32_t gdt_entries;
	uint32_t ldt_entries;
	uint64_t ldt_base;                  /* guest virtual; pages mapped on demand */
	uint32_t ldt_mapped;                /* bit i: page i of the LDT window is mapped */
	pte_t *pervcpu_l1;                  /* maps GDT_VIRT and LDT_VIRT; 512 entries */
	void *pervcpu_l2, *pervcpu_l3;
	/* --- traps --- */
	struct trap_info *traps;            /* 256 entries */
	uint64_t nmi_cb;
	/* --- registers that the guest sets by hypercall or by emulation --- */
	uint64_t cr0_guest;                 /* TS as fpu_taskswitch set it, and the rest as shown */
	uint64_t cr2;                       /* not used: arch.cr2 in vcpu_info */
	uint64_t cr4_guest;
	uint64_t fs_base, gs_base_kernel, gs_base_user; /* valid while not running */
	uint16_t ds, es, fs, gs;
	uint64_t dr[4], dr6, dr7;
	uint64_t tsc_aux;
	/* --- FPU --- */
	struct xsave_area *xsave;
	uint64_t xcr0;
	uint64_t fpu_cpu;                   /* 1 + CPU whose FPU registers still hold its state; 0: none */
	uint64_t iobmp; uint32_t iobmp_nr;  /* set_iobitmap: guest virtual address */
};

struct pv_domain {
	uint64_t vm_assist;                 /* VMASST_TYPE_* bits */
	uint64_t l4_groups;                 /* bit i: some L4 table had an entry among 8*i..8*i+7 */
	/* Of a dying domain: frames no longer pinned; those given up that others still refer to. */
	uint32_t unpinned_list, relinquished_list;
	uint64_t hypercall_page_done;
	struct cpu_policy *cpu_policy;      /* what CPUID says, if the tools set it; else NULL */
	struct shadow *shadow;              /* pv/shadow.h; NULL: the hardware walks the guest's own tables */
};
#endif
