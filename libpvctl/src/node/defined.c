/* SPDX-License-Identifier: MIT */
/* Domains that are known while they do not run: STATEDIR/defined/NAME.json, each a file that is replaced as a whole. */
#include "domain/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/grow.h"
#include "util/json.h"
#include "util/paths.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SUFFIX ".json"
#define ORDER_DEFAULT 50u
#define ORDER_MAX 9999u
#define DELAY_MAX 3600000u

struct pvctl_defined_list { size_t n; struct pvctl_defined_info *info; };

/* The directory, made when it is not there. */
static int defined_dir(const char *node, char *buf, size_t len, struct pvctl_error *err)
{
	char state[200];
	int rc = paths_state_dir(node, state, sizeof(state), err);

	if (rc)
		return rc;
	snprintf(buf, len, "%s/defined", state);
	return paths_make(buf, err);
}

static int file_of(const char *node, const char *name, char *buf, size_t len, struct pvctl_error *err)
{
	char dir[240];
	int rc = key_check_name("name", name, err);

	rc = rc ? rc : defined_dir(node, dir, sizeof(dir), err);
	if (!rc)
		snprintf(buf, len, "%s/%s" SUFFIX, dir, name);
	return rc;
}

static uint32_t number(yajl_val obj, const char *key, uint32_t otherwise, uint32_t max)
{
	long long v;

	return json_int(obj, key, &v) || v < 0 || v > max ? otherwise : (uint32_t)v;
}

/* *ret_config: malloc'd JSON. -ENOENT: not defined. */
static int load(const char *node, const char *name, struct pvctl_defined_info *ret, char **ret_config, struct pvctl_error *err)
{
	CLEANUP_FREE char *text = NULL;
	char path[400];
	const char *config;
	yajl_val obj;
	int rc = file_of(node, name, path, sizeof(path), err);

	if (rc)
		return rc;
	rc = fd_read_text(path, JSON_MAX_TEXT, &text);
	if (rc == -ENOENT)
		return err_set(err, rc, PVCTL_ORIGIN_LIB, "no domain \"%s\" is defined", name);
	if (rc)
		return err_os(err, -rc, "%s", path);
	rc = json_parse_object(text, &obj, err);
	if (rc)
		return err_wrap(err, rc, "%s", path);
	*ret = (struct pvctl_defined_info){ .size = sizeof(*ret) };
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	ret->autostart = number(obj, "autostart", 0, 1);
	ret->order = number(obj, "order", ORDER_DEFAULT, ORDER_MAX);
	ret->delay_ms = number(obj, "delay_ms", 0, DELAY_MAX);
	config = json_str(obj, "config");
	*ret_config = config ? strdup(config) : NULL;
	if (!config)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: it has no configuration", path);
	else if (!*ret_config)
		rc = err_nomem(err);
	yajl_tree_free(obj);
	return rc;
}

static int save(const char *node, const struct pvctl_defined_info *i, const char *config, struct pvctl_error *err)
{
	CLEANUP_FREE char *text = NULL;
	struct json_out o = { .rc = 0 };
	char dir[240], file[140];
	struct iovec v;
	int rc = defined_dir(node, dir, sizeof(dir), err);

	if (rc)
		return rc;
	json_out_open(&o, '{');
	json_out_key(&o, "autostart");
	json_out_int(&o, i->autostart);
	json_out_key(&o, "order");
	json_out_int(&o, i->order);
	json_out_key(&o, "delay_ms");
	json_out_int(&o, i->delay_ms);
	json_out_key(&o, "config");
	json_out_str(&o, config);
	json_out_close(&o, '}');
	if (json_out_take(&o, &text))
		return err_nomem(err);
	snprintf(file, sizeof(file), "%s" SUFFIX, i->name);
	v = (struct iovec){ text, strlen(text) };
	/* By it a domain finds its disks: an overlay may have been told to it just now. */
	rc = fd_write_durable(dir, file, &v, 1);
	return rc ? err_os(err, -rc, "%s/%s", dir, file) : 0;
}

int pvctl_defined_set(const char *node, const struct pvctl_config *c, struct pvctl_error *err)
{
	CLEANUP_FREE char *old = NULL, *json = NULL;
	struct pvctl_defined_info info;
	const char *name = pvctl_config_get_str(c, "name");
	struct create_plan plan;
	int rc;

	if (!name)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "the configuration has no name");
	rc = load(node, name, &info, &old, err);
	if (rc == -ENOENT) {
		info = (struct pvctl_defined_info){ .size = sizeof(info), .order = ORDER_DEFAULT };
		snprintf(info.name, sizeof(info.name), "%s", name);
		rc = 0;
	}
	/* As it would be created now: absolute paths, and a UUID and MACs that stay from one start to the next. */
	rc = rc ? rc : plan_make(NULL, NULL, c, NULL, &plan, err);
	if (rc)
		return rc;
	rc = pvctl_config_to_json(plan.config, &json, err);
	plan_free(&plan);
	return rc ? rc : save(node, &info, json, err);
}

int pvctl_defined_remove(const char *node, const char *name, struct pvctl_error *err)
{
	char path[400];
	int rc = file_of(node, name, path, sizeof(path), err);

	if (!rc && unlink(path))
		rc = errno == ENOENT ? err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "no domain \"%s\" is defined", name) :
				       err_os(err, errno, "%s", path);
	return rc;
}

int pvctl_defined_get(const char *node, const char *name, struct pvctl_config **ret, struct pvctl_error *err)
{
	CLEANUP_FREE char *json = NULL;
	struct pvctl_defined_info info;
	int rc = load(node, name, &info, &json, err);

	return rc ? rc : pvctl_config_from_json(json, ret, err);
}

int pvctl_defined_autostart(const char *node, const char *name, const struct pvctl_autostart_opts *opts, struct pvctl_error *err)
{
	CLEANUP_FREE char *json = NULL;
	struct pvctl_autostart_opts o;
	struct pvctl_defined_info info;
	int rc = opts_load(&o, sizeof(o), opts, err);

	if (!rc && (o.order > (int32_t)ORDER_MAX || o.delay_ms > (int32_t)DELAY_MAX))
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "an order is 0 to %u, a delay at most %u s", ORDER_MAX, DELAY_MAX / 1000);
	rc = rc ? rc : load(node, name, &info, &json, err);
	if (rc)
		return rc;
	info.autostart = o.autostart != 0;
	info.order = o.order >= 0 ? (uint32_t)o.order : info.order;
	info.delay_ms = o.delay_ms >= 0 ? (uint32_t)o.delay_ms : info.delay_ms;
	return save(node, &info, json, err);
}

/* In the order in which they start. */
static int by_order(const void *a, const void *b)
{
	const struct pvctl_defined_info *x = a, *y = b;

	return x->order != y->order ? (x->order > y->order) - (x->order < y->order) : strcmp(x->name, y->name);
}

/* What is not a definition, or goes while it is looked at, is passed over. */
static int append(struct pvctl_defined_list *l, const char *node, const char *file)
{
	size_t len = strlen(file), suffix = strlen(SUFFIX);
	CLEANUP_FREE char *json = NULL;
	struct pvctl_defined_info info, *more;
	char name[128];

	if (len <= suffix || len - suffix >= sizeof(name) || strcmp(file + len - suffix, SUFFIX))
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)(len - suffix), file);
	if (load(node, name, &info, &json, NULL))
		return 0;
	more = realloc(l->info, (l->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->info = more;
	l->info[l->n++] = info;
	return 0;
}

int pvctl_defined_list(const char *node, struct pvctl_defined_list **ret, struct pvctl_error *err)
{
	struct pvctl_defined_list *l;
	struct dirent *e;
	char dir[240];
	DIR *d;
	int rc = defined_dir(node, dir, sizeof(dir), err);

	if (rc)
		return rc;
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_nomem(err);
	d = opendir(dir);
	while (d && !rc && (e = readdir(d)))
		rc = append(l, node, e->d_name);
	if (d)
		closedir(d);
	if (rc) {
		pvctl_defined_list_free(l);
		return err_nomem(err);
	}
	if (l->n)
		qsort(l->info, l->n, sizeof(*l->info), by_order);
	*ret = l;
	return 0;
}

size_t pvctl_defined_list_count(const struct pvctl_defined_list *l)
{
	return l->n;
}

const struct pvctl_defined_info *pvctl_defined_list_at(const struct pvctl_defined_list *l, size_t i)
{
	return i < l->n ? &l->info[i] : NULL;
}

void pvctl_defined_list_free(struct pvctl_defined_list *l)
{
	if (!l)
		return;
	free(l->info);
	free(l);
}
