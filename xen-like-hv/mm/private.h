/* SPDX-License-Identifier: MIT */
#ifndef MM_PRIVATE_H
#define MM_PRIVATE_H
#include "mm/frametable.h"
/* Scrubs and frees what no guest could map. */
void heap_put(struct page_info *pg, unsigned int order);
#endif
