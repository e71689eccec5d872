/* SPDX-License-Identifier: MIT */
/* A domain from a template: disks of its own on top of the template's, and a definition by which it starts again. */
#include "device/disk_spec.h"
#include "domain/private.h"
#include "template/private.h"
#include "util/err.h"
#include "util/fd.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

struct instance {
	struct pvctl *ctx;
	struct manifest m;
	struct pvctl_config *config;
	const char *name;
	char dir[TEMPLATE_PATH], disks[TEMPLATE_PATH]; /* the template's, and the domain's own */
	int held, lock;      /* lock: of its own, until it is finished */
	struct pvctl_config *was; /* the definition that there was of this name */
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
	char path[TEMPLATE_FILE_PATH];

	if (!f->name[0] || config_value(n->config, key))
		return 0;
	template_path(n->dir, f->name, path);
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
	const struct config_value *more = config_value(over, "disk");
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
	return rc;
}

static int make_disk(const struct instance *n, size_t i, struct pvctl_error *err)
{
	char base[TEMPLATE_FILE_PATH], path[TEMPLATE_FILE_PATH];

	template_path(n->dir, n->m.disk[i].file.name, base);
	template_path(n->disks, n->m.disk[i].file.name, path);
	return template_overlay(base, path, err);
}

static int make_disks(struct instance *n, const char *template, struct pvctl_error *err)
{
	int rc;

	template_sweep_disks();
	rc = template_disks_begin(n->disks, n->ctx->node, &n->lock, err);
	if (rc)
		return rc == -EEXIST ? err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "name=\"%s\": disks of a domain of this name are in %s already: "
		                                 "`pvctl start %s' starts it, `pvctl reinstall %s' makes it anew, `pvctl undefine --disks %s' deletes them",
		                                 n->name, n->disks, n->name, n->name, n->name) : rc;
	n->made = true;
	rc = template_note(n->disks, template, true, err);
	for (size_t i = 0; i < n->m.n_disks && !rc; i++)
		rc = make_disk(n, i, err);
	return rc;
}

/*
 * Before it runs: whoever is killed from here on leaves a domain that is defined and has its disks. Whoever is killed before leaves what
 * goes with the next.
 */
static int define(struct instance *n, struct pvctl_error *err)
{
	uint32_t domid;
	int rc;

	if (!pvctl_domain_lookup(n->ctx, n->name, &domid, NULL))
		return err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "a domain \"%s\" has this name already", n->name);
	if (pvctl_defined_get(n->ctx->node, n->name, &n->was, NULL))
		n->was = NULL;
	rc = pvctl_defined_set(n->ctx->node, n->config, err);
	if (rc)
		return rc;
	n->defined = true;
	ctx_step(n->ctx, "defined");
	template_disks_finished(n->disks);
	ctx_step(n->ctx, "finished");
	return 0;
}

static void undefine(struct instance *n)
{
	if (n->was ? pvctl_defined_set(n->ctx->node, n->was, NULL) : pvctl_defined_remove(n->ctx->node, n->name, NULL))
		log_msg(&n->ctx->log, LOG_ERROR, "domain \"%s\" is defined, and has no disks", n->name);
}

static int start_warm(struct instance *n, const struct pvctl_create_opts *o, uint32_t *ret_domid, struct pvctl_error *err)
{
	const struct pvctl_restore_opts restore = { .size = sizeof(restore), .paused = o->paused };
	char path[TEMPLATE_FILE_PATH];
	int fd, rc;

	template_path(n->dir, n->m.memory.name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_os(err, errno, "%s", path);
	rc = pvctl_domain_restore(n->ctx, fd, n->config, &restore, ret_domid, NULL, err);
	close(fd);
	return rc;
}

static int begin(struct instance *n, const char *template, const struct pvctl_config *over, bool cold, struct pvctl_error *err)
{
	int rc = template_hold(template, false, &n->held, err);

	rc = rc ? rc : template_read(template, &n->m, err);
	rc = rc ? rc : template_dir(template, n->dir, err);
	if (rc)
		return rc;
	n->warm = n->m.memory.name[0] && !cold;
	if (n->warm)
		rc = check_warm(over, err);
	n->name = pvctl_config_get_str(over, "name");
	if (!rc && !n->name)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "name is not set");
	rc = rc ? rc : template_disks_dir(n->name, n->disks, err);
	return rc ? rc : make_config(n, over, err);
}

static void end(struct instance *n, int rc)
{
	if (rc && n->defined)
		undefine(n);
	if (rc && n->made)
		template_remove_dir(n->disks);
	fd_unlock_close(n->lock);
	pvctl_config_free(n->was);
	fd_unlock_close(n->held);
	pvctl_config_free(n->config);
	manifest_free(&n->m);
}

int pvctl_template_create(struct pvctl *ctx, const char *template, const struct pvctl_config *over,
                          const struct pvctl_template_create_opts *opts, uint32_t *ret_domid, struct pvctl_error *err)
{
	struct instance n = { .ctx = ctx, .held = -1, .lock = -1 };
	struct pvctl_template_create_opts o;
	struct pvctl_create_opts create = { .size = sizeof(create) };
	int rc = opts_load(&o, sizeof(o), opts, err);

	rc = rc ? rc : begin(&n, template, over, o.cold, err);
	rc = rc ? rc : make_disks(&n, template, err);
	if (!rc)
		ctx_step(ctx, "disks");
	rc = rc ? rc : define(&n, err);
	create.paused = o.paused;
	if (!rc)
		rc = n.warm ? start_warm(&n, &create, ret_domid, err) : pvctl_domain_create(ctx, n.config, &create, ret_domid, err);
	if (!rc)
		ctx_step(ctx, "started");
	else if (n.defined && domain_end_lost(ctx, n.config, rc))
		n.defined = n.made = false;
	end(&n, rc);
	return rc;
}
