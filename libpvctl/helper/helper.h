/* SPDX-License-Identifier: MIT */
/* pvctl-bootloader: reads a guest's disk, in a sandbox. */
#ifndef HELPER_HELPER_H
#define HELPER_HELPER_H

#include "bootloader/lvm.h"
#include "bootloader/menu.h"
#include "bootloader/partitions.h"
#include "bootloader/proto.h"
#include <sys/types.h>

#define MAX_FS 32u
#define MAX_LINKS 8 /* symbolic links in a row */

/*
 * Before any byte of the disk is read. Never fails but by ending the program: seccomp is the floor.
 * Root becomes this user and group.
 */
void sandbox_enter(uid_t uid, gid_t gid);

/* Says why to the library, and ends the program. */
void give_up(int code, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

int disk_open(bool nbd);
uint64_t disk_bytes(void);
int disk_read(uint64_t offset, void *buf, size_t len); /* all of it, or a negative errno */
/* A volume of LVM's, which stays where it is: from here on disk_read reads it from what is returned on. 0: too many. */
uint64_t disk_map(const struct lvm_volume *v);

/* A file system on [offset, offset + bytes) of the disk. */
struct fs;
struct fs_ops {
	const char *name;
	/* The pieces of a file, from its beginning to its end. -E2BIG: it is larger than max; -EINVAL: it is no file. */
	int (*each_piece)(struct fs *fs, const char *path, uint64_t max, int (*each)(void *arg, const void *p, size_t len), void *arg);
	int (*kind)(struct fs *fs, const char *path); /* 0: none, 1: file, 2: directory */
	int (*list)(struct fs *fs, const char *dir, int (*each)(void *arg, const char *name), void *arg);
	void (*close)(struct fs *fs);
};
struct fs {
	const struct fs_ops *ops;
	void *data;
	char uuid[40], label[40];
};
/* file.c */
int fs_load(struct fs *fs, const char *path, size_t max, char **ret, size_t *ret_len);
int fs_copy(struct fs *fs, const char *path, int fd, uint64_t *at, uint64_t max); /* appended to fd at *at */

/* -ENOENT: another kind of file system. */
int ext_open(uint64_t offset, uint64_t bytes, struct fs *ret);
int fat_open(uint64_t offset, uint64_t bytes, struct fs *ret);
int iso_open(uint64_t offset, uint64_t bytes, struct fs *ret);

/* What a mark at its place says of [offset, offset + bytes), or NULL; *ret_grub: GRUB reads it. */
const char *foreign_name(uint64_t offset, uint64_t bytes, bool *ret_grub);

struct volume { struct fs fs; struct partition part; const struct lvm_volume *lv; };
extern struct volume volumes[MAX_FS];
extern unsigned int n_volumes;
/* offset 0: by the partition table; else the one there. Gives up when there is none. */
void volumes_find(uint64_t offset);
/* "; partition 2 is xfs, which ...", or "". */
const char *volumes_foreign(char *buf, size_t size);
/* On the volume that root names, on home, on any. root and home may be NULL. */
struct volume *volumes_with_file(struct volume *home, const char *root, const char *path);

int write_at(int fd, const void *p, size_t len, uint64_t at);

#endif
