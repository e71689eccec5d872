/* SPDX-License-Identifier: MIT */
#include "bootloader/partitions.h"
#include <errno.h>
#include <string.h>

#define MBR_SECTOR 512u
#define MAX_LOGICAL 60u    /* as many as Linux shows; also the end of a chain that goes round */
#define GPT_MAX_ENTRIES 1024u

struct found { struct partition *p; unsigned int n; uint64_t disk_bytes; };

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

const char *partitions_name(int table)
{
	return table == PART_GPT ? "gpt" : table == PART_MBR ? "msdos" : "none";
}

/* A partition that goes past the disk's end is cut, as the disk may be a shorter copy. */
static bool add(struct found *f, uint32_t number, uint64_t first, uint64_t count, uint32_t sector, bool active)
{
	uint64_t limit = f->disk_bytes / sector;

	if (count == 0 || first == 0 || first >= limit || f->n >= PARTITIONS_MAX)
		return false;
	if (count > limit - first)
		count = limit - first;
	f->p[f->n++] = (struct partition){ number, first * sector, count * sector, active };
	return true;
}

static bool is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

/* A chain of tables, each with one partition and where the next table is, counted from the first. */
static void read_logical(const struct part_source *src, struct found *f, uint64_t base)
{
	uint8_t sector[MBR_SECTOR];
	uint64_t at = base;
	unsigned int i;

	for (i = 0; i < MAX_LOGICAL; i++) {
		const uint8_t *e = sector + 446, *next = e + 16;

		if (at >= src->bytes / MBR_SECTOR || src->read(src->data, at * MBR_SECTOR, sector, sizeof(sector)) ||
		    sector[510] != 0x55 || sector[511] != 0xaa)
			return;
		if (e[4] && !is_extended(e[4]))
			add(f, 5 + i, at + le32(e + 8), le32(e + 12), MBR_SECTOR, e[0] == 0x80);
		if (!is_extended(next[4]) || !le32(next + 8))
			return;
		at = base + le32(next + 8);
	}
}

/* The first sector of a FAT file system has the same mark: a table's flags tell. */
static bool is_mbr(const uint8_t *sector)
{
	unsigned int i, used = 0;

	if (sector[510] != 0x55 || sector[511] != 0xaa)
		return false;
	for (i = 0; i < 4; i++) {
		const uint8_t *e = sector + 446 + 16 * i;

		if (e[0] & 0x7f)
			return false;
		used += e[4] && le32(e + 12);
	}
	return used;
}

static void read_mbr(const struct part_source *src, const uint8_t *sector, struct found *f)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		const uint8_t *e = sector + 446 + 16 * i;

		if (e[4] && !is_extended(e[4]))
			add(f, i + 1, le32(e + 8), le32(e + 12), MBR_SECTOR, e[0] == 0x80);
	}
	for (i = 0; i < 4; i++) {
		const uint8_t *e = sector + 446 + 16 * i;

		if (is_extended(e[4]) && le32(e + 8))
			read_logical(src, f, le32(e + 8));
	}
}

static bool zero_guid(const uint8_t *p)
{
	static const uint8_t zero[16];

	return memcmp(p, zero, 16) == 0;
}

/* Checksums are not looked at: each number is checked for itself, and a disk that was cut short still boots. */
static bool read_gpt_at(const struct part_source *src, uint64_t header_at, uint32_t sector, struct found *f)
{
	uint8_t h[92], e[128];
	uint64_t at, first, last, entries;
	uint32_t n, size, i;

	if (header_at > src->bytes || src->bytes - header_at < sizeof(h) ||
	    src->read(src->data, header_at, h, sizeof(h)) || memcmp(h, "EFI PART", 8) != 0)
		return false;
	entries = le64(h + 72);
	n = le32(h + 80);
	size = le32(h + 84);
	if (size < 128 || size > 4096 || size % 8 || entries < 2 || entries > src->bytes / sector)
		return false;
	if (n > GPT_MAX_ENTRIES)
		n = GPT_MAX_ENTRIES;
	for (i = 0; i < n; i++) {
		at = entries * sector + (uint64_t)i * size;
		if (at > src->bytes || src->bytes - at < sizeof(e) || src->read(src->data, at, e, sizeof(e)))
			break;
		first = le64(e + 32);
		last = le64(e + 40);
		if (!zero_guid(e) && first <= last && last < UINT64_MAX)
			add(f, i + 1, first, last - first + 1, sector, e[48] & 4);
	}
	return true;
}

static bool read_gpt(const struct part_source *src, struct found *f)
{
	static const uint32_t sectors[] = { 512, 4096 };
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (read_gpt_at(src, sectors[i], sectors[i], f))
			return true;
	/* The spare one is in the last sector. */
	for (i = 0; i < 2; i++)
		if (src->bytes > 3 * sectors[i] &&
		    read_gpt_at(src, (src->bytes / sectors[i] - 1) * sectors[i], sectors[i], f))
			return true;
	return false;
}

int partitions_read(const struct part_source *src, struct partition ret[PARTITIONS_MAX], unsigned int *ret_n)
{
	struct found f = { ret, 0, src->bytes };
	uint8_t sector[MBR_SECTOR];
	unsigned int i;
	bool mbr, protective = false;
	int rc;

	*ret_n = 0;
	if (src->bytes < MBR_SECTOR)
		return -EINVAL;
	rc = src->read(src->data, 0, sector, sizeof(sector));
	if (rc)
		return rc;
	mbr = is_mbr(sector);
	for (i = 0; i < 4 && mbr; i++)
		protective = protective || sector[446 + 16 * i + 4] == 0xee;
	if ((!mbr || protective) && read_gpt(src, &f)) {
		*ret_n = f.n;
		return PART_GPT;
	}
	if (!mbr)
		return PART_NONE;
	read_mbr(src, sector, &f);
	*ret_n = f.n;
	return PART_MBR;
}
