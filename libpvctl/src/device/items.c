/* SPDX-License-Identifier: MIT */
#include "device/items.h"
#include "util/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int items_bad(const struct item_parse *p, int code, const char *what, const char *value)
{
	return err_set(p->err, code, PVCTL_ORIGIN_LIB, "%s \"%.500s\": %s%s%.200s%s%s", p->what, p->text, what,
	               value ? " \"" : "", value ? value : "", value ? "\"" : "", code == -ENOSYS ? " is not supported" : "");
}

int items_text(const struct item_parse *p, const char *key, const char *value, char *dst, size_t max)
{
	size_t n = strlen(value);
	char what[64];

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f) {
			snprintf(what, sizeof(what), "%s has a control character in it", key);
			return items_bad(p, -EINVAL, what, NULL);
		}
	if (!n || n > max) {
		snprintf(what, sizeof(what), "%s must have 1 to %zu characters", key, max);
		return items_bad(p, -EINVAL, what, NULL);
	}
	memcpy(dst, value, n + 1);
	return 0;
}

int items_number(const struct item_parse *p, const char *key, const char *value, uint32_t lo, uint32_t hi, uint32_t *ret)
{
	size_t digits = strspn(value, "0123456789");
	unsigned long n = digits && digits < 10 && !value[digits] ? strtoul(value, NULL, 10) : (unsigned long)hi + 1;
	char what[64];

	if (n < lo || n > hi) {
		snprintf(what, sizeof(what), "%s must be %u to %u, not", key, lo, hi);
		return items_bad(p, -EINVAL, what, value);
	}
	*ret = (uint32_t)n;
	return 0;
}

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	n = strlen(s);
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		s[--n] = '\0';
	return s;
}

static int one(struct item_parse *p, char *item)
{
	char *value = strchr(item, '=');
	const char *key;

	if (!value)
		return items_bad(p, -EINVAL, "KEY=VALUE is wanted, not", item);
	*value++ = '\0';
	key = trim(item);
	for (unsigned int i = 0; i < p->nr_keys; i++) {
		if (strcmp(p->keys[i].key, key))
			continue;
		if (p->got & 1u << i)
			return items_bad(p, -EINVAL, "given twice:", key);
		p->got |= 1u << i;
		return p->keys[i].set(p, trim(value));
	}
	return items_bad(p, -EINVAL, "unknown key", key);
}

int items_parse(struct item_parse *p)
{
	char copy[ITEMS_TEXT_MAX + 1], *rest = copy;
	int rc = 0;

	if (strlen(p->text) > ITEMS_TEXT_MAX)
		return items_bad(p, -EINVAL, "it is too long", NULL);
	strcpy(copy, p->text);
	while (rest && !rc) {
		char *item = rest, *comma = strchr(rest, ',');

		rest = comma ? comma + 1 : NULL;
		if (comma)
			*comma = '\0';
		rc = one(p, item);
	}
	return rc;
}
