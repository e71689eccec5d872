/* SPDX-License-Identifier: MIT */
/* A new domain's memory: which machine frames it got, and writing to them. */
#ifndef BUILD_DOMMEM_H
#define BUILD_DOMMEM_H

#include "build/pvh_layout.h"
#include "transport/transport.h"

struct dommem {
	struct transport *t;
	uint32_t domid;
	uint64_t nr_pages;
	uint64_t *p2m;      /* mfn of each pfn; of a PVH domain, of each index (build/pvh_layout.h) */
};

/* Allocates them all, in 2 MiB pieces as far as there are any. */
int dommem_populate(struct transport *t, uint32_t domid, uint64_t nr_pages, struct dommem *ret,
                    struct pvctl_error *err);
int dommem_populate_pvh(struct transport *t, uint32_t domid, const struct pvh_layout *l, struct dommem *ret,
                        struct pvctl_error *err);
/* len bytes at pseudo-physical address addr; contiguous machine memory in one piece. */
int dommem_write(const struct dommem *m, uint64_t addr, const void *src, uint64_t len, struct pvctl_error *err);
/* Has the host allocate them all, unless the node overcommits: they are there before the domain runs, or -ENOMEM. */
int dommem_back(const struct dommem *m, struct pvctl_error *err);
void dommem_free(struct dommem *m);

#endif
