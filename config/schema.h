/* SPDX-License-Identifier: MIT */
/*
 * What is known of each key: drives validation, `pvctl config keys', the check of
 * the man page and the fuzz dictionary.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "config/config.h"

enum cfg_kind {
	CFG_KIND_STRING,
	CFG_KIND_PATH,
	CFG_KIND_CHOICE,
	CFG_KIND_NUMBER,
	CFG_KIND_BOOL,
	CFG_KIND_LIST,
	CFG_KIND_TEXTS, /* a text, a number or a list of them */
	CFG_KIND_ANY    /* of keys that are not supported */
};

enum cfg_status {
	CFG_STATUS_SUPPORTED,
	CFG_STATUS_LATER,   /* changes what the guest is: refused when it asks for something */
	CFG_STATUS_IGNORED, /* has no meaning for the guests there are, or they run as well without: a warning */
	CFG_STATUS_OLD      /* old form of another key, checked and then dropped */
};

struct cfg_key {
	const char *name;
	enum cfg_kind kind;
	enum cfg_status status;
	int64_t min, max;    /* NUMBER: the value; STRING and PATH: max is of the length, 0: none */
	const char *choices; /* CHOICE: separated by blanks */
	const char *later;   /* CHOICE: known to xl, not supported yet */
	const char *instead; /* what to use then; may be NULL */
	const char *as_is;   /* IGNORED: values, separated by blanks, that are what is done anyway */
	const char *fallback; /* for people: what holds when the key is not set; NULL: nothing */
	const char *help;
};

const struct cfg_key *cfg_key_at(size_t i); /* NULL past the end */
const struct cfg_key *cfg_key_find(const char *name);
bool cfg_may_be_empty(const struct cfg_key *key);
const char *cfg_kind_name(enum cfg_kind kind);
const char *cfg_status_name(enum cfg_status status);

#define CFG_STRICT 1u /* unknown and ignored keys are errors */

/* Checks all settings; messages go to diag. 0 or -EINVAL. */
int cfg_validate(const struct cfg_file *file, unsigned int flags, struct cfg_diag *diag);

/* Each takes one value: 0; -ENOMEM; -errno with what is wrong in *ret_why, which lasts until the next call. */
struct cfg_sink {
	int (*text)(void *data, const char *key, const char *value, const char **ret_why);
	int (*number)(void *data, const char *key, int64_t value, const char **ret_why);
	int (*list)(void *data, const char *key, const char *const *values, size_t n, const char **ret_why);
};
/* What a file that was checked sets, in its order. All that is refused goes to diag. 0, -EINVAL or -ENOMEM. */
int cfg_apply(const struct cfg_file *file, const struct cfg_sink *to, void *data, struct cfg_diag *diag);

#endif
