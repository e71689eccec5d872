/* SPDX-License-Identifier: MIT */
/*
 * CPUID of a PVH guest: what PV guests are told, which leaves out what is nobody's here, and what only a
 * guest with its own page tables and privileged mode can have. No SVM, no MTRRs, no counters, no protection keys.
 */
#include "hvm/private.h"
#include "lib/string.h"
#include "pv/trap.h"
#include "x86/processor.h"
#include <xen/arch-x86/cpuid.h>

#define F1_EDX_OWN (1u << 1 | 1u << 3 | 1u << 13 | 1u << 16 | 1u << 17) /* VME, PSE, PGE, PAT, PSE36 */
#define F1_ECX_PCID (1u << 17)
#define F1_ECX_X2APIC (1u << 21)
#define F1_ECX_XSAVE (1u << 26)
#define F1_ECX_OSXSAVE (1u << 27)
#define F7_EBX_OWN (1u << 0 | 1u << 7 | 1u << 10 | 1u << 20) /* FSGSBASE, SMEP, INVPCID, SMAP */
#define F7_ECX_OWN (1u << 2)                                 /* UMIP */
#define E1_EDX_OWN (1u << 26)                                /* 1 GiB pages */
#define E1_EDX_COMMON (1u << 1 | 1u << 3 | 1u << 13 | 1u << 16 | 1u << 17)
#define GUEST_PHYS_BITS 40u                                  /* p2m/ */

static void add_machine_bits(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	uint32_t m[4];

	cpuid_count(leaf, sub, &m[0], &m[1], &m[2], &m[3]);
	switch (leaf) {
	case 1:
		r[2] |= m[2] & F1_ECX_PCID;
		r[3] |= m[3] & F1_EDX_OWN;
		break;
	case 7:
		if (sub == 0) {
			r[1] |= m[1] & F7_EBX_OWN;
			r[2] |= m[2] & F7_ECX_OWN;
		}
		break;
	case 0x80000001u:
		r[3] |= m[3] & (E1_EDX_OWN | E1_EDX_COMMON);
		break;
	}
}

static void own_leaf(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	switch (leaf) {
	case 1:
		r[1] = (r[1] & 0xffff) | v->vcpu_id << 24;
		r[2] = (r[2] & ~F1_ECX_OSXSAVE) | F1_ECX_X2APIC;
		if ((r[2] & F1_ECX_XSAVE) && (vmcb_of(v)->cr4 & CR4_OSXSAVE))
			r[2] |= F1_ECX_OSXSAVE;
		return;
	case 0xb:
		/* Each a package of one core with one thread. */
		r[0] = 0;
		r[1] = sub < 2 ? 1 : 0;
		r[2] = (sub & 0xff) | (sub < 2 ? (sub + 1) << 8 : 0);
		r[3] = v->vcpu_id;
		return;
	case 0x80000008u:
		r[0] = (r[0] & ~0xffu) | GUEST_PHYS_BITS;
		return;
	}
}

static void hypervisor_leaf(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	switch (leaf - XEN_CPUID_FIRST_LEAF) {
	case 2:
		r[2] = 0;
		return;
	case 4:
		if (sub != 0)
			return;
		r[0] = XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT;
		r[1] = v->vcpu_id;
		r[2] = v->domain->domid;
		return;
	case 5:
		memset(r, 0, 4 * sizeof(*r));
		return;
	}
}

void hvm_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	pv_cpuid(v, leaf, sub, r);
	if (leaf >= XEN_CPUID_FIRST_LEAF && leaf <= XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES)) {
		hypervisor_leaf(v, leaf, sub, r);
		return;
	}
	add_machine_bits(leaf, sub, r);
	own_leaf(v, leaf, sub, r);
}
