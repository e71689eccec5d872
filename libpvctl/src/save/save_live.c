/* SPDX-License-Identifier: MIT */
/*
 * Memory sent while the domain runs. The log of writes says what to send again. A page that is sent may be half old, half
 * new, or another domain's by then: it was written or given away, so it is in the log, or its frame is another when the guest
 * has stopped, and it is sent once more, or taken back. Nothing that was sent before that counts by itself.
 */
#include "save/private.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ROUNDS 30u
#define STOP_NS 30000000ull  /* what is left would take so long: now the guest is stopped */
#define STOP_PAGES 128u
#define FLAT_ROUNDS 3u       /* so often no fewer pages than before: it writes as fast as we send */

static int read_log(struct saver *s, uint64_t *ret_n, struct pvctl_error *err)
{
	size_t bytes = (s->n + 7) / 8, i;
	uint8_t *log = calloc(1, bytes + 8);
	int rc;

	if (!log)
		return err_nomem(err);
	rc = hv_logdirty_read(s->t, s->domid, true, log, s->n, err);
	*ret_n = 0;
	for (i = 0; i < bytes && !rc; i++) {
		s->dirty[i] |= log[i];
		*ret_n += (uint64_t)__builtin_popcount(s->dirty[i]);
	}
	free(log);
	return rc;
}

static int tell_frames(struct saver *s, struct pvctl_error *err)
{
	return s->machine->tell_frames ? s->machine->tell_frames(s, err) : 0;
}

/* Worth another round while the guest runs? */
static bool go_on(const struct saver *s, uint64_t left, uint64_t before, uint64_t sent, uint64_t ns, uint32_t max, unsigned int *flat)
{
	uint64_t per_page = sent ? ns / sent : 0;

	*flat = left < before ? 0 : *flat + 1;
	return left > STOP_PAGES && left * per_page > STOP_NS && s->stats.rounds < max && *flat < FLAT_ROUNDS;
}

static int rounds(struct saver *s, uint32_t max, struct pvctl_error *err)
{
	uint64_t left = s->n, before, start, sent;
	unsigned int flat = 0;
	int rc;

	do {
		start = ctx_now_ns();
		sent = s->stats.pages;
		before = left;
		rc = save_pages(s, err);
		s->stats.rounds++;
		sent = s->stats.pages - sent;
		start = ctx_now_ns() - start;
		if (!rc)
			rc = read_log(s, &left, err);
		if (rc || !go_on(s, left, before, sent, start, max, &flat))
			return rc;
		rc = s->machine->read_frames(s, err);
		if (!rc)
			rc = tell_frames(s, err);
	} while (!rc);
	return rc;
}

/* The log is to end when we do. A daemon that does not know this leaves it on. */
static int tie_log(struct pvctl *ctx, uint32_t domid, bool on, struct pvctl_error *err)
{
	struct proto_log b = { .domid = domid, .on = on };
	int rc = ctx_request(ctx, PROTO_LOG, &b, sizeof(b), err);

	return rc == -ENOSYS ? 0 : rc;
}

int save_live_rounds(struct saver *s, uint32_t max, struct pvctl_error *err)
{
	int rc = tie_log(s->ctx, s->domid, true, err);

	if (rc)
		return rc;
	s->tied = true;
	rc = hv_logdirty(s->t, s->domid, true, err);
	if (rc)
		return rc;
	s->logging = true;
	rc = s->machine->read_frames(s, err);
	if (!rc)
		rc = save_pages_init(s, err);
	if (!rc)
		rc = tell_frames(s, err);
	return rc ? rc : rounds(s, max ? max : DEFAULT_ROUNDS, err);
}

/* It does not run any more: all that is not as it was sent. */
int save_live_last(struct saver *s, struct pvctl_error *err)
{
	uint64_t pfn, n;
	int rc;

	s->final = true;
	rc = s->machine->read_frames(s, err);
	if (!rc)
		rc = read_log(s, &n, err);
	if (!rc)
		rc = tell_frames(s, err);
	if (rc)
		return rc;
	for (pfn = 0; pfn < s->n; pfn++)
		if (s->p2m[pfn] != s->sent_mfn[pfn] || (s->p2m[pfn] != NO_FRAME && s->type[pfn] != s->sent_type[pfn]))
			s->dirty[pfn >> 3] |= (uint8_t)(1u << (pfn & 7));
	return save_pages(s, err);
}

static void end_log(struct pvctl *ctx, uint32_t domid, bool logging, bool tied)
{
	struct pvctl_error why;

	if (logging && hv_logdirty(ctx->t, domid, false, &why) && why.code != -ESRCH)
		log_msg(&ctx->log, LOG_WARN, "domain %u: %s", domid, why.msg);
	if (tied)
		(void)tie_log(ctx, domid, false, &why);
}

void save_log_end(struct pvctl *ctx, uint32_t domid)
{
	end_log(ctx, domid, true, true);
}

void save_live_end(struct saver *s)
{
	end_log(s->ctx, s->domid, s->logging, s->tied);
	s->logging = s->tied = false;
}
