/* SPDX-License-Identifier: MIT */
#include "device/disk_spec.h"
#include "device/vif_spec.h"
#include "template/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/json.h"
#include "util/paths.h"
#include <stdio.h>
#include <string.h>

struct template_file *manifest_file(struct manifest *m, size_t i)
{
	struct template_file *named[] = { &m->kernel, &m->ramdisk, &m->memory };

	for (size_t k = 0; k < sizeof(named) / sizeof(named[0]); k++)
		if (named[k]->name[0] && !i--)
			return named[k];
	return i < m->n_disks ? &m->disk[i].file : NULL;
}

void manifest_free(struct manifest *m)
{
	pvctl_config_free(m->config);
	m->config = NULL;
}

/* Its map stays open, for what else there is to say of it. */
static void put_file(struct json_out *o, const char *key, const struct template_file *f)
{
	if (key)
		json_out_key(o, key);
	json_out_open(o, '{');
	json_out_key(o, "file");
	json_out_str(o, f->name);
	json_out_key(o, "bytes");
	json_out_int(o, (long long)f->bytes);
	json_out_key(o, "sha256");
	json_out_str(o, f->sha256);
}

void manifest_put_file(struct json_out *o, const char *key, const struct template_file *f)
{
	if (!f->name[0])
		return;
	put_file(o, key, f);
	json_out_close(o, '}');
}

int manifest_format(const struct manifest *m, char **ret, struct pvctl_error *err)
{
	CLEANUP_FREE char *config = NULL;
	struct json_out o = { .rc = 0 };
	int rc = pvctl_config_to_json(m->config, &config, err);

	if (rc)
		return rc;
	json_out_open(&o, '{');
	json_out_key(&o, "schema");
	json_out_int(&o, TEMPLATE_SCHEMA);
	json_out_key(&o, "name");
	json_out_str(&o, m->name);
	json_out_key(&o, "description");
	json_out_str(&o, m->description);
	json_out_key(&o, "created_unix_ns");
	json_out_int(&o, (long long)m->created_unix_ns);
	json_out_key(&o, "config");
	json_out_str(&o, config);
	manifest_put_file(&o, "kernel", &m->kernel);
	manifest_put_file(&o, "ramdisk", &m->ramdisk);
	manifest_put_file(&o, "memory", &m->memory);
	json_out_key(&o, "disks");
	json_out_open(&o, '[');
	for (size_t i = 0; i < m->n_disks; i++) {
		put_file(&o, NULL, &m->disk[i].file);
		json_out_key(&o, "vdev");
		json_out_str(&o, m->disk[i].vdev);
		json_out_key(&o, "readonly");
		json_out_int(&o, m->disk[i].readonly);
		json_out_close(&o, '}');
	}
	json_out_close(&o, ']');
	json_out_close(&o, '}');
	rc = json_out_take(&o, ret);
	if (rc == -EINVAL)
		return err_set(err, rc, PVCTL_ORIGIN_LIB, "the description or a file's name is not UTF-8");
	return rc ? err_nomem(err) : 0;
}

static int wrong(struct pvctl_error *err, const char *what)
{
	return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the manifest's %s", what);
}

static int copy_text(yajl_val obj, const char *key, char *to, size_t size, struct pvctl_error *err)
{
	const char *v = json_str(obj, key);

	if (!v || strlen(v) >= size)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the manifest's \"%s\" is missing, no text, or too long", key);
	strcpy(to, v);
	return 0;
}

static int get_file(yajl_val obj, struct template_file *f, struct pvctl_error *err)
{
	static const char hex[] = "0123456789abcdef";
	long long bytes;
	int rc = copy_text(obj, "file", f->name, sizeof(f->name), err);

	rc = rc ? rc : copy_text(obj, "sha256", f->sha256, sizeof(f->sha256), err);
	if (rc)
		return rc;
	/* Of names of nodes the same is asked: no path, nothing hidden. */
	if (paths_check_node(f->name, NULL) || !strcmp(f->name, TEMPLATE_MANIFEST))
		return wrong(err, "files must have plain names");
	if (strlen(f->sha256) != 64 || strspn(f->sha256, hex) != 64)
		return wrong(err, "sha256 are 64 hexadecimal digits");
	if (json_int(obj, "bytes", &bytes) || bytes < 0)
		return wrong(err, "files have their sizes in bytes");
	f->bytes = (uint64_t)bytes;
	return 0;
}

int manifest_get_file(yajl_val obj, const char *key, struct template_file *f, struct pvctl_error *err)
{
	const char *path[] = { key, NULL };
	yajl_val v = yajl_tree_get(obj, path, yajl_t_object);

	return v ? get_file(v, f, err) : 0;
}

static int get_disks(yajl_val obj, struct manifest *m, struct pvctl_error *err)
{
	const char *path[] = { "disks", NULL };
	yajl_val v = yajl_tree_get(obj, path, yajl_t_array);
	long long readonly;
	uint32_t vdev;
	int rc = 0;

	if (!v || v->u.array.len > TEMPLATE_MAX_DISKS)
		return wrong(err, "disks are a list of at most 16");
	for (size_t i = 0; i < v->u.array.len && !rc; i++) {
		struct template_disk *d = &m->disk[i];
		yajl_val e = v->u.array.values[i];

		if (!YAJL_IS_OBJECT(e))
			return wrong(err, "disks are objects");
		rc = get_file(e, &d->file, err);
		rc = rc ? rc : copy_text(e, "vdev", d->vdev, sizeof(d->vdev), err);
		if (!rc && disk_vdev_parse(d->vdev, &vdev))
			rc = wrong(err, "vdevs are names of virtual disks");
		d->readonly = !json_int(e, "readonly", &readonly) && readonly;
		m->n_disks = i + 1;
	}
	return rc;
}

/* It may come from anybody: what it names on the host would be opened, or run, as the user's. */
static int check_config(const struct pvctl_config *c, struct pvctl_error *err)
{
	static const char *const own[] = { "name", "uuid", "disk", "kernel", "ramdisk", "p9", "channel", "firmware" };
	struct vif_spec s;
	const char *item;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (config_value(c, own[i]))
			return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the manifest's config has %s, which is a domain's or a machine's own", own[i]);
	for (size_t i = 0; (item = pvctl_config_get_item(c, "vif", i)); i++)
		if (vif_spec_parse(item, &s, NULL) || s.script[0])
			return wrong(err, "config has a vif with a script");
	return 0;
}

static int get_all(yajl_val obj, struct manifest *m, struct pvctl_error *err)
{
	const char *config = json_str(obj, "config");
	long long n;
	int rc;

	if (json_int(obj, "schema", &n) || n != TEMPLATE_SCHEMA)
		return wrong(err, "schema is not 1: another release of pvctl made it");
	rc = copy_text(obj, "name", m->name, sizeof(m->name), err);
	rc = rc ? rc : copy_text(obj, "description", m->description, sizeof(m->description), err);
	rc = rc ? rc : manifest_get_file(obj, "kernel", &m->kernel, err);
	rc = rc ? rc : manifest_get_file(obj, "ramdisk", &m->ramdisk, err);
	rc = rc ? rc : manifest_get_file(obj, "memory", &m->memory, err);
	rc = rc ? rc : get_disks(obj, m, err);
	if (rc)
		return rc;
	m->created_unix_ns = json_int(obj, "created_unix_ns", &n) || n < 0 ? 0 : (uint64_t)n;
	rc = config ? pvctl_config_from_json(config, &m->config, err) : wrong(err, "config is missing");
	return rc ? rc : check_config(m->config, err);
}

int manifest_parse(const char *text, struct manifest *ret, struct pvctl_error *err)
{
	struct manifest m = { .n_disks = 0 };
	yajl_val obj;
	int rc = json_parse_object(text, &obj, err);

	if (rc)
		return rc;
	rc = get_all(obj, &m, err);
	yajl_tree_free(obj);
	if (rc)
		manifest_free(&m);
	else
		*ret = m;
	return rc;
}
