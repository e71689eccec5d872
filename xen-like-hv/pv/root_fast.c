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
 * The words, of a vCPU v. "Its CPU" is the one where v is_running: from
 * schedule(), which settles v->processor before it sets is_running, until
 * let_go() (sched/context.c), which clears it after pv_mmu_switch_from().
 *
 *   root_opened         its CPU alone, interrupts off, here and in bounce.S. 0 while v
 *                       does not run, so that nobody else has to close a root.
 *   fast_nr             the list, its copies and what they came from, set up by its CPU,
 *   fast_slot[]         or by who sets up a v that does not run, under root_lock. Other
 *   fast_kernel[]       CPUs use them under root_lock: an L4 entry that changes goes to
 *   fast_user[]         fast_kernel[] or fast_user[]. Its CPU copies without the lock.
 *   root_user[slot]     of a listed slot: stores of its CPU's copies, and the cmpxchg of
 *                       root_show_high(). Of any other: under root_lock.
 *   fast_list_ok,       under root_lock. 0 from the change of a listed entry on, until
 *   fast_low_diff       the next list.
 *   fast_root           the same; read by its CPU without the lock, interrupts off, before
 *                       it opens. With a slot that comes to differ it may be late: then the
 *                       kernel sees its own user's entry there until it leaves, or flushes
 *                       (pv_root_catch_up(), also from the interrupt, wherever its CPU is in
 *                       the hypervisor: it copies as closing does).
 *
 * A copy (open: fast_kernel[], close: fast_user[]) loads an entry, then stores it,
 * with interrupts off. CPU A, which changes a listed entry, does so in this order:
 * (1) fast_root = 0, the new entry to the list; a full fence; (2) asks whether v is
 * running, and if so waits until that CPU has had interrupts on; (3) if the slot
 * shows the kind of entry that changed, stores the new one there. v's CPU B may
 *
 *   copy before (1)            it shows the old entry: (3) puts the new one there.
 *   load before (1), store     B's interrupts are off all the while: the store comes
 *   after it                   before the end of (2), and (3) finds it.
 *   load after (1)             it is the new entry. (3) stores it once more.
 *   open: fast_root was read   if before (1), as above. Afterwards B does not open. The
 *                              list is complete and unchanged as long as fast_root is 1.
 *   close during (3)           the cmpxchg fails, and PTE_OPENED tells whose entry it is
 *                              now. Closing takes new entries only, since (2).
 *   not run v at (2)           its last copy came before is_running was cleared; the next
 *                              comes after it is set, so after the fence of (1).
 *   let v go after (2) looked, to CPU C: the same of C. B answers when its switch is over.
 *   change base                (switch_base) under root_lock, before or after each of (1)
 *                              and (3), which look at the base again. Not to the L4 that
 *                              changes: its lock is A's. But the other base may change
 *                              between (1) and (3), which ends the list: then (3) finds
 *                              the slot in none, and root_fast_off() has put what (1)
 *                              left there into the root.
 *   be idle with v loaded      no copies; pv_mmu_switch_from() is one, interrupts off.
 *
 * If A is v's CPU, or has v loaded lazily, there is no copy under way: A is here.
 * (2) holds no lock that is taken with interrupts off (locking.md): root_lock is
 * not held, and no copy takes one.
 */
#include "pv/mmu_private.h"
#include "x86/hooks.h"
#include "x86/smp.h"

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

	for (i = 0; i < v->pv.fast_nr; i++) {
		pte_t e = READ_ONCE(v->pv.fast_kernel[i]);

		hv_delay_point("root: opening, entry loaded");
		WRITE_ONCE(v->pv.root_user[v->pv.fast_slot[i]], e);
	}
	v->pv.root_opened = 1;
}

/* Its entries alone: CR3 is the caller's. */
static void restore_user(struct vcpu *v)
{
	unsigned int i;

	for (i = 0; i < v->pv.fast_nr; i++) {
		pte_t e = READ_ONCE(v->pv.fast_user[i]);

		hv_delay_point("root: closing, entry loaded");
		WRITE_ONCE(v->pv.root_user[v->pv.fast_slot[i]], e);
	}
	v->pv.root_opened = 0;
}

void root_close_kernel(struct vcpu *v)
{
	restore_user(v);
	write_cr3(v->pv.cr3_user);
}

void root_leave_opened(struct vcpu *v)
{
	unsigned long flags = irq_save();

	BUG_ON(v != current);
	restore_user(v);
	write_cr3(v->pv.kernel_mode ? v->pv.cr3_kernel : v->pv.cr3_user);
	irq_restore(flags);
}

/* A slot that both modes shared is in no list: what becomes of the kernel's is in its own root alone. */
bool pv_root_catch_up(void)
{
	struct vcpu *v = current;

	if (likely(!v->pv.root_opened || v->pv.fast_root))
		return false;
	root_leave_opened(v);
	return true;
}

void pv_mmu_switch_from(struct vcpu *v)
{
	if (v->pv.root_opened)
		restore_user(v);
}

/* v->pv.root_lock is held for all below but root_show_high. */

/* The list's entries can be newer than what the root shows. Closed, it is to show the user's. */
void root_fast_off(struct vcpu *v)
{
	restore_user(v);
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

bool root_store_high(struct vcpu *v, unsigned int slot, bool user, pte_t val)
{
	int i = find_slot(v, slot);

	if (!(val & PTE_P))
		val = 0;
	/* The list is made anew with the next base; closing goes on with this one. */
	v->pv.fast_root = v->pv.fast_list_ok = 0;
	if (!user)
		WRITE_ONCE(v->pv.root_kernel[slot], val);
	if (i < 0) {
		if (user)
			WRITE_ONCE(v->pv.root_user[slot], val);
		return false;
	}
	WRITE_ONCE(*(user ? &v->pv.fast_user[i] : &v->pv.fast_kernel[i]), user ? val : val | PTE_OPENED);
	return true;
}

/* Where v's slots may be copied at this moment. */
static cpumask_t copying_cpu(const struct vcpu *v)
{
	if (v == current || !__atomic_load_n(&v->is_running, __ATOMIC_ACQUIRE))
		return 0;
	return 1ULL << READ_ONCE(v->processor);
}

/* It can only be closed now, by its own CPU, with the new entries. Does it show the one that changed? */
static void show_entry(struct vcpu *v, unsigned int slot, bool user)
{
	int i = find_slot(v, slot);
	pte_t *p = &v->pv.root_user[slot], cur, val;

	if (i < 0)
		return;
	val = user ? v->pv.fast_user[i] : v->pv.fast_kernel[i];
	cur = READ_ONCE(*p);
	while (!(cur & PTE_OPENED) == user && !cmpxchg_u64(p, &cur, val))
		;
}

void root_show_high(struct domain *d, const struct page_info *l4, unsigned int slot)
{
	cpumask_t copying = 0;
	struct vcpu *v;
	unsigned int i;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	hv_delay_point("root: the new entry is listed, not shown");
	for_each_vcpu (d, v, i)
		if (READ_ONCE(v->pv.base) == l4 || READ_ONCE(v->pv.user_base) == l4)
			copying |= copying_cpu(v);
	smp_rendezvous(copying);
	hv_delay_point("root: no old copy is under way");
	for_each_vcpu (d, v, i) {
		if (READ_ONCE(v->pv.base) != l4 && READ_ONCE(v->pv.user_base) != l4)
			continue;
		spin_lock(&v->pv.root_lock);
		if (v->pv.base == l4)
			show_entry(v, slot, false);
		if (v->pv.user_base == l4)
			show_entry(v, slot, true);
		spin_unlock(&v->pv.root_lock);
	}
}
