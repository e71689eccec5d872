/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's registers as vcpu_guest_context has them, as far as it does: for debuggers, and for tools that change what a
 * call returns. hvm/state.c has all.
 */
#include "hvm/private.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "pv/bounce.h"
#include "x86/traps.h"

void hvm_get_context(const struct vcpu *v, struct vcpu_guest_context *c)
{
	const struct vmcb *b = vmcb_of(v);
	struct cpu_user_regs *r = &c->user_regs;

	memset(c, 0, sizeof(*c));
	c->flags = VGCF_i387_valid | (b->cpl == 0 ? VGCF_in_kernel : 0);
	fpu_get_legacy(v, &c->fpu_ctxt);
	*r = v->regs;
	r->error_code = 0;
	r->entry_vector = 0;
	r->cs = b->cs.sel;
	r->ss = b->ss.sel;
	r->ds = b->ds.sel;
	r->es = b->es.sel;
	r->fs = b->fs.sel;
	r->gs = b->gs.sel;
	c->fs_base = b->fs.base;
	c->gs_base_kernel = b->cpl == 0 ? b->gs.base : b->kernel_gs_base;
	c->gs_base_user = b->cpl == 0 ? b->kernel_gs_base : b->gs.base;
	c->ctrlreg[0] = b->cr0;
	c->ctrlreg[2] = b->cr2;
	c->ctrlreg[3] = b->cr3;
	c->ctrlreg[4] = b->cr4;
	for (unsigned int i = 0; i < 4; i++)
		c->debugreg[i] = v->pv.dr[i];
	c->debugreg[6] = b->dr6;
	c->debugreg[7] = v->pv.dr7;
}

/* General registers alone: with the others go hidden parts that this form has not. */
int hvm_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
	struct cpu_user_regs *to = &v->regs;
	const struct cpu_user_regs *r = &c->user_regs;

	if (!v->is_initialised || ((r->rflags & FLAGS_VM) && (vmcb_of(v)->efer & EFER_LMA)))
		return -EINVAL;
	memcpy(to, r, offsetof(struct cpu_user_regs, error_code));
	to->rip = r->rip;
	to->rsp = r->rsp;
	to->rflags = (r->rflags & HVM_RFLAGS) | 2;
	return 0;
}
