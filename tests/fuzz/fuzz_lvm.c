/* SPDX-License-Identifier: MIT */
/* LVM: a first byte of 'T': the text of the metadata; of anything else: the beginning of a disk. */
#include "libpvctl/src/bootloader/lvm_text.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYTES (64ull << 20)

struct input { const uint8_t *data; size_t size; };

static int read_disk(void *data, uint64_t offset, void *buf, size_t len)
{
	const struct input *in = data;
	size_t n = offset >= in->size ? 0 : in->size - offset < len ? in->size - offset : len;

	if (offset > BYTES || len > BYTES - offset)
		abort();
	memset(buf, 0, len);
	memcpy(buf, in->data + (n ? offset : 0), n);
	return 0;
}

static void check(const struct lvm_volume *v)
{
	uint64_t at = 0, bytes;

	if (v->refused)
		return;
	for (unsigned int i = 0; i < v->n_pieces; i++) {
		const struct lvm_piece *p = &v->piece[i];

		if (v->n_pieces > LVM_MAX_PIECES || p->at != at || !p->bytes || p->from > BYTES || p->bytes > BYTES - p->from)
			abort();
		if (lvm_where(v, at + p->bytes - 1, &bytes) != p->from + p->bytes - 1 || bytes != 1)
			abort();
		at += p->bytes;
	}
	if (at != v->bytes || !at || strlen(v->name) >= sizeof(v->name) || strlen(v->grub) >= sizeof(v->grub))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lvm_volume v[LVM_MAX_VOLUMES];
	struct input in = { data + 1, size - 1 };
	const struct part_source src = { read_disk, &in, BYTES };
	struct lvm_pv pv = { &src, 0, BYTES, "cgJXLfa4E4iDZx2ny81HUvuj01g6NpPS" };
	unsigned int n, i;
	char *text;
	int rc;

	if (size < 2)
		return 0;
	if (data[0] == 'T') {
		/* Exactly as much as there is: a step too far is seen. */
		text = malloc(size - 1);
		if (!text)
			return 0;
		memcpy(text, data + 1, size - 1);
		rc = lvm_text_read(text, size - 1, &pv, v, &n);
		free(text);
	} else {
		rc = lvm_read(&src, 0, BYTES, v, &n);
	}
	if (n > LVM_MAX_VOLUMES || (rc < 0 && n))
		abort();
	for (i = 0; i < n; i++)
		check(&v[i]);
	return 0;
}
