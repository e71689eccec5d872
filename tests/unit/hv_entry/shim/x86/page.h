/* SPDX-License-Identifier: MIT */
/* The real one: here the guest's addresses are what it is about. */
#include "../../../../../xen-like-hv/x86/page.h"
