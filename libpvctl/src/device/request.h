/* SPDX-License-Identifier: MIT */
/* What is asked of the daemon about devices of any class. */
#ifndef DEVICE_REQUEST_H
#define DEVICE_REQUEST_H

#include "ctx/ctx.h"

/* text: as the daemon takes it. */
int device_request_attach(struct pvctl *ctx, enum proto_class k, uint32_t domid, const char *text, struct pvctl_error *err);
/* Begun when it returns. */
int device_request_detach(struct pvctl *ctx, enum proto_class k, uint32_t domid, uint32_t devid, bool force, struct pvctl_error *err);
/* A domain's, each a struct that starts with its size, made row_size bytes: malloc'd. what: "disks". */
int device_request_rows(struct pvctl *ctx, enum proto_class k, uint32_t domid, size_t row_size, const char *what, void **ret,
                size_t *ret_n, struct pvctl_error *err);

#endif
