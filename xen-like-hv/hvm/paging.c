/* SPDX-License-Identifier: MIT */
#include "p2m/paging.h"

/* No PVH vCPU runs yet. */
void hvm_guest_paging(const struct vcpu *v, struct guest_paging *p)
{
	(void)v;
	*p = (struct guest_paging){ .cr0 = 0 };
}
