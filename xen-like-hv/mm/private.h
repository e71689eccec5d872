/* SPDX-License-Identifier: MIT */
#ifndef MM_PRIVATE_H
#define MM_PRIVATE_H
#include "mm/frametable.h"
/* Scrubs and frees; stamp 0: no TLB can hold it. */
void heap_put(struct page_info *pg, unsigned int order, uint32_t stamp);
#endif
