/* SPDX-License-Identifier: MIT */
#ifndef TESTS_HV_SHIM_H
#define TESTS_HV_SHIM_H
#include "domain/domain.h"
extern s_time_t test_now;
extern unsigned int test_busy_looks; /* fifo_is_busy calls */
extern unsigned int test_kicks, test_rings, test_page_refs;
/* A fresh machine with idle CPUs and domain 0; all frames belong to domain 1. */
void test_machine(unsigned int cpus);
struct domain *test_domain(domid_t id, unsigned int vcpus, uint32_t max_port);
#endif
