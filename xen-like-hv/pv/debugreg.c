/* SPDX-License-Identifier: MIT */
/*
 * Debug registers. A guest's are in the CPU while it runs and DR7 enables
 * something. Breakpoints lie outside the hypervisor's addresses, so they can hit
 * in ring 0 only where it touches guest memory: do_ist_debug takes those.
 */
#include "lib/errno.h"
#include "pv/bounce.h"
#include "x86/processor.h"

#define DR7_ENABLED 0xffUL
#define DR7_GD (1UL << 13)
#define DR7_RESERVED_0 (0xffffffff0000d800UL | DR7_GD)
#define DR7_IO 2
#define DR6_GUEST 0xe00fUL /* B0..B3, BD, BS, BT */

static void write_dr(unsigned int reg, uint64_t v)
{
	switch (reg) {
	case 0: __asm__ volatile("mov %0, %%dr0" :: "r"(v)); break;
	case 1: __asm__ volatile("mov %0, %%dr1" :: "r"(v)); break;
	case 2: __asm__ volatile("mov %0, %%dr2" :: "r"(v)); break;
	case 3: __asm__ volatile("mov %0, %%dr3" :: "r"(v)); break;
	case 6: __asm__ volatile("mov %0, %%dr6" :: "r"(v)); break;
	case 7: __asm__ volatile("mov %0, %%dr7" :: "r"(v)); break;
	}
}

static bool in_use(const struct vcpu *v)
{
	return v->pv.dr7 & DR7_ENABLED;
}

/* I/O breakpoints mean something only with CR4.DE, which the hypervisor keeps off. */
static int check_dr7(uint64_t dr7)
{
	if (dr7 >> 32 || (dr7 & DR7_GD))
		return -EPERM;
	for (unsigned int i = 0; i < 4; i++)
		if ((dr7 >> (2 * i) & 3) && (dr7 >> (16 + 4 * i) & 3) == DR7_IO)
			return -EPERM;
	return 0;
}

static int set_dr7(struct vcpu *v, uint64_t value, bool live)
{
	bool was = in_use(v);
	int ret = check_dr7(value);

	if (ret != 0)
		return ret;
	v->pv.dr7 = (value & ~DR7_RESERVED_0) | DR7_INIT;
	if (!live)
		return 0;
	if (in_use(v))
		debugreg_switch_to(v);
	else if (was)
		write_dr(7, DR7_INIT);
	return 0;
}

bool pv_debugreg_exists(const struct vcpu *v, unsigned long reg)
{
	return reg < 8 && ((reg != 4 && reg != 5) || !(v->pv.cr4_guest & CR4_DE));
}

int pv_set_debugreg(struct vcpu *v, unsigned int reg, uint64_t value)
{
	bool live = v == current;

	switch (reg) {
	case 0: case 1: case 2: case 3:
		/* The longest is 8 bytes, aligned down to them. */
		if (!guest_range_ok(value & ~7UL, 8))
			return -EPERM;
		v->pv.dr[reg] = value;
		if (live && in_use(v))
			write_dr(reg, value);
		return 0;
	case 4: case 6:
		v->pv.dr6 = (value & DR6_GUEST) | DR6_INIT;
		return 0;
	case 5: case 7:
		return set_dr7(v, value, live);
	}
	return -EINVAL;
}

void debugreg_switch_from(const struct vcpu *v)
{
	if (in_use(v))
		write_dr(7, DR7_INIT);
}

void debugreg_switch_to(const struct vcpu *v)
{
	if (!in_use(v))
		return;
	for (unsigned int i = 0; i < 4; i++)
		write_dr(i, v->pv.dr[i]);
	write_dr(6, DR6_INIT);
	write_dr(7, v->pv.dr7);
}

long do_set_debugreg(unsigned long reg, unsigned long value)
{
	if (is_host_domain(current->domain))
		return -EPERM;
	return !pv_debugreg_exists(current, reg) ? -EINVAL : pv_set_debugreg(current, (unsigned int)reg, value);
}

long do_get_debugreg(unsigned long reg)
{
	struct vcpu *v = current;

	if (is_host_domain(v->domain))
		return -EPERM;
	if (!pv_debugreg_exists(v, reg))
		return -EINVAL;
	switch (reg) {
	case 0: case 1: case 2: case 3:
		return (long)v->pv.dr[reg];
	case 4: case 6:
		return (long)v->pv.dr6;
	case 5: case 7:
		return (long)v->pv.dr7;
	}
	return -EINVAL;
}
