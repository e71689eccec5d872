/* SPDX-License-Identifier: MIT */
#include "domain/uaccess.h"
#include "domain/domain.h"
#include "host/host.h"
#include "lib/errno.h"
#include "x86/hooks.h"
#include "x86/page.h"
#include "x86/printk.h"

/* x86/uaccess_copy.S */
unsigned long uaccess_copy(void *dst, const void *src, unsigned long n);
unsigned long uaccess_clear(void *dst, unsigned long n);
int uaccess_cmpxchg8(uint64_t *p, uint64_t *old, uint64_t new);

/* Of domain 0, or of a PVH domain. */
static unsigned long copy_elsewhere(uint64_t addr, void *buf, unsigned long n, enum guest_copy op)
{
	void *p;

	if (current->domain->copies == COPIES_nested)
		return p2m_guest_copy(addr, buf, n, op);
	p = host_arena(addr, n);
	if (!p)
		return n;
	if (op == GUEST_COPY_from)
		memcpy(buf, p, n);
	else if (op == GUEST_COPY_to)
		memcpy(p, buf, n);
	else
		memset(p, 0, n);
	return 0;
}

unsigned long copy_from_guest_raw(void *dst, uint64_t src, unsigned long n)
{
	if (unlikely(current->domain->copies))
		return copy_elsewhere(src, dst, n, GUEST_COPY_from);
	if (!guest_range_ok(src, n))
		return n;
	return uaccess_copy(dst, (const void *)src, n);
}

unsigned long copy_to_guest_raw(uint64_t dst, const void *src, unsigned long n)
{
	if (unlikely(current->domain->copies))
		return copy_elsewhere(dst, (void *)src, n, GUEST_COPY_to);
	if (!guest_range_ok(dst, n))
		return n;
	return uaccess_copy((void *)dst, src, n);
}

unsigned long clear_guest_raw(uint64_t dst, unsigned long n)
{
	if (unlikely(current->domain->copies))
		return copy_elsewhere(dst, NULL, n, GUEST_COPY_clear);
	if (!guest_range_ok(dst, n))
		return n;
	return uaccess_clear((void *)dst, n);
}

int cmpxchg_guest_u64(uint64_t addr, uint64_t *old, uint64_t new)
{
	uint64_t *p = (uint64_t *)addr;

	if (addr & 7)
		return -EFAULT;
	if (unlikely(current->domain->copies)) {
		if (current->domain->copies == COPIES_nested)
			return p2m_guest_cmpxchg(addr, old, new);
		p = host_arena(addr, sizeof(*p));
		if (!p)
			return -EFAULT;
	} else if (!guest_range_ok(addr, sizeof(*p))) {
		return -EFAULT;
	}
	return uaccess_cmpxchg8(p, old, new);
}
