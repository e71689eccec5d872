/* SPDX-License-Identifier: MIT */
/* A guest's time: vcpu_time_info, wall clock, runstate areas, its timers. */
#ifndef TIME_VTIME_H
#define TIME_VTIME_H
#include "time/timer.h"
#include "x86/spinlock.h"
struct domain;
struct vcpu;
struct page_info;

/*
 * A place in guest memory that the hypervisor keeps writing to. The guest names
 * it by virtual address; it is looked up once, and a writable type reference
 * keeps the page (two, when the place lies across a boundary).
 */
struct guest_area {
	struct page_info *page[2];
	uint8_t *va[2];              /* direct map */
	uint32_t first;              /* bytes in the first page; 0: no area */
};

/* Embedded in struct vcpu. */
struct vcpu_vtime {
	struct timer periodic, singleshot, poll;
	s_time_t period_ns;          /* 0: off */
	uint64_t runstate_guest;     /* guest virtual address, 0: none */
	bool runstate_update_flag;   /* VMASST */
	uint64_t time_area_guest;    /* VCPUOP_register_vcpu_time_memory_area */
	spinlock_t area_lock;        /* irqsave: the two areas */
	struct guest_area runstate_area, time_area;
	uint32_t time_generation;    /* of the factors that vcpu_info.time shows */
};
void vtime_init_vcpu(struct vcpu *v);
void vtime_destroy_vcpu(struct vcpu *v);
void vtime_update(struct vcpu *v, bool force); /* on switch to v: vcpu_info.time and the time area */
void vtime_update_runstate_area(struct vcpu *v); /* v is current, or its run queue locked */
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
/* time/runstate.c; the run queue's lock is held */
void runstate_change(struct vcpu *v, int state, s_time_t now);
/* time/guest_area.c */
int guest_area_map(struct guest_area *a, uint64_t addr, uint32_t len);
void guest_area_unmap(struct guest_area *a);
void guest_area_write(const struct guest_area *a, uint32_t off, const void *src, uint32_t len);

long do_set_timer_op(unsigned long timeout_ns);
#endif
