/* SPDX-License-Identifier: MIT */
#include "template/private.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/grow.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pvctl_template_list { size_t n; struct pvctl_template_info *info; };

static void fill(struct manifest *m, struct pvctl_template_info *ret)
{
	struct template_file *f;

	*ret = (struct pvctl_template_info){ .size = sizeof(*ret), .created_unix_ns = m->created_unix_ns,
					     .disks = (uint32_t)m->n_disks, .warm = m->memory.name[0] != '\0' };
	strcpy(ret->name, m->name);
	strcpy(ret->description, m->description);
	for (size_t i = 0; (f = manifest_file(m, i)); i++)
		ret->bytes += f->bytes;
}

/* One that was copied here is known by its directory's name. */
static int get(const char *name, struct pvctl_template_info *ret, struct pvctl_error *err)
{
	struct manifest m;
	int rc = template_read(name, &m, err);

	if (rc)
		return rc;
	fill(&m, ret);
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	rc = template_dir(name, ret->dir, err);
	manifest_free(&m);
	return rc;
}

int pvctl_template_get(const char *name, struct pvctl_template_info *ret, struct pvctl_error *err)
{
	struct pvctl_template_info info;
	int rc = grow_check(ret, err);

	rc = rc ? rc : get(name, &info, err);
	if (!rc)
		grow_out(ret, &info, sizeof(info));
	return rc;
}

int pvctl_template_config(const char *name, struct pvctl_config **ret, struct pvctl_error *err)
{
	struct manifest m;
	int rc = template_read(name, &m, err);

	if (!rc)
		*ret = m.config;
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pvctl_template_info *)a)->name, ((const struct pvctl_template_info *)b)->name);
}

static int add(struct pvctl_template_list *l, const char *name, struct pvctl_error *err)
{
	struct pvctl_template_info *p = reallocarray(l->info, l->n + 1, sizeof(*p));

	if (!p)
		return err_nomem(err);
	l->info = p;
	/* What is not whole is none; to ask for it by name tells why. */
	if (!get(name, &l->info[l->n], NULL))
		l->n++;
	return 0;
}

int pvctl_template_list(struct pvctl_template_list **ret, struct pvctl_error *err)
{
	struct pvctl_template_list *l = calloc(1, sizeof(*l));
	char base[TEMPLATE_PATH];
	struct dirent *e;
	DIR *d = NULL;
	int rc = l ? template_base(base, err) : err_nomem(err);

	template_sweep();
	if (!rc && !(d = opendir(base)))
		rc = err_os(err, errno, "%s", base);
	while (!rc && (e = readdir(d)))
		if (e->d_name[0] != '.')
			rc = add(l, e->d_name, err);
	if (d)
		closedir(d);
	if (rc) {
		pvctl_template_list_free(l);
		return rc;
	}
	if (l->n)
		qsort(l->info, l->n, sizeof(*l->info), by_name);
	*ret = l;
	return 0;
}

size_t pvctl_template_list_count(const struct pvctl_template_list *l)
{
	return l->n;
}

const struct pvctl_template_info *pvctl_template_list_at(const struct pvctl_template_list *l, size_t i)
{
	return i < l->n ? &l->info[i] : NULL;
}

void pvctl_template_list_free(struct pvctl_template_list *l)
{
	if (l)
		free(l->info);
	free(l);
}

int pvctl_template_verify(struct pvctl *ctx, const char *name, struct pvctl_error *err)
{
	char dir[TEMPLATE_PATH], path[TEMPLATE_FILE_PATH];
	struct template_file *f, now;
	struct manifest m;
	int rc = template_read(name, &m, err);

	if (rc)
		return rc;
	rc = template_dir(name, dir, err);
	for (size_t i = 0; !rc && (f = manifest_file(&m, i)); i++) {
		template_path(dir, f->name, path);
		rc = template_hash(ctx, path, &now, err);
		if (!rc && strcmp(now.sha256, f->sha256))
			rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s is not what it was when the template was made: its checksum differs", path);
	}
	manifest_free(&m);
	return rc;
}

/* Whose disks would lose their ground. */
static int in_use_by(const char *name, struct pvctl_error *err)
{
	char base[TEMPLATE_PATH];
	struct dirent *e;
	int rc = template_disks_dir("x", base, err);
	DIR *d;

	if (rc)
		return rc;
	template_sweep_disks();
	*strrchr(base, '/') = '\0';
	d = opendir(base);
	while (!rc && d && (e = readdir(d)))
		if (e->d_name[0] != '.' && template_is_of(e->d_name, name))
			rc = err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "template \"%s\": the disks of domain \"%s\" are based on it, in %s/%s "
			             "(pvctl undefine --disks %s deletes them)", name, e->d_name, base, e->d_name, e->d_name);
	if (d)
		closedir(d);
	return rc;
}

/* With its name it is gone. */
static int drop(const char *name, struct pvctl_error *err)
{
	char base[TEMPLATE_PATH], dir[TEMPLATE_PATH], gone[TEMPLATE_PATH + 80];
	int rc = template_base(base, err);

	rc = rc ? rc : template_dir(name, dir, err);
	if (rc)
		return rc;
	snprintf(gone, sizeof(gone), "%s/" TEMPLATE_GONE "%s", base, name);
	rc = template_remove_dir(gone);
	if (!rc && rename(dir, gone))
		rc = -errno;
	if (rc)
		return err_os(err, -rc, "%s", dir);
	rc = template_remove_dir(gone);
	return rc ? err_os(err, -rc, "%s", gone) : 0;
}

/* Also of one that is not whole. */
int pvctl_template_delete(const char *name, struct pvctl_error *err)
{
	int held, rc = template_hold(name, true, &held, err);

	if (rc)
		return rc;
	template_sweep();
	rc = in_use_by(name, err);
	rc = rc ? rc : drop(name, err);
	fd_unlock_close(held);
	return rc;
}
