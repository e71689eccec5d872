/* SPDX-License-Identifier: MIT */
/*
 * Domains that are destroyed and not gone: somebody maps their pages yet. Who
 * watches @releaseDomain, to see whether the hypervisor still knows one, is told
 * when that is over.
 */
#ifndef PVCTLD_ZOMBIE_H
#define PVCTLD_ZOMBIE_H

#include <stdint.h>

struct daemon;
struct dom;

void zombies_init(struct daemon *d);
void zombies_fini(struct daemon *d);
/* destroydomain is done: frees dom, and fires @releaseDomain now or later. */
void zombie_or_gone(struct dom *dom);
/* Some may have gone. */
void zombies_look(struct daemon *d);

#endif
