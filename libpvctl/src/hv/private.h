/* SPDX-License-Identifier: MIT */
/* Arguments at the arena's start, tables that they point to behind them. */
#ifndef HV_PRIVATE_H
#define HV_PRIVATE_H

#include "hv/hv.h"

#define HV_TABLE_OFFSET 256u /* beyond any argument structure */
_Static_assert(sizeof(struct xen_domctl) <= HV_TABLE_OFFSET, "domctl fits before its tables");
_Static_assert(sizeof(struct xen_sysctl) <= HV_TABLE_OFFSET, "sysctl fits before its tables");

/* extra: arena bytes of tables from HV_TABLE_OFFSET on. Fills in the version; the structure comes back changed. */
int64_t hv_domctl(struct transport *t, uint32_t cmd, uint32_t domid, struct xen_domctl *op, size_t extra,
                  bool *ret_broken, struct pvctl_error *err);
/* The same, with the error's text made from what: "domain 5: pause failed: ...". */
int hv_domctl_simple(struct transport *t, uint32_t cmd, uint32_t domid, struct xen_domctl *op, size_t extra,
                     const char *what, struct pvctl_error *err);

#define HV_SET_HANDLE(t, handle, ptr) \
	do { (handle).p = (void *)(uintptr_t)arena_handle((t), (ptr)); } while (0)

#endif
