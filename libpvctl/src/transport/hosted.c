/* SPDX-License-Identifier: MIT */
/* The transport to a hosted node: pvctld's control socket and the node's RAM. */
#include "transport/transport.h"
#include "public/node.h"
#include "transport/wire.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/paths.h"
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* A daemon that is silent this long is taken for dead; hypercalls that are
 * carried on slice by slice need much less. */
#define ANSWER_TIMEOUT_S 120
#define PAGE_BYTES 4096ul

struct hosted {
	struct transport t;
	int sock, ram_fd;
	uint32_t next_id;
	uint8_t *ram;              /* NULL until something is mapped */
	int spawner;               /* -1: not asked for anything yet */
	char node[64];
	bool broken;               /* the framing was lost: no more requests */
	uint64_t hole, hole_end;   /* of the RAM file, as it was found last: without data from here to there, */
	uint64_t data_end;         /* and with data from there to here */
	struct proto_hello_reply hello;
};

static struct hosted *hosted_of(struct transport *t)
{
	return (struct hosted *)t;
}

static int lost(struct hosted *h, int rc, const char *doing, struct pvctl_error *err)
{
	h->broken = true;
	if (rc == -EPIPE || rc == -ECONNRESET)
		return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "%s: the node's daemon (pvctld) ended", doing);
	if (rc == -ETIMEDOUT)
		return err_set(err, -ETIMEDOUT, PVCTL_ORIGIN_DAEMON, "%s: the node's daemon (pvctld) does not answer", doing);
	if (rc == -EPROTO)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "%s: pvctld's answer makes no sense", doing);
	return err_os(err, -rc, "%s: talking to pvctld", doing);
}

static int send_request(struct hosted *h, uint32_t type, const struct iovec *body, int n, struct pvctl_error *err)
{
	struct proto_header hdr = { .type = type, .id = ++h->next_id };
	struct iovec v[4];
	int i, rc;

	if (h->broken)
		return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "the connection to pvctld is broken");
	v[0].iov_base = &hdr;
	v[0].iov_len = sizeof(hdr);
	for (i = 0; i < n; i++) {
		v[i + 1] = body[i];
		hdr.len += (uint32_t)body[i].iov_len;
	}
	if (hdr.len > PROTO_MAX_BODY)
		return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "a request of %u bytes is too long", hdr.len);
	rc = wire_send(h->sock, v, n + 1, -1);
	/* Who refuses a connection says why, and closes it: that is there to be read. */
	if (rc == -EPIPE || rc == -ECONNRESET)
		return 0;
	return rc ? lost(h, rc, "request", err) : 0;
}

/* What is left of an answer that nobody wants, or has no memory for: the next one comes behind it. */
static int skip(struct hosted *h, uint32_t len, struct pvctl_error *err)
{
	uint8_t rest[256];
	uint32_t n;
	int rc = 0;

	for (; !rc && len; len -= n) {
		n = len < sizeof(rest) ? len : (uint32_t)sizeof(rest);
		rc = wire_recv(h->sock, rest, n, NULL);
	}
	return rc ? lost(h, rc, "answer", err) : 0;
}

/* The header of the answer to request id; a refusal's text is consumed. */
static int recv_header(struct hosted *h, uint32_t type, uint32_t id, struct proto_header *hdr, int *ret_fd,
                       struct pvctl_error *err)
{
	char text[sizeof(err->msg)] = "";
	uint32_t n;
	int rc;

	rc = wire_recv(h->sock, hdr, sizeof(*hdr), ret_fd);
	if (rc)
		return lost(h, rc, "answer", err);
	if (hdr->id != id || hdr->type != (type | PROTO_REPLY) || hdr->len > PROTO_MAX_BODY || hdr->code > 0)
		return lost(h, -EPROTO, "answer", err);
	if (hdr->code == 0)
		return 0;
	n = hdr->len < sizeof(text) ? hdr->len : (uint32_t)sizeof(text) - 1;
	rc = wire_recv(h->sock, text, n, NULL);
	if (rc)
		return lost(h, rc, "answer", err);
	rc = skip(h, hdr->len - n, err);
	if (rc)
		return rc;
	return err_set(err, err_fold(hdr->code), PVCTL_ORIGIN_DAEMON, "%s", text[0] ? text : "pvctld refused a request");
}

/* An answer's body behind its header, malloc'd, with a NUL behind it. */
static int recv_body(struct hosted *h, const struct proto_header *hdr, uint8_t **ret, struct pvctl_error *err)
{
	CLEANUP_FREE uint8_t *got = malloc((size_t)hdr->len + 1);
	int rc;

	if (!got) {
		rc = skip(h, hdr->len, err);
		return rc ? rc : err_nomem(err);
	}
	rc = wire_recv(h->sock, got, hdr->len, NULL);
	if (rc)
		return lost(h, rc, "answer", err);
	got[hdr->len] = '\0';
	*ret = TAKE_PTR(got);
	return 0;
}

static int hosted_request(struct transport *t, uint32_t type, const void *body, size_t len,
                          void **ret_body, size_t *ret_len, int *ret_fd, struct pvctl_error *err)
{
	struct hosted *h = hosted_of(t);
	struct iovec v = { (void *)(uintptr_t)body, len };
	CLEANUP_FREE uint8_t *got = NULL;
	CLEANUP_CLOSE int fd = -1;
	struct proto_header hdr;
	int rc;

	rc = send_request(h, type, &v, len ? 1 : 0, err);
	if (!rc)
		rc = recv_header(h, type, h->next_id, &hdr, &fd, err);
	if (rc)
		return rc;
	/* What was asked for is done: that no answer is wanted must not make it a failure for want of memory. */
	rc = ret_body ? recv_body(h, &hdr, &got, err) : skip(h, hdr.len, err);
	if (rc)
		return rc;
	if (ret_fd && fd < 0)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "pvctld sent no file descriptor");
	if (ret_len)
		*ret_len = hdr.len;
	if (ret_body)
		*ret_body = TAKE_PTR(got);
	if (ret_fd)
		*ret_fd = TAKE_FD(fd);
	return 0;
}

static int send_batch(struct hosted *h, uint32_t type, const struct iovec *bodies, unsigned int n,
                      struct pvctl_error *err)
{
	CLEANUP_BUF struct buf b = { 0 };
	struct proto_header hdr = { .type = type };
	struct iovec v;
	unsigned int i;
	int rc;

	if (h->broken)
		return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "the connection to pvctld is broken");
	for (i = 0; i < n; i++) {
		hdr.id = h->next_id + 1 + i;
		hdr.len = (uint32_t)bodies[i].iov_len;
		if (buf_add(&b, &hdr, sizeof(hdr)) || buf_add(&b, bodies[i].iov_base, bodies[i].iov_len))
			return err_nomem(err);
	}
	h->next_id += n;
	v = (struct iovec){ b.data, b.len };
	rc = wire_send(h->sock, &v, 1, -1);
	return rc ? lost(h, rc, "request", err) : 0;
}

static int hosted_batch(struct transport *t, uint32_t type, const struct iovec *bodies, unsigned int n,
                        int (*reply)(void *data, unsigned int i, const void *body, size_t len, struct pvctl_error *err),
                        void *data, struct pvctl_error *err)
{
	struct hosted *h = hosted_of(t);
	struct proto_header hdr;
	struct pvctl_error e;
	uint32_t first = h->next_id + 1;
	unsigned int i;
	int rc, ret;

	ret = send_batch(h, type, bodies, n, err);
	if (ret)
		return ret; /* there will be no answers */
	for (i = 0; i < n && !h->broken; i++) {
		CLEANUP_FREE uint8_t *got = NULL;

		rc = recv_header(h, type, first + i, &hdr, NULL, &e);
		if (!rc)
			rc = recv_body(h, &hdr, &got, &e);
		if (!rc)
			rc = reply(data, i, got, hdr.len, &e);
		if (!rc || ret)
			continue;
		ret = rc;
		if (err)
			*err = e;
	}
	return ret;
}

static int64_t hosted_hypercall(struct transport *t, uint32_t op, uint64_t *args, size_t used, struct pvctl_error *err)
{
	struct hosted *h = hosted_of(t);
	struct proto_hypercall call = { .op = op };
	struct proto_hypercall_reply reply;
	struct proto_header hdr;
	struct iovec v[2] = { { &call, sizeof(call) }, { t->arena, used } };
	int rc;

	if (used > t->arena_size)
		return err_set(err, -EIO, PVCTL_ORIGIN_LIB, "hypercall %u: its arguments are too long", op);
	memcpy(call.args, args, 5 * sizeof(*args));
	rc = send_request(h, PROTO_HYPERCALL, v, used ? 2 : 1, err);
	if (!rc)
		rc = recv_header(h, PROTO_HYPERCALL, h->next_id, &hdr, NULL, err);
	/* The caller tells a transport's failure from the hypervisor's by err. */
	if (rc)
		return rc;
	if (hdr.len < sizeof(reply) || hdr.len - sizeof(reply) > used)
		rc = -EPROTO;
	if (!rc)
		rc = wire_recv(h->sock, &reply, sizeof(reply), NULL);
	if (!rc)
		rc = wire_recv(h->sock, t->arena, hdr.len - sizeof(reply), NULL);
	if (rc)
		return lost(h, rc, "hypercall", err);
	memcpy(args, reply.args, 5 * sizeof(*args));
	return reply.ret;
}

/* The offset in the RAM file of len bytes of machine memory: false when not all RAM, or not contiguous there. */
static bool ram_offset(const struct hosted *h, uint64_t paddr, uint64_t len, uint64_t *ret)
{
	const struct proto_hello_reply *i = &h->hello;

	if (paddr < i->low_bytes) {
		*ret = paddr;
		return len <= i->low_bytes - paddr;
	}
	if (paddr < i->high_paddr || paddr - i->high_paddr >= i->ram_bytes - i->low_bytes)
		return false;
	*ret = paddr - i->high_paddr + i->low_bytes;
	return len <= i->ram_bytes - *ret;
}

static void *hosted_map(struct transport *t, uint64_t mfn, uint64_t count)
{
	struct hosted *h = hosted_of(t);
	uint64_t off;
	void *p;

	if (mfn >> 40 || count >> 40 || !ram_offset(h, mfn * PAGE_BYTES, count * PAGE_BYTES, &off))
		return NULL;
	if (!h->ram) {
		p = mmap(NULL, h->hello.ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, h->ram_fd, 0);
		if (p == MAP_FAILED)
			return NULL;
		h->ram = p;
	}
	return h->ram + off;
}

/* Asked in order, it looks at the file once for each piece of it. */
static bool hosted_untouched(struct transport *t, uint64_t mfn)
{
	struct hosted *h = hosted_of(t);
	uint64_t off;
	off_t at;

	if (mfn == ~0ull)
		h->hole = h->hole_end = h->data_end = 0;
	if (mfn >> 40 || !ram_offset(h, mfn * PAGE_BYTES, PAGE_BYTES, &off))
		return false;
	if (off < h->hole || off >= h->data_end) {
		at = lseek(h->ram_fd, (off_t)off, SEEK_DATA);
		h->hole = off;
		h->hole_end = at >= 0 ? (uint64_t)at : errno == ENXIO ? h->hello.ram_bytes : off;
		at = h->hole_end < h->hello.ram_bytes ? lseek(h->ram_fd, (off_t)h->hole_end, SEEK_HOLE) : -1;
		h->data_end = at >= 0 ? (uint64_t)at : h->hole_end;
	}
	return off >= h->hole && off + PAGE_BYTES <= h->hole_end;
}

static int hosted_write_mem(struct transport *t, uint64_t paddr, const void *src, size_t len)
{
	struct hosted *h = hosted_of(t);
	const uint8_t *at = src;
	uint64_t off;

	if (!ram_offset(h, paddr, len, &off))
		return -EINVAL;
	while (len) {
		ssize_t n = pwrite(h->ram_fd, at, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int hosted_read_mem(struct transport *t, uint64_t paddr, void *to, size_t len)
{
	struct hosted *h = hosted_of(t);
	uint64_t off;

	return ram_offset(h, paddr, len, &off) ? fd_pread_all(h->ram_fd, to, len, off) : -EINVAL;
}

static void hosted_close(struct transport *t)
{
	struct hosted *h = hosted_of(t);

	if (h->ram)
		munmap(h->ram, h->hello.ram_bytes);
	if (h->ram_fd >= 0)
		close(h->ram_fd);
	if (h->sock >= 0)
		close(h->sock);
	if (h->spawner >= 0)
		close(h->spawner);
	if (t->arena)
		munmap(t->arena, t->arena_size);
	free(h);
}

static int hosted_allow(struct transport *t, const char *key, const char *text, struct pvctl_error *err);

static const struct transport_ops hosted_ops = {
	.hypercall = hosted_hypercall,
	.map = hosted_map,
	.untouched = hosted_untouched,
	.write_mem = hosted_write_mem,
	.read_mem = hosted_read_mem,
	.request = hosted_request,
	.batch = hosted_batch,
	.allow = hosted_allow,
	.close = hosted_close,
};

int transport_wait_gone(struct transport *t, uint32_t timeout_ms)
{
	struct hosted *h = hosted_of(t);
	struct pollfd p = { .fd = h->sock, .events = POLLIN };
	struct timespec now;
	int64_t end, left;
	int n;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end = now.tv_sec * 1000ll + now.tv_nsec / 1000000 + timeout_ms;
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = end - (now.tv_sec * 1000ll + now.tv_nsec / 1000000);
		n = poll(&p, 1, left > 0 ? (int)left : 0);
		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* Who answers may read what is typed at a console, and says what runs. */
static bool peer_is_us(int sock)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return !getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) && cred.uid == geteuid();
}

static int connect_node(const char *node, const char *name, int type, int *ret_sock, struct pvctl_error *err)
{
	CLEANUP_CLOSE int sock = -1;
	struct timeval tv = { .tv_sec = ANSWER_TIMEOUT_S };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char dir[200];
	int rc;

	rc = paths_run_dir(node, dir, sizeof(dir), err);
	rc = rc ? rc : paths_check_way(dir, err);
	if (rc)
		return rc;
	if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/%s", dir, name) >= (int)sizeof(sa.sun_path))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: too long for a socket's name", dir);
	sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return err_os(err, errno, "socket");
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(sock, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
			return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "node \"%s\" does not run", node ? node : "default");
		return err_os(err, errno, "%s", sa.sun_path);
	}
	if (!peer_is_us(sock))
		return err_set(err, -EPERM, PVCTL_ORIGIN_LIB, "%s: another user answers there", sa.sun_path);
	*ret_sock = TAKE_FD(sock);
	return 0;
}

static int send_allow(struct hosted *h, const char *key, const char *text)
{
	struct { struct proto_allow a; char text[PROTO_ALLOW_TEXT]; } q = { .a = { .h = { .type = PROTO_ALLOW } } };
	size_t len = strlen(text);
	struct proto_header answer;
	ssize_t n;

	if (len > sizeof(q.text) || strlen(key) >= sizeof(q.a.key))
		return -E2BIG;
	strcpy(q.a.key, key);
	memcpy(q.text, text, len);
	q.a.h.id = ++h->next_id;
	q.a.h.len = (uint32_t)(sizeof(q.a) - sizeof(q.a.h) + len);
	if (send(h->spawner, &q, sizeof(q.a) + len, MSG_NOSIGNAL) < 0)
		return -errno;
	do
		n = recv(h->spawner, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return n == sizeof(answer) && answer.id == q.a.h.id && answer.code <= 0 ? answer.code : -EPROTO;
}

/* A node without a spawner opens what it is told by its clients itself, as those of the tests do. */
static int hosted_allow(struct transport *t, const char *key, const char *text, struct pvctl_error *err)
{
	struct hosted *h = hosted_of(t);
	int rc = 0;

	if (h->spawner < 0)
		rc = connect_node(h->node[0] ? h->node : NULL, "spawner.sock", SOCK_SEQPACKET, &h->spawner, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = send_allow(h, key, text);
	if (!rc)
		return 0;
	/* It may have been closed for having been idle. */
	close(TAKE_FD(h->spawner));
	rc = connect_node(h->node[0] ? h->node : NULL, "spawner.sock", SOCK_SEQPACKET, &h->spawner, err);
	rc = rc ? rc : send_allow(h, key, text);
	return rc ? err_set(err, rc, PVCTL_ORIGIN_DAEMON, "%s \"%s\": the node's spawner: %s", key, text, strerror(-rc)) : 0;
}

int transport_allow(struct transport *t, const char *key, const char *text, struct pvctl_error *err)
{
	return t->ops->allow ? t->ops->allow(t, key, text, err) : 0;
}

static int check_hello(struct hosted *h, struct pvctl_error *err)
{
	const struct proto_hello_reply *r = &h->hello;
	struct stat st;

	if (r->version != PROTO_VERSION)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "pvctld speaks version %u of the protocol, this library %u",
		               r->version, PROTO_VERSION);
	if (fstat(h->ram_fd, &st) < 0 || (uint64_t)st.st_size < r->ram_bytes || r->low_bytes > r->ram_bytes ||
	    r->high_paddr < r->low_bytes || r->arena_bytes < 16 * PAGE_BYTES)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "pvctld describes the node's memory inconsistently");
	return 0;
}

int transport_open_hosted(const char *node, struct transport **ret, struct pvctl_error *err)
{
	struct hosted *h = calloc(1, sizeof(*h));
	CLEANUP_FREE void *body = NULL;
	size_t len = 0;
	void *arena;
	int rc;

	if (!h)
		return err_nomem(err);
	h->t.ops = &hosted_ops;
	h->sock = h->ram_fd = -1;
	h->spawner = -1;
	snprintf(h->node, sizeof(h->node), "%s", node ? node : "");
	rc = connect_node(node, "control.sock", SOCK_STREAM, &h->sock, err);
	if (!rc)
		rc = hosted_request(&h->t, PROTO_HELLO, NULL, 0, &body, &len, &h->ram_fd, err);
	if (!rc && len < sizeof(h->hello))
		rc = lost(h, -EPROTO, "hello", err);
	if (rc)
		goto fail;
	memcpy(&h->hello, body, sizeof(h->hello));
	rc = check_hello(h, err);
	if (rc)
		goto fail;
	h->t.arena_base = NODE_ARENA_BASE;
	h->t.arena_size = (PROTO_MAX_BODY - sizeof(struct proto_hypercall_reply) - sizeof(struct proto_hypercall)) & -PAGE_BYTES;
	if (h->t.arena_size > h->hello.arena_bytes)
		h->t.arena_size = h->hello.arena_bytes & -PAGE_BYTES;
	/* Gaps between arguments, and room for what comes back, are sent, too: they are zero, not whatever the heap held. */
	arena = mmap(NULL, h->t.arena_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED) {
		rc = err_nomem(err);
		goto fail;
	}
	h->t.arena = arena;
	*ret = &h->t;
	return 0;
fail:
	hosted_close(&h->t);
	return rc;
}
