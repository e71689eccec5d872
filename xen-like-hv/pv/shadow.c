/* SPDX-License-Identifier: MIT */
/* Shadows of tables: which there are, and that they follow. pv/shadow.h has the rules. */
#include "domain/dirty_log.h"
#include "pv/shadow_private.h"

struct shadow_page *shadow_find(const struct shadow *s, mfn_t table)
{
	uint32_t nr = s->bucket[shadow_bucket(s, table)];

	while (nr) {
		struct shadow_page *p = shadow_nr(s, nr - 1);

		if (p->table == table.m)
			return p;
		nr = p->next;
	}
	return NULL;
}

/*
 * W is given at once where the page counts as written already and D says so to
 * the guest; else by the fault of the first write. Without A in the guest's
 * entry the first access is to fault.
 */
pte_t shadow_leaf(struct domain *d, struct shadow_page *p, pte_t e, bool write)
{
	struct page_info *pg;
	bool own;

	if (!(e & PTE_P) || !(e & PTE_A))
		return 0;
	/* Only now: where it is not present, the guest may have any number there. */
	pg = mfn_to_page(pte_mfn(e));
	own = pg->owner == d->domid + 1;
	if (!(e & PTE_W))
		return e;
	if (!(e & PTE_D) || (!write && !(own && (READ_ONCE(pg->flags) & PGF_written))))
		return e & ~PTE_W;
	p->open = true;
	/* A frame of another domain's is its grant table's to log. */
	if (write && own)
		page_written(d, pg);
	hv_delay_point("shadow: page marked, entry not yet open");
	return e;
}

/* A number with a frame: a free one, or a new one. 0: no memory. */
static uint32_t take_free(struct shadow *s)
{
	uint32_t nr;

	spin_lock(&s->shadow_lock);
	nr = s->free;
	if (nr)
		s->free = shadow_nr(s, nr - 1)->next;
	spin_unlock(&s->shadow_lock);
	return nr;
}

/* The next number's place in dir may be missing, and come from somebody else meanwhile. */
static bool have_dir(struct shadow *s)
{
	struct shadow_page *dir = alloc_hv_page(), **at;

	spin_lock(&s->shadow_lock);
	at = &s->dir[s->nr / SHADOW_PER_PAGE];
	if (!*at) {
		*at = dir;
		dir = NULL;
	}
	at = *at ? at : NULL;
	spin_unlock(&s->shadow_lock);
	free_hv_page(dir);
	return at != NULL;
}

static uint32_t take_new(struct shadow *s)
{
	void *page = alloc_hv_page();
	uint32_t nr = 0;
	bool full;

	if (!page)
		return 0;
	do {
		spin_lock(&s->shadow_lock);
		full = s->nr >= s->max;
		if (!full && s->dir[s->nr / SHADOW_PER_PAGE]) {
			nr = ++s->nr;
			*shadow_nr(s, nr - 1) = (struct shadow_page){ .frame = (uint32_t)virt_to_mfn(page).m };
		}
		spin_unlock(&s->shadow_lock);
	} while (!nr && !full && have_dir(s));
	if (!nr)
		free_hv_page(page);
	return nr;
}

/* Its frame is known to no CPU as something else, and empty. */
static uint32_t shadow_take(struct domain *d, struct shadow *s)
{
	uint32_t nr = take_free(s);
	cpumask_t stale;

	if (!nr)
		return take_new(s);
	stale = tlb_flush_filter(d->dirty_cpus, shadow_nr(s, nr - 1)->stamp);
	if (stale)
		flush_tlb_mask(stale);
	memset(shadow_entries(shadow_nr(s, nr - 1)), 0, PAGE_SIZE);
	return nr;
}

static void put_free(struct shadow *s, uint32_t nr)
{
	struct shadow_page *p = shadow_nr(s, nr - 1);

	p->table = 0;
	p->open = false;
	p->next = s->free;
	s->free = nr;
}

static void insert(struct shadow *s, uint32_t nr, mfn_t table, int level)
{
	struct shadow_page *p = shadow_nr(s, nr - 1);
	uint32_t *head = &s->bucket[shadow_bucket(s, table)];

	p->table = (uint32_t)table.m;
	p->level = (uint8_t)level;
	p->open = false;
	p->next = *head;
	*head = nr;
}

static void fill_l1(struct domain *d, struct shadow_page *p, const struct page_info *table)
{
	const pte_t *from = page_to_virt(table);
	pte_t *to = shadow_entries(p);
	unsigned int i;

	for (i = 0; i < PT_ENTRIES; i++) {
		pte_t e = READ_ONCE(from[i]);

		if (e & PTE_P)
			to[i] = shadow_leaf(d, p, e, false);
	}
}

int shadow_create(struct domain *d, struct page_info *table, int level)
{
	struct shadow *s = d->pv.shadow;
	uint32_t nr = shadow_take(d, s);

	if (!table_lock_any(table, d, level_type(level))) {
		spin_lock(&s->shadow_lock);
		if (nr)
			put_free(s, nr);
		spin_unlock(&s->shadow_lock);
		return -EBUSY;
	}
	if (!(READ_ONCE(table->type_info) & PGT_watched))
		__atomic_or_fetch(&table->type_info, PGT_watched, __ATOMIC_SEQ_CST);
	spin_lock(&s->shadow_lock);
	if (!nr) {
		s->failed = true;
	} else if (shadow_find(s, page_to_mfn(table))) {
		put_free(s, nr);
	} else {
		insert(s, nr, page_to_mfn(table), level);
		if (level == 1)
			fill_l1(d, shadow_nr(s, nr - 1), table);
	}
	spin_unlock(&s->shadow_lock);
	table_unlock(table);
	return nr ? 0 : -ENOMEM;
}

static pte_t root_entry(const struct shadow *s, const struct page_info *l4, pte_t e)
{
	const struct shadow_page *p;

	/* The linear slot shows tables, read-only: the guest's own. */
	if (!s->roots || !(e & PTE_P) || pte_mfn(e).m == page_to_mfn(l4).m)
		return e;
	p = shadow_find(s, pte_mfn(e));
	/* 0: its first use faults, and makes it. */
	return p ? shadow_upper(p, e) : s->failed ? e : 0;
}

uint64_t shadow_root_entry(struct domain *d, const struct page_info *l4, uint64_t e)
{
	struct shadow *s = d->pv.shadow;

	spin_lock(&s->shadow_lock);
	e = root_entry(s, l4, e);
	spin_unlock(&s->shadow_lock);
	return e;
}

void shadow_root_group(struct domain *d, const struct page_info *l4, uint64_t *dst, const uint64_t *src)
{
	struct shadow *s = d->pv.shadow;
	unsigned int i;

	spin_lock(&s->shadow_lock);
	for (i = 0; i < 8; i++)
		WRITE_ONCE(dst[i], root_entry(s, l4, READ_ONCE(src[i])));
	spin_unlock(&s->shadow_lock);
}

void shadow_l1_changed(struct domain *d, struct page_info *table, unsigned int slot)
{
	struct shadow *s = d->pv.shadow;
	struct shadow_page *p;

	page_written(d, table);
	if (!s)
		return;
	spin_lock(&s->shadow_lock);
	p = shadow_find(s, page_to_mfn(table));
	if (p) {
		pte_t e = READ_ONCE(((const pte_t *)page_to_virt(table))[slot]);

		/* Who stores D with W is about to write. */
		WRITE_ONCE(shadow_entries(p)[slot], shadow_leaf(d, p, e, (e & PTE_W) && (e & PTE_D)));
	}
	spin_unlock(&s->shadow_lock);
}

void shadow_upper_changed(struct domain *d, struct page_info *table, unsigned int slot)
{
	struct shadow *s = d->pv.shadow;
	struct shadow_page *p;

	page_written(d, table);
	if (!s)
		return;
	spin_lock(&s->shadow_lock);
	p = shadow_find(s, page_to_mfn(table));
	if (p)
		WRITE_ONCE(shadow_entries(p)[slot], 0);
	spin_unlock(&s->shadow_lock);
}

void shadow_table_gone(struct page_info *table)
{
	struct domain *d = page_owner(table);
	struct shadow *s = d ? d->pv.shadow : NULL;
	uint32_t *link, nr;

	if (d)
		page_written(d, table);
	if (!s)
		return;
	spin_lock(&s->shadow_lock);
	link = &s->bucket[shadow_bucket(s, page_to_mfn(table))];
	while ((nr = *link) && shadow_nr(s, nr - 1)->table != page_to_mfn(table).m)
		link = &shadow_nr(s, nr - 1)->next;
	if (nr) {
		struct shadow_page *p = shadow_nr(s, nr - 1);

		*link = p->next;
		put_free(s, nr);
		/* The bucket's change and the claim of the table come before it. */
		p->stamp = tlb_clock_now();
	}
	spin_unlock(&s->shadow_lock);
}
