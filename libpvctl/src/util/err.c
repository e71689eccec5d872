/* SPDX-License-Identifier: MIT */
#include "util/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_fold(int64_t any_errno)
{
	int64_t e = any_errno < 0 ? -any_errno : any_errno;

	switch (e) {
	case EINVAL: case E2BIG: case ENOENT: case ESRCH: case EEXIST:
	case EBUSY: case EPERM: case ENOMEM: case ENOSPC: case EIO:
	case EPROTO: case ETIMEDOUT: case ECANCELED: case ENOSYS:
		return (int)-e;
	case EACCES: case EROFS:
		return -EPERM;
	case EAGAIN: case EADDRINUSE: case ETXTBSY: case ERESTART:
		return -EBUSY;
	case EOPNOTSUPP:
		return -ENOSYS;
	case ENOTDIR: case ECONNREFUSED: case ENXIO: case ENODEV:
		return -ENOENT;
	case EISDIR: case ERANGE: case EDOM: case ENAMETOOLONG: case ELOOP: case EILSEQ:
		return -EINVAL;
	case EOVERFLOW: case EFBIG:
		return -E2BIG;
	case EDQUOT: case EMFILE: case ENFILE:
		return -ENOSPC;
	default:
		return -EIO;
	}
}

/* Causes come first and cures last: what is left out of a text that is too long is the middle, long paths mostly. */
void err_fit(char *dst, size_t size, const char *fmt, va_list ap)
{
	char all[6000];
	size_t head = size / 3, tail = size - head - 4, len;
	int n = vsnprintf(all, sizeof(all), fmt, ap);

	len = n < 0 ? 0 : (size_t)n < sizeof(all) ? (size_t)n : sizeof(all) - 1;
	if (len < size)
		memcpy(dst, all, len + 1);
	else
		snprintf(dst, size, "%.*s...%s", (int)head, all, all + len - tail);
}

static void fit(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_fit(dst, size, fmt, ap);
	va_end(ap);
}

/* The code is stored even where the text does not fit. */
static int store(struct pvctl_error *err, int code, uint32_t origin, int64_t rc, const char *fmt, va_list ap)
{
	if (!err)
		return code;
	err->code = code;
	err->origin = origin;
	err->hv_rc = rc;
	err_fit(err->msg, sizeof(err->msg), fmt, ap);
	return code;
}

static void append(struct pvctl_error *err, const char *text)
{
	char before[sizeof(err->msg)];

	if (!err)
		return;
	memcpy(before, err->msg, sizeof(before));
	fit(err->msg, sizeof(err->msg), "%s%s", before, text);
}

int err_set(struct pvctl_error *err, int code, uint32_t origin, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	store(err, code, origin, 0, fmt, ap);
	va_end(ap);
	return code;
}

int err_os(struct pvctl_error *err, int os_errno, const char *fmt, ...)
{
	const char *what = strerrordesc_np(os_errno);
	int code = err_fold(os_errno);
	va_list ap;

	va_start(ap, fmt);
	store(err, code, PVCTL_ORIGIN_OS, 0, fmt, ap);
	va_end(ap);
	append(err, ": ");
	append(err, what ? what : "unknown error");
	return code;
}

static const char *hv_text(int64_t rc)
{
	switch (-rc) {
	case ENOMEM: return "not enough memory";
	case EINVAL: return "refused as invalid";
	case EPERM: case EACCES: return "not permitted";
	case ESRCH: return "no such domain";
	case ENOSYS: case EOPNOTSUPP: return "not supported by the hypervisor";
	case EBUSY: return "busy";
	case EEXIST: return "exists already";
	case ENOENT: return "no such thing";
	case E2BIG: return "too much";
	case EFAULT: return "bad argument address";
	case ENOSPC: return "no space left";
	default: return "error";
	}
}

int err_hv(struct pvctl_error *err, int64_t rc, const char *fmt, ...)
{
	const char *name = rc > -4096 && rc < 0 ? strerrorname_np((int)-rc) : NULL;
	int code = err_fold(rc);
	char tail[80];
	va_list ap;

	va_start(ap, fmt);
	store(err, code, PVCTL_ORIGIN_HV, rc, fmt, ap);
	va_end(ap);
	if (name)
		snprintf(tail, sizeof(tail), " failed: %s (-%s)", hv_text(rc), name);
	else
		snprintf(tail, sizeof(tail), " failed: result %lld", (long long)rc);
	append(err, tail);
	return code;
}

int err_wrap(struct pvctl_error *err, int code, const char *fmt, ...)
{
	char inner[sizeof(err->msg)];
	va_list ap;

	if (!err)
		return code;
	memcpy(inner, err->msg, sizeof(inner));
	inner[sizeof(inner) - 1] = '\0';
	va_start(ap, fmt);
	err_fit(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	append(err, ": ");
	append(err, inner);
	err->code = code;
	return code;
}

int err_nomem(struct pvctl_error *err)
{
	return err_set(err, -ENOMEM, PVCTL_ORIGIN_OS, "this process is out of memory");
}

/* Its own words, as the image's name may have any: Failed to get "write" lock, or shared "write" lock; to lock byte 100. */
bool err_qemu_locked(const char *said)
{
	return strstr(said, "\" lock") || strstr(said, "Failed to lock byte ");
}
