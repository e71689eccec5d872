/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out at a chosen place. For one file of a test program: its
 * malloc() and those beside it are the whole process's, shared libraries' too.
 *
 * A test loops over fail_alloc_from(n): until fail_alloc_stop() is false, the
 * nth allocation failed, and with `on` all that came after it.
 */
#ifndef FAIL_ALLOC_H
#define FAIL_ALLOC_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif
extern void *REAL(malloc)(size_t size), *REAL(calloc)(size_t n, size_t size), *REAL(realloc)(void *p, size_t size);
extern void *REAL(memalign)(size_t align, size_t size);

/* May be put where another process sees it. */
static struct fail_alloc {
	unsigned long at, count;
	bool on;
} fail_alloc_own, *fail_alloc = &fail_alloc_own;
static __thread bool fail_alloc_exempt; /* this thread is no part of what is tested */

static inline void fail_alloc_from(unsigned long n, bool on)
{
	fail_alloc->count = 0;
	fail_alloc->on = on;
	__atomic_store_n(&fail_alloc->at, n, __ATOMIC_SEQ_CST);
}

/* Did it get there? */
static inline bool fail_alloc_stop(void)
{
	unsigned long at = __atomic_exchange_n(&fail_alloc->at, 0, __ATOMIC_SEQ_CST);

	return at && fail_alloc->count >= at;
}

static bool fail_alloc_now(void)
{
	unsigned long at = __atomic_load_n(&fail_alloc->at, __ATOMIC_SEQ_CST), n;
	bool now;

	if (!at || fail_alloc_exempt)
		return false;
	n = __atomic_add_fetch(&fail_alloc->count, 1, __ATOMIC_SEQ_CST);
	now = fail_alloc->on ? n >= at : n == at;
	if (now)
		errno = ENOMEM;
	return now;
}

void *malloc(size_t size)
{
	return fail_alloc_now() ? NULL : REAL(malloc)(size);
}

void *calloc(size_t n, size_t size)
{
	return fail_alloc_now() ? NULL : REAL(calloc)(n, size);
}

void *realloc(void *p, size_t size)
{
	return fail_alloc_now() ? NULL : REAL(realloc)(p, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return fail_alloc_now() ? NULL : REAL(memalign)(align, size);
}

/* Their own copies: a sanitizer's would not ask malloc() here. */
char *strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = malloc(n);

	return p ? memcpy(p, s, n) : NULL;
}

char *strndup(const char *s, size_t max)
{
	size_t n = strnlen(s, max);
	char *p = malloc(n + 1);

	if (!p)
		return NULL;
	p[n] = '\0';
	return memcpy(p, s, n);
}

#endif
