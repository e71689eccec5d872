/* SPDX-License-Identifier: MIT */
/* Small objects of the hypervisor; all results are zeroed, NULL when none left. */
#ifndef MM_HEAP_H
#define MM_HEAP_H
#include "lib/types.h"
void *xzalloc_bytes(size_t size, size_t align);
void xfree(void *p); /* NULL is allowed */
#define xzalloc(type) ((type *)xzalloc_bytes(sizeof(type), _Alignof(type)))
#define xzalloc_array(type, n) ((type *)xzalloc_bytes(sizeof(type) * (n), _Alignof(type)))
#endif
