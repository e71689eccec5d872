/* SPDX-License-Identifier: MIT */
/* Store requests inside the control connection (PROTO_STORE), as domain 0. */
#ifndef STORE_CLIENT_H
#define STORE_CLIENT_H

#include "transport/transport.h"
#include <stddef.h>
#include <stdint.h>

int store_read(struct transport *t, const char *path, char **ret, size_t *ret_len, struct pvctl_error *err);
int store_write(struct transport *t, const char *path, const void *value, size_t len, struct pvctl_error *err);
int store_writef(struct transport *t, const char *path, struct pvctl_error *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int store_mkdir(struct transport *t, const char *path, struct pvctl_error *err);
int store_rm(struct transport *t, const char *path, struct pvctl_error *err); /* -ENOENT: was not there */
/* perms: one string of NUL-terminated words, "n0\0r5\0", len with the last NUL. */
int store_set_perms(struct transport *t, const char *path, const char *perms, size_t len, struct pvctl_error *err);

#endif
