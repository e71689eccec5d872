/* SPDX-License-Identifier: MIT */
#include "../../../../../xen-like-hv/x86/softirq.h"
