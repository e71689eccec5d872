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

static unsigned long fail_alloc_at, fail_alloc_count;
static bool fail_alloc_on;
static __thread bool fail_alloc_exempt; /* this thread is no part of what is tested */

static void fail_alloc_from(unsigned long n, bool on)
{
	fail_alloc_count = 0;
	fail_alloc_on = on;
	fail_alloc_at = n;
}

/* Did it get there? */
static bool fail_alloc_stop(void)
{
	bool failed = fail_alloc_at && fail_alloc_count >= fail_alloc_at;

	fail_alloc_at = 0;
	return failed;
}

static bool fail_alloc_now(void)
{
	bool now;

	if (!fail_alloc_at || fail_alloc_exempt)
		return false;
	fail_alloc_count++;
	now = fail_alloc_on ? fail_alloc_count >= fail_alloc_at : fail_alloc_count == fail_alloc_at;
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
