/* SPDX-License-Identifier: MIT */
/* A domain's system disk, anew. */
#include "device/disk_spec.h"
#include "disk/image.h"
#include "domain/private.h"
#include "template/private.h"
#include "util/err.h"
#include "util/fd.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct reinstall {
	struct pvctl *ctx;
	const char *name, *template;
	struct manifest m;
	struct pvctl_config *config;
	char base[TEMPLATE_FILE_PATH], disks[TEMPLATE_PATH], own[TEMPLATE_FILE_PATH]; /* the template's disk; the domain's own */
	char fresh[TEMPLATE_FILE_PATH + 8]; /* what is to be that */
	bool defined;              /* by us, until it runs again */
};

static int convert_onto(const struct reinstall *n, const char *target, struct pvctl_error *err)
{
	struct disk_spec s;
	int rc = disk_spec_parse(target, &s, err);

	return rc ? rc : template_onto(n->ctx, n->base, s.target, disk_format_driver(s.format), err);
}

/* The new one is whole before it takes the old one's place. */
static int replace(const struct reinstall *n, struct pvctl_error *err)
{
	char copy[256];
	int rc;

	/* Both templates are needed in between, and as long as copies or snapshots are on the old one. */
	rc = template_note(n->disks, n->template, false, err);
	if (!rc && rename(n->fresh, n->own))
		rc = err_os(err, errno, "%s", n->own);
	if (rc)
		return rc;
	(void)fd_sync_parent(n->own);
	return template_has_copies(n->disks, copy) ? 0 : template_note(n->disks, n->template, true, err);
}

/* While it runs yet. One that nobody defined is defined: whoever is killed when it has ended leaves a domain that can be started. */
static int prepare(struct reinstall *n, bool own, bool runs, struct pvctl_error *err)
{
	struct pvctl_config *there;
	int rc;

	/* Of somebody who did not come to the end. */
	unlink(n->fresh);
	rc = own ? template_overlay(n->base, n->fresh, err) : 0;
	if (!rc && own && (rc = fd_sync_path(n->fresh)))
		rc = err_os(err, -rc, "%s", n->fresh);
	if (rc || !runs)
		return rc;
	if (!pvctl_defined_get(n->ctx->node, n->name, &there, NULL)) {
		pvctl_config_free(there);
		return 0;
	}
	rc = pvctl_defined_set(n->ctx->node, n->config, err);
	n->defined = !rc;
	return rc;
}

/* ended: just now. Nobody begins to use the old one while the new one takes its place. */
static int renew(const struct reinstall *n, bool ended, struct pvctl_error *err)
{
	int rc = 0, lock = -1;

	if (!access(n->own, F_OK))
		rc = ended ? image_open_ended(n->own, &lock, err) : image_open_locked(n->own, true, &lock, err);
	rc = rc ? rc : replace(n, err);
	fd_unlock_close(lock);
	return rc;
}

static int end_domain(const struct reinstall *n, uint32_t domid, struct pvctl_error *err)
{
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct pvctl *again;
	int rc = pvctl_domain_destroy(n->ctx, domid, NULL, err);

	if (rc != -EIO || ctx_open_again(n->ctx, &again, NULL))
		return rc;
	/* The daemon was lost: the next one goes on with what that had begun. */
	if (pvctl_domain_get(again, domid, &info, NULL) == -ESRCH || info.state == PVCTL_STATE_DYING)
		rc = 0;
	pvctl_close(again);
	return rc;
}

/* A daemon that was lost has another one in its place soon. */
static int start_again(const struct reinstall *n, uint32_t *ret_domid, struct pvctl_error *err)
{
	struct pvctl *again;
	int rc;

	if (domain_end_lost(n->ctx, n->config, -EIO))
		return -EIO;
	rc = ctx_open_again(n->ctx, &again, err);
	if (rc)
		return rc;
	rc = pvctl_domain_create(again, n->config, NULL, ret_domid, err);
	pvctl_close(again);
	return rc;
}

static int start(struct reinstall *n, uint32_t *ret_domid, struct pvctl_error *err)
{
	int rc = pvctl_domain_create(n->ctx, n->config, NULL, ret_domid, err);

	rc = rc == -EIO ? start_again(n, ret_domid, err) : rc;
	ctx_step(n->ctx, "started");
	if (rc)
		return err_wrap(err, rc, "it has ended, and `pvctl start %s' starts it", n->name);
	if (n->defined)
		(void)!pvctl_defined_remove(n->ctx->node, n->name, NULL);
	return 0;
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
	int rc = config_of(n, &domid, err), started;

	if (rc)
		return rc;
	if (!n->m.n_disks)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "template \"%s\" has no disk", n->template);
	if (!pvctl_config_get_item(n->config, "disk", 0))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "domain \"%s\" has no disk", n->name);
	own = first_is_own(n);
	rc = prepare(n, own, domid != 0, err);
	if (!rc)
		ctx_step(n->ctx, "prepared");
	if (!rc && domid)
		rc = end_domain(n, domid, err);
	if (rc) {
		unlink(n->fresh);
		if (n->defined)
			(void)!pvctl_defined_remove(n->ctx->node, n->name, NULL);
		return rc;
	}
	ctx_step(n->ctx, "ended");
	rc = own ? renew(n, domid != 0, err) : convert_onto(n, pvctl_config_get_item(n->config, "disk", 0), err);
	ctx_step(n->ctx, "placed");
	if (rc)
		unlink(n->fresh);
	*ret_domid = 0;
	/* Where its own disk could not be made anew, it has the old one yet. */
	if (!domid || (rc && !own))
		return rc;
	started = start(n, ret_domid, rc ? NULL : err);
	return rc ? rc : started;
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
	snprintf(n->fresh, sizeof(n->fresh), "%s.new", n->own);
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

/* Locks what is in dir, as who deletes it: a domain that was renamed runs on it under another name. *ret: how many of the descriptors there are. */
static int hold_disks(const char *dir, int fds[TEMPLATE_MAX_DISKS], unsigned int *ret, struct pvctl_error *err)
{
	char path[TEMPLATE_FILE_PATH];
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = 0;

	*ret = 0;
	while (d && !rc && (e = readdir(d))) {
		const char *end = strrchr(e->d_name, '.');

		if (!end || strcmp(end, ".qcow2") != 0)
			continue;
		if (*ret == TEMPLATE_MAX_DISKS || snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path))
			rc = err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "%s/%s: it is no disk of a template's", dir, e->d_name);
		else
			rc = image_open_locked(path, true, &fds[*ret], err);
		*ret += !rc;
	}
	if (d)
		closedir(d);
	return rc;
}

static int remove_disks(const char *dir, struct pvctl_error *err)
{
	int fds[TEMPLATE_MAX_DISKS];
	unsigned int n;
	int rc = hold_disks(dir, fds, &n, err);

	if (!rc && (rc = template_remove_dir(dir)))
		rc = err_os(err, -rc, "%s", dir);
	while (n)
		fd_unlock_close(fds[--n]);
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
	return remove_disks(dir, err);
}
