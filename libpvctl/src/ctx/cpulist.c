/* SPDX-License-Identifier: MIT */
/* xl's CPU lists: items joined by commas, "all", "3", "0-3", "node:0"; "^" takes away. A node has one NUMA node. */
#include "ctx/ctx.h"
#include "util/err.h"
#include <ctype.h>
#include <string.h>

static const char *number(const char *p, unsigned int *ret)
{
	unsigned int v = 0;

	if (!isdigit((unsigned char)*p))
		return NULL;
	for (; isdigit((unsigned char)*p) && v < 100000; p++)
		v = v * 10 + (unsigned int)(*p - '0');
	*ret = v;
	return p;
}

static uint64_t span(unsigned int lo, unsigned int hi)
{
	return (hi == 63 ? ~0ull : (1ull << (hi + 1)) - 1) & ~((1ull << lo) - 1);
}

/* One item without its "^"; NULL: malformed. */
static const char *item(const char *p, uint64_t *ret)
{
	unsigned int lo, hi;
	bool node = false;

	if (strncmp(p, "all", 3) == 0) {
		*ret = ~0ull;
		return p + 3;
	}
	if (strncmp(p, "node:", 5) == 0 || strncmp(p, "nodes:", 6) == 0) {
		p = strchr(p, ':') + 1;
		node = true;
	}
	p = number(p, &lo);
	hi = lo;
	if (p && *p == '-')
		p = number(p + 1, &hi);
	if (!p || lo > hi || (!node && hi > 63))
		return NULL;
	*ret = node ? (lo == 0 ? ~0ull : 0) : span(lo, hi);
	return p;
}

int cpulist_parse(const char *text, uint64_t *ret, struct pvctl_error *err)
{
	uint64_t mask = 0, part;
	const char *p = text;
	bool minus;

	for (;;) {
		while (isspace((unsigned char)*p))
			p++;
		minus = *p == '^';
		p = item(p + minus, &part);
		if (!p)
			break;
		mask = minus ? mask & ~part : mask | part;
		while (isspace((unsigned char)*p))
			p++;
		if (*p == '\0') {
			if (!mask)
				return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "\"%.80s\" leaves no CPU", text);
			*ret = mask;
			return 0;
		}
		if (*p++ != ',')
			break;
	}
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "\"%.80s\" is no list of CPUs (0 to 63) like \"0-3,^1\"", text);
}
