/* SPDX-License-Identifier: MIT */
/*
 * SCHEDOP_shutdown: reasons beyond the last are refused. With reason=N on the
 * command line it then goes down for that reason; reason=9 is a trap that no
 * handler takes, reason=8 is none: it spins.
 */
#include "guest.h"

const char test_name[] = "shutdown";

static long wanted(void)
{
	const char *s = (const char *)start_info->cmd_line;
	size_t i;

	for (i = 0; i + 7 < sizeof(start_info->cmd_line) && s[i]; i++)
		if (strncmp(s + i, "reason=", 7) == 0 && s[i + 7] >= '0' && s[i + 7] <= '9')
			return s[i + 7] - '0';
	return -1;
}

void test_main(void)
{
	static const unsigned int bad[] = { SHUTDOWN_MAX + 1, 0x80, 0xffffffff };
	struct sched_shutdown s;
	long reason = wanted();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		s.reason = bad[i];
		EXPECT(hc_sched_op(SCHEDOP_shutdown, &s), -EINVAL);
		EXPECT(hc_sched_op(SCHEDOP_shutdown_code, &s), -EINVAL);
	}
	EXPECT(hc_sched_op(SCHEDOP_shutdown, (void *)HV_START), -EFAULT);
	if (reason < 0)
		return;
	while (reason == 8)
		barrier();
	if (reason == 9) {
		printk("now a trap without handlers\n");
		hc_set_trap_table(NULL);
		__asm__ volatile("ud2");
	}
	s.reason = (unsigned int)reason;
	hc_sched_op(SCHEDOP_shutdown, &s);
	/* A suspended domain that is resumed comes here. */
	test_failed("it goes on after shutdown for reason %ld", reason);
}
