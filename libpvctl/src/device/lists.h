/* SPDX-License-Identifier: MIT */
/* Devices that are lists of texts in a configuration, numbered from the first free number on. */
#ifndef DEVICE_LISTS_H
#define DEVICE_LISTS_H

#include "ctx/ctx.h"

struct device_list {
	const char *key;
	enum proto_class class_id;
	uint32_t first, last;    /* devids */
	size_t spec_size, text_size;
	/* -EINVAL, -ENOSYS */
	int (*parse)(const char *text, void *spec, struct pvctl_error *err);
	void (*format)(const void *spec, char *text);
	/* Where its devid is, and whether it has one. */
	uint32_t *(*devid)(void *spec, bool **ret_has);
	/* The name that no other may have; what: "tag". */
	const char *what;
	const char *(*name)(const void *spec);
	/* Looks at the host; makes paths absolute. */
	int (*plan)(void *spec, struct pvctl_error *err);
};

/* The whole list: every text, and no devid or name twice. */
int device_list_check(const struct device_list *l, const char *const *values, size_t n, struct pvctl_error *err);
/* Every text in its canonical form, with a devid. */
int device_list_plan(const struct device_list *l, struct pvctl_config *c, struct pvctl_error *err);
/* Attaches what the configuration names to a domain that is being built. */
int device_list_attach(const struct device_list *l, struct pvctl *ctx, uint32_t domid, const struct pvctl_config *c,
                       struct pvctl_error *err);
/* path of at most max bytes, made absolute in place. */
int device_path_absolute(char *path, size_t max, const char *what, struct pvctl_error *err);

/* p9.c, channel.c */
extern const struct device_list p9_list, channel_list;
int p9_check_list(const char *key, const char *const *values, size_t n, struct pvctl_error *err);
int channel_check_list(const char *key, const char *const *values, size_t n, struct pvctl_error *err);

#endif
