/* SPDX-License-Identifier: MIT */
/* What is being made, and what somebody left of that who was killed. */
#include "template/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/fresh.h"
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define UNFINISHED "unfinished" /* has the node's name */
#define NODE_MAX 100u

static void sweep_one(void *unused, const char *dir, const char *name)
{
	template_remove_dir(dir);
}

void template_sweep(void)
{
	char base[TEMPLATE_PATH];

	if (template_base(base, NULL))
		return;
	fresh_sweep(base, TEMPLATE_NEW, sweep_one, NULL);
	fresh_sweep(base, TEMPLATE_GONE, sweep_one, NULL);
}

int template_disks_begin(const char *disks, const char *node, int *ret_lock, struct pvctl_error *err)
{
	struct iovec v = { (void *)(uintptr_t)node, strlen(node) };
	char base[TEMPLATE_PATH];
	int rc = template_disks_base(base, err), lock;

	if (rc)
		return rc;
	rc = fresh_make_named(base, disks, &lock);
	if (rc)
		return err_os(err, -rc, "%s", disks);
	rc = fd_write_atomic(disks, UNFINISHED, &v, 1);
	if (rc) {
		(void)rmdir(disks);
		fd_unlock_close(lock);
		return err_os(err, -rc, "%s/" UNFINISHED, disks);
	}
	*ret_lock = lock;
	return 0;
}

void template_disks_finished(const char *disks)
{
	char path[TEMPLATE_FILE_PATH];

	template_path(disks, UNFINISHED, path);
	unlink(path);
}

static void sweep_disks(void *unused, const char *dir, const char *domain)
{
	CLEANUP_FREE char *node = NULL;
	char path[TEMPLATE_FILE_PATH];
	struct pvctl_config *defined;

	template_path(dir, UNFINISHED, path);
	/* He had not even said whose it was to be; or it was finished. */
	if (fd_read_text(path, NODE_MAX, &node)) {
		(void)rmdir(dir);
		return;
	}
	if (pvctl_defined_get(node, domain, &defined, NULL)) {
		template_remove_dir(dir);
		return;
	}
	pvctl_config_free(defined);
	unlink(path);
}

void template_sweep_disks(void)
{
	char base[TEMPLATE_PATH];

	if (!template_disks_base(base, NULL))
		fresh_sweep(base, "", sweep_disks, NULL);
}
