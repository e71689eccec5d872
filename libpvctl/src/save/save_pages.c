/* SPDX-License-Identifier: MIT */
/*
 * Memory into the stream, by way of a buffer: page tables are translated in it, pages of zeroes are named. While the guest runs a frame may
 * be another's when it is read, so that its owner is asked for behind that. Mapped, the first look at each page would cost a fault: more than
 * all else that is done with it.
 */
#include "save/private.h"
#include "stream/table.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

#define BIT(map, i) ((map)[(i) >> 3] >> ((i) & 7) & 1)
#define SET(map, i) ((map)[(i) >> 3] |= (uint8_t)(1u << ((i) & 7)))
#define CLEAR(map, i) ((map)[(i) >> 3] &= (uint8_t)~(1u << ((i) & 7)))

int save_pages_init(struct saver *s, struct pvctl_error *err)
{
	size_t bytes = (s->n + 7) / 8;
	uint64_t i;

	s->list = malloc(STREAM_WRITE_PAGES * sizeof(*s->list));
	s->iov = malloc((STREAM_WRITE_PAGES + 1) * sizeof(*s->iov));
	s->sent = calloc(1, bytes);
	s->dirty = malloc(bytes);
	s->sent_mfn = malloc(s->n * sizeof(*s->sent_mfn));
	s->sent_type = calloc(1, s->n);
	s->copy = malloc((size_t)SAVE_COPY_PAGES * STREAM_PAGE);
	s->copy_mfn = malloc(SAVE_COPY_PAGES * sizeof(*s->copy_mfn));
	if (!s->list || !s->iov || !s->copy || !s->copy_mfn || !s->sent || !s->dirty || !s->sent_mfn || !s->sent_type)
		return err_nomem(err);
	for (i = 0; i < s->n; i++)
		s->sent_mfn[i] = NO_FRAME;
	memset(s->dirty, 0xff, bytes);
	s->n_iov = 1;
	return 0;
}

void save_pages_free(struct saver *s)
{
	free(s->list);
	free(s->iov);
	free(s->copy);
	free(s->copy_mfn);
	free(s->sent);
	free(s->dirty);
	free(s->sent_mfn);
	free(s->sent_type);
}

static bool is_zero(const void *page)
{
	const uint64_t *p = page;

	return !(p[0] | p[1] | p[2] | p[3] | p[64] | p[511]) && !memcmp(p, p + 4, STREAM_PAGE - 32);
}

/*
 * The guest may have given a frame back since its round began. What was copied from one that is not its own by now may be
 * another domain's, and is not told. That page is sent again, or taken back.
 */
static int drop_what_is_not_own(struct saver *s, struct pvctl_error *err)
{
	bool gone[SAVE_COPY_PAGES];
	uint32_t i;
	int rc;

	if (!s->n_copy || s->final)
		return 0;
	rc = s->machine->look_again(s, s->copy_mfn, s->n_copy, gone, err);
	for (i = 0; i < s->n_copy && !rc; i++)
		if (gone[i]) {
			memset(s->copy + (size_t)i * STREAM_PAGE, 0, STREAM_PAGE);
			SET(s->dirty, s->pfn_of[s->copy_mfn[i]] - 1);
		}
	return rc;
}

static int flush(struct saver *s, struct pvctl_error *err)
{
	int rc = s->n_list ? drop_what_is_not_own(s, err) : 0;

	if (!rc && s->n_list)
		rc = save_wrote(s, stream_write_pages(&s->w, s->list, s->n_list, s->iov, s->n_iov), err);
	s->n_list = s->n_copy = s->n_read = 0;
	s->n_iov = 1;
	return rc;
}

/* Nobody has ever written it, and nothing else was sent of it. */
static bool is_untouched(struct saver *s, uint64_t pfn)
{
	return !BIT(s->sent, pfn) && s->t->ops->untouched && s->t->ops->untouched(s->t, s->p2m[pfn]);
}

/* That one, and those that will be asked for behind it and lie behind it. */
static int read_ahead(struct saver *s, uint64_t pfn, struct pvctl_error *err)
{
	uint64_t mfn = s->p2m[pfn], end = (pfn | (STREAM_WRITE_PAGES - 1)) + 1;
	uint32_t k = 0;
	int rc;

	do
		s->copy_mfn[s->n_read + k] = mfn + k;
	while (++k < SAVE_AHEAD && pfn + k < end && pfn + k < s->n && BIT(s->dirty, pfn + k) && s->p2m[pfn + k] == mfn + k && !is_untouched(s, pfn + k));
	rc = s->t->ops->read_mem(s->t, mfn * STREAM_PAGE, s->copy + (size_t)s->n_read * STREAM_PAGE, (size_t)k * STREAM_PAGE);
	s->n_read += k;
	return rc ? err_os(err, -rc, "reading the domain's memory") : 0;
}

static int read_page(struct saver *s, uint64_t pfn, void **ret, struct pvctl_error *err)
{
	int rc = 0;

	/* One that nobody had written when it was read may be given back since, and is passed over. */
	while (s->n_copy < s->n_read && s->copy_mfn[s->n_copy] != s->p2m[pfn])
		s->n_copy++;
	if (s->n_copy == s->n_read)
		rc = read_ahead(s, pfn, err);
	*ret = s->copy + (size_t)s->n_copy++ * STREAM_PAGE;
	return rc;
}

static void add_data(struct saver *s, const void *page)
{
	struct iovec *last = &s->iov[s->n_iov - 1];

	if (s->n_iov > 1 && (const uint8_t *)last->iov_base + last->iov_len == page)
		last->iov_len += STREAM_PAGE;
	else
		s->iov[s->n_iov++] = (struct iovec){ (void *)(uintptr_t)page, STREAM_PAGE };
}

static void name(struct saver *s, uint64_t pfn, unsigned int type)
{
	s->list[s->n_list++] = pfn | (uint64_t)type << PFN_TYPE_SHIFT;
}

/* 0; 1: it has to wait until the guest does not run. */
static int add_table(struct saver *s, uint64_t pfn, void *page, struct pvctl_error *err)
{
	unsigned int i = table_translate(page, page, pfn_type_level(s->type[pfn]), save_pfn_of, s);

	if (i < TABLE_ENTRIES && !s->final)
		return 1;
	if (i < TABLE_ENTRIES)
		return err_set(err, -EBUSY, PVCTL_ORIGIN_LIB,
		               "domain %u: entry %u of its page table 0x%llx maps memory that is not its own (a grant of another domain's)",
		               s->domid, i, (unsigned long long)pfn);
	name(s, pfn, s->type[pfn]);
	add_data(s, page);
	return 0;
}

/* 0; 1: it has to wait. */
static int add_contents(struct saver *s, uint64_t pfn, struct pvctl_error *err)
{
	void *page;
	int rc = read_page(s, pfn, &page, err);

	if (rc)
		return rc;
	if (pfn_type_level(s->type[pfn]))
		return add_table(s, pfn, page, err);
	if (!BIT(s->sent, pfn) && is_zero(page)) {
		name(s, pfn, PFN_XALLOC);
		s->stats.zero_pages++;
		return 0;
	}
	name(s, pfn, PFN_NOTAB);
	add_data(s, page);
	return 0;
}

static int add_page(struct saver *s, uint64_t pfn, struct pvctl_error *err)
{
	int rc;

	if (s->p2m[pfn] == NO_FRAME) {
		/* Gone since it was sent; what there is at the end is compared with what was sent. */
		if (s->final && BIT(s->sent, pfn))
			name(s, pfn, PFN_XTAB);
		CLEAR(s->dirty, pfn);
		return 0;
	}
	if (!pfn_type_level(s->type[pfn]) && is_untouched(s, pfn)) {
		name(s, pfn, PFN_XALLOC);
		s->stats.zero_pages++;
	} else {
		rc = add_contents(s, pfn, err);
		if (rc)
			return rc < 0 ? rc : 0;
	}
	SET(s->sent, pfn);
	s->sent_mfn[pfn] = s->p2m[pfn];
	s->sent_type[pfn] = s->type[pfn];
	s->stats.pages++;
	CLEAR(s->dirty, pfn);
	return 0;
}

int save_pages(struct saver *s, struct pvctl_error *err)
{
	uint64_t pfn;
	int rc = 0;

	if (s->t->ops->untouched)
		(void)s->t->ops->untouched(s->t, ~0ull);
	for (pfn = 0; pfn < s->n && !rc; pfn++) {
		if (pfn % STREAM_WRITE_PAGES == 0 || s->n_read > STREAM_WRITE_PAGES) {
			rc = flush(s, err);
			if (!rc && ctx_progress(s->ctx, "save", s->done_pages, s->tot_pages))
				rc = err_set(err, -ECANCELED, PVCTL_ORIGIN_LIB, "canceled");
			s->done_pages = pfn;
		}
		if (!rc && BIT(s->dirty, pfn))
			rc = add_page(s, pfn, err);
	}
	return rc ? rc : flush(s, err);
}
