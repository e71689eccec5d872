/* SPDX-License-Identifier: MIT */
#include "snapshot/private.h"
#include "util/err.h"
#include "util/grow.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct pvctl_snapshot_list { size_t n; struct pvctl_snapshot_info *info; };

static uint64_t allocated(const char *path)
{
	struct stat st;

	return stat(path, &st) || !S_ISREG(st.st_mode) ? 0 : (uint64_t)st.st_blocks * 512;
}

static void fill(const struct snapshot *s, struct pvctl_snapshot_info *ret)
{
	*ret = (struct pvctl_snapshot_info){ .size = sizeof(*ret), .created_unix_ns = s->created_unix_ns, .memory_bytes = s->memory.bytes,
	                                     .disks = (uint32_t)s->n_disks, .has_memory = s->memory.name[0] != '\0' };
	memcpy(ret->domain, s->domain, sizeof(ret->domain));
	memcpy(ret->name, s->name, sizeof(ret->name));
	memcpy(ret->description, s->description, sizeof(ret->description));
	for (size_t i = 0; i < s->n_disks; i++)
		ret->disk_bytes += allocated(s->disk[i].file);
}

int pvctl_snapshot_get(const char *node, const char *domain, const char *name, struct pvctl_snapshot_info *ret, struct pvctl_error *err)
{
	struct pvctl_snapshot_info info;
	struct snapshot s;
	int rc = grow_check(ret, err);

	rc = rc ? rc : snapshot_load(node, domain, name, &s, err);
	if (rc)
		return rc;
	fill(&s, &info);
	snapshot_free(&s);
	grow_out(ret, &info, sizeof(info));
	return 0;
}

int pvctl_snapshot_get_disk(const char *node, const char *domain, const char *name, size_t i, struct pvctl_snapshot_disk_info *ret,
                            struct pvctl_error *err)
{
	struct pvctl_snapshot_disk_info info = { .size = sizeof(info) };
	struct snapshot s;
	int rc = grow_check(ret, err);

	rc = rc ? rc : snapshot_load(node, domain, name, &s, err);
	if (rc)
		return rc;
	if (i >= s.n_disks) {
		snapshot_free(&s);
		return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "the snapshot has no more disks");
	}
	memcpy(info.vdev, s.disk[i].vdev, sizeof(info.vdev));
	snprintf(info.format, sizeof(info.format), "%s", disk_format_name(s.disk[i].format));
	snprintf(info.file, sizeof(info.file), "%s", s.disk[i].file);
	snprintf(info.disk, sizeof(info.disk), "%s", s.disk[i].head);
	info.bytes = s.disk[i].bytes;
	info.allocated_bytes = allocated(s.disk[i].file);
	info.overlay = s.disk[i].overlay;
	snapshot_free(&s);
	grow_out(ret, &info, sizeof(info));
	return 0;
}

int pvctl_snapshot_config(const char *node, const char *domain, const char *name, struct pvctl_config **ret, struct pvctl_error *err)
{
	struct snapshot s;
	int rc = snapshot_load(node, domain, name, &s, err);

	if (rc)
		return rc;
	*ret = s.config;
	s.config = NULL;
	snapshot_free(&s);
	return 0;
}

static int by_domain_and_time(const void *a, const void *b)
{
	const struct pvctl_snapshot_info *x = a, *y = b;
	int c = strcmp(x->domain, y->domain);

	return c ? c : (x->created_unix_ns > y->created_unix_ns) - (x->created_unix_ns < y->created_unix_ns);
}

static int append(void *data, const char *dir, struct snapshot *s)
{
	struct pvctl_snapshot_list *l = data;
	struct pvctl_snapshot_info *more = reallocarray(l->info, l->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	l->info = more;
	fill(s, &l->info[l->n++]);
	return 0;
}

int pvctl_snapshot_list(const char *node, const char *domain, struct pvctl_snapshot_list **ret, struct pvctl_error *err)
{
	struct pvctl_snapshot_list *l = calloc(1, sizeof(*l));
	int rc = l ? 0 : err_nomem(err);

	if (!rc && domain)
		rc = key_check_name("name", domain, err);
	if (!rc && (rc = snapshot_each(node, domain, append, l, err)) == -ENOMEM)
		err_nomem(err);
	if (rc) {
		pvctl_snapshot_list_free(l);
		return rc;
	}
	if (l->n)
		qsort(l->info, l->n, sizeof(*l->info), by_domain_and_time);
	*ret = l;
	return 0;
}

size_t pvctl_snapshot_list_count(const struct pvctl_snapshot_list *l)
{
	return l->n;
}

const struct pvctl_snapshot_info *pvctl_snapshot_list_at(const struct pvctl_snapshot_list *l, size_t i)
{
	return i < l->n ? &l->info[i] : NULL;
}

void pvctl_snapshot_list_free(struct pvctl_snapshot_list *l)
{
	if (l)
		free(l->info);
	free(l);
}
