/* SPDX-License-Identifier: MIT */
/* The "key=value,key=value" texts that p9 and channel have in common. Pure code. */
#ifndef DEVICE_ITEMS_H
#define DEVICE_ITEMS_H

#include "libpvctl.h"

struct item_parse;
struct item_key {
	const char *key;
	int (*set)(struct item_parse *p, const char *value);
};
struct item_parse {
	const char *what;        /* "p9" */
	const char *text;
	const struct item_key *keys;
	unsigned int nr_keys;    /* up to 32 */
	uint32_t got;            /* bit n: keys[n] was there */
	void *spec;
	struct pvctl_error *err;
};

/* Longer texts are refused. */
#define ITEMS_TEXT_MAX 1500

/* Each key once; blanks around keys and values do not count. 0 or what set() or a refusal returned. */
int items_parse(struct item_parse *p);
/* Returns code: "p9 "text": what "value"". -ENOSYS: that it is not supported is added. value may be NULL. */
int items_bad(const struct item_parse *p, int code, const char *what, const char *value);
/* Printable, no blanks at the ends (items_parse sees to that), at most max bytes, at least one. */
int items_text(const struct item_parse *p, const char *key, const char *value, char *dst, size_t max);
int items_number(const struct item_parse *p, const char *key, const char *value, uint32_t lo, uint32_t hi, uint32_t *ret);

#endif
