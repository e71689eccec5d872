/* SPDX-License-Identifier: MIT */
/*
 * The disks of a running domain at one moment: what they are then stays, and the domain and its copies each go on with a file of
 * their own.
 *
 * Where the file system shares blocks between files (a reflink), a copy is one, and the domain notices nothing. Elsewhere
 * the image becomes the base of overlays, one for the domain and one for each copy, and is called NAME-VDEV-STAMP-base from
 * then on, so that nobody takes it for the domain's disk and writes it:
 *
 *	prepare   the image gets its second name; overlays on that name are made. A definition is told of an overlay that
 *	          will not have the image's name: with nothing in it, it is the same disk before the switch as after
 *	switch    the domain is suspended, and its disks are released: a qcow2 overlay takes the image's name, so that
 *	          configurations hold; for another format the daemon is told of the overlay
 *	finish    the image loses its first name, if it has it still
 *
 * Whatever ends us in between, the domain has a disk that is whole: each step but the switch leaves what it uses alone,
 * and the switch is one rename or one request. What may be left are files that nobody uses.
 */
#ifndef CLONE_FORK_H
#define CLONE_FORK_H

#include "ctx/ctx.h"
#include "device/disk_spec.h"

enum fork_how { FORK_SHARED, FORK_REFLINK, FORK_SWAP, FORK_RETARGET };
struct fork_disk {
	struct disk_spec spec;     /* as it was */
	enum fork_how how;
	char *item;                /* the same, as the domain's configuration has it */
	char *path;                /* of the image, without links */
	uint64_t dev, ino, bytes;  /* which file that was, and how large its guest saw it: fork_check */
	char *base, *own;          /* its name from now on; the domain's overlay */
	bool linked, own_made, switched, doubtful;
	bool defined;              /* the domain's definition has been told of the overlay */
	char **copy;               /* each copy's */
	uint32_t copies_made;
};
struct fork {
	struct pvctl *ctx;         /* NULL: its domain does not run, and nobody begins to: its images are locked */
	uint32_t domid;
	const char *node, *name, *dir; /* dir NULL: beside each image */
	char *const *copy_name;
	uint32_t copies;
	bool keep;                 /* a copy is wanted only where the image does not stay as it is, as a base */
	struct fork_disk *disk;
	size_t n;
	bool prepared;
	char stamp[24];
	void (*say)(void *data, const char *line);
	void *say_data;
};
/* The disks of the domain itself, for fork_set_disks. */
#define FORK_ITSELF UINT32_MAX

/* Is that a name of an overlay, a copy or a base that a fork made: NAME-VDEV-STAMP, perhaps with -base behind it? */
bool fork_has_named(const char *file);
/* Refuses what cannot be. config: the domain's own. */
int fork_plan(struct fork *f, const struct pvctl_config *config, struct pvctl_error *err);
int fork_prepare(struct fork *f, struct pvctl_error *err);
/*
 * fork_check.c. The domain ran until now, and others could give its disks another size or file, or take them away: what was prepared
 * would be without what it wrote since. Its disks are released: from here on nobody can. -EBUSY.
 */
int fork_note(struct fork_disk *d, struct pvctl_error *err);
int fork_check(const struct fork *f, struct pvctl_error *err);
/* Prepared: all disks of the copies are there before the switch, though nobody may use them yet. */
bool fork_has_copies(const struct fork *f);
int fork_switch(struct fork *f, struct pvctl_error *err);
/*
 * Instead of fork_finish, at any time. What is switched stays so: the domain has lost nothing, and may run already.
 * In doubt: the daemon did not say whether it has switched a disk, and then nothing of that is touched.
 */
void fork_undo(struct fork *f);
bool fork_in_doubt(const struct fork *f);
/* The copies alone: the domain has gone on. */
void fork_drop_copies(struct fork *f);
/* The domain runs. */
void fork_finish(struct fork *f);
/* The disks of a copy, or from now on of the domain itself, in a configuration that has the domain's. */
int fork_set_disks(const struct fork *f, struct pvctl_config *c, uint32_t copy, struct pvctl_error *err);
void fork_free(struct fork *f);

#endif
