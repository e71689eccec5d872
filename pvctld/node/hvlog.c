/* SPDX-License-Identifier: MIT */
#include "pvctld/node/hvlog.h"
#include "pvctld/base/log.h"
#include "pvctld/base/logfile.h"
#include "pvctld/core/daemon.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERIAL_MAX (8u << 20)
#define OPEN_RING_MAX (16u << 20)

static struct logfile file = { .fd = -1 };
static const char *ring;
static uint32_t ring_size;
static uint64_t copied;
static uint64_t *kept; /* the same, for a later daemon */

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
	bool is_new;

	/* With this word the serial line keeps carrying all of it. */
	if (d->opt.hv_cmdline && has_word(d->opt.hv_cmdline, "serial"))
		return;
	if (!size || size & (size - 1) || size > OPEN_RING_MAX)
		return;
	ring = node_map(&d->node, s->conring_paddr, size);
	ring_size = size;
	/* Up to READY all of it went over the serial line, into the same file. */
	copied = s->conring_prod;
	kept = state_slot(&d->state, "hvlog", &is_new);
	if (kept && !is_new && d->adopting && *kept <= copied)
		copied = *kept;
	file.max = d->opt.limits.log;
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
	if (kept)
		*kept = copied;
}

void hvlog_tidy(struct daemon *d)
{
	uint64_t max = d->opt.limits.log ? d->opt.limits.log : SERIAL_MAX;
	char path[300], old[310];
	struct stat st;
	int from, to;

	snprintf(path, sizeof(path), "%s/hv.log", d->state_dir);
	if (ring || stat(path, &st) || (uint64_t)st.st_size <= max)
		return;
	snprintf(old, sizeof(old), "%s.1", path);
	from = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	to = open(old, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (from >= 0 && to >= 0) {
		(void)lseek(from, st.st_size - (off_t)max, SEEK_SET);
		while (sendfile(to, from, NULL, 1u << 20) > 0)
			;
	}
	/* QEMU appends: it goes on at the beginning. That there was no room for the copy must not let it grow. */
	if (from >= 0 && ftruncate(from, 0))
		log_line("%s cannot be cut", path);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
}

void hvlog_fini(struct daemon *d)
{
	if (ring)
		hvlog_copy(d);
	ring = NULL;
	state_slot_free(&d->state, kept);
	kept = NULL;
	logfile_close(&file);
}
