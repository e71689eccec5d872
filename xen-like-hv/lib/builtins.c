/* SPDX-License-Identifier: MIT */
/* Functions that the compiler calls by itself: there is no libgcc here. */
#include "lib/types.h"

int __popcountdi2(int64_t v);
int __popcountdi2(int64_t v)
{
	int n = 0;

	for (uint64_t x = (uint64_t)v; x; x &= x - 1)
		n++;
	return n;
}
