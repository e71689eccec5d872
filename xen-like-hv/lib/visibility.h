/* SPDX-License-Identifier: MIT */
/*
 * Included first in every file of the hypervisor (mk/hv.mk): what is declared is
 * in the image itself, so no address of it goes through a global offset table,
 * which a static image at this address could not have.
 */
#ifndef LIB_VISIBILITY_H
#define LIB_VISIBILITY_H
#ifndef __ASSEMBLER__
#pragma GCC visibility push(hidden)
#endif
#endif
