/* SPDX-License-Identifier: MIT */
#include "hvm/private.h"
#include "p2m/paging.h"
#include "x86/traps.h"

/* v is current: its CR3 and the like are in the VMCB since its turn ended. */
void hvm_guest_paging(const struct vcpu *v, struct guest_paging *p)
{
	const struct vmcb *b = vmcb_of(v);

	*p = (struct guest_paging){ .cr0 = b->cr0, .cr3 = b->cr3, .cr4 = b->cr4, .efer = b->efer, .rflags = b->rflags | (v->hvm->fetching ? FLAGS_AC : 0) };
}
