/* SPDX-License-Identifier: MIT */
/* A guest's time: vcpu_time_info, wall clock, runstate areas, its timers. */
#ifndef VTIME_VTIME_H
#define VTIME_VTIME_H
#include "domain/domain.h"
#include "x86/hooks.h"

/* d is paused: its system time is ours and shift from now on. */
void vtime_shift(struct domain *d, s_time_t shift);
void vtime_init_vcpu(struct vcpu *v);
void vtime_destroy_vcpu(struct vcpu *v);
void wallclock_init(uint64_t epoch_ns);
void wallclock_update(struct domain *d);
/* host only: the wall clock read epoch_ns when the system time was at_ns */
void wallclock_set(uint64_t epoch_ns, s_time_t at_ns);

/* Addresses are virtual in current's address space; 0 ends the registration. 0, -EFAULT, -EINVAL... */
int vtime_register_runstate(struct vcpu *v, uint64_t addr);
int vtime_register_time(struct vcpu *v, uint64_t addr);
void vtime_release_areas(struct vcpu *v);   /* v does not run; drops the page references */
int vtime_set_periodic(struct vcpu *v, uint64_t period_ns); /* 0: off */
void vtime_set_singleshot(struct vcpu *v, s_time_t expires);
void vtime_stop_singleshot(struct vcpu *v);
/* guest_area.c */
int guest_area_map(struct guest_area *a, uint64_t addr, uint32_t len);
void guest_area_unmap(struct guest_area *a);
/* One of v's areas is at addr from now on, 0: nowhere. Nothing is written yet. 0 or guest_area_map's error. */
int guest_area_register(struct vcpu *v, struct guest_area *area, uint64_t *guest, uint64_t addr, uint32_t len);
void guest_area_write(const struct guest_area *a, uint32_t off, const void *src, uint32_t len);

long do_set_timer_op(unsigned long timeout_ns);
#endif
