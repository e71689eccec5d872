/* SPDX-License-Identifier: MIT */
/* A domain from a template: disks of its own on top of the template's, and a definition by which it starts again. */
#include "device/disk_spec.h"
#include "template/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uuid/uuid.h>

struct instance {
	struct pvctl *ctx;
	struct manifest m;
	struct pvctl_config *config;
	const char *name;
	char dir[TEMPLATE_PATH], disks[TEMPLATE_PATH]; /* the template's, and the domain's own */
	bool warm, made, defined;
};

/* Memory brings its size, its CPUs and its kernel along. */
static int check_warm(const struct pvctl_config *over, struct pvctl_error *err)
{
	static const char *const fixed[] = { "memory", "maxmem", "vcpus", "maxvcpus", "kernel", "ramdisk", "cmdline", "root", "extra",
					     "bootloader", "firmware" };

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (config_value(over, fixed[i]))
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: the template is warm, it has booted with another; cold=1 (--cold) boots it anew",
			               fixed[i]);
	return 0;
}

static int set_from(struct pvctl_config *c, const struct pvctl_config *over, unsigned int k, struct pvctl_error *err)
{
	const struct config_value *v = &over->value[k];
	const char *key = config_keys[k].name;

	if (v->list)
		return pvctl_config_set_list(c, key, (const char *const *)v->list, v->n, err);
	return v->str ? pvctl_config_set_str(c, key, v->str, err) : pvctl_config_set_int(c, key, v->num, err);
}

static int set_file(struct instance *n, const char *key, const struct template_file *f, struct pvctl_error *err)
{
	char path[TEMPLATE_PATH + 80];

	if (!f->name[0] || config_value(n->config, key))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", n->dir, f->name);
	return pvctl_config_set_str(n->config, key, path, err);
}

static void disk_text(const struct instance *n, size_t i, char text[DISK_SPEC_MAX + 1])
{
	const struct template_disk *d = &n->m.disk[i];
	struct disk_spec s = { .format = DISK_QCOW2, .readonly = d->readonly };

	snprintf(s.vdev_name, sizeof(s.vdev_name), "%s", d->vdev);
	snprintf(s.target, sizeof(s.target), "%s/%s", n->disks, d->file.name);
	disk_spec_format(&s, text);
}

/* The template's first: it is started from one of those. */
static int set_disks(struct instance *n, const struct pvctl_config *over, struct pvctl_error *err)
{
	const struct config_value *more = over ? config_value(over, "disk") : NULL;
	size_t count = 0, others = more && more->list ? more->n : 0;
	char **list = calloc(n->m.n_disks + others + 1, sizeof(*list)), text[DISK_SPEC_MAX + 1];
	int rc = 0;

	if (!list)
		return err_nomem(err);
	for (size_t i = 0; i < n->m.n_disks && !rc; i++) {
		disk_text(n, i, text);
		list[count] = strdup(text);
		rc = list[count++] ? 0 : err_nomem(err);
	}
	for (size_t i = 0; i < others && !rc; i++) {
		list[count] = strdup(more->list[i]);
		rc = list[count++] ? 0 : err_nomem(err);
	}
	if (!rc && count)
		rc = pvctl_config_set_list(n->config, "disk", (const char *const *)list, count, err);
	while (count)
		free(list[--count]);
	free(list);
	return rc;
}

/* The domain and its definition have the same. */
static int set_uuid(struct pvctl_config *c, struct pvctl_error *err)
{
	char text[37];
	uuid_t uuid;

	if (config_value(c, "uuid"))
		return 0;
	uuid_generate(uuid);
	uuid_unparse_lower(uuid, text);
	return pvctl_config_set_str(c, "uuid", text, err);
}

static int make_config(struct instance *n, const struct pvctl_config *over, struct pvctl_error *err)
{
	int rc = config_copy(n->m.config, &n->config, err);

	for (unsigned int k = 0; config_keys[k].name && !rc; k++)
		if (over->value[k].set)
			rc = set_from(n->config, over, k, err);
	rc = rc ? rc : set_file(n, "kernel", &n->m.kernel, err);
	rc = rc ? rc : set_file(n, "ramdisk", &n->m.ramdisk, err);
	rc = rc ? rc : set_disks(n, over, err);
	rc = rc ? rc : set_uuid(n->config, err);
	if (rc)
		return rc;
	n->name = pvctl_config_get_str(n->config, "name");
	return n->name ? 0 : err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "name is not set");
}

static int make_disk(const struct instance *n, size_t i, struct pvctl_error *err)
{
	char base[TEMPLATE_PATH + 80], path[TEMPLATE_PATH + 80];

	snprintf(base, sizeof(base), "%s/%s", n->dir, n->m.disk[i].file.name);
	snprintf(path, sizeof(path), "%s/%s", n->disks, n->m.disk[i].file.name);
	return template_overlay(base, path, err);
}

static int make_disks(struct instance *n, const char *template, struct pvctl_error *err)
{
	const struct iovec v[] = { { (void *)(uintptr_t)template, strlen(template) }, { (void *)(uintptr_t)"\n", 1 } };
	int rc;

	if (mkdir(n->disks, 0700))
		return errno == EEXIST ? err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "name=\"%s\": disks of a domain of this name are in %s already: "
		                                 "`pvctl start %s' starts it, `pvctl reinstall %s' makes it anew, `pvctl undefine --disks %s' deletes them",
		                                 n->name, n->disks, n->name, n->name, n->name) :
		       err_os(err, errno, "%s", n->disks);
	n->made = true;
	rc = fd_write_atomic(n->disks, "template", v, 2);
	if (rc)
		return err_os(err, -rc, "%s/template", n->disks);
	for (size_t i = 0; i < n->m.n_disks && !rc; i++)
		rc = make_disk(n, i, err);
	return rc;
}

static int start_warm(struct instance *n, const struct pvctl_create_opts *o, uint32_t *ret_domid, struct pvctl_error *err)
{
	const struct pvctl_restore_opts restore = { .size = sizeof(restore), .paused = o->paused };
	char path[TEMPLATE_PATH + 80];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/%s", n->dir, n->m.memory.name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_os(err, errno, "%s", path);
	rc = pvctl_domain_restore(n->ctx, fd, n->config, &restore, ret_domid, NULL, err);
	close(fd);
	return rc;
}

static int begin(struct instance *n, const char *template, const struct pvctl_config *over, bool cold, struct pvctl_error *err)
{
	int rc = template_read(template, &n->m, err);

	rc = rc ? rc : template_dir(template, n->dir, err);
	if (rc)
		return rc;
	n->warm = n->m.memory.name[0] && !cold;
	if (n->warm)
		rc = check_warm(over, err);
	if (!rc && !config_value(over, "name"))
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "name is not set");
	rc = rc ? rc : template_disks_dir(pvctl_config_get_str(over, "name"), n->disks, err);
	return rc ? rc : make_config(n, over, err);
}

static void end(struct instance *n, int rc)
{
	if (rc && n->defined)
		(void)!pvctl_defined_remove(n->ctx->node, n->name, NULL);
	if (rc && n->made)
		template_remove_dir(n->disks);
	pvctl_config_free(n->config);
	manifest_free(&n->m);
}

int pvctl_template_create(struct pvctl *ctx, const char *template, const struct pvctl_config *over,
                          const struct pvctl_template_create_opts *opts, uint32_t *ret_domid, struct pvctl_error *err)
{
	struct instance n = { .ctx = ctx };
	struct pvctl_template_create_opts o;
	struct pvctl_create_opts create = { .size = sizeof(create) };
	int rc = opts_load(&o, sizeof(o), opts, err);

	rc = rc ? rc : begin(&n, template, over, o.cold, err);
	rc = rc ? rc : make_disks(&n, template, err);
	create.paused = o.paused;
	if (!rc)
		rc = n.warm ? start_warm(&n, &create, ret_domid, err) : pvctl_domain_create(ctx, n.config, &create, ret_domid, err);
	if (!rc) {
		rc = pvctl_defined_set(ctx->node, n.config, err);
		n.defined = !rc;
		if (rc)
			(void)!pvctl_domain_destroy(ctx, *ret_domid, NULL, NULL);
	}
	end(&n, rc);
	return rc;
}

/* ---- the system disk, anew ---- */

static int convert_onto(const struct instance *n, const char *target, struct pvctl_error *err)
{
	struct disk_spec s;
	char base[TEMPLATE_PATH + 80];
	int rc = disk_spec_parse(target, &s, err);

	snprintf(base, sizeof(base), "%s/%s", n->dir, n->m.disk[0].file.name);
	return rc ? rc : template_onto(n->ctx, base, s.target, disk_format_driver(s.format), err);
}

/* The new one is whole before it takes the old one's place. */
static int renew(struct instance *n, const char *template, struct pvctl_error *err)
{
	const struct iovec v[] = { { (void *)(uintptr_t)template, strlen(template) }, { (void *)(uintptr_t)"\n", 1 } };
	char base[TEMPLATE_PATH + 80], path[TEMPLATE_PATH + 80], fresh[TEMPLATE_PATH + 100];
	int rc;

	snprintf(base, sizeof(base), "%s/%s", n->dir, n->m.disk[0].file.name);
	snprintf(path, sizeof(path), "%s/%s", n->disks, n->m.disk[0].file.name);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	unlink(fresh);
	rc = template_overlay(base, fresh, err);
	if (!rc && rename(fresh, path))
		rc = err_os(err, errno, "%s", path);
	if (!rc && fd_write_atomic(n->disks, "template", v, 2))
		rc = err_set(err, -EIO, PVCTL_ORIGIN_OS, "%s/template cannot be written", n->disks);
	if (rc)
		unlink(fresh);
	return rc;
}

static bool first_is_own(const struct instance *n)
{
	const char *first = pvctl_config_get_item(n->config, "disk", 0);
	char path[TEMPLATE_PATH + 80];
	struct disk_spec s;

	snprintf(path, sizeof(path), "%s/%s", n->disks, n->m.disk[0].file.name);
	return first && !disk_spec_parse(first, &s, NULL) && !strcmp(s.target, path);
}

static int config_of(struct instance *n, uint32_t *ret_domid, struct pvctl_error *err)
{
	int rc = pvctl_domain_lookup(n->ctx, n->name, ret_domid, err);

	if (!rc)
		return pvctl_domain_config(n->ctx, *ret_domid, &n->config, err);
	*ret_domid = 0;
	return rc == -ESRCH ? pvctl_defined_get(n->ctx->node, n->name, &n->config, err) : rc;
}

static int reinstall(struct instance *n, const char *template, uint32_t *ret_domid, struct pvctl_error *err)
{
	uint32_t domid;
	bool gone;
	int rc = config_of(n, &domid, err);

	if (rc)
		return rc;
	if (!n->m.n_disks)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "template \"%s\" has no disk", template);
	if (!pvctl_config_get_item(n->config, "disk", 0))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "domain \"%s\" has no disk", n->name);
	if (domid)
		rc = pvctl_domain_destroy(n->ctx, domid, NULL, err);
	gone = domid && !rc;
	if (!rc)
		rc = first_is_own(n) ? renew(n, template, err) : convert_onto(n, pvctl_config_get_item(n->config, "disk", 0), err);
	*ret_domid = 0;
	/* Where its own disk could not be made anew, it has the old one yet. */
	if (domid && rc && gone && first_is_own(n))
		(void)!pvctl_domain_create(n->ctx, n->config, NULL, ret_domid, NULL);
	return rc || !domid ? rc : pvctl_domain_create(n->ctx, n->config, NULL, ret_domid, err);
}

int pvctl_domain_reinstall(struct pvctl *ctx, const char *name, const char *template, uint32_t *ret_domid, struct pvctl_error *err)
{
	struct instance n = { .ctx = ctx, .name = name };
	char own[64];
	int rc = 0;

	if (!template) {
		rc = template_of_domain(name, own, err);
		template = own;
	}
	rc = rc ? rc : template_read(template, &n.m, err);
	if (rc)
		return rc;
	rc = template_dir(template, n.dir, err);
	rc = rc ? rc : template_disks_dir(name, n.disks, err);
	rc = rc ? rc : reinstall(&n, template, ret_domid, err);
	end(&n, 0);
	return rc;
}

int pvctl_template_disks_remove(const char *domain, struct pvctl_error *err)
{
	char dir[TEMPLATE_PATH], of[64];
	int rc = template_of_domain(domain, of, err);

	rc = rc ? rc : template_disks_dir(domain, dir, err);
	if (rc)
		return rc;
	rc = template_remove_dir(dir);
	return rc ? err_os(err, -rc, "%s", dir) : 0;
}
