/* SPDX-License-Identifier: MIT */
/* The machine-to-physical table: guests read it, the hypervisor alone writes it. */
#include "mm/hv_pagetable.h"
#include "pv/mmu_private.h"

void m2p_set(mfn_t m, uint64_t gfn_nr)
{
	if (m.m < max_page)
		WRITE_ONCE(m2p_rw[m.m], gfn_nr);
}

uint64_t m2p_get(mfn_t m) { return m.m < max_page ? m2p_rw[m.m] : ~0ULL; }
