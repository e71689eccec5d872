/* SPDX-License-Identifier: MIT */
/* Where a vCPU's time goes (RUNSTATE_*). */
#include "sched/private.h"

void runstate_change(struct vcpu *v, int state, s_time_t now)
{
	struct sched_unit *s = &v->sched;

	if (s->runstate == state)
		return;
	s->runstate_ns[s->runstate] += now - s->runstate_entry;
	s->runstate_entry = now;
	s->runstate = state;
}
