/* SPDX-License-Identifier: MIT */
/* Store requests inside the control connection (PROTO_STORE), as domain 0. */
#ifndef STORE_CLIENT_H
#define STORE_CLIENT_H

#include "transport/transport.h"
#include <stddef.h>
#include <stdint.h>

int store_client_read(struct transport *t, const char *path, char **ret, size_t *ret_len, struct pvctl_error *err);
int store_client_write(struct transport *t, const char *path, const void *value, size_t len, struct pvctl_error *err);
/* XS_CONTROL: words, each with its NUL, in all len bytes. *ret may be NULL, else is malloc'd. what: for messages. */
int store_client_control(struct transport *t, const char *words, size_t len, const char *what, char **ret, struct pvctl_error *err);
int store_client_rm(struct transport *t, const char *path, struct pvctl_error *err); /* -ENOENT: was not there */

/*
 * Many changes in few round trips. Each is added, and carried out then or
 * later; the first failure is kept in rc and *err, and later ones are nothing.
 * store_batch_end carries out the rest, frees, and gives rc.
 */
#define STORE_BATCH_MAX 64u
struct store_batch {
	struct transport *t;
	struct pvctl_error *err;
	int rc;
	unsigned int n;
	size_t len, start[STORE_BATCH_MAX + 1];
	uint8_t bytes[TRANSPORT_BATCH_BYTES];
};
void store_batch_init(struct store_batch *b, struct transport *t, struct pvctl_error *err);
void store_batch_write(struct store_batch *b, const char *path, const void *value, size_t len);
/* An empty node; perms: NUL-terminated words, "n0\0r5\0", len with the last NUL. */
void store_batch_mkdir(struct store_batch *b, const char *path, const char *perms, size_t len);
int store_batch_end(struct store_batch *b);

#endif
