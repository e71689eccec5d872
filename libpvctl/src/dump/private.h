/* SPDX-License-Identifier: MIT */
/* What the files of dump/ share. */
#ifndef DUMP_PRIVATE_H
#define DUMP_PRIVATE_H

#include "domain/private.h"
#include "dump/format.h"
#include "save/io.h"

#define DUMP_BATCH 256u

struct dump {
	struct pvctl *ctx;
	struct transport *t;
	const struct dump_machine *machine;
	uint32_t domid;
	struct save_io io;
	struct stream_sink sink;
	bool held;                 /* by the daemon */
	bool can_skip;             /* a file: pages of zeroes stay holes */
	uint64_t skipped;          /* not yet sought over */
	struct xen_domctl_getdomaininfo info;
	struct core_p2m *page;
	uint64_t n, room;
	vcpu_guest_context_t *vcpu;
	uint64_t n_vcpus;
	uint8_t *batch;
};

/* What PV and PVH domains differ in: how their pages are found and named. */
struct dump_machine {
	bool by_gfn;
	int (*find)(struct dump *u, bool stopped, struct pvctl_error *err); /* fills in u->page, sorted by pfn */
	/* gone: it is not the domain's any more, or another lies there. At most DUMP_BATCH. */
	int (*look_again)(struct dump *u, const struct core_p2m *page, uint32_t n, bool *gone, struct pvctl_error *err);
};
extern const struct dump_machine dump_pv, dump_pvh;

/* core.c */
int dump_add(struct dump *u, uint64_t pfn, uint64_t mfn, struct pvctl_error *err);

#endif
