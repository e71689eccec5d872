/* SPDX-License-Identifier: MIT */
/* Preemption as often as the test likes. */
#ifndef SCHED_SOFTIRQ_H
#define SCHED_SOFTIRQ_H
#include "lib/types.h"
bool preempt_wanted(void);
#endif
