/* SPDX-License-Identifier: MIT */
/*
 * A domain that is being restored. All of the stream is somebody's wish: frames are those that the hypervisor gave this
 * domain, and it looks at each page table before it becomes one. All that this process writes into the domain's memory
 * it writes before the first table is pinned: later it could change what was looked at.
 */
#ifndef SAVE_RESTORE_H
#define SAVE_RESTORE_H

#include "save/private.h"

struct vcpu_state {
	vcpu_guest_context_t *basic;
	uint8_t *blob[HV_VCPU_BLOBS];
	uint32_t len[HV_VCPU_BLOBS];
	uint64_t offset;           /* of its first record */
};
struct restorer;
/* What PV and PVH domains differ in. */
struct restore_machine {
	bool pvh;
	/* As hv_populate; pfns: the guest's numbers. */
	int (*populate)(struct restorer *s, unsigned int order, const uint64_t *pfns, uint64_t *ret_mfns, uint32_t n, struct pvctl_error *err);
	int (*release)(struct restorer *s, uint64_t pfn, struct pvctl_error *err);
	int (*make_room)(struct restorer *s, uint64_t pfn, struct pvctl_error *err); /* for one beyond n, or a refusal */
	const char *(*missing)(const struct restorer *s);   /* the record that did not come; NULL: all are there */
	/* All of memory is there: what is to be written in it, and s->rings. Then nothing of it is written any more. */
	int (*finish_memory)(struct restorer *s, struct pvctl_error *err);
	int (*finish_vcpus)(struct restorer *s, struct pvctl_error *err);
};
extern const struct restore_machine restore_pv, restore_pvh;

struct restorer {
	struct pvctl *ctx;
	struct transport *t;
	const struct pvctl_restore_opts *o;
	const struct pvctl_config *override;
	const struct restore_machine *machine;
	struct stream_reader r;
	struct pvctl_config *own;  /* of PVCTL_CONFIG */
	struct hv_policy *policy;
	struct create_plan plan;
	bool planned, made;
	uint32_t domid;

	uint64_t n;                /* pfns */
	uint64_t populated;
	uint64_t *p2m;             /* NO_FRAME: none */
	uint8_t *type;
	uint64_t *origin;          /* offset of the record that a pfn came with last */
	uint64_t n_reserve, *reserve; /* of each 2 MiB of pfns: the frames that wait for them, from this one on; NO_FRAME: none */
	uint8_t *taken;            /* bit of a pfn: of those there, it has its frame, or had it */
	uint64_t n_frames, *frame; /* pfns of the guest's own table */
	uint64_t p2m_offset;
	uint8_t *piece;            /* pages on their way */

	struct vcpu_state *vcpu;   /* plan.maxvcpus */
	struct shared_info *shared_info; /* the saved one's copy */
	struct rec_hvm_params *params;
	uint64_t params_offset;
	void *context;             /* of HVM_CONTEXT */
	uint32_t context_len;
	uint64_t context_offset;
	struct rec_tsc tsc;
	bool has_tsc;
	uint64_t shared_info_mfn, start_info_pfn;
	struct proto_introduce rings;
};

/* restore_pages.c */
int restore_p2m_record(struct restorer *s, struct pvctl_error *err);
int restore_page_record(struct restorer *s, struct pvctl_error *err);
/* There are no more of them: what was reserved for nothing goes back. */
int restore_pages_end(struct restorer *s, struct pvctl_error *err);
int restore_grow(struct restorer *s, uint64_t n, struct pvctl_error *err);
/* How many pfns its memory may be spread over. */
int restore_most(struct restorer *s, uint64_t *ret, struct pvctl_error *err);
/* restore_pvh.c */
int restore_hvm_record(struct restorer *s, struct pvctl_error *err);
/* restore_finish.c: what the stream brought becomes a domain that could run */
int restore_finish(struct restorer *s, struct pvctl_error *err);
/* restore_vcpu.c */
int restore_vcpu_record(struct restorer *s, struct pvctl_error *err);
int restore_vcpus(struct restorer *s, struct pvctl_error *err);
/* The frame of a page of memory that is no page table; NO_FRAME. */
uint64_t restore_plain_frame(const struct restorer *s, uint64_t pfn);

#endif
