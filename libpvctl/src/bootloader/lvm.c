/* SPDX-License-Identifier: MIT */
/* The label, and where it says that the metadata are; after LVM2's own description of its format (lvmdump, vgcfgbackup, blkid). */
#include "bootloader/lvm_text.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512u
#define LABEL_SECTORS 4u
#define MAX_AREAS 16u
#define CRC_SEED 0xf597a6cfu
#define AREA_MAGIC " LVM2 x[5A%r0N*>"
#define LOCATION_IGNORED 1u

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static uint32_t checksum(const uint8_t *p, size_t len)
{
	uint32_t crc = CRC_SEED;

	for (; len; len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return crc;
}

static int pv_read(const struct lvm_pv *pv, uint64_t at, void *buf, size_t len)
{
	if (at > pv->bytes || len > pv->bytes - at)
		return -EINVAL;
	return pv->src->read(pv->src->data, pv->offset + at, buf, len);
}

/* In one of the first four sectors. */
static int find_label(const struct lvm_pv *pv, uint8_t sector[SECTOR])
{
	int rc;

	for (unsigned int i = 0; i < LABEL_SECTORS; i++) {
		rc = pv_read(pv, i * SECTOR, sector, SECTOR);
		if (rc)
			return rc == -EINVAL ? -ENOENT : rc;
		if (!memcmp(sector, "LABELONE", 8) && !memcmp(sector + 24, "LVM2 001", 8) && le64(sector + 8) == i)
			return le32(sector + 16) == checksum(sector + 20, SECTOR - 20) ? 0 : -EINVAL;
	}
	return -ENOENT;
}

/* The text of one metadata area, which is a ring behind its header. */
static int load_area(const struct lvm_pv *pv, uint64_t at, uint64_t bytes, char **ret, size_t *ret_len)
{
	uint64_t from, len, part;
	uint8_t h[SECTOR];
	char *text;
	int rc;

	if (bytes <= SECTOR || bytes > pv->bytes || at > pv->bytes - bytes)
		return -EINVAL;
	rc = pv_read(pv, at, h, SECTOR);
	if (rc)
		return rc;
	from = le64(h + 40);
	len = le64(h + 48);
	if (memcmp(h + 4, AREA_MAGIC, 16) || le32(h) != checksum(h + 4, SECTOR - 4) || le32(h + 20) != 1 || le64(h + 24) != at ||
	    le64(h + 32) != bytes || from < SECTOR || from >= bytes || !len || len > bytes - SECTOR || len > LVM_MAX_TEXT ||
	    le32(h + 60) & LOCATION_IGNORED)
		return -EINVAL;
	text = malloc(len);
	if (!text)
		return -ENOMEM;
	part = len < bytes - from ? len : bytes - from;
	rc = pv_read(pv, at + from, text, part);
	if (!rc && part < len)
		rc = pv_read(pv, at + SECTOR, text + part, len - part);
	if (!rc && checksum((const uint8_t *)text, len) != le32(h + 56))
		rc = -EINVAL;
	if (rc) {
		free(text);
		return rc;
	}
	*ret = text;
	*ret_len = len;
	return 0;
}

/* Behind the header of the physical volume: two lists of areas, each with an end of zeroes; the second has the metadata's. */
static int load_text(struct lvm_pv *pv, const uint8_t *label, char **ret, size_t *ret_len)
{
	uint32_t at = le32(label + 20) + 40, areas = 0;
	bool metadata = false;
	int rc = -EINVAL;

	if (at < 32 + 40 || at > SECTOR)
		return -EINVAL;
	memcpy(pv->id, label + at - 40, 32);
	for (; at + 16 <= SECTOR && areas < MAX_AREAS; at += 16, areas++) {
		uint64_t offset = le64(label + at), bytes = le64(label + at + 8);

		if (!offset && metadata)
			break;
		if (!offset) {
			metadata = true;
			continue;
		}
		if (metadata) {
			rc = load_area(pv, offset, bytes, ret, ret_len);
			if (rc != -EINVAL)
				break;
		}
	}
	return rc;
}

int lvm_read(const struct part_source *src, uint64_t offset, uint64_t bytes, struct lvm_volume ret[LVM_MAX_VOLUMES],
             unsigned int *ret_n)
{
	struct lvm_pv pv = { .src = src, .offset = offset, .bytes = bytes };
	uint8_t label[SECTOR];
	size_t len;
	char *text;
	int rc;

	*ret_n = 0;
	if (offset > src->bytes || bytes > src->bytes - offset)
		return -ENOENT;
	rc = find_label(&pv, label);
	rc = rc ? rc : load_text(&pv, label, &text, &len);
	if (rc)
		return rc;
	rc = lvm_text_read(text, len, &pv, ret, ret_n);
	free(text);
	return rc;
}

uint64_t lvm_where(const struct lvm_volume *v, uint64_t at, uint64_t *ret_bytes)
{
	unsigned int i = 0;

	while (i + 1 < v->n_pieces && at - v->piece[i].at >= v->piece[i].bytes)
		i++;
	*ret_bytes = v->piece[i].bytes - (at - v->piece[i].at);
	return v->piece[i].from + (at - v->piece[i].at);
}
