/* SPDX-License-Identifier: MIT */
#include "domain/uaccess.h"
#include "domain/domain.h"
#include "host/host.h"
#include "lib/errno.h"
#include "x86/page.h"
#include "x86/printk.h"

/* x86/uaccess_copy.S */
unsigned long uaccess_copy(void *dst, const void *src, unsigned long n);
unsigned long uaccess_clear(void *dst, unsigned long n);
int uaccess_cmpxchg8(uint64_t *p, uint64_t *old, uint64_t new);

unsigned long copy_from_guest_raw(void *dst, uint64_t src, unsigned long n)
{
	if (unlikely(is_host_domain(current->domain))) {
		const void *p = host_arena(src, n);

		if (!p)
			return n;
		memcpy(dst, p, n);
		return 0;
	}
	if (!guest_range_ok(src, n))
		return n;
	return uaccess_copy(dst, (const void *)src, n);
}

unsigned long copy_to_guest_raw(uint64_t dst, const void *src, unsigned long n)
{
	if (unlikely(is_host_domain(current->domain))) {
		void *p = host_arena(dst, n);

		if (!p)
			return n;
		memcpy(p, src, n);
		return 0;
	}
	if (!guest_range_ok(dst, n))
		return n;
	return uaccess_copy((void *)dst, src, n);
}

unsigned long clear_guest_raw(uint64_t dst, unsigned long n)
{
	if (unlikely(is_host_domain(current->domain))) {
		void *p = host_arena(dst, n);

		if (!p)
			return n;
		memset(p, 0, n);
		return 0;
	}
	if (!guest_range_ok(dst, n))
		return n;
	return uaccess_clear((void *)dst, n);
}

int cmpxchg_guest_u64(uint64_t addr, uint64_t *old, uint64_t new)
{
	uint64_t *p = (uint64_t *)addr;

	if (addr & 7)
		return -EFAULT;
	if (unlikely(is_host_domain(current->domain))) {
		p = host_arena(addr, sizeof(*p));
		if (!p)
			return -EFAULT;
	} else if (!guest_range_ok(addr, sizeof(*p))) {
		return -EFAULT;
	}
	return uaccess_cmpxchg8(p, old, new);
}
