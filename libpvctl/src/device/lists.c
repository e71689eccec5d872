/* SPDX-License-Identifier: MIT */
#include "device/lists.h"
#include "device/request.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/paths.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 64u

/* n specs side by side; devids below 64. Those that have none get one if number is set. */
static int number_all(const struct device_list *l, char *specs, size_t n, bool number, struct pvctl_error *err)
{
	uint64_t used = 0;
	bool *has;

	for (size_t i = 0; i < n; i++) {
		uint32_t id = *l->devid(specs + i * l->spec_size, &has);

		if (!*has)
			continue;
		if (used & 1ull << id)
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: two have devid %u", l->key, id);
		used |= 1ull << id;
	}
	for (size_t i = 0; number && i < n; i++) {
		uint32_t *id = l->devid(specs + i * l->spec_size, &has), next = l->first;

		if (*has)
			continue;
		while (used & 1ull << next)
			next++; /* at most as many as there are devids are used */
		used |= 1ull << next;
		*id = next;
		*has = true;
	}
	return 0;
}

static int names_differ(const struct device_list *l, const char *specs, size_t n, struct pvctl_error *err)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(l->name(specs + i * l->spec_size), l->name(specs + k * l->spec_size)))
				return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: two have the %s \"%.64s\"", l->key, l->what,
				               l->name(specs + i * l->spec_size));
	return 0;
}

/* *ret: to be freed. */
static int parse_all(const struct device_list *l, const char *const *values, size_t n, bool number, char **ret,
                     struct pvctl_error *err)
{
	CLEANUP_FREE char *specs = calloc(n + 1, l->spec_size);
	int rc = 0;

	if (!specs)
		return err_nomem(err);
	if (n > LIST_MAX || n > l->last - l->first + 1)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: %zu of them; a domain can have %u", l->key, n,
		               l->last - l->first + 1);
	for (size_t i = 0; i < n && !rc; i++)
		rc = l->parse(values[i], specs + i * l->spec_size, err);
	rc = rc ? rc : number_all(l, specs, n, number, err);
	rc = rc ? rc : names_differ(l, specs, n, err);
	if (!rc)
		*ret = TAKE_PTR(specs);
	return rc;
}

int device_list_check(const struct device_list *l, const char *const *values, size_t n, struct pvctl_error *err)
{
	CLEANUP_FREE char *specs = NULL;

	return parse_all(l, values, n, false, &specs, err);
}

int device_list_plan(const struct device_list *l, struct pvctl_config *c, struct pvctl_error *err)
{
	CLEANUP_FREE char *specs = NULL, *texts = NULL;
	const char *value[LIST_MAX + 1];
	size_t n = 0;
	int rc;

	while (n <= LIST_MAX && (value[n] = pvctl_config_get_item(c, l->key, n)))
		n++;
	if (!n)
		return 0;
	rc = parse_all(l, value, n, true, &specs, err);
	if (rc)
		return rc;
	texts = calloc(n, l->text_size);
	if (!texts)
		return err_nomem(err);
	for (size_t i = 0; i < n && !rc; i++) {
		rc = l->plan(specs + i * l->spec_size, err);
		l->format(specs + i * l->spec_size, texts + i * l->text_size);
		value[i] = texts + i * l->text_size;
	}
	return rc ? rc : pvctl_config_set_list(c, l->key, value, n, err);
}

int device_list_attach(const struct device_list *l, struct pvctl *ctx, uint32_t domid, const struct pvctl_config *c,
                       struct pvctl_error *err)
{
	const char *item;
	int rc = 0;

	for (size_t i = 0; !rc && (item = pvctl_config_get_item(c, l->key, i)); i++)
		rc = device_request_attach(ctx, l->class_id, domid, item, err);
	return rc;
}

int device_path_absolute(char *path, size_t max, const char *what, struct pvctl_error *err)
{
	CLEANUP_FREE char *full = NULL;
	char named[40];
	int rc;

	if (path[0] == '/')
		return 0;
	snprintf(named, sizeof(named), "%s ", what);
	rc = paths_absolute(named, path, &full, err);
	if (rc)
		return rc;
	if (strlen(full) > max || strchr(full, ','))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB,
		               "%s \"%.100s\": with the current directory before it the path is too long, or has a comma in it", what, path);
	strcpy(path, full);
	return 0;
}
