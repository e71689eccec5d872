/* SPDX-License-Identifier: MIT */
/*
 * A template: a directory with manifest.json and the files that it names, which
 * nobody changes. It can be copied to another machine; what is read here may
 * come from anybody.
 */
#ifndef TEMPLATE_MANIFEST_H
#define TEMPLATE_MANIFEST_H

#include "ctx/ctx.h"
#include "util/json.h"
#include <stdbool.h>

#define TEMPLATE_MAX_DISKS 16
#define TEMPLATE_SCHEMA 1

/* name: "" none; never a path. */
struct template_file {
	char name[64];
	uint64_t bytes;
	char sha256[65];
};
struct template_disk {
	struct template_file file; /* qcow2, based on nothing */
	char vdev[24];
	bool readonly;
};
struct manifest {
	char name[64], description[200];
	uint64_t created_unix_ns;
	struct pvctl_config *config; /* without what is of one domain alone: name, uuid, disks, MACs, and what is a file here */
	struct template_disk disk[TEMPLATE_MAX_DISKS];
	size_t n_disks;
	struct template_file kernel, ramdisk, memory;
};

/* Pure code. */
int manifest_parse(const char *text, struct manifest *ret, struct pvctl_error *err);
int manifest_format(const struct manifest *m, char **ret, struct pvctl_error *err);
void manifest_free(struct manifest *m);

/* A file as a member of a manifest; nothing, where it has no name or obj no such member. What is read is checked. */
void manifest_put_file(struct json_out *o, const char *key, const struct template_file *f);
int manifest_get_file(yajl_val obj, const char *key, struct template_file *f, struct pvctl_error *err);

/* The i-th of all files of it; NULL past the end. */
struct template_file *manifest_file(struct manifest *m, size_t i);

#endif
