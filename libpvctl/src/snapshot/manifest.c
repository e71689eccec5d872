/* SPDX-License-Identifier: MIT */
#include "snapshot/manifest.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/json.h"
#include <stdlib.h>
#include <string.h>

void snapshot_free(struct snapshot *s)
{
	pvctl_config_free(s->config);
	free(s->disk);
	while (s->n_copies) {
		free(s->copy[--s->n_copies].file);
		free(s->copy[s->n_copies].stamp);
	}
	free(s->copy);
	*s = (struct snapshot){ .n_disks = 0 };
}

static void put_str(struct json_out *o, const char *key, const char *value)
{
	json_out_key(o, key);
	json_out_str(o, value);
}

static void put_int(struct json_out *o, const char *key, uint64_t value)
{
	json_out_key(o, key);
	json_out_int(o, (long long)value);
}

static void put_disk(struct json_out *o, const struct snapshot_disk *d)
{
	json_out_open(o, '{');
	put_str(o, "vdev", d->vdev);
	put_int(o, "overlay", d->overlay);
	put_str(o, "format", disk_format_name(d->format));
	put_int(o, "bytes", d->bytes);
	put_str(o, "file", d->file);
	put_str(o, "disk", d->head);
	if (d->fresh[0])
		put_str(o, "fresh", d->fresh);
	if (d->was[0])
		put_str(o, "was", d->was);
	json_out_close(o, '}');
}

static void put_copies(struct json_out *o, const struct snapshot *s)
{
	if (!s->n_copies)
		return;
	json_out_key(o, "copies");
	json_out_open(o, '[');
	for (size_t i = 0; i < s->n_copies; i++) {
		json_out_open(o, '{');
		put_str(o, "file", s->copy[i].file);
		put_str(o, "stamp", s->copy[i].stamp);
		json_out_close(o, '}');
	}
	json_out_close(o, ']');
}

int snapshot_format(const struct snapshot *s, char **ret, struct pvctl_error *err)
{
	CLEANUP_FREE char *config = NULL;
	struct json_out o = { .rc = 0 };
	int rc = pvctl_config_to_json(s->config, &config, err);

	if (rc)
		return rc;
	json_out_open(&o, '{');
	put_int(&o, "schema", SNAPSHOT_SCHEMA);
	put_str(&o, "domain", s->domain);
	put_str(&o, "name", s->name);
	put_str(&o, "description", s->description);
	put_int(&o, "created_unix_ns", s->created_unix_ns);
	if (s->stopped)
		put_int(&o, "stopped", 1);
	put_str(&o, "config", config);
	manifest_put_file(&o, "memory", &s->memory);
	json_out_key(&o, "disks");
	json_out_open(&o, '[');
	for (size_t i = 0; i < s->n_disks; i++)
		put_disk(&o, &s->disk[i]);
	json_out_close(&o, ']');
	put_copies(&o, s);
	json_out_close(&o, '}');
	rc = json_out_take(&o, ret);
	if (rc == -EINVAL)
		return err_set(err, rc, PVCTL_ORIGIN_LIB, "the description or a file's name is not UTF-8");
	return rc ? err_nomem(err) : 0;
}

static int wrong(struct pvctl_error *err, const char *what)
{
	return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the manifest's \"%s\" is missing or none", what);
}

static int get_str(yajl_val obj, const char *key, char *to, size_t size, bool optional, struct pvctl_error *err)
{
	const char *v = json_str(obj, key);

	if (!v && optional)
		return 0;
	if (!v || strlen(v) >= size)
		return wrong(err, key);
	strcpy(to, v);
	return 0;
}

static int get_int(yajl_val obj, const char *key, uint64_t *ret, struct pvctl_error *err)
{
	long long v;

	if (json_int(obj, key, &v) || v < 0)
		return wrong(err, key);
	*ret = (uint64_t)v;
	return 0;
}

static int get_path(yajl_val obj, const char *key, char *to, bool optional, struct pvctl_error *err)
{
	int rc = get_str(obj, key, to, DISK_TARGET_MAX + 1, optional, err);

	return rc || to[0] == '/' || (optional && !to[0]) ? rc : wrong(err, key);
}

static int get_disk(yajl_val obj, struct snapshot_disk *d, struct pvctl_error *err)
{
	const char *format = json_str(obj, "format");
	uint64_t overlay = 0;
	uint32_t number;
	int rc = get_str(obj, "vdev", d->vdev, sizeof(d->vdev), false, err);

	if (!rc && disk_vdev_parse(d->vdev, &number))
		rc = wrong(err, "vdev");
	if (!rc && (!format || disk_format_parse(format, &d->format)))
		rc = wrong(err, "format");
	rc = rc ? rc : get_int(obj, "overlay", &overlay, err);
	d->overlay = overlay != 0;
	rc = rc ? rc : get_int(obj, "bytes", &d->bytes, err);
	rc = rc ? rc : get_path(obj, "file", d->file, false, err);
	rc = rc ? rc : get_path(obj, "disk", d->head, false, err);
	rc = rc ? rc : get_path(obj, "fresh", d->fresh, true, err);
	return rc ? rc : get_path(obj, "was", d->was, true, err);
}

static int get_disks(yajl_val obj, struct snapshot *s, struct pvctl_error *err)
{
	static const char *const path[] = { "disks", NULL };
	yajl_val v = yajl_tree_get(obj, (const char **)(uintptr_t)path, yajl_t_array);
	int rc = 0;

	if (!v || v->u.array.len > SNAPSHOT_MAX_DISKS)
		return wrong(err, "disks");
	s->disk = calloc(v->u.array.len + 1, sizeof(*s->disk));
	if (!s->disk)
		return err_nomem(err);
	for (; s->n_disks < v->u.array.len && !rc; s->n_disks++) {
		yajl_val e = v->u.array.values[s->n_disks];

		rc = YAJL_IS_OBJECT(e) ? get_disk(e, &s->disk[s->n_disks], err) : wrong(err, "disks");
	}
	return rc;
}

static int get_copy(yajl_val obj, struct snapshot_copy *c, struct pvctl_error *err)
{
	const char *file = json_str(obj, "file"), *stamp = json_str(obj, "stamp");

	if (!file || file[0] != '/' || !stamp)
		return wrong(err, "copies");
	c->file = strdup(file);
	c->stamp = strdup(stamp);
	return c->file && c->stamp ? 0 : err_nomem(err);
}

static int get_copies(yajl_val obj, struct snapshot *s, struct pvctl_error *err)
{
	static const char *const path[] = { "copies", NULL };
	yajl_val v = yajl_tree_get(obj, (const char **)(uintptr_t)path, yajl_t_array);
	int rc = 0;

	if (!v)
		return 0;
	s->copy = calloc(v->u.array.len + 1, sizeof(*s->copy));
	if (!s->copy)
		return err_nomem(err);
	for (; s->n_copies < v->u.array.len && !rc; s->n_copies++) {
		yajl_val e = v->u.array.values[s->n_copies];

		rc = YAJL_IS_OBJECT(e) ? get_copy(e, &s->copy[s->n_copies], err) : wrong(err, "copies");
	}
	return rc;
}

static int get_all(yajl_val obj, struct snapshot *s, struct pvctl_error *err)
{
	const char *config = json_str(obj, "config");
	long long n, stopped = 0;
	int rc;

	if (json_int(obj, "schema", &n) || n != SNAPSHOT_SCHEMA)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the manifest's schema is not 1: another release of pvctl made it");
	rc = get_str(obj, "domain", s->domain, sizeof(s->domain), false, err);
	rc = rc ? rc : get_str(obj, "name", s->name, sizeof(s->name), false, err);
	rc = rc ? rc : get_str(obj, "description", s->description, sizeof(s->description), false, err);
	rc = rc ? rc : get_int(obj, "created_unix_ns", &s->created_unix_ns, err);
	s->stopped = !json_int(obj, "stopped", &stopped) && stopped;
	rc = rc ? rc : manifest_get_file(obj, "memory", &s->memory, err);
	rc = rc ? rc : get_disks(obj, s, err);
	rc = rc ? rc : get_copies(obj, s, err);
	if (rc)
		return rc;
	return config ? pvctl_config_from_json(config, &s->config, err) : wrong(err, "config");
}

int snapshot_parse(const char *text, struct snapshot *ret, struct pvctl_error *err)
{
	struct snapshot s = { .n_disks = 0 };
	yajl_val obj;
	int rc = json_parse_object(text, &obj, err);

	if (rc)
		return rc;
	rc = get_all(obj, &s, err);
	yajl_tree_free(obj);
	if (rc)
		snapshot_free(&s);
	else
		*ret = s;
	return rc;
}
