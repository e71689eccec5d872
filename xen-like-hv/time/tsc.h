/* SPDX-License-Identifier: MIT */
/* Finding the TSC's and the LAPIC timer's frequency (time/timer.h has the clock itself). */
#ifndef TIME_TSC_H
#define TIME_TSC_H
#include "lib/types.h"
/* hint_khz 0: measure. The clock starts at 0 here. */
void tsc_init(uint32_t hint_khz);
#endif
