/* SPDX-License-Identifier: MIT */
/* CPU and node masks as the tools pass them. */
#include "control/private.h"

#define MAX_BITS 65536u /* what a tool may size its bitmap to */

int ctl_bitmap_read(const struct xenctl_bitmap *bm, uint64_t *ret)
{
	uint32_t bits = min(bm->nr_bits, 64u);
	uint64_t value = 0;

	if (bits != 0 && copy_from_guest_raw(&value, handle_addr(bm->bitmap), (bits + 7) / 8))
		return -EFAULT;
	if (bits < 64)
		value &= (1ULL << bits) - 1;
	*ret = value;
	return 0;
}

int ctl_bitmap_write(const struct xenctl_bitmap *bm, uint64_t value, unsigned int bits)
{
	uint32_t guest_bytes = (bm->nr_bits + 7) / 8, bytes;

	if (bm->nr_bits > MAX_BITS)
		return -EINVAL;
	if (bits < 64)
		value &= (1ULL << bits) - 1;
	if (bm->nr_bits < 64)
		value &= (1ULL << bm->nr_bits) - 1;
	bytes = min(guest_bytes, 8u);
	if (bytes != 0 && copy_to_guest_raw(handle_addr(bm->bitmap), &value, bytes))
		return -EFAULT;
	if (guest_bytes > bytes && clear_guest_raw(handle_addr(bm->bitmap) + bytes, guest_bytes - bytes))
		return -EFAULT;
	return 0;
}
