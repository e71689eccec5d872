/* SPDX-License-Identifier: MIT */
/*
 * Instructions of the hypervisor that may fault on what a guest gave, and where
 * to go on then. A fault handler (#PF, #GP and others taken in ring 0) asks
 *
 *	uint64_t fixup = extable_search(regs->rip);
 *	if (fixup) { regs->rip = fixup; return; }
 *
 * The registers are as they were at the fault; the fixup code turns them into
 * an error return.
 */
#ifndef X86_EXTABLE_H
#define X86_EXTABLE_H

#ifdef __ASSEMBLER__
.macro EXTABLE from, to
	.pushsection __ex_table, "aw", @progbits
	.balign 8
	.quad \from, \to
	.popsection
.endm
#else
#include "lib/types.h"

/* For inline assembly. */
#define EXTABLE(from, to) \
	".pushsection __ex_table, \"aw\", @progbits\n\t.balign 8\n\t.quad " #from ", " #to "\n\t.popsection\n\t"

void extable_init(void);                 /* sorts it; before the first fault */
uint64_t extable_search(uint64_t rip);   /* 0: none, the fault is a bug */
#endif
#endif
