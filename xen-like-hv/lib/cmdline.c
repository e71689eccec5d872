/* SPDX-License-Identifier: MIT */
#include "lib/cmdline.h"
#include "lib/string.h"

char boot_cmdline[1024];

/* The text after "name" in the word that starts with it and ends there or with '='; NULL: none. */
static const char *find(const char *name)
{
	size_t n = strlen(name);

	for (const char *p = boot_cmdline; *p;) {
		while (*p == ' ')
			p++;
		if (strncmp(p, name, n) == 0 && (p[n] == '=' || p[n] == ' ' || !p[n]))
			return p + n;
		while (*p && *p != ' ')
			p++;
	}
	return NULL;
}

bool cmdline_flag(const char *name)
{
	const char *p = find(name);

	return p && *p != '=';
}

static int digit(char c, unsigned int base)
{
	int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;

	return v < (int)base ? v : -1;
}

uint64_t cmdline_u64(const char *name, uint64_t def)
{
	const char *p = find(name);
	unsigned int base = 10;
	uint64_t v = 0;

	if (!p || *p++ != '=')
		return def;
	if (p[0] == '0' && p[1] == 'x') {
		base = 16;
		p += 2;
	}
	if (digit(*p, base) < 0)
		return def;
	for (; digit(*p, base) >= 0; p++) {
		if (v > (~0ULL - 15) / base)
			return def;
		v = v * base + (unsigned int)digit(*p, base);
	}
	return *p == ' ' || !*p ? v : def;
}
