/* SPDX-License-Identifier: MIT */
#include "save/io.h"
#include "util/err.h"
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zstd.h>

#define BUF_BYTES (1u << 20)

/* Not ready, or interrupted: is it to go on? */
static int again(struct save_io *io, short events, int why)
{
	struct pollfd p = { .fd = io->fd, .events = events };

	if (why != EINTR && why != EAGAIN)
		return -why;
	io->ctx->progress_ns = 0; /* a signal is asked about at once: the next write may block for good */
	if (ctx_progress(io->ctx, "save", 0, 0))
		return -ECANCELED;
	if (why == EAGAIN)
		(void)poll(&p, 1, 100);
	return 0;
}

/* A closed socket is an error, not a signal. */
static ssize_t write_some(int fd, struct iovec *v, int n, bool *not_socket)
{
	struct msghdr m = { .msg_iov = v, .msg_iovlen = (size_t)n };
	ssize_t done;

	if (!*not_socket) {
		done = sendmsg(fd, &m, MSG_NOSIGNAL);
		if (done >= 0 || errno != ENOTSOCK)
			return done;
		*not_socket = true;
	}
	return writev(fd, v, n);
}

static int advance(struct iovec **v, int *n, size_t done)
{
	while (*n && done >= (*v)->iov_len) {
		done -= (*v)->iov_len;
		(*v)++;
		(*n)--;
	}
	if (*n) {
		(*v)->iov_base = (uint8_t *)(*v)->iov_base + done;
		(*v)->iov_len -= done;
	}
	return *n;
}

static int write_plain(void *data, struct iovec *v, int n)
{
	struct save_io *io = data;
	bool not_socket = io->begun;
	ssize_t done;
	int rc;

	while (advance(&v, &n, 0)) {
		done = write_some(io->fd, v, n < IOV_MAX ? n : IOV_MAX, &not_socket);
		if (done < 0) {
			rc = again(io, POLLOUT, errno);
			if (rc)
				return rc;
			continue;
		}
		io->bytes += (uint64_t)done;
		/* A signal may have cut it short, and says nothing more. */
		rc = advance(&v, &n, (size_t)done) ? again(io, POLLOUT, EINTR) : 0;
		if (!rc && io->ctx->tail && io->ctx->tail->wrote)
			rc = io->ctx->tail->wrote(io->ctx->tail->data, io->bytes);
		if (rc)
			return rc;
	}
	io->begun = not_socket;
	return 0;
}

static int pack(struct save_io *io, const void *p, size_t len, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { p, len, 0 };
	ZSTD_outBuffer out;
	struct iovec v;
	size_t left;
	int rc;

	do {
		out = (ZSTD_outBuffer){ io->buf, BUF_BYTES, 0 };
		left = ZSTD_compressStream2(io->z, &out, &in, how);
		if (ZSTD_isError(left))
			return -ENOMEM;
		v = (struct iovec){ io->buf, out.pos };
		rc = out.pos ? write_plain(io, &v, 1) : 0;
		if (rc)
			return rc;
	} while (in.pos < in.size || (how == ZSTD_e_end && left));
	return 0;
}

static int write_packed(void *data, struct iovec *v, int n)
{
	int i, rc = 0;

	for (i = 0; i < n && !rc; i++)
		if (v[i].iov_len)
			rc = pack(data, v[i].iov_base, v[i].iov_len, ZSTD_e_continue);
	return rc;
}

int save_io_write_init(struct save_io *io, struct pvctl *ctx, int fd, int level, struct stream_sink *ret, struct pvctl_error *err)
{
	*io = (struct save_io){ .fd = fd, .ctx = ctx };
	*ret = (struct stream_sink){ level ? write_packed : write_plain, io };
	if (!level)
		return 0;
	io->z = ZSTD_createCCtx();
	io->buf = malloc(BUF_BYTES);
	if (!io->z || !io->buf || ZSTD_isError(ZSTD_CCtx_setParameter(io->z, ZSTD_c_compressionLevel, level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(io->z, ZSTD_c_checksumFlag, 1))) {
		save_io_free_writer(io);
		return err_nomem(err);
	}
	return 0;
}

int save_io_write_end(struct save_io *io)
{
	return io->z ? pack(io, NULL, 0, ZSTD_e_end) : 0;
}

void save_io_free_writer(struct save_io *io)
{
	ZSTD_freeCCtx(io->z);
	free(io->buf);
	*io = (struct save_io){ .fd = -1 };
}

static int read_fd(struct save_io *io, struct iovec *v, int n)
{
	ssize_t done;
	int rc;

	while (advance(&v, &n, 0)) {
		done = readv(io->fd, v, n < IOV_MAX ? n : IOV_MAX);
		if (done == 0 && io->ctx->tail && io->ctx->tail->more && io->ctx->tail->more(io->ctx->tail->data, io->bytes))
			continue;
		if (done == 0)
			return -ENODATA;
		if (done < 0) {
			rc = again(io, POLLIN, errno);
			if (rc)
				return rc;
			continue;
		}
		io->bytes += (uint64_t)done;
		advance(&v, &n, (size_t)done);
	}
	return 0;
}

/* The first bytes were looked at. */
static int read_plain(void *data, struct iovec *v, int n)
{
	struct save_io *io = data;
	size_t k;

	while (io->pos < io->len && advance(&v, &n, 0)) {
		k = io->len - io->pos < v->iov_len ? io->len - io->pos : v->iov_len;
		memcpy(v->iov_base, io->buf + io->pos, k);
		io->pos += k;
		advance(&v, &n, k);
	}
	return read_fd(io, v, n);
}

static int fill(struct save_io *io)
{
	ssize_t n;
	int rc = 0;

	do {
		n = read(io->fd, io->buf, BUF_BYTES);
		if (n < 0)
			rc = again(io, POLLIN, errno);
	} while (n < 0 && !rc);
	if (rc)
		return rc;
	if (!n)
		return -ENODATA;
	io->pos = 0;
	io->len = (size_t)n;
	io->bytes += (uint64_t)n;
	return 0;
}

static int read_packed(void *data, struct iovec *v, int n)
{
	struct save_io *io = data;
	ZSTD_outBuffer out;
	ZSTD_inBuffer in;
	size_t left;
	int rc;

	while (advance(&v, &n, 0)) {
		out = (ZSTD_outBuffer){ v->iov_base, v->iov_len, 0 };
		in = (ZSTD_inBuffer){ io->buf, io->len, io->pos };
		left = ZSTD_decompressStream(io->z, &out, &in);
		io->pos = in.pos;
		if (ZSTD_isError(left))
			return -EBADMSG;
		advance(&v, &n, out.pos);
		if (!n || out.pos == out.size)
			continue;
		if (io->pos == io->len) {
			rc = fill(io);
			if (rc)
				return rc;
		}
	}
	return 0;
}

/* A stream of xl's begins with a letter, one of zstd's never does. */
int save_io_read_init(struct save_io *io, struct pvctl *ctx, int fd, struct stream_source *ret, struct pvctl_error *err)
{
	uint32_t magic;
	struct iovec v;
	int rc;

	*io = (struct save_io){ .fd = fd, .ctx = ctx, .buf = malloc(BUF_BYTES) };
	if (!io->buf)
		return err_nomem(err);
	v = (struct iovec){ io->buf, sizeof(magic) };
	rc = read_fd(io, &v, 1);
	if (rc == -ENODATA)
		rc = err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "xl's header at offset 0x0: the stream ends here");
	else if (rc)
		rc = err_os(err, -rc, "reading the saved domain");
	io->len = sizeof(magic);
	memcpy(&magic, io->buf, sizeof(magic));
	if (!rc && magic == ZSTD_MAGICNUMBER) {
		io->z = ZSTD_createDCtx();
		if (!io->z)
			rc = err_nomem(err);
	}
	if (rc) {
		save_io_free_reader(io);
		return rc;
	}
	*ret = (struct stream_source){ io->z ? read_packed : read_plain, io };
	return 0;
}

void save_io_free_reader(struct save_io *io)
{
	ZSTD_freeDCtx(io->z);
	free(io->buf);
	*io = (struct save_io){ .fd = -1 };
}
