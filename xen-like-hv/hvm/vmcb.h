/* SPDX-License-Identifier: MIT */
/* The virtual machine control block and what goes into it, as AMD's manual (volume 2, appendices B and C) has it. */
#ifndef HVM_VMCB_H
#define HVM_VMCB_H

#define MSR_VM_CR 0xc0010114
#define MSR_VM_HSAVE_PA 0xc0010117
#define EFER_SVME (1UL << 12)

#define VMEXIT_CR8_WRITE 0x018
#define VMEXIT_DR0_READ 0x020
#define VMEXIT_DR0_WRITE 0x030
#define VMEXIT_EXCEPTION 0x040
#define VMEXIT_INTR 0x060
#define VMEXIT_NMI 0x061
#define VMEXIT_SMI 0x062
#define VMEXIT_INIT 0x063
#define VMEXIT_VINTR 0x064
#define VMEXIT_RDPMC 0x06f
#define VMEXIT_CPUID 0x072
#define VMEXIT_IRET 0x074
#define VMEXIT_INVD 0x076
#define VMEXIT_HLT 0x078
#define VMEXIT_INVLPGA 0x07a
#define VMEXIT_IOIO 0x07b
#define VMEXIT_MSR 0x07c
#define VMEXIT_FERR 0x07e
#define VMEXIT_SHUTDOWN 0x07f
#define VMEXIT_VMRUN 0x080
#define VMEXIT_VMMCALL 0x081
#define VMEXIT_VMLOAD 0x082
#define VMEXIT_VMSAVE 0x083
#define VMEXIT_STGI 0x084
#define VMEXIT_CLGI 0x085
#define VMEXIT_SKINIT 0x086
#define VMEXIT_WBINVD 0x089
#define VMEXIT_MONITOR 0x08a
#define VMEXIT_MWAIT 0x08b
#define VMEXIT_MWAIT_ARMED 0x08c
#define VMEXIT_XSETBV 0x08d
#define VMEXIT_NPF 0x400
#define VMEXIT_INVALID (~0ULL)

/* Those of the two words of intercepts: bit of the exit code from VMEXIT_INTR and VMEXIT_VMRUN on. */
#define INTERCEPT1(exit) (1u << ((exit) - VMEXIT_INTR))
#define INTERCEPT2(exit) (1u << ((exit) - VMEXIT_VMRUN))

#define VINTR_TPR 0xffUL
#define VINTR_IRQ (1UL << 8)
#define VINTR_PRIO_SHIFT 16
#define VINTR_IGN_TPR (1UL << 20)
#define VINTR_MASKING (1UL << 24)
#define VINTR_VECTOR_SHIFT 32

#define EVENT_TYPE(e) ((e) >> 8 & 7)
#define EVENT_INTR 0u
#define EVENT_NMI 2u
#define EVENT_EXCEPTION 3u
#define EVENT_SOFT 4u
#define NR_EXCEPTIONS 32u
#define EVENT_ERROR (1UL << 11)
#define EVENT_VALID (1UL << 31)

#define NPT_ENABLED 1UL
#define TLB_FLUSH_ALL 1u

#define NPF_PRESENT (1UL << 0)
#define NPF_WRITE (1UL << 1)
#define NPF_FINAL (1UL << 32)
#define NPF_WALK (1UL << 33) /* the guest's own tables lie there */

/* vmcb_seg.attr: of code */
#define ATTR_L (1u << 9)
#define ATTR_DB (1u << 10)

#ifndef __ASSEMBLER__
#include "lib/types.h"

struct vmcb_seg {
	uint16_t sel, attr; /* attr: bits 40..47 and 52..55 of a descriptor */
	uint32_t limit;
	uint64_t base;
};

struct vmcb {
	/* 0x000: the control area */
	uint16_t cr_read, cr_write, dr_read, dr_write;
	uint32_t exceptions, intercept1, intercept2;
	uint8_t reserved0[0x40 - 0x14];
	uint64_t iopm_pa, msrpm_pa, tsc_offset;
	uint32_t asid;
	uint8_t tlb_control, reserved1[3];
	uint64_t vintr, int_shadow, exit_code, exit_info1, exit_info2, exit_int_info, np_enable;
	uint8_t reserved2[0xa8 - 0x98];
	uint64_t event_inj, n_cr3, lbr;
	uint32_t clean, reserved3;
	uint64_t next_rip;
	uint8_t reserved4[0x400 - 0xd0];
	/* 0x400: the state */
	struct vmcb_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved5[0x4cb - 0x4a0], cpl;
	uint32_t reserved6;
	uint64_t efer;
	uint8_t reserved7[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved8[0x5d8 - 0x580];
	uint64_t rsp, reserved9[3], rax, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved10[0x668 - 0x648];
	uint64_t g_pat;
	uint8_t rest[0x1000 - 0x670];
};
_Static_assert(offsetof(struct vmcb, vintr) == 0x60 && offsetof(struct vmcb, np_enable) == 0x90, "control area");
_Static_assert(offsetof(struct vmcb, next_rip) == 0xc8 && offsetof(struct vmcb, tr) == 0x490, "control area");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4cb && offsetof(struct vmcb, efer) == 0x4d0, "state");
_Static_assert(offsetof(struct vmcb, rip) == 0x578 && offsetof(struct vmcb, rax) == 0x5f8, "state");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640 && offsetof(struct vmcb, g_pat) == 0x668 && sizeof(struct vmcb) == 0x1000, "state");
#endif
#endif
