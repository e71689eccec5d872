/* SPDX-License-Identifier: MIT */
#include "x86/extable.h"

struct extable_entry {
	uint64_t from, to;
};

extern struct extable_entry __start___ex_table[], __stop___ex_table[];

void extable_init(void)
{
	struct extable_entry *e, *p, t;

	for (e = __start___ex_table + 1; e < __stop___ex_table; e++) {
		t = *e;
		for (p = e; p > __start___ex_table && p[-1].from > t.from; p--)
			*p = p[-1];
		*p = t;
	}
}

uint64_t extable_search(uint64_t rip)
{
	const struct extable_entry *lo = __start___ex_table, *hi = __stop___ex_table, *mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (mid->from == rip)
			return mid->to;
		if (mid->from < rip)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}
