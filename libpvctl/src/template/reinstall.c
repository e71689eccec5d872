/* SPDX-License-Identifier: MIT */
/* A domain's system disk, anew. */
#include "device/disk_spec.h"
#include "disk/image.h"
#include "template/private.h"
#include "util/err.h"
#include "util/fd.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct reinstall {
	struct pvctl *ctx;
	const char *name, *template;
	struct manifest m;
	struct pvctl_config *config;
	char base[TEMPLATE_FILE_PATH], disks[TEMPLATE_PATH], own[TEMPLATE_FILE_PATH]; /* the template's disk; the domain's own */
};

static int convert_onto(const struct reinstall *n, const char *target, struct pvctl_error *err)
{
	struct disk_spec s;
	int rc = disk_spec_parse(target, &s, err);

	return rc ? rc : template_onto(n->ctx, n->base, s.target, disk_format_driver(s.format), err);
}

/* The new one is whole before it takes the old one's place. */
static int replace(const struct reinstall *n, const char *fresh, struct pvctl_error *err)
{
	char copy[256];
	int rc;

	/* Both templates are needed in between, and as long as copies or snapshots are on the old one. */
	rc = template_note(n->disks, n->template, false, err);
	if (!rc && rename(fresh, n->own))
		rc = err_os(err, errno, "%s", n->own);
	if (rc)
		return rc;
	(void)fd_sync_parent(n->own);
	return template_has_copies(n->disks, copy) ? 0 : template_note(n->disks, n->template, true, err);
}

/* ended: just now. Nobody begins to use the old one while the new one takes its place. */
static int renew(const struct reinstall *n, bool ended, struct pvctl_error *err)
{
	char fresh[TEMPLATE_FILE_PATH + 8];
	int rc = 0, lock = -1;

	snprintf(fresh, sizeof(fresh), "%s.new", n->own);
	unlink(fresh);
	if (!access(n->own, F_OK))
		rc = ended ? image_open_ended(n->own, &lock, err) : image_open_locked(n->own, true, &lock, err);
	rc = rc ? rc : template_overlay(n->base, fresh, err);
	if (!rc && (rc = fd_sync_path(fresh)))
		rc = err_os(err, -rc, "%s", fresh);
	rc = rc ? rc : replace(n, fresh, err);
	if (rc)
		unlink(fresh);
	fd_unlock_close(lock);
	return rc;
}

static bool first_is_own(const struct reinstall *n)
{
	const char *first = pvctl_config_get_item(n->config, "disk", 0);
	struct disk_spec s;

	return first && !disk_spec_parse(first, &s, NULL) && !strcmp(s.target, n->own);
}

static int config_of(struct reinstall *n, uint32_t *ret_domid, struct pvctl_error *err)
{
	int rc = pvctl_domain_lookup(n->ctx, n->name, ret_domid, err);

	if (!rc)
		return pvctl_domain_config(n->ctx, *ret_domid, &n->config, err);
	*ret_domid = 0;
	return rc == -ESRCH ? pvctl_defined_get(n->ctx->node, n->name, &n->config, err) : rc;
}

static int reinstall(struct reinstall *n, uint32_t *ret_domid, struct pvctl_error *err)
{
	uint32_t domid;
	bool own;
	int rc = config_of(n, &domid, err);

	if (rc)
		return rc;
	if (!n->m.n_disks)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "template \"%s\" has no disk", n->template);
	if (!pvctl_config_get_item(n->config, "disk", 0))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "domain \"%s\" has no disk", n->name);
	rc = domid ? pvctl_domain_destroy(n->ctx, domid, NULL, err) : 0;
	if (rc)
		return rc;
	own = first_is_own(n);
	rc = own ? renew(n, domid != 0, err) : convert_onto(n, pvctl_config_get_item(n->config, "disk", 0), err);
	*ret_domid = 0;
	if (domid && !rc)
		return pvctl_domain_create(n->ctx, n->config, NULL, ret_domid, err);
	/* Where its own disk could not be made anew, it has the old one yet. */
	if (domid && own)
		(void)!pvctl_domain_create(n->ctx, n->config, NULL, ret_domid, NULL);
	return rc;
}

static int find_paths(struct reinstall *n, struct pvctl_error *err)
{
	char dir[TEMPLATE_PATH];
	int rc = template_dir(n->template, dir, err);

	rc = rc ? rc : template_disks_dir(n->name, n->disks, err);
	if (rc)
		return rc;
	template_path(dir, n->m.disk[0].file.name, n->base);
	template_path(n->disks, n->m.disk[0].file.name, n->own);
	return 0;
}

int pvctl_domain_reinstall(struct pvctl *ctx, const char *domain, const char *name, uint32_t *ret_domid, struct pvctl_error *err)
{
	struct reinstall n = { .ctx = ctx, .name = domain, .template = name };
	int held = -1, rc = 0;
	char of[64];

	if (!name) {
		rc = template_of_domain(domain, of, err);
		n.template = of;
	}
	rc = rc ? rc : template_hold(n.template, false, &held, err);
	if (rc)
		return rc;
	rc = template_read(n.template, &n.m, err);
	if (!rc) {
		rc = find_paths(&n, err);
		rc = rc ? rc : reinstall(&n, ret_domid, err);
		pvctl_config_free(n.config);
		manifest_free(&n.m);
	}
	fd_unlock_close(held);
	return rc;
}

int pvctl_template_disks_remove(const char *domain, struct pvctl_error *err)
{
	char dir[TEMPLATE_PATH], of[64], copy[256];
	int rc = template_of_domain(domain, of, err);

	if (rc == -ENOENT && !template_disks_dir(domain, dir, NULL) && !rmdir(dir))
		return 0; /* one that was not begun in earnest */
	rc = rc ? rc : template_disks_dir(domain, dir, err);
	if (rc)
		return rc;
	if (template_has_copies(dir, copy))
		return err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "%s/%s: it is a disk of a copy or of a snapshot, or what such are based on: delete the "
		               "domain's snapshots (pvctl snapshot delete), and move away what was cloned of it, then this file", dir, copy);
	rc = template_remove_dir(dir);
	return rc ? err_os(err, -rc, "%s", dir) : 0;
}
