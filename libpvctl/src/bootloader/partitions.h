/* SPDX-License-Identifier: MIT */
/* Partition tables of a disk that a guest wrote: MBR with logical partitions, GPT, none. Pure but for read(). */
#ifndef BOOTLOADER_PARTITIONS_H
#define BOOTLOADER_PARTITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARTITIONS_MAX 128u

struct part_source {
	int (*read)(void *data, uint64_t offset, void *buf, size_t len); /* all of it, or a negative errno */
	void *data;
	uint64_t bytes;
};
struct partition {
	uint32_t number;     /* as the kernel names it: 1.. */
	uint64_t offset, bytes;
	bool active;
};
enum part_table { PART_NONE, PART_MBR, PART_GPT };

/* *ret_n partitions that lie within the disk; PART_NONE: no table, the whole disk is one. Negative: cannot be read. */
int partitions_read(const struct part_source *src, struct partition ret[PARTITIONS_MAX], unsigned int *ret_n);
const char *partitions_name(int table);

#endif
