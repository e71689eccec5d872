/* SPDX-License-Identifier: MIT */
#include "store/client.h"
#include "transport/proto.h"
#include "util/cleanup.h"
#include "util/err.h"
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

/* A request's bytes: path, NUL, value as the payload. */
static size_t frame(uint8_t *to, uint32_t type, const char *path, const void *value, size_t len)
{
	size_t path_len = strlen(path) + 1;
	struct xsd_sockmsg hdr = { .type = type, .len = (uint32_t)(path_len + len) };

	memcpy(to, &hdr, sizeof(hdr));
	memcpy(to + sizeof(hdr), path, path_len);
	if (len)
		memcpy(to + sizeof(hdr) + path_len, value, len);
	return sizeof(hdr) + hdr.len;
}

static int check(const char *path, size_t len, struct pvctl_error *err)
{
	int rc = check_path(path, err);

	if (!rc && len > XENSTORE_PAYLOAD_MAX - strlen(path) - 1)
		rc = err_set(err, -E2BIG, PVCTL_ORIGIN_STORE, "%s: a value of %zu bytes is too long for the store", path, len);
	return rc;
}

/* Is it a sound answer to a request of that type, and no refusal? The transport put a NUL behind it. */
static int check_answer(const uint8_t *body, size_t got, uint32_t type, const char *path, struct pvctl_error *err)
{
	struct xsd_sockmsg hdr;
	int e;

	if (got < sizeof(hdr))
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "%s: the store's answer is cut off", path);
	memcpy(&hdr, body, sizeof(hdr));
	if (hdr.len != got - sizeof(hdr) || (hdr.type != type && hdr.type != XS_ERROR))
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "%s: the store's answer makes no sense", path);
	if (hdr.type != XS_ERROR)
		return 0;
	e = error_code((const char *)body + sizeof(hdr));
	return err_set(err, err_fold(e), PVCTL_ORIGIN_STORE, "store path %s: %s", path,
	               e == ENOENT ? "no such node" : strerrordesc_np(e));
}

/* The answer's payload, NUL-terminated, to *ret. */
static int ask(struct transport *t, uint32_t type, const char *path, const void *value, size_t len,
               char **ret, size_t *ret_len, struct pvctl_error *err)
{
	uint8_t request[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
	CLEANUP_FREE char *answer = NULL;
	void *reply = NULL;
	size_t got = 0;
	int rc;

	rc = check(path, len, err);
	if (rc)
		return rc;
	rc = t->ops->request(t, PROTO_STORE, request, frame(request, type, path, value, len), &reply, &got, NULL, err);
	if (rc)
		return rc;
	answer = reply;
	rc = check_answer(reply, got, type, path, err);
	if (rc || !ret)
		return rc;
	*ret_len = got - sizeof(struct xsd_sockmsg);
	memmove(answer, answer + sizeof(struct xsd_sockmsg), *ret_len + 1);
	*ret = TAKE_PTR(answer);
	return 0;
}

int store_client_read(struct transport *t, const char *path, char **ret, size_t *ret_len, struct pvctl_error *err)
{
	return ask(t, XS_READ, path, NULL, 0, ret, ret_len, err);
}

int store_client_write(struct transport *t, const char *path, const void *value, size_t len, struct pvctl_error *err)
{
	return ask(t, XS_WRITE, path, value, len, NULL, NULL, err);
}

int store_client_rm(struct transport *t, const char *path, struct pvctl_error *err)
{
	return ask(t, XS_RM, path, NULL, 0, NULL, NULL, err);
}

int store_client_control(struct transport *t, const char *words, size_t len, const char *what, char **ret, struct pvctl_error *err)
{
	uint8_t request[sizeof(struct xsd_sockmsg) + 256];
	struct xsd_sockmsg hdr = { .type = XS_CONTROL, .len = (uint32_t)len }, got;
	CLEANUP_FREE char *answer = NULL;
	size_t got_len = 0;
	void *reply = NULL;
	int rc, e;

	if (len > sizeof(request) - sizeof(hdr))
		return err_set(err, -E2BIG, PVCTL_ORIGIN_STORE, "%s: too long", what);
	memcpy(request, &hdr, sizeof(hdr));
	memcpy(request + sizeof(hdr), words, len);
	rc = t->ops->request(t, PROTO_STORE, request, sizeof(hdr) + len, &reply, &got_len, NULL, err);
	if (rc)
		return rc;
	answer = reply;
	if (got_len < sizeof(got))
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "%s: the store's answer is cut off", what);
	memcpy(&got, answer, sizeof(got));
	if (got.type == XS_ERROR) {
		e = error_code(answer + sizeof(got));
		return err_set(err, err_fold(e), PVCTL_ORIGIN_STORE, "%s: %s", what, strerrordesc_np(e));
	}
	if (got.type != XS_CONTROL || got.len != got_len - sizeof(got))
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "%s: the store's answer makes no sense", what);
	if (ret) {
		memmove(answer, answer + sizeof(got), got.len + 1);
		*ret = TAKE_PTR(answer);
	}
	return 0;
}

void store_batch_init(struct store_batch *b, struct transport *t, struct pvctl_error *err)
{
	b->t = t;
	b->err = err;
	b->rc = 0;
	b->n = 0;
	b->len = 0;
}

static int batch_reply(void *data, unsigned int i, const void *body, size_t len, struct pvctl_error *err)
{
	const struct store_batch *b = data;
	const uint8_t *request = b->bytes + b->start[i];
	struct xsd_sockmsg hdr;

	memcpy(&hdr, request, sizeof(hdr));
	return check_answer(body, len, hdr.type, (const char *)request + sizeof(hdr), err);
}

static void flush(struct store_batch *b)
{
	struct iovec v[STORE_BATCH_MAX];
	unsigned int i;

	b->start[b->n] = b->len;
	for (i = 0; i < b->n; i++)
		v[i] = (struct iovec){ b->bytes + b->start[i], b->start[i + 1] - b->start[i] };
	if (!b->rc && b->n)
		b->rc = b->t->ops->batch(b->t, PROTO_STORE, v, b->n, batch_reply, b, b->err);
	b->n = 0;
	b->len = 0;
}

static void add(struct store_batch *b, uint32_t type, const char *path, const void *value, size_t len)
{
	size_t need;

	if (!b->rc)
		b->rc = check(path, len, b->err);
	if (b->rc)
		return;
	need = sizeof(struct xsd_sockmsg) + strlen(path) + 1 + len;
	if (b->n == STORE_BATCH_MAX || need > sizeof(b->bytes) - b->len)
		flush(b);
	b->start[b->n++] = b->len;
	b->len += frame(b->bytes + b->len, type, path, value, len);
}

void store_batch_write(struct store_batch *b, const char *path, const void *value, size_t len)
{
	add(b, XS_WRITE, path, value, len);
}

void store_batch_mkdir(struct store_batch *b, const char *path, const char *perms, size_t len)
{
	add(b, XS_MKDIR, path, NULL, 0);
	add(b, XS_SET_PERMS, path, perms, len);
}

int store_batch_end(struct store_batch *b)
{
	flush(b);
	return b->rc;
}
