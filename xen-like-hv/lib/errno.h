/* SPDX-License-Identifier: MIT */
/* Error numbers as the public ABI has them (xen/errno.h). */
#ifndef LIB_ERRNO_H
#define LIB_ERRNO_H
#define XEN_ERRNO(name, value) name = value,
enum {
#include <xen/errno.h>
};
/* Never leaves the hypervisor: the call made a continuation of itself. */
#define ERESTART_HC 0x7fff
#endif
