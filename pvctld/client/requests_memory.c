/* SPDX-License-Identifier: MIT */
/* Requests about the host's memory behind the node's. */
#include "pvctld/client/control.h"
#include "pvctld/core/daemon.h"
#include "pvctld/node/backing.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

void request_memory_check(struct ctl_conn *c)
{
	const struct proto_memory_check *b = (const void *)c->body;
	struct pvctl_error e;

	if (c->head.len != sizeof(*b))
		ctl_refuse(c, -EINVAL, "the request has the wrong length");
	else if (backing_check(c->d, b->domid, b->bytes, &e))
		ctl_refuse(c, e.code, e.msg);
	else
		ctl_reply(c, NULL, 0, -1);
}

static int back(struct daemon *d, uint64_t paddr, uint64_t len)
{
	struct node *n = &d->node;
	const uint8_t *at = node_map(n, paddr, len);

	if (!at || !len || (paddr | len) & 0xfff)
		return -EINVAL;
	while (fallocate(n->ram_fd, FALLOC_FL_KEEP_SIZE, (off_t)(at - n->ram), (off_t)len))
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Bounded, as other domains' devices wait meanwhile: 16 MiB take about two milliseconds. */
void request_memory_back(struct ctl_conn *c)
{
	const struct proto_range *r = (const void *)c->body;
	size_t n = c->head.len / sizeof(*r);
	uint64_t sum = 0;
	char text[100];
	int rc = 0;

	if (c->head.len % sizeof(*r) || !n || n > PROTO_BACK_RANGES) {
		ctl_refuse(c, -EINVAL, "the request has the wrong length");
		return;
	}
	for (size_t i = 0; i < n && !rc && !c->d->opt.overcommit; i++) {
		rc = r[i].len > PROTO_BACK_BYTES || (sum += r[i].len) > PROTO_BACK_BYTES ? -EINVAL : 0;
		rc = rc ? rc : back(c->d, r[i].paddr, r[i].len);
	}
	if (rc) {
		snprintf(text, sizeof(text), "the host cannot give the memory: %s", strerror(-rc));
		ctl_refuse(c, rc == -EINVAL ? rc : -ENOMEM, text);
		return;
	}
	ctl_reply(c, NULL, 0, -1);
}
