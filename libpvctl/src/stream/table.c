/* SPDX-License-Identifier: MIT */
#include "stream/table.h"
#include "stream/format.h"

#define PRESENT 1ull
#define FRAME_MASK 0x000ffffffffff000ull

unsigned int table_translate(const uint64_t *from, uint64_t *to, unsigned int level,
                             uint64_t (*map)(void *data, uint64_t frame), void *data)
{
	uint64_t e, frame;
	unsigned int i;

	for (i = 0; i < TABLE_ENTRIES; i++) {
		e = __atomic_load_n(&from[i], __ATOMIC_RELAXED); /* a running guest's may change under us */
		if (level == PFN_L4 && i >= TABLE_XEN_FIRST && i < TABLE_XEN_END)
			e = 0;
		if (e & PRESENT) {
			frame = map(data, (e & FRAME_MASK) >> 12);
			if (frame > FRAME_MASK >> 12)
				return i;
			e = (e & ~FRAME_MASK) | frame << 12;
		}
		to[i] = e;
	}
	return TABLE_ENTRIES;
}
