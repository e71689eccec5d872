/* SPDX-License-Identifier: MIT */
#include "pvctld/p9/ring.h"
#include <errno.h>
#include <string.h>

uint32_t p9_get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint16_t p9_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

void p9_make_error(uint8_t msg[P9_RLERROR_SIZE], uint16_t tag, uint32_t ecode)
{
	put32(msg, P9_RLERROR_SIZE);
	msg[4] = P9_RLERROR;
	put16(msg + 5, tag);
	put32(msg + P9_HEADER, ecode);
}

/* fid[4] afid[4] uname[s] aname[s] n_uname[4] */
int p9_attach_rewrite(uint8_t *msg, uint32_t len, uint32_t max, const char *root, uint32_t uid)
{
	uint32_t at = P9_HEADER + 8, name, below = 0;
	size_t base = strlen(root), size;
	uint8_t path[4096];

	if (len < at + 2)
		return -EPROTO;
	at += 2u + p9_get16(msg + at);
	if (len < at + 2)
		return -EPROTO;
	name = p9_get16(msg + at);
	at += 2;
	if (len != at + name + 4 || base + 1 + name > sizeof(path))
		return -EPROTO;
	while (below < name && msg[at + below] == '/')
		below++;
	memcpy(path, root, base);
	if (below < name)
		path[base++] = '/';
	memcpy(path + base, msg + at + below, name - below);
	base += name - below;
	size = P9_HEADER + 8 + 2 + 2 + base + 4;
	if (size > max)
		return -EPROTO;
	put16(msg + P9_HEADER + 8, 0);
	put16(msg + P9_HEADER + 10, base);
	memcpy(msg + P9_HEADER + 12, path, base);
	put32(msg + P9_HEADER + 12 + base, uid);
	put32(msg, (uint32_t)size);
	return (int)size;
}

static struct p9_request *find(struct p9_inflight *f, uint16_t tag)
{
	for (unsigned int i = 0; i < f->n; i++)
		if (f->r[i].tag == tag)
			return &f->r[i];
	return NULL;
}

int p9_inflight_add(struct p9_inflight *f, const uint8_t *msg, uint32_t len, uint8_t ring)
{
	struct p9_request q = { .tag = p9_tag(msg), .ring = ring, .flush = p9_type(msg) == P9_TFLUSH };

	/* A new session: nobody waits for anything of the old one. */
	if (p9_type(msg) == P9_TVERSION)
		f->n = 0;
	if (find(f, q.tag) || (q.flush && len != P9_HEADER + 2))
		return -EPROTO;
	if (q.flush)
		q.old = p9_get16(msg + P9_HEADER);
	f->r[f->n++] = q;
	return 0;
}

int p9_inflight_end(struct p9_inflight *f, const uint8_t *msg)
{
	struct p9_request *q = find(f, p9_tag(msg)), *old;
	struct p9_request done;

	if (!q)
		return -ENOENT;
	done = *q;
	*q = f->r[--f->n];
	/* What was flushed gets no answer of its own. */
	old = done.flush && p9_type(msg) == P9_RFLUSH ? find(f, done.old) : NULL;
	if (old)
		*old = f->r[--f->n];
	return done.ring;
}
