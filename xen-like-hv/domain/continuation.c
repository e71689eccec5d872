/* SPDX-License-Identifier: MIT */
#include "domain/continuation.h"
#include "domain/domain.h"
#include "lib/errno.h"
#include "lib/string.h"

#define SYSCALL_INSN_BYTES 2
#define VMMCALL_INSN_BYTES 3

struct host_continuation host_continuation;

long hypercall_continuation(unsigned int op, unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4,
			    unsigned long a5)
{
	const unsigned long args[] = { a1, a2, a3, a4, a5 };
	struct cpu_user_regs *regs = guest_regs();
	struct vcpu *v = current;
	unsigned int i;

	if (v->mc.active) {
		v->mc.call.op = op;
		for (i = 0; i < ARRAY_SIZE(args); i++)
			v->mc.call.args[i] = args[i];
		v->mc.preempted = true;
	} else if (is_host_domain(v->domain)) {
		host_continuation.wanted = true;
		memcpy(host_continuation.args, args, sizeof(args));
	} else {
		regs->rax = op;
		regs->rdi = a1;
		regs->rsi = a2;
		regs->rdx = a3;
		regs->r10 = a4;
		regs->r8 = a5;
		regs->rip -= v->hvm ? VMMCALL_INSN_BYTES : SYSCALL_INSN_BYTES;
	}
	return -ERESTART_HC;
}
