/* SPDX-License-Identifier: MIT */
/* What vtime/ keeps in a vCPU. */
#ifndef DOMAIN_VCPU_TIME_H
#define DOMAIN_VCPU_TIME_H
#include "time/timer.h"
#include "x86/spinlock.h"

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
	uint64_t time_area_guest;    /* VCPUOP_register_vcpu_time_memory_area */
	spinlock_t area_lock;        /* irqsave: the two areas */
	struct guest_area runstate_area, time_area;
	uint32_t time_generation;    /* of the factors that vcpu_info.time shows */
};
#endif
