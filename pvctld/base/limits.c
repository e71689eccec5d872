/* SPDX-License-Identifier: MIT */
#include "pvctld/base/limits.h"
#include "pvctld/base/log.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (1ull << 60)

static const struct { const char *name; size_t at; } names[] = {
	{ "console", offsetof(struct limits, console) },
	{ "consoles", offsetof(struct limits, consoles) },
	{ "console-files", offsetof(struct limits, console_files) },
	{ "console-days", offsetof(struct limits, console_days) },
	{ "log", offsetof(struct limits, log) },
	{ "cores", offsetof(struct limits, cores) },
	{ "core-files", offsetof(struct limits, core_files) },
	{ "domain-cores", offsetof(struct limits, domain_cores) },
};

void limits_default(struct limits *l)
{
	*l = (struct limits){
		.console = 4ull << 20, .consoles = 512ull << 20, .console_files = 1000, .console_days = 30,
		.log = 8ull << 20, .cores = 64ull << 30, .core_files = 16, .domain_cores = 3,
	};
}

/* Digits, and k, m, g or t. */
static int number(const char *s, size_t len, uint64_t *ret)
{
	static const char units[] = "kmgt";
	const char *unit = NULL;
	char *end;

	if (!len || *s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoull(s, &end, 10);
	if (errno || *ret > MAX_BYTES)
		return -EINVAL;
	if (end < s + len)
		unit = strchr(units, *end | 0x20);
	if (unit && *unit) {
		for (const char *u = units; u <= unit; u++)
			if (__builtin_mul_overflow(*ret, 1024ull, ret) || *ret > MAX_BYTES)
				return -EINVAL;
		end++;
	}
	return end == s + len ? 0 : -EINVAL;
}

static int set_one(struct limits *l, const char *item, size_t len)
{
	size_t name_len = strcspn(item, "=");

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]) && name_len < len; i++)
		if (strlen(names[i].name) == name_len && !memcmp(names[i].name, item, name_len))
			return number(item + name_len + 1, len - name_len - 1, (uint64_t *)(void *)((char *)l + names[i].at));
	return -EINVAL;
}

int limits_parse(struct limits *l, const char *text, struct pvctl_error *err)
{
	struct limits n = *l;

	while (*text) {
		size_t len = strcspn(text, ",");

		if (set_one(&n, text, len))
			return fail(err, -EINVAL, "limit \"%.*s\": NAME=NUMBER is expected (k, m, g, t behind it), where NAME is one of "
				    "console, consoles, console-files, console-days, log, cores, core-files, domain-cores",
				    len > 60 ? 60 : (int)len, text);
		text += len + (text[len] == ',');
	}
	*l = n;
	return 0;
}
