/* SPDX-License-Identifier: MIT */
/* What the files of save/ share. */
#ifndef SAVE_PRIVATE_H
#define SAVE_PRIVATE_H

#include "domain/private.h"
#include "hv/state.h"
#include "save/io.h"

#define NO_FRAME (~0ull)

struct saver;
/* What PV and PVH domains differ in. */
struct save_machine {
	uint32_t domain;           /* LIBXC_DOMAIN_* */
	int (*static_records)(struct saver *s, struct pvctl_error *err); /* before the policies; NULL: none */
	/* What each pfn is now, and how many there are, which the first time says for all: p2m, type and pfn_of. */
	int (*read_frames)(struct saver *s, struct pvctl_error *err);
	/* The record that says where the guest has its list of them, unless it was told already; NULL: it has none. */
	int (*tell_frames)(struct saver *s, struct pvctl_error *err);
	/* frame: of the batch that was copied, n at most SAVE_COPY_PAGES. gone: it is not the domain's there any more. */
	int (*look_again)(struct saver *s, const uint64_t *frame, uint32_t n, bool *gone, struct pvctl_error *err);
	int (*state_records)(struct saver *s, struct pvctl_error *err); /* all that is not memory, but for the clock */
};
extern const struct save_machine save_pv, save_pvh;

#define SAVE_AHEAD 64u /* pages that are read at once, where they are in order */
#define SAVE_COPY_PAGES (STREAM_WRITE_PAGES + SAVE_AHEAD)

/* A domain that is being saved. Its memory is a guest's: what is found there is copied once, and then checked. */
struct saver {
	struct pvctl *ctx;
	struct transport *t;
	const struct save_machine *machine;
	uint32_t domid, max_vcpu;
	uint64_t shared_info_mfn, tot_pages;
	uint64_t n;                /* pfns */
	uint64_t *p2m;             /* of each pfn: its frame, the domain's own, or NO_FRAME */
	uint8_t *type;             /* enum pfn_type */
	uint32_t *pfn_of;          /* of each frame up to max_mfn: its pfn and 1; 0: none */
	uint64_t max_mfn;
	uint64_t n_frames, *frame; /* the frames that the guest's own table is in */
	struct pvctl_config *begun; /* its configuration when all this began */
	bool final;                /* it does not run any more */
	bool was_suspended;        /* before: then it stays so */
	bool ours;                 /* suspended for us: what others have suspended is not ours to let go on */
	bool keep_domid;

	struct stream_writer w;
	uint64_t *list;            /* of a batch */
	struct iovec *iov;
	int n_iov;
	uint32_t n_list;
	uint8_t *copy;             /* what the batch's pages had in them, in order; while it runs, until their owner is known */
	uint64_t *copy_mfn;
	uint32_t n_copy, n_read;   /* looked at, and read */
	uint8_t *sent;             /* bit of a pfn: there is something of it in the stream */
	uint8_t *dirty;            /* bit of a pfn: to be sent */
	uint64_t *sent_mfn;        /* which frame it was; NO_FRAME: it was not sent, or was taken back */
	uint8_t *sent_type;
	uint64_t *told;            /* where the list of frames was said to be */
	bool logging;              /* live: the hypervisor logs what is written */
	bool tied;                 /* and the daemon ends that, should we not */
	uint64_t done_pages;
	struct pvctl_save_stats stats;
};

/*
 * save.c: pvctl_domain_save, after which the log of the domain's writes is on still where it is suspended, so that it need not
 * wait for its end: save_log_end does that. Who forgets it, or dies, has the daemon end it with the connection.
 */
int save_keeping_log(struct pvctl *ctx, uint32_t domid, int fd, const struct pvctl_save_opts *opts, struct pvctl_save_stats *ret,
                     struct pvctl_error *err);
void save_log_end(struct pvctl *ctx, uint32_t domid);
/* config_now.c: its configuration, with memory and vCPUs as it has them now. -EBUSY: it has a device that is not in there. */
int save_config_now(struct pvctl *ctx, uint32_t domid, struct pvctl_config **ret, struct pvctl_error *err);

/* save_frames.c: p2m, type, and pfn_of for n pfns */
int save_frames_room(struct saver *s, uint64_t n, struct pvctl_error *err);
/* pfn_of from p2m. While the guest runs, a frame may be on its way from one pfn to another: then it is sent later. -EPROTO: twice. */
int save_frames_invert(struct saver *s, struct pvctl_error *err);
void save_frames_free(struct saver *s);
uint64_t save_pfn_of(void *saver, uint64_t mfn); /* NO_FRAME: none */
uint64_t save_most_pfns(uint64_t pages); /* that so much memory may be spread over */
int save_frames_bad(const struct saver *s, struct pvctl_error *err, const char *what);

/* save_p2m.c: the guest's own table, and the types of what is in it */
int save_p2m_read(struct saver *s, struct pvctl_error *err);
int save_p2m_tell(struct saver *s, struct pvctl_error *err);

/* save_pages.c */
int save_pages_init(struct saver *s, struct pvctl_error *err);
void save_pages_free(struct saver *s);
/* All that dirty has a bit for. */
int save_pages(struct saver *s, struct pvctl_error *err);

/* save_live.c: before the domain is suspended; afterwards; and whatever happened, before it goes on */
int save_live_rounds(struct saver *s, uint32_t max, struct pvctl_error *err);
int save_live_last(struct saver *s, struct pvctl_error *err);
void save_live_end(struct saver *s);

/* save_state.c */
int save_static_records(struct saver *s, const char *config_json, struct pvctl_error *err);
int save_tsc_record(struct saver *s, struct pvctl_error *err);
int save_wrote(struct saver *s, int rc, struct pvctl_error *err); /* a sink's result */

/* libxl_json.c: xl's form of a configuration, malloc'd, and back */
int libxl_json_make(const struct pvctl_config *c, uint32_t domid, char **ret, struct pvctl_error *err); /* domid 0: any */
int libxl_json_parse(const char *text, struct pvctl_config **ret, struct pvctl_error *err);
/* The id that the domain is to have. 0: any. */
uint32_t libxl_json_domid(const char *text);

#endif
