/* SPDX-License-Identifier: MIT */
/* A guest's time: vcpu_time_info, wall clock, runstate areas, its timers. */
#ifndef TIME_VTIME_H
#define TIME_VTIME_H
#include "time/timer.h"
struct domain;
struct vcpu;
/* Embedded in struct vcpu. */
struct vcpu_vtime {
	struct timer periodic, singleshot, poll;
	s_time_t period_ns;          /* 0: off */
	uint64_t runstate_guest;     /* guest virtual address, 0: none */
	bool runstate_update_flag;   /* VMASST */
	uint64_t time_area_guest;    /* VCPUOP_register_vcpu_time_memory_area */
};
void vtime_init_vcpu(struct vcpu *v);
void vtime_destroy_vcpu(struct vcpu *v);
void vtime_update(struct vcpu *v, bool force); /* on switch to v: vcpu_info.time and the time area */
void vtime_update_runstate_area(struct vcpu *v); /* v is current, its address space loaded */
void wallclock_init(uint64_t epoch_ns);
void wallclock_update(struct domain *d);
long do_set_timer_op(unsigned long timeout_ns);
#endif
