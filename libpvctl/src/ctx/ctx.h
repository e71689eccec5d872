/* SPDX-License-Identifier: MIT */
/* A context and a configuration, as all public functions take them, and the list of domains. */
#ifndef CTX_CTX_H
#define CTX_CTX_H

#include "hv/hv.h"
#include "libpvctl.h"
#include "transport/proto.h"
#include "transport/transport.h"
#include "util/log.h"

/* A file that is read while it is written. */
struct file_tail {
	int (*wrote)(void *data, uint64_t bytes);  /* so many in all; not 0: nobody reads it any more */
	bool (*more)(void *data, uint64_t have);   /* waits until there are more than that; false: there will be none */
	void *data;
};
struct pvctl {
	struct transport *t;
	struct log log;
	int (*progress)(void *data, const char *what, uint64_t done, uint64_t total);
	void *progress_data;
	uint64_t progress_ns;      /* when it was called last */
	const char *progress_what; /* and of what */
	void (*step)(void *data, const char *name); /* may be NULL */
	void *step_data;
	char node[64];
	const struct file_tail *tail; /* of what this context saves to, or restores from; NULL: it is no such file */
};

/* ctx.c */
/* A context over a transport, which it then owns; for the tests, too. */
int ctx_new(struct transport *t, const struct pvctl_open_opts *opts, struct pvctl **ret, struct pvctl_error *err);
/* build_in.progress of a context: about 10 calls a second reach the user. */
int ctx_progress(void *ctx, const char *what, uint64_t done, uint64_t total);
/* Another connection to its node: ours may be lost with a daemon that another one has taken over from. As pvctl_open. */
int ctx_open_again(const struct pvctl *ctx, struct pvctl **ret, struct pvctl_error *err);
/* A step was made. ctx may be NULL. */
void ctx_step(const struct pvctl *ctx, const char *name);
uint64_t ctx_now_ns(void);  /* CLOCK_MONOTONIC */
/*
 * A caller's size-first struct into one of ours, whose size is known: an older,
 * shorter one is filled up with zeroes; a newer one is fine while its tail is
 * zero. NULL: all defaults.
 */
int opts_load(void *ours, size_t known, const void *theirs, struct pvctl_error *err);
/* Sends a request without interest in the reply's body. */
int ctx_request(struct pvctl *ctx, uint32_t type, const void *body, size_t len, struct pvctl_error *err);

/* rows.c: names of domains, from the daemon */
struct rows { struct proto_domain_row *row; size_t n; };
int rows_get(struct pvctl *ctx, struct rows *ret, struct pvctl_error *err);
const struct proto_domain_row *rows_by_id(const struct rows *r, uint32_t domid);
const struct proto_domain_row *rows_by_name(const struct rows *r, const char *name);
void rows_free(struct rows *r);

/* config.c */
enum config_type { CONFIG_INT, CONFIG_STR, CONFIG_CPUS, CONFIG_LIST, CONFIG_EITHER };
struct config_key {
	const char *name;
	enum config_type type;
	int64_t min, max;                                                  /* CONFIG_INT */
	int (*check)(const char *key, const char *value, struct pvctl_error *err); /* CONFIG_STR, INT and EITHER; may be NULL */
	int (*check_list)(const char *key, const char *const *values, size_t n, struct pvctl_error *err); /* CONFIG_LIST and EITHER */
	bool words;                                                        /* CONFIG_LIST: a text is split at its blanks */
};
#define CONFIG_KEYS 40
struct config_value {
	bool set;
	int64_t num;
	char *str;               /* owned */
	char **list;             /* CONFIG_LIST, or CONFIG_CPUS and EITHER given as a list; owned, with its strings */
	size_t n;
};
struct pvctl_config {
	struct config_value value[CONFIG_KEYS];
};
extern const struct config_key config_keys[CONFIG_KEYS + 1]; /* domain/keys.c; ends with a NULL name */
bool config_key_of_xl(const char *key);
int config_find(const char *key, struct pvctl_error *err);     /* its index, or a code */
int64_t config_int_or(const struct pvctl_config *c, const char *key, int64_t otherwise);
const struct config_value *config_value(const struct pvctl_config *c, const char *key);
int config_copy(const struct pvctl_config *c, struct pvctl_config **ret, struct pvctl_error *err);
/* cmdline, or root= and extra put together; malloc'd, "" when nothing is set. */
char *config_cmdline(const struct pvctl_config *c);
/* The affinity of a vCPU by "cpus" (hard) or "cpus_soft": ~0 when none was asked for. */
uint64_t config_affinity(const struct pvctl_config *c, const char *key, unsigned int vcpu);

/* domain/keys.c */
int key_check_name(const char *key, const char *value, struct pvctl_error *err);

/* cpulist.c: "0-3,^1", "all", "node:0" */
int cpulist_parse(const char *text, uint64_t *ret, struct pvctl_error *err);

/* list.c */
void domain_info_fill(const struct xen_domctl_getdomaininfo *d, const struct proto_domain_row *row,
                      struct pvctl_domain_info *ret);
int32_t domain_reason(const struct xen_domctl_getdomaininfo *d);

#endif
