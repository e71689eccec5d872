/* SPDX-License-Identifier: MIT */
/* What the files of snapshot/ share. */
#ifndef SNAPSHOT_PRIVATE_H
#define SNAPSHOT_PRIVATE_H

#include "snapshot/manifest.h"

#define SNAPSHOT_PATH 500
#define SNAPSHOT_FILE_PATH (SNAPSHOT_PATH + 80)
#define SNAPSHOT_MANIFEST "manifest.json"
#define SNAPSHOT_MEMORY "memory.save"
/* Directories of snapshots that are not there yet, and of those that are there no more. */
#define SNAPSHOT_NEW ".new-"
#define SNAPSHOT_GONE ".gone-"
/* Behind the name of an image, until it takes its place. */
#define SNAPSHOT_MERGE ".merge"

/* dirs.c: STATEDIR/snapshots, and in it one for each domain's. What is not there is made. */
int snapshot_base(const char *node, char buf[SNAPSHOT_PATH], struct pvctl_error *err);
int snapshot_domain_dir(const char *node, const char *domain, char buf[SNAPSHOT_PATH], struct pvctl_error *err);
int snapshot_check_name(const char *name, struct pvctl_error *err);
void snapshot_path(const char *dir, const char *file, char buf[SNAPSHOT_FILE_PATH]);
/*
 * While it is held nobody else does anything to the domain's snapshots; where it is all, to any of the node's. -EBUSY: somebody
 * does. What somebody left who did not come to an end is put in order (recover.c).
 */
struct snapshot_hold { int base, own; char dir[SNAPSHOT_PATH]; };
int snapshot_hold(const char *node, const char *domain, bool all, struct snapshot_hold *ret, struct pvctl_error *err);
void snapshot_release(struct snapshot_hold *h);
/* -ENOENT: there is no such snapshot, or domain of any. */
int snapshot_load_dir(const char *dir, struct snapshot *ret, struct pvctl_error *err);
int snapshot_load(const char *node, const char *domain, const char *name, struct snapshot *ret, struct pvctl_error *err);
int snapshot_write(const struct snapshot *s, const char *dir, struct pvctl_error *err);
/* Each snapshot of the node's; 0, or what one() gave. Those that cannot be read are passed over. */
int snapshot_each(const char *node, const char *domain, int (*one)(void *data, const char *dir, struct snapshot *s), void *data,
                  struct pvctl_error *err);

/* recover.c: the domain is held */
void snapshot_recover(const char *node, const char *dir);
/* Clones that are being made have a record in STATEDIR/clones, each a directory of its maker's (util/fresh.h); of those who were killed: */
int snapshot_clones_dir(const char *node, char buf[SNAPSHOT_PATH], struct pvctl_error *err);
void snapshot_recover_clones(const char *node);
/* As a file is now, malloc'd; NULL: it is not there, or no memory. */
char *snapshot_stamp(const char *file);

/* images.c: files that are disks of somebody's, and who is based on what */
struct image {
	char *path;
	uint64_t dev, ino;
	enum disk_format format;
	bool frozen;               /* nobody writes it: others are based on it, or a snapshot has it */
	char runs[128], has[128];  /* a domain that runs on it itself; one whose head it is. "": none */
	bool stranger;             /* it lies there: no domain or snapshot has it */
	char base[DISK_TARGET_MAX + 1];
	enum disk_format base_format;
};
struct images { struct image *image; size_t n; };
/* All that the node's domains, definitions and snapshots have; ctx NULL: no domain runs. */
int images_collect(struct pvctl *ctx, const char *node, struct images *ret, struct pvctl_error *err);
/* And what lies beside path. All of the node's snapshots are held. */
int images_add_beside(struct images *l, const char *path, struct pvctl_error *err);
struct image *images_find(const struct images *l, const char *path);
/* The next at or behind *i that is based on path itself; NULL. */
struct image *images_child(const struct images *l, const char *path, size_t *i);
void images_free(struct images *l);

/* delete.c: the files of its disks, but those that others are based on */
void snapshot_drop_files(const struct snapshot *s, const struct images *l);

#endif
