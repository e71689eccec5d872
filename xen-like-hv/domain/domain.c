/* SPDX-License-Identifier: MIT */
/* The domain list: lookup and references. */
#include "domain/domain.h"
#include "lib/errno.h"
#include "x86/hooks.h"
#include "x86/printk.h"

#define HASH_SIZE 256u

struct domain *host_domain;
struct domain *idle_domain;
DEFINE_PER_CPU(struct vcpu *, idle_vcpu);

spinlock_t domlist_lock = SPINLOCK_INIT;
static struct domain *domain_list;
static struct domain *domain_hash[HASH_SIZE];

struct domain *domain_first(void)
{
	return domain_list;
}

static struct domain *find_locked(domid_t id)
{
	struct domain *d = domain_hash[id % HASH_SIZE];

	while (d != NULL && d->domid != id)
		d = d->hash_next;
	return d;
}

bool domid_in_use(domid_t id)
{
	struct domain *d;

	spin_lock(&domlist_lock);
	d = find_locked(id);
	spin_unlock(&domlist_lock);
	return d != NULL;
}

int domain_list_add(struct domain *d)
{
	struct domain **pp;

	spin_lock(&domlist_lock);
	if (find_locked(d->domid) != NULL) {
		spin_unlock(&domlist_lock);
		return -EEXIST;
	}
	for (pp = &domain_list; *pp != NULL && (*pp)->domid < d->domid; pp = &(*pp)->next)
		;
	d->next = *pp;
	*pp = d;
	d->hash_next = domain_hash[d->domid % HASH_SIZE];
	domain_hash[d->domid % HASH_SIZE] = d;
	spin_unlock(&domlist_lock);
	return 0;
}

static void unlink_locked(struct domain *d)
{
	struct domain **pp;

	for (pp = &domain_list; *pp != NULL && *pp != d; pp = &(*pp)->next)
		;
	if (*pp != NULL)
		*pp = d->next;
	for (pp = &domain_hash[d->domid % HASH_SIZE]; *pp != NULL && *pp != d; pp = &(*pp)->hash_next)
		;
	if (*pp != NULL)
		*pp = d->hash_next;
}

void domain_list_remove(struct domain *d)
{
	spin_lock(&domlist_lock);
	unlink_locked(d);
	spin_unlock(&domlist_lock);
}

bool get_domain(struct domain *d)
{
	uint32_t old = READ_ONCE(d->refcnt);

	do {
		if (old == 0)
			return false;
		BUG_ON(old == UINT32_MAX);
	} while (!__atomic_compare_exchange_n(&d->refcnt, &old, old + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}

void put_domain(struct domain *d)
{
	uint32_t left = __atomic_sub_fetch(&d->refcnt, 1, __ATOMIC_ACQ_REL);

	BUG_ON(left == UINT32_MAX);
	if (left == 0)
		domain_free(d);
}

struct domain *get_domain_by_id(domid_t id)
{
	struct domain *d;

	if (id == DOMID_SELF)
		id = current->domain->domid;
	if (id >= DOMID_FIRST_RESERVED)
		return NULL;
	spin_lock(&domlist_lock);
	d = find_locked(id);
	if (d != NULL && (d->is_dying == DOMDYING_dead || !get_domain(d)))
		d = NULL;
	spin_unlock(&domlist_lock);
	return d;
}

struct domain *get_domain_from(uint32_t id)
{
	struct domain *d;

	spin_lock(&domlist_lock);
	for (d = domain_list; d != NULL; d = d->next)
		if (d->domid >= id && get_domain(d))
			break;
	spin_unlock(&domlist_lock);
	return d;
}

struct domain *get_domain_after(struct domain *prev)
{
	struct domain *d;

	spin_lock(&domlist_lock);
	for (d = prev->next; d != NULL && !get_domain(d); d = d->next)
		;
	spin_unlock(&domlist_lock);
	put_domain(prev);
	return d;
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
	char why[160];
	__builtin_va_list ap;

	if (!__atomic_exchange_n(&d->crashed_once, true, __ATOMIC_RELAXED)) {
		__builtin_va_start(ap, fmt);
		vsnprintf(why, sizeof(why), fmt, ap);
		__builtin_va_end(ap);
		printk("d%u: crashed: %s\n", d->domid, why);
	}
	if (d->is_idle || is_host_domain(d))
		return;
	domain_shutdown(d, SHUTDOWN_crash);
}
