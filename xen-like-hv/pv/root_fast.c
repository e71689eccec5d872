/* SPDX-License-Identifier: MIT */
/*
 * The kernel's half in the user root.
 *
 * A guest kernel usually maps its processes as their user mode sees them, plus a
 * few L4 slots of its own. Then it can run on the user root once these are
 * filled in: on entry no CR3 write is needed (what the TLB has is valid for both
 * modes: slots that differ are the guest's own memory either way, and a miss
 * that should have been a hit is a spurious fault, see ro_fault.c). On the way
 * back the slots are restored, then CR3 is written, which makes the TLB forget
 * the kernel's.
 *
 * Opening and closing are done by the CPU that runs the vCPU, with interrupts
 * off. Another CPU that changes an L4 entry therefore
 * first forbids opening, then waits for an interrupt's acknowledgement, and
 * knows then that no copy is under way.
 */
#include "pv/mmu_private.h"

#define PTE_AD (PTE_A | PTE_D)
/*
 * In the kernel's entries of an opened root: the hardware ignores it, and a
 * guest's entry that is present cannot have it. One that is not may hold
 * anything: the listed slots get zero for it.
 */
#define PTE_OPENED (1UL << 62)

static bool differ(pte_t a, pte_t b)
{
	return ((a ^ b) & ~PTE_AD) && ((a | b) & PTE_P);
}

/* Interrupts off, as for root_close_kernel. */
void root_open_kernel(struct vcpu *v)
{
	unsigned int i;

	for (i = 0; i < v->pv.fast_nr; i++)
		WRITE_ONCE(v->pv.root_user[v->pv.fast_slot[i]], v->pv.fast_kernel[i]);
	v->pv.root_opened = 1;
}

void root_restore_user(struct vcpu *v)
{
	unsigned int i;

	for (i = 0; i < v->pv.fast_nr; i++)
		WRITE_ONCE(v->pv.root_user[v->pv.fast_slot[i]], v->pv.fast_user[i]);
	v->pv.root_opened = 0;
}

void root_close_kernel(struct vcpu *v)
{
	root_restore_user(v);
	write_cr3(v->pv.cr3_user);
}

void root_leave_opened(struct vcpu *v)
{
	unsigned long flags = irq_save();

	root_restore_user(v);
	if (v == current)
		write_cr3(v->pv.kernel_mode ? v->pv.cr3_kernel : v->pv.cr3_user);
	irq_restore(flags);
}

/* v->pv.root_lock is held for all below. */

void root_fast_off(struct vcpu *v)
{
	v->pv.fast_root = v->pv.fast_list_ok = 0;
	v->pv.fast_nr = 0;
}

/* Nothing differs in a group: the usual case in the user's half. */
static bool group_same(const pte_t *k, const pte_t *u)
{
	return !(((k[0] ^ u[0]) | (k[1] ^ u[1]) | (k[2] ^ u[2]) | (k[3] ^ u[3]) |
	          (k[4] ^ u[4]) | (k[5] ^ u[5]) | (k[6] ^ u[6]) | (k[7] ^ u[7])) & ~PTE_AD);
}

static bool collect_group(struct vcpu *v, unsigned int slot)
{
	const pte_t *k = v->pv.root_kernel + slot;
	pte_t *u = v->pv.root_user + slot;
	unsigned int i, nr = v->pv.fast_nr;

	for (i = 0; i < 8; i++) {
		if (!differ(k[i], u[i]))
			continue;
		if (nr == FAST_SLOTS_MAX)
			return false;
		if (!(u[i] & PTE_P))
			WRITE_ONCE(u[i], 0);
		v->pv.fast_slot[nr] = (uint16_t)(slot + i);
		v->pv.fast_kernel[nr] = k[i] | PTE_OPENED; /* root_store_high tells by it who is shown */
		v->pv.fast_user[nr++] = u[i];
	}
	v->pv.fast_nr = nr;
	return true;
}

static unsigned int count_group(const pte_t *k, const pte_t *u)
{
	unsigned int i, n = 0;

	for (i = 0; i < 8; i++)
		n += differ(k[i], u[i]);
	return n;
}

void root_fast_setup(struct vcpu *v)
{
	uint64_t m = v->pv.groups_kernel | v->pv.groups_user;
	bool fits = true;

	v->pv.fast_low_diff = 0;
	if (!v->pv.base || !v->pv.user_base)
		return;
	for (; m; m &= m - 1) {
		unsigned int slot = (unsigned int)__builtin_ctzll(m) * 8;
		const pte_t *k = v->pv.root_kernel + slot, *u = v->pv.root_user + slot;

		if (group_same(k, u))
			continue;
		if (slot < HV_L4_FIRST)
			v->pv.fast_low_diff += count_group(k, u);
		else
			fits = fits && collect_group(v, slot);
	}
	if (!fits)
		v->pv.fast_nr = 0;
	v->pv.fast_list_ok = fits;
	v->pv.fast_root = fits && !v->pv.fast_low_diff;
}

void root_store_low(struct vcpu *v, unsigned int slot, bool user, pte_t val)
{
	uint64_t *root = user ? v->pv.root_user : v->pv.root_kernel;
	pte_t other = (user ? v->pv.root_kernel : v->pv.root_user)[slot];

	v->pv.fast_low_diff += (uint32_t)differ(val, other) - (uint32_t)differ(root[slot], other);
	WRITE_ONCE(root[slot], val);
	v->pv.fast_root = v->pv.fast_list_ok && !v->pv.fast_low_diff;
}

static int find_slot(const struct vcpu *v, unsigned int slot)
{
	unsigned int i;

	for (i = 0; i < v->pv.fast_nr; i++)
		if (v->pv.fast_slot[i] == slot)
			return (int)i;
	return -1;
}

void root_store_high(struct vcpu *v, unsigned int slot, bool user, pte_t val)
{
	int i = find_slot(v, slot);
	pte_t *p = &v->pv.root_user[slot], cur;

	if (!(val & PTE_P))
		val = 0;
	/* The list is made anew with the next base; closing goes on with this one. */
	v->pv.fast_root = v->pv.fast_list_ok = 0;
	if (!user)
		WRITE_ONCE(v->pv.root_kernel[slot], val);
	if (i < 0) {
		if (user)
			WRITE_ONCE(*p, val);
		return;
	}
	if (!user)
		val |= PTE_OPENED;
	WRITE_ONCE(*(user ? &v->pv.fast_user[i] : &v->pv.fast_kernel[i]), val);
	if (v != current)
		flush_tlb_mask(v->domain->dirty_cpus & 1ULL << v->processor);
	/* It can only be closed now, by itself, with the new entries. Does it show the one that changed? */
	cur = READ_ONCE(*p);
	while (!(cur & PTE_OPENED) == user && !cmpxchg_u64(p, &cur, val))
		;
}
