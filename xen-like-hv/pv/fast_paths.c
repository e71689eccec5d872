/* SPDX-License-Identifier: MIT */
/* What bounce.S may do for a vCPU without asking C. */
#include "pv/bounce.h"
#include "x86/cpu_info.h"
#include "x86/processor.h"

bool pv_architectural_iopl(const struct vcpu *v)
{
	return v->domain->pv.vm_assist >> VMASST_TYPE_architectural_iopl & 1;
}

/* Room for the largest frame below a stack pointer that bounce.S uses unchecked. */
#define FRAME_MAX 128

static bool stack_is_fit(uint64_t sp)
{
	return sp % 16 == 0 && sp >= FRAME_MAX && guest_range_ok(sp - FRAME_MAX, FRAME_MAX);
}

/*
 * Of current alone, as what it is made from changes under nobody else's hands.
 * Made by another CPU of a vCPU that runs, fast_sp could be of a stack that was
 * left, and fast_iret of the time before an NMI, whose end would not be noticed.
 */
void pv_update_fast_paths(void)
{
	struct vcpu *v = current;
	uint64_t sp = v->pv.kernel_sp;
	bool fast = !pv_architectural_iopl(v);

	hv_delay_point("fast paths: read, not yet stored");
	WRITE_ONCE(v->pv.fast_iret, fast && !v->pv.in_nmi);
	if (!fast || !v->pv.syscall_cb || !v->pv.syscall_mask_events || !stack_is_fit(sp))
		sp = 0;
	WRITE_ONCE(v->pv.fast_sp, sp);
}
