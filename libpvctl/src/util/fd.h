/* SPDX-License-Identifier: MIT */
/* Whole reads and writes. All return 0 or a negative errno of the C library's. */
#ifndef UTIL_FD_H
#define UTIL_FD_H

#include "libpvctl.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int fd_pread_all(int fd, void *p, size_t len, uint64_t off); /* -ENODATA: the file is shorter */
int fd_write_all(int fd, const void *p, size_t len);
/* Opens a regular file for reading; its size. The message names `what`. */
int fd_open_file(const char *what, const char *path, uint64_t max_bytes, int *ret_fd, uint64_t *ret_size,
                 struct pvctl_error *err);
/* A small file as a NUL-terminated string of at most max bytes: -errno. */
int fd_read_rest(int fd, size_t max, char **ret);
int fd_read_text(const char *path, size_t max, char **ret);
/* Replaces dir/name atomically: a temporary file beside it, then rename. */
struct iovec;
int fd_write_atomic(const char *dir, const char *name, const struct iovec *iov, int n);
/* The same, and it is on stable storage, with its name. */
int fd_write_durable(const char *dir, const char *name, const struct iovec *iov, int n);
/* A file's contents, or a directory's entries, are on stable storage. */
int fd_sync_path(const char *path);
int fd_sync_parent(const char *path); /* the directory that has it */
/*
 * For who holds a lock by fd, which may be -1. A child of another thread's that has not come to its exec yet has fd, too: with close
 * alone the lock would be held until it has.
 */
void fd_unlock_close(int fd);
/* -errno of a file that takes no more. */
bool fd_write_failed(int rc);

#endif
