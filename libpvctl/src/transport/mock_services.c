/* SPDX-License-Identifier: MIT */
#include "transport/mock_private.h"
#include "util/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

static struct mock_node *find(struct mock *m, const char *path)
{
	unsigned int i;

	for (i = 0; i < m->n_nodes; i++)
		if (strcmp(m->node[i].path, path) == 0)
			return &m->node[i];
	return NULL;
}

static void set(struct mock *m, const char *path, const void *value, size_t len)
{
	struct mock_node *n = find(m, path);

	if (!n) {
		m->node = realloc(m->node, (m->n_nodes + 1) * sizeof(*n));
		n = &m->node[m->n_nodes++];
		memset(n, 0, sizeof(*n));
		snprintf(n->path, sizeof(n->path), "%s", path);
	}
	free(n->value);
	n->value = malloc(len + 1);
	memcpy(n->value, value, len);
	n->len = len;
}

void mock_store_set(struct transport *t, const char *path, const char *value)
{
	set(mock_of(t), path, value, strlen(value));
}

static unsigned int remove_below(struct mock *m, const char *path)
{
	size_t n = strlen(path);
	unsigned int i, gone = 0;

	for (i = 0; i < m->n_nodes; ) {
		if (strncmp(m->node[i].path, path, n) == 0 && (m->node[i].path[n] == '/' || !m->node[i].path[n])) {
			free(m->node[i].value);
			m->node[i] = m->node[--m->n_nodes];
			gone++;
		} else {
			i++;
		}
	}
	return gone;
}

void mock_forget(struct mock *m, uint32_t domid)
{
	struct mock_domain *d = mock_domain(m, domid);
	char path[300];
	struct mock_node *vm;

	snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
	vm = find(m, path);
	if (vm) {
		snprintf(path, sizeof(path), "%.*s", (int)vm->len, vm->value);
		remove_below(m, path);
	}
	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	remove_below(m, path);
	snprintf(path, sizeof(path), "/libxl/%u", domid);
	remove_below(m, path);
	if (d) {
		free(d->config);
		d->config = NULL;
		d->committed = d->introduced = false;
		d->name[0] = '\0';
	}
}

static int reply(const void *p, size_t len, void **ret_body, size_t *ret_len)
{
	char *copy = malloc(len + 1);

	if (len)
		memcpy(copy, p, len);
	copy[len] = '\0';
	if (ret_len)
		*ret_len = len;
	if (ret_body)
		*ret_body = copy;
	else
		free(copy);
	return 0;
}

static int store(struct mock *m, const char *body, size_t len, void **ret_body, size_t *ret_len)
{
	struct { struct xsd_sockmsg hdr; char payload[4096]; } out;
	const char *path = body + sizeof(out.hdr), *value = path + strlen(path) + 1, *error = NULL;
	struct mock_node *n = find(m, path);

	memcpy(&out.hdr, body, sizeof(out.hdr));
	memcpy(out.payload, "OK", 3);
	switch (out.hdr.type) {
	case XS_WRITE:
		set(m, path, value, len - (size_t)(value - body));
		break;
	case XS_MKDIR:
		if (!n)
			set(m, path, "", 0);
		break;
	case XS_SET_PERMS:
		error = n ? NULL : "ENOENT";
		break;
	case XS_RM:
		error = remove_below(m, path) ? NULL : "ENOENT";
		break;
	case XS_READ:
		error = n ? NULL : "ENOENT";
		break;
	default:
		error = "ENOSYS";
	}
	out.hdr.len = 3;
	if (error) {
		out.hdr.type = XS_ERROR;
		out.hdr.len = (uint32_t)strlen(error) + 1;
		memcpy(out.payload, error, out.hdr.len);
	} else if (out.hdr.type == XS_READ) {
		out.hdr.len = (uint32_t)n->len;
		memcpy(out.payload, n->value, n->len);
	}
	return reply(&out, sizeof(out.hdr) + out.hdr.len, ret_body, ret_len);
}

static int commit(struct mock *m, const char *body, size_t len, struct pvctl_error *err)
{
	struct mock_domain *d;
	struct proto_commit c;

	memcpy(&c, body, sizeof(c));
	d = mock_domain(m, c.domid);
	if (!d || !d->introduced)
		return err_set(err, -ESRCH, PVCTL_ORIGIN_DAEMON, "mock: no such domain");
	d->committed = true;
	memcpy(d->name, c.name, sizeof(d->name));
	d->created = c.created_unix_ns;
	if (c.flags & PROTO_COMMIT_UNPAUSE && d->has_context && d->pinned)
		d->paused = false;
	d->config = strndup(body + sizeof(c), len - sizeof(c));
	return 0;
}

static int rows(struct mock *m, void **ret_body, size_t *ret_len)
{
	struct proto_domain_row row[MOCK_DOMAINS];
	unsigned int i, n = 0;

	memset(row, 0, sizeof(row));
	for (i = 1; i < MOCK_DOMAINS; i++) {
		if (!m->domain[i].used)
			continue;
		row[n].domid = i;
		row[n].unique_id = m->domain[i].unique_id;
		row[n].created_unix_ns = m->domain[i].created;
		memcpy(row[n++].name, m->domain[i].name, sizeof(row[0].name));
	}
	return reply(row, n * sizeof(row[0]), ret_body, ret_len);
}

static int events(int *ret_fd)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -EIO;
	/* The other end stays open for the process's life: no event ever comes. */
	static int kept = -1;
	if (kept >= 0)
		close(kept);
	kept = sv[1];
	*ret_fd = sv[0];
	return 0;
}

int mock_request(struct transport *t, uint32_t type, const void *body, size_t len, void **ret_body, size_t *ret_len,
                 int *ret_fd, struct pvctl_error *err)
{
	struct mock *m = mock_of(t);
	struct mock_domain *d;
	uint32_t domid = 0;

	if (mock_fails(m))
		return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "mock: request %u failed", type);
	if (len >= sizeof(domid))
		memcpy(&domid, body, sizeof(domid));
	d = mock_domain(m, domid);
	switch (type) {
	case PROTO_STORE:
		return store(m, body, len, ret_body, ret_len);
	case PROTO_COMMIT:
		return commit(m, body, len, err);
	case PROTO_DOMAINS:
		return rows(m, ret_body, ret_len);
	case PROTO_EVENTS:
		return events(ret_fd);
	case PROTO_MEMORY_CHECK:
	case PROTO_MEMORY_BACK:
		return m->host_full ? err_set(err, -ENOMEM, PVCTL_ORIGIN_DAEMON, "mock: the host has no memory") : 0;
	case PROTO_FORGET:
		mock_forget(m, domid);
		return 0;
	default:
		break;
	}
	if (!d)
		return err_set(err, -ESRCH, PVCTL_ORIGIN_DAEMON, "mock: no such domain");
	switch (type) {
	case PROTO_INTRODUCE:
		d->introduced = true;
		return 0;
	case PROTO_CONFIG:
		return d->config ? reply(d->config, strlen(d->config), ret_body, ret_len) :
		                   err_set(err, -ENOENT, PVCTL_ORIGIN_DAEMON, "mock: no configuration");
	case PROTO_RENAME:
		memset(d->name, 0, sizeof(d->name));
		memcpy(d->name, (const char *)body + 8, len - 8);
		return 0;
	default:
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_DAEMON, "mock: request %u", type);
	}
}
