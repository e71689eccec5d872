/* SPDX-License-Identifier: MIT */
/* For lists of system calls that may be done. */
#ifndef PVCTLD_JAIL_CALLS_H
#define PVCTLD_JAIL_CALLS_H

#include <seccomp.h>
#include <stddef.h>

/* nr, where its argument is one of these. */
static inline int allow_by(scmp_filter_ctx c, int nr, unsigned int arg, const unsigned long *values, size_t n)
{
	int bad = 0;

	for (size_t i = 0; !bad && i < n; i++) {
		/* The kernel looks at 32 bits of an ioctl, and sign extension may have set the others. */
		const struct scmp_arg_cmp is = SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, 0xffffffffu, values[i]);

		bad = seccomp_rule_add_array(c, SCMP_ACT_ALLOW, nr, 1, &is);
	}
	return bad;
}
#define ALLOW_BY(c, nr, arg, values) allow_by(c, nr, arg, values, sizeof(values) / sizeof((values)[0]))

#endif
