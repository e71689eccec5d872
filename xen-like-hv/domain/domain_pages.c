/* SPDX-License-Identifier: MIT */
/*
 * The pages of domains: who owns them, their accounts, their list.
 *
 * A domain's list is linked both ways through frame numbers, head in
 * d->page_list. A page leaves it when its last reference goes; while its domain
 * is taken apart it goes from list to list (pv/relinquish.c).
 */
#include "domain/dirty_log.h"
#include "lib/errno.h"
#include "mm/hv_pagetable.h"
#include "mm/page_alloc.h"
#include "x86/printk.h"
#include "x86/tlb.h"

static uint32_t page_nr(const struct page_info *pg) { return (uint32_t)page_to_mfn(pg).m; }
static struct page_info *nr_page(uint32_t nr) { return mfn_to_page(mfn(nr)); }

/* page_lock is held for all of these. */
static void list_add(uint32_t *head, struct page_info *pg)
{
	pg->prev = 0;
	pg->next = *head;
	if (*head)
		nr_page(*head)->prev = page_nr(pg);
	*head = page_nr(pg);
}

static void list_del(struct domain *d, struct page_info *pg)
{
	uint32_t nr = page_nr(pg);

	if (pg->prev)
		nr_page(pg->prev)->next = pg->next;
	else if (d->page_list == nr)
		d->page_list = pg->next;
	else if (d->pv.unpinned_list == nr)
		d->pv.unpinned_list = pg->next;
	else if (d->pv.relinquished_list == nr)
		d->pv.relinquished_list = pg->next;
	else
		BUG();
	if (pg->next)
		nr_page(pg->next)->prev = pg->prev;
	pg->next = pg->prev = 0;
}

/* The first page makes d known as an owner, and holds a reference to it. */
static int account_first(struct domain *d)
{
	int rc;

	if (d->tot_pages + d->xenheap_pages)
		return 0;
	rc = page_owner_enter(d);
	if (rc)
		return rc;
	if (!get_domain(d)) {
		page_owner_leave(d);
		return -EINVAL;
	}
	return 0;
}

/* True: the caller puts the reference to d once it has dropped the lock. */
static bool account_last(struct domain *d)
{
	if (d->tot_pages + d->xenheap_pages)
		return false;
	page_owner_leave(d);
	return true;
}

/*
 * Whoever lists a page asks this under the same hold of the lock: domain_kill
 * takes it after is_dying was set, so it finds what was listed before, and
 * nothing is listed after.
 */
static int reserve_locked(struct domain *d, uint64_t n)
{
	int rc;

	if (d->is_dying)
		return -EINVAL;
	if (d->tot_pages + n > d->max_pages)
		return -E2BIG;
	rc = account_first(d);
	if (!rc)
		d->tot_pages += n;
	return rc;
}

static int account_reserve(struct domain *d, uint64_t n)
{
	int rc;

	spin_lock(&d->page_lock);
	rc = reserve_locked(d, n);
	spin_unlock(&d->page_lock);
	hv_delay_point_long("pages counted, not listed");
	return rc;
}

static void account_return(struct domain *d, uint64_t n)
{
	bool last;

	spin_lock(&d->page_lock);
	d->tot_pages -= n;
	last = account_last(d);
	spin_unlock(&d->page_lock);
	if (last)
		put_domain(d);
}

struct page_info *domain_page_prepare(struct domain *d, unsigned int order, unsigned int flags, int *err)
{
	uint64_t n = 1ULL << order, i;
	uint32_t first;
	struct page_info *pg;

	*err = account_reserve(d, n);
	if (*err)
		return NULL;
	pg = page_alloc_for(&d->claim, order, flags);
	if (!pg) {
		account_return(d, n);
		*err = -ENOMEM;
		return NULL;
	}
	first = page_nr(pg);
	for (i = 0; i < n; i++) {
		struct page_info *p = pg + i;

		p->type_info = 0;
		p->owner = (uint16_t)(d->domid + 1);
		p->flags = 0;
		p->order = 0;
		p->prev = i ? first + (uint32_t)i - 1 : 0;
		p->next = first + (uint32_t)i + 1;
	}
	return pg;
}

void domain_page_abandon(struct domain *d, struct page_info *pg, unsigned int order)
{
	uint64_t n = 1ULL << order, i;

	for (i = 0; i < n; i++)
		m2p_forget(page_to_mfn(pg + i));
	page_free_run(pg, n, false);
	account_return(d, n);
}

int domain_page_publish(struct domain *d, struct page_info *pg, unsigned int order)
{
	uint64_t n = 1ULL << order, i;
	uint32_t first = page_nr(pg);
	bool dying;

	spin_lock(&d->page_lock);
	dying = d->is_dying;
	if (!dying) {
		pg[n - 1].next = d->page_list;
		if (d->page_list)
			nr_page(d->page_list)->prev = first + (uint32_t)n - 1;
		d->page_list = first;
	}
	spin_unlock(&d->page_lock);
	if (dying) {
		domain_page_abandon(d, pg, order);
		return -EINVAL;
	}
	/*
	 * Last: from here on get_page succeeds, also for a vCPU of d that guessed the
	 * frame and gives it back at once, off the list.
	 */
	for (i = 0; i < n; i++) {
		page_written(d, &pg[i]);
		hv_delay_point("page: counted as written, not yet the domain's");
		__atomic_store_n(&pg[i].count_info, PGC_allocated | 1, __ATOMIC_RELEASE);
	}
	return 0;
}

struct page_info *domain_page_alloc(struct domain *d, unsigned int order, unsigned int flags, int *err)
{
	struct page_info *pg = domain_page_prepare(d, order, flags, err);

	if (pg) {
		*err = domain_page_publish(d, pg, order);
		if (*err)
			pg = NULL;
	}
	return pg;
}

/* To what page_free expects of an allocated page. */
static void forget_page(struct page_info *pg)
{
	pg->type_info = 0;
	pg->owner = 0;
	pg->flags &= PGF_exec;
	pg->u = tlb_clock_now();
}

static void release_hv_page(struct domain *d, struct page_info *pg)
{
	bool last;

	forget_page(pg);
	/* Not free_hv_page: guests had it mapped. */
	page_free(pg);
	spin_lock(&d->page_lock);
	d->xenheap_pages--;
	last = account_last(d);
	spin_unlock(&d->page_lock);
	if (last)
		put_domain(d);
}

void domain_page_release(struct page_info *pg)
{
	struct domain *d = page_owner(pg);
	bool last;

	BUG_ON(!d);
	BUG_ON(pg->count_info & PGC_allocated);
	/* The owner may have set it as long as anybody referred to the page. */
	m2p_forget(page_to_mfn(pg));
	if (pg->count_info & PGC_hv) {
		release_hv_page(d, pg);
		return;
	}
	BUG_ON(pg->type_info & PGT_count_mask);
	spin_lock(&d->page_lock);
	list_del(d, pg);
	forget_page(pg);
	pg->count_info = 0;
	d->tot_pages--;
	last = account_last(d);
	spin_unlock(&d->page_lock);
	page_free(pg);
	if (last)
		put_domain(d);
}

int domain_page_steal_noflush(struct domain *d, struct page_info *pg)
{
	uint64_t x = PGC_allocated | 1;
	bool last;

	spin_lock(&d->page_lock);
	if (pg->owner != d->domid + 1 ||
	    !__atomic_compare_exchange_n(&pg->count_info, &x, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		spin_unlock(&d->page_lock);
		return -EBUSY;
	}
	list_del(d, pg);
	forget_page(pg);
	d->tot_pages--;
	last = account_last(d);
	spin_unlock(&d->page_lock);
	if (last)
		put_domain(d);
	return 0;
}

int domain_page_steal(struct domain *d, struct page_info *pg)
{
	int rc = domain_page_steal_noflush(d, pg);

	if (!rc)
		flush_tlb_mask(d->dirty_cpus);
	return rc;
}

void stolen_page_free(struct page_info *pg)
{
	m2p_forget(page_to_mfn(pg));
	page_free(pg);
}

int domain_page_assign(struct domain *d, struct page_info *pg)
{
	int rc;

	spin_lock(&d->page_lock);
	rc = reserve_locked(d, 1);
	if (!rc) {
		pg->type_info = 0;
		pg->flags &= PGF_exec;
		pg->owner = (uint16_t)(d->domid + 1);
		list_add(&d->page_list, pg);
		page_written(d, pg);
		hv_delay_point("page: counted as written, not yet the domain's");
		__atomic_store_n(&pg->count_info, PGC_allocated | 1, __ATOMIC_RELEASE);
	}
	spin_unlock(&d->page_lock);
	return rc;
}

#define DROP_BATCH 256u
#define DROP_RUNS 16u

/* Neighbouring frames, to be freed together. */
struct run {
	uint32_t first, n;
	bool code;
};

/* Lists go up or down through memory, as their pages were added one by one or in chunks. */
static bool run_extend(struct run *r, uint32_t nr, bool code)
{
	if (r->code != code || (nr != r->first + r->n && nr + 1 != r->first))
		return false;
	r->first = min(r->first, nr);
	r->n++;
	return true;
}

/* The head of *from, when no reference but its owner's is left; false: it stays. */
static bool drop_plain(uint32_t *from, struct run *runs, unsigned int *nr_runs)
{
	struct page_info *pg = nr_page(*from);
	uint64_t x = PGC_allocated | 1;
	uint32_t nr = *from;
	bool code;

	/* As for any type a reference is held, none is left, either. */
	if (READ_ONCE(pg->count_info) != x ||
	    !__atomic_compare_exchange_n(&pg->count_info, &x, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	m2p_forget(mfn(nr));
	code = pg->flags & PGF_exec;
	*from = pg->next;
	if (pg->next)
		nr_page(pg->next)->prev = 0;
	if (*nr_runs == 0 || !run_extend(&runs[*nr_runs - 1], nr, code))
		runs[(*nr_runs)++] = (struct run){ nr, 1, code };
	return true;
}

struct page_info *domain_pages_drop(struct domain *d, uint32_t *from, uint32_t *to, bool *more)
{
	struct run runs[DROP_RUNS];
	struct page_info *pg = NULL;
	unsigned int nr_runs = 0, i;
	uint64_t dropped = 0;
	bool last;

	spin_lock(&d->page_lock);
	for (i = 0; i < DROP_BATCH && nr_runs < DROP_RUNS && *from; i++) {
		if (drop_plain(from, runs, &nr_runs)) {
			dropped++;
			continue;
		}
		pg = nr_page(*from);
		if (to && !(READ_ONCE(pg->type_info) & (PGT_pinned | PGT_partial))) {
			list_del(d, pg);
			list_add(to, pg);
			pg = NULL;
			continue;
		}
		/* Fails when another CPU put the last reference and is about to take it off the list. */
		if (!get_page(pg, d))
			pg = NULL;
		break;
	}
	*more = *from != 0;
	d->tot_pages -= dropped;
	last = dropped && account_last(d);
	spin_unlock(&d->page_lock);
	for (i = 0; i < nr_runs; i++)
		page_free_run(nr_page(runs[i].first), runs[i].n, runs[i].code);
	if (last)
		put_domain(d);
	return pg;
}

void domain_page_move(struct domain *d, struct page_info *pg, uint32_t *to)
{
	spin_lock(&d->page_lock);
	list_del(d, pg);
	list_add(to, pg);
	spin_unlock(&d->page_lock);
}

void share_hv_page_with_guest(void *va, struct domain *d, bool readonly)
{
	struct page_info *pg = mfn_to_page(virt_to_mfn(va));

	spin_lock(&d->page_lock);
	BUG_ON(pg->owner);
	BUG_ON(account_first(d));
	d->xenheap_pages++;
	pg->owner = (uint16_t)(d->domid + 1);
	pg->flags |= PGF_xenshare;
	/* The type reference is never given back: the page can be nothing else. */
	pg->type_info = (readonly ? PGT_none : PGT_writable) | PGT_validated | 1;
	__atomic_store_n(&pg->count_info, PGC_hv | PGC_allocated | 1, __ATOMIC_RELEASE);
	spin_unlock(&d->page_lock);
}

void unshare_hv_page(void *va)
{
	struct page_info *pg = mfn_to_page(virt_to_mfn(va));
	uint64_t x = __atomic_fetch_and(&pg->count_info, ~PGC_allocated, __ATOMIC_SEQ_CST);

	BUG_ON(!(x & PGC_allocated));
	put_page(pg);
}
