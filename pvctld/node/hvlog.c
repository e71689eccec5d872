/* SPDX-License-Identifier: MIT */
#include "pvctld/node/hvlog.h"
#include "pvctld/base/log.h"
#include "pvctld/base/logfile.h"
#include "pvctld/core/daemon.h"
#include <string.h>

#define OPEN_RING_MAX (16u << 20)

static struct logfile file = { .fd = -1 };
static const char *ring;
static uint32_t ring_size;
static uint64_t copied;

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	while (*text) {
		size_t n = strcspn(text, " ");

		if (n == len && !strncmp(text, word, n))
			return true;
		text += n + (text[n] == ' ');
	}
	return false;
}

void hvlog_init(struct daemon *d)
{
	volatile struct node_shared *s = d->node.shared;
	uint32_t size = s->conring_size;

	/* With this word the serial line keeps carrying all of it. */
	if (d->opt.hv_cmdline && has_word(d->opt.hv_cmdline, "serial"))
		return;
	if (!size || size & (size - 1) || size > OPEN_RING_MAX)
		return;
	ring = node_map(&d->node, s->conring_paddr, size);
	ring_size = size;
	/* Up to READY all of it went over the serial line, into the same file. */
	copied = s->conring_prod;
	if (logfile_open(&file, d->state_dir, "hv"))
		log_line("%s/hv.log cannot be opened", d->state_dir);
}

void hvlog_copy(struct daemon *d)
{
	uint64_t prod = __atomic_load_n(&d->node.shared->conring_prod, __ATOMIC_ACQUIRE);

	if (!ring || prod < copied)
		return;
	if (prod - copied > ring_size)
		copied = prod - ring_size;
	while (copied < prod) {
		uint32_t off = (uint32_t)(copied & (ring_size - 1));
		uint64_t n = prod - copied < ring_size - off ? prod - copied : ring_size - off;

		logfile_write(&file, ring + off, n);
		copied += n;
	}
}

void hvlog_fini(struct daemon *d)
{
	if (ring)
		hvlog_copy(d);
	ring = NULL;
	logfile_close(&file);
}
