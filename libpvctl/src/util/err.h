/* SPDX-License-Identifier: MIT */
/*
 * Filling struct pvctl_error. Every function returns the code it stored, so
 * that a failure is one statement: return err_set(err, -EINVAL, ...). err may
 * be NULL everywhere.
 */
#ifndef UTIL_ERR_H
#define UTIL_ERR_H

#include <stdbool.h>
#include "libpvctl.h"
#include <errno.h>
#include <stdarg.h>

#define ERR_PRINTF(f, a) __attribute__((format(printf, f, a)))

int err_set(struct pvctl_error *err, int code, uint32_t origin, const char *fmt, ...) ERR_PRINTF(4, 5);
/* An errno of the C library (positive): the text gets ": No such file or directory". */
int err_os(struct pvctl_error *err, int os_errno, const char *fmt, ...) ERR_PRINTF(3, 4);
/* A hypercall's result (negative): the text gets " failed: not enough memory (-ENOMEM)". */
int err_hv(struct pvctl_error *err, int64_t rc, const char *fmt, ...) ERR_PRINTF(3, 4);
/* Puts "fmt: " before what an inner layer said; the code stays. */
int err_wrap(struct pvctl_error *err, int code, const char *fmt, ...) ERR_PRINTF(3, 4);
/* vsnprintf that leaves out the middle of what does not fit. */
void err_fit(char *dst, size_t size, const char *fmt, va_list ap) ERR_PRINTF(3, 0);
/* Out of memory in this process. */
int err_nomem(struct pvctl_error *err);
/* Did QEMU, or a program of its, say there that somebody else has the image? */
bool err_qemu_locked(const char *said);
/* Folds any errno, of either sign, into the public header's closed set (negative). */
int err_fold(int64_t any_errno);

#endif
