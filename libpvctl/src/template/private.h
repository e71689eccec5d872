/* SPDX-License-Identifier: MIT */
/* What the files of template/ share. */
#ifndef TEMPLATE_PRIVATE_H
#define TEMPLATE_PRIVATE_H

#include "device/disk_spec.h"
#include "template/manifest.h"

#define TEMPLATE_PATH 400      /* of a directory */
#define TEMPLATE_FILE_PATH 480 /* of a file in it, whose name fits a manifest */
#define TEMPLATE_MANIFEST "manifest.json"
#define TEMPLATE_MANIFEST_MAX (1u << 20)
/* Directories of templates that are not there yet, and of those that are there no more (util/fresh.h). */
#define TEMPLATE_NEW ".new-"
#define TEMPLATE_GONE ".gone-"

/* dirs.c: DATADIR/templates/NAME, and DATADIR/disks/DOMAIN, which has the disks of a domain that was made of one. */
int template_dir(const char *name, char buf[TEMPLATE_PATH], struct pvctl_error *err);
int template_disks_dir(const char *domain, char buf[TEMPLATE_PATH], struct pvctl_error *err);
int template_base(char buf[TEMPLATE_PATH], struct pvctl_error *err);
int template_disks_base(char buf[TEMPLATE_PATH], struct pvctl_error *err);
/* left.c: what somebody left in DATADIR/templates, or in DATADIR/disks, who was killed. */
void template_sweep(void);
void template_sweep_disks(void);
/*
 * DATADIR/disks/DOMAIN is made, and is the caller's alone until *ret_lock is closed. Until it is finished it goes when the caller has been
 * killed, unless the node has a definition of that name: that is made before. -EEXIST.
 */
int template_disks_begin(const char *disks, const char *node, int *ret_lock, struct pvctl_error *err);
void template_disks_finished(const char *disks);
/* With all files in it, which has no directories. -errno. */
int template_remove_dir(const char *dir);
void template_path(const char *dir, const char *file, char buf[TEMPLATE_FILE_PATH]);
/*
 * For as long as *ret_fd is open it is not deleted (or, for who deletes it, not made anything of). -ENOENT: no such template;
 * -EBUSY, for alone: something is being made of it.
 */
int template_hold(const char *name, bool alone, int *ret_fd, struct pvctl_error *err);
/* Of any directory: what its manifest says. */
int template_load(const char *dir, struct manifest *ret, struct pvctl_error *err);
/* Its manifest, and that the files are there with their sizes. -ENOENT: no such template. */
int template_read(const char *name, struct manifest *ret, struct pvctl_error *err);
/* The first name that is in DATADIR/disks/DOMAIN/template. -ENOENT: the domain is of none. */
int template_of_domain(const char *domain, char ret[64], struct pvctl_error *err);
/* Does anything in that directory need the template? */
bool template_is_of(const char *domain, const char *name);

/* Notes that name in a directory of a domain's disks, before those that are noted, or instead of them. */
int template_note(const char *disks, const char *name, bool alone, struct pvctl_error *err);
/* Files that clone/fork.c has made there: disks of copies and snapshots, and what these and the domain's are based on. The first's name. */
bool template_has_copies(const char *disks, char name[256]);

/* files.c */
int template_hash(struct pvctl *ctx, const char *path, struct template_file *f, struct pvctl_error *err);
/* A regular file of at most max bytes; a reflink where the file system can. */
int template_copy(const char *from, const char *to, uint64_t max, struct pvctl_error *err);

/* overlay.c: path, which must not be there, changes nothing of base. */
int template_overlay(const char *base, const char *path, struct pvctl_error *err);
/* A whole copy as qcow2, which path becomes. ctx may be NULL. in_use: its domain, which has it, stands still for us; else -EBUSY. */
int template_flatten(struct pvctl *ctx, const char *image, enum disk_format format, bool in_use, const char *path, struct pvctl_error *err);
/* The contents of base onto a disk that is there and as large; what it had is lost, also when it fails half way. */
int template_onto(struct pvctl *ctx, const char *base, const char *target, const char *driver, struct pvctl_error *err);

#endif
