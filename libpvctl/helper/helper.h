/* SPDX-License-Identifier: MIT */
/* pvctl-bootloader: reads a guest's disk, in a sandbox. */
#ifndef HELPER_HELPER_H
#define HELPER_HELPER_H

#include "bootloader/menu.h"
#include "bootloader/partitions.h"
#include "bootloader/proto.h"

#define MAX_LINKS 8 /* symbolic links in a row */

/* Before any byte of the disk is read. Never fails but by ending the program: seccomp is the floor. */
void sandbox_enter(void);

int disk_read(uint64_t offset, void *buf, size_t len); /* all of it, or a negative errno */
uint64_t disk_bytes(void);

/* A file system on [offset, offset + bytes) of the disk. */
struct fs;
struct fs_ops {
	const char *name;
	int (*load)(struct fs *fs, const char *path, size_t max, char **ret, size_t *ret_len);
	int (*copy)(struct fs *fs, const char *path, int fd, uint64_t *at, uint64_t max); /* appended to fd at *at */
	int (*kind)(struct fs *fs, const char *path); /* 0: none, 1: file, 2: directory */
	int (*list)(struct fs *fs, const char *dir, int (*each)(void *arg, const char *name), void *arg);
	void (*close)(struct fs *fs);
};
struct fs {
	const struct fs_ops *ops;
	void *data;
	char uuid[40], label[40];
};
/* -ENOENT: another kind of file system. */
int ext_open(uint64_t offset, uint64_t bytes, struct fs *ret);
int fat_open(uint64_t offset, uint64_t bytes, struct fs *ret);

int write_at(int fd, const void *p, size_t len, uint64_t at);

#endif
