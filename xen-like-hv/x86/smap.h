/* SPDX-License-Identifier: MIT */
/*
 * SMAP: with it the hypervisor touches a guest's memory only between SMAP_OPEN
 * and SMAP_CLOSE, stac and clac. Both are undefined instructions on a CPU
 * without it, so they are linked as a nop of three bytes each, which smap_init
 * rewrites.
 *
 * AC belongs to the guest in ring 3, and interrupt gates do not clear it: what
 * comes through the IDT closes, whether from a guest or from between the two.
 * The return to there restores it with rflags, a fixup of the exception table
 * too: it starts open, and has to close.
 */
#ifndef X86_SMAP_H
#define X86_SMAP_H

#ifdef __ASSEMBLER__
.macro SMAP_SITE last
.Lsmap\@:
	.byte 0x0f, 0x1f, 0x00
	.pushsection __smap_sites, "aw", @progbits
	.quad .Lsmap\@, \last
	.popsection
.endm
#define SMAP_OPEN SMAP_SITE 0xcb
#define SMAP_CLOSE SMAP_SITE 0xca
#else
#define SMAP_SITE(last) \
	"661:	.byte 0x0f, 0x1f, 0x00\n\t" \
	".pushsection __smap_sites, \"aw\", @progbits\n\t.quad 661b, " #last "\n\t.popsection\n\t"
#define SMAP_OPEN SMAP_SITE(0xcb)
#define SMAP_CLOSE SMAP_SITE(0xca)

/* On the boot CPU, before anything is read of a guest. */
void smap_init(void);
#endif
#endif
