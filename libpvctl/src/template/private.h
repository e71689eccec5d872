/* SPDX-License-Identifier: MIT */
/* What the files of template/ share. */
#ifndef TEMPLATE_PRIVATE_H
#define TEMPLATE_PRIVATE_H

#include "template/manifest.h"

#define TEMPLATE_PATH 400

/* dirs.c: DATADIR/templates/NAME, and DATADIR/disks/DOMAIN, which has the disks of a domain that was made of one. */
int template_dir(const char *name, char buf[TEMPLATE_PATH], struct pvctl_error *err);
int template_disks_dir(const char *domain, char buf[TEMPLATE_PATH], struct pvctl_error *err);
int template_base(char buf[TEMPLATE_PATH], struct pvctl_error *err);
/* With all files in it, which has no directories. -errno. */
int template_remove_dir(const char *dir);
/* Its manifest, and that the files are there with their sizes. -ENOENT: no such template. */
int template_read(const char *name, struct manifest *ret, struct pvctl_error *err);
/* The name that is in DATADIR/disks/DOMAIN/template. -ENOENT: the domain is of none. */
int template_of_domain(const char *domain, char ret[64], struct pvctl_error *err);

/* files.c */
struct pvctl;
int template_hash(struct pvctl *ctx, const char *path, struct template_file *f, struct pvctl_error *err);
/* A reflink where the file system can. */
/* Regular files of at most max bytes. */
int template_copy(const char *from, const char *to, uint64_t max, struct pvctl_error *err);

/* overlay.c: path, which must not be there, changes nothing of base. */
int template_overlay(const char *base, const char *path, struct pvctl_error *err);
/* A whole copy as qcow2, which path becomes. ctx may be NULL. */
int template_flatten(struct pvctl *ctx, const char *image, const char *driver, const char *path, struct pvctl_error *err);
/* The contents of base onto a disk that is there and as large; what it had is lost, also when it fails half way. */
int template_onto(struct pvctl *ctx, const char *base, const char *target, const char *driver, struct pvctl_error *err);

#endif
