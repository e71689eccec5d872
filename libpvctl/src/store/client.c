/* SPDX-License-Identifier: MIT */
#include "store/client.h"
#include "transport/proto.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <xen/io/xs_wire.h>

static int check_path(const char *path, struct pvctl_error *err)
{
	size_t n = strlen(path);

	if (path[0] != '/' || n >= XENSTORE_ABS_PATH_MAX)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_STORE, "store path \"%.80s\": an absolute path is needed", path);
	return 0;
}

/* The errno behind an XS_ERROR's word. */
static int error_code(const char *word)
{
	unsigned int i;

	for (i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (strcmp(word, xsd_errors[i].errstring) == 0)
			return xsd_errors[i].errnum;
	return EIO;
}

/* path, NUL, value as the payload. The answer's payload, NUL-terminated, to *ret. */
static int ask(struct transport *t, uint32_t type, const char *path, const void *value, size_t len,
               char **ret, size_t *ret_len, struct pvctl_error *err)
{
	size_t path_len = strlen(path) + 1, got = 0;
	CLEANUP_FREE uint8_t *body = NULL;
	CLEANUP_FREE char *answer = NULL;
	struct xsd_sockmsg hdr = { .type = type };
	void *reply = NULL;
	int rc;

	rc = check_path(path, err);
	if (rc)
		return rc;
	if (len > XENSTORE_PAYLOAD_MAX - path_len)
		return err_set(err, -E2BIG, PVCTL_ORIGIN_STORE, "%s: a value of %zu bytes is too long for the store", path, len);
	hdr.len = (uint32_t)(path_len + len);
	body = malloc(sizeof(hdr) + hdr.len);
	if (!body)
		return err_nomem(err);
	memcpy(body, &hdr, sizeof(hdr));
	memcpy(body + sizeof(hdr), path, path_len);
	if (len)
		memcpy(body + sizeof(hdr) + path_len, value, len);
	rc = t->ops->request(t, PROTO_STORE, body, sizeof(hdr) + hdr.len, &reply, &got, NULL, err);
	if (rc)
		return rc;
	answer = reply;
	if (got < sizeof(hdr))
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "%s: the store's answer is cut off", path);
	memcpy(&hdr, answer, sizeof(hdr));
	if (hdr.len != got - sizeof(hdr) || (hdr.type != type && hdr.type != XS_ERROR))
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "%s: the store's answer makes no sense", path);
	/* The transport terminates what it gives. */
	memmove(answer, answer + sizeof(hdr), hdr.len);
	answer[hdr.len] = '\0';
	if (hdr.type == XS_ERROR) {
		int e = error_code(answer);

		return err_set(err, err_fold(e), PVCTL_ORIGIN_STORE, "store path %s: %s", path,
		               e == ENOENT ? "no such node" : strerrordesc_np(e));
	}
	if (ret) {
		*ret_len = hdr.len;
		*ret = TAKE_PTR(answer);
	}
	return 0;
}

int store_read(struct transport *t, const char *path, char **ret, size_t *ret_len, struct pvctl_error *err)
{
	return ask(t, XS_READ, path, NULL, 0, ret, ret_len, err);
}

int store_write(struct transport *t, const char *path, const void *value, size_t len, struct pvctl_error *err)
{
	return ask(t, XS_WRITE, path, value, len, NULL, NULL, err);
}

int store_writef(struct transport *t, const char *path, struct pvctl_error *err, const char *fmt, ...)
{
	char value[XENSTORE_PAYLOAD_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(value))
		return err_set(err, -E2BIG, PVCTL_ORIGIN_STORE, "%s: the value is too long for the store", path);
	return store_write(t, path, value, (size_t)n, err);
}

int store_mkdir(struct transport *t, const char *path, struct pvctl_error *err)
{
	return ask(t, XS_MKDIR, path, NULL, 0, NULL, NULL, err);
}

int store_rm(struct transport *t, const char *path, struct pvctl_error *err)
{
	return ask(t, XS_RM, path, NULL, 0, NULL, NULL, err);
}

int store_set_perms(struct transport *t, const char *path, const char *perms, size_t len, struct pvctl_error *err)
{
	return ask(t, XS_SET_PERMS, path, perms, len, NULL, NULL, err);
}
