/* SPDX-License-Identifier: MIT */
/* File systems and containers that are not read here, by their marks: so that the error can name them. */
#include "helper.h"
#include <string.h>

struct mark { uint64_t at; uint8_t len; const char *text, *name; bool grub; };

static const struct mark marks[] = {
	{ 0, 4, "XFSB", "xfs", true },
	{ 0x10040, 8, "_BHRfS_M", "btrfs", true },
	{ 0x400, 4, "\x10\x20\xf5\xf2", "f2fs", true },
	{ 0x8001, 5, "CD001", "iso9660", true },
	{ 0, 4, "hsqs", "squashfs", true },
	{ 0x10034, 6, "ReIsEr", "reiserfs", true },
	{ 0x8000, 4, "JFS1", "jfs", true },
	{ 3, 8, "NTFS    ", "ntfs", true },
	{ 0x400, 4, "\xe2\xe1\xf5\xe0", "erofs", false },
	{ 512, 8, "LABELONE", "another LVM physical volume", true },
	{ 0, 6, "LUKS\xba\xbe", "a LUKS container", false },
	{ 4096, 4, "\xfc\x4e\x2b\xa9", "a part of a RAID array", true },
	{ 4086, 10, "SWAPSPACE2", "swap", false },
};

const char *foreign_name(uint64_t offset, uint64_t bytes, bool *ret_grub)
{
	uint8_t buf[16];
	unsigned int i;

	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		const struct mark *m = &marks[i];

		if (m->at + m->len > bytes || disk_read(offset + m->at, buf, m->len) || memcmp(buf, m->text, m->len) != 0)
			continue;
		*ret_grub = m->grub;
		return m->name;
	}
	return NULL;
}
