/* SPDX-License-Identifier: MIT */
/* The parts of memory_op. */
#ifndef PV_RESERVATION_H
#define PV_RESERVATION_H
#include "domain/domain.h"

/* As stock kernels know it; the public headers leave it out. */
#define MEMOP_EXTENT_SHIFT 6

long memory_populate(unsigned int op, uint64_t start, unsigned long arg);
long memory_decrease(uint64_t start, unsigned long arg);
long memory_exchange(uint64_t start, unsigned long arg);
long memory_query(unsigned int op, unsigned long arg);
long memory_claim(unsigned long arg);
/* One page of d given up by its guest's wish: 0 or -EINVAL. */
int memory_release_page(struct domain *d, uint64_t nr);
/* The largest extent the caller may have in one piece. */
unsigned int memory_max_order(void);
int memory_alloc_flags(unsigned int mem_flags, unsigned int *flags);
#endif
