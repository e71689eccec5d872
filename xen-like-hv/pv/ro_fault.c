/* SPDX-License-Identifier: MIT */
/*
 * Page faults of guests that are not the guest's business: accesses that the
 * tables allow (the TLB, or an opened root, was behind), pages of the LDT, and
 * the guest kernel's stores into its own live page tables, which are done here
 * as checked updates.
 */
#include "domain/uaccess.h"
#include "pv/mmu_private.h"
#include "pv/shadow.h"
#include "x86/traps.h"

#define FAULT_AGAIN_NS 1000000u
#define FAULT_AGAIN_MAX 4u
#define PFEC_PKEY 0x20u
#define INSN_MAX 15u
#define INT3 0xccu
#define EMULATE_TRIES 16

struct fault_walk {
	pte_t e;        /* the L1 entry */
	bool write, nx; /* of all levels together */
};

/* See pt_find_l1 about stale tables. false: not present. */
static bool walk(const struct page_info *l4, uint64_t addr, struct fault_walk *w)
{
	const struct page_info *pg = l4;
	pte_t all = ~0ULL, any = 0, e;
	int level;

	for (level = 4;; level--) {
		e = READ_ONCE(((const pte_t *)page_to_virt(pg))[pt_index(addr, level)]);
		if (!(e & PTE_P) || !mfn_valid(pte_mfn(e)))
			return false;
		all &= e;
		any |= e;
		if (level == 1)
			break;
		pg = mfn_to_page(pte_mfn(e));
	}
	w->e = e;
	w->write = all & PTE_W;
	w->nx = any & PTE_NX;
	return true;
}

static int store_word(struct vcpu *v, struct page_info *pg, uint64_t addr, const struct ro_insn *in,
		      struct cpu_user_regs *regs)
{
	unsigned int slot = (addr & ~PAGE_MASK) >> 3, shift = (addr & 7) * 8, tries;
	uint64_t mask = in->size == 8 ? ~0ULL : (1ULL << (8 * in->size)) - 1;
	pte_t old = READ_ONCE(((pte_t *)page_to_virt(pg))[slot]);
	int rc = -EAGAIN;

	/* What a try left half done has one place, and the next try may leave something else. */
	for (tries = 0; rc == -EAGAIN && !v->partial_page && tries < EMULATE_TRIES; tries++) {
		struct cpu_user_regs after = *regs;
		uint64_t part = ro_execute(in, &after, (old >> shift) & mask);
		struct pt_write w = { .pt_dom = v->domain, .fd = v->domain, .mode = PT_CMPXCHG, .expected = old };

		w.val = (old & ~(mask << shift)) | (part & mask) << shift;
		rc = w.val == old ? 0 : pt_write(v, pg, slot, &w);
		if (!rc) {
			after.rip += in->length;
			*regs = after;
		}
		old = w.expected;
	}
	return rc;
}

static bool is_own_table(const struct vcpu *v, const struct page_info *pg)
{
	uint64_t x = READ_ONCE(pg->type_info);
	int level = type_level(x);

	return (x & PGT_validated) && level >= 1 && level <= 4 && pg->owner == v->domain->domid + 1;
}

static bool emulate_store(struct vcpu *v, struct page_info *pg, uint64_t addr, struct cpu_user_regs *regs)
{
	uint8_t code[INSN_MAX];
	struct ro_insn in;
	unsigned long left;
	int rc;

	hv_delay_point("store: its own table, seen");
	/* What a preempted update left goes first; the guest comes here again. */
	if (pv_finish_partial(v))
		return true;
	if (regs->cs != FLAT_KERNEL_CS64)
		return false;
	left = copy_from_guest_raw(code, regs->rip, sizeof(code));
	/* The next page may be missing: what was copied must do. */
	if (!ro_decode(code, (unsigned int)(sizeof(code) - left), &in) || (addr & 7) + in.size > 8)
		return false;
	rc = store_word(v, pg, addr, &in, regs);
	/* Preempted or outpaced: the instruction runs again. */
	return rc == 0 || rc == -ERESTART_HC || rc == -EAGAIN;
}

/*
 * With a reference: the instruction's operand comes from the page before the update
 * looks whose it is, and one that changes nothing (lock xadd of 0, a cmpxchg that
 * fails) is done with that. Given up meanwhile, it would be another domain's memory.
 */
static bool store_to_table(struct vcpu *v, struct page_info *pg, uint64_t addr, struct cpu_user_regs *regs)
{
	bool done;

	/* Memory of others, and plain copy-on-write: the guest's business. */
	if (!is_own_table(v, pg) || !get_page(pg, v->domain))
		return false;
	done = emulate_store(v, pg, addr, regs);
	put_page(pg);
	return done;
}

/*
 * Allowed, and nothing was missing: another CPU has filled it in since the access, or this one has a translation of before
 * that. Without it the access is made again; where it fails again at once, and again, the reason is another one.
 */
static bool worth_another_try(struct vcpu *v, uint64_t addr)
{
	uint64_t now = NOW();

	if (v->pv.fault_again != addr || now - v->pv.fault_again_at > FAULT_AGAIN_NS)
		v->pv.fault_again_nr = 0;
	v->pv.fault_again = addr;
	v->pv.fault_again_at = now;
	flush_tlb_va_local(addr);
	return v->pv.fault_again_nr++ < FAULT_AGAIN_MAX;
}

bool pv_fault_in(uint64_t addr, uint32_t error_code)
{
	struct vcpu *v = current;
	struct page_info *l4 = v->pv.kernel_mode ? v->pv.base : v->pv.user_base;
	struct fault_walk w;

	if (is_host_domain(v->domain) || !v->domain->pv.shadow || !l4 || !guest_range_ok(addr, 1) || !walk(l4, addr, &w))
		return false;
	if ((error_code & PFEC_write) && !w.write)
		return false;
	if (shadow_fault(v, l4, addr, error_code & PFEC_write))
		return true;
	/* pv_retry_guest_access() sees to that. */
	return !v->pv.root_opened && worth_another_try(v, addr);
}

/*
 * A kernel that changes its code puts an INT3 there first, and the last byte that it stores is the one that ends it. QEMU's
 * TCG forgets what it translated from there, then stores: a CPU that runs the INT3 in between translates it again, and
 * goes on with it for good. Only a store makes it look again. It may be of what is there already.
 */
void pv_breakpoint(uint64_t addr)
{
	struct vcpu *v = current;
	const struct page_info *l4 = v->pv.kernel_mode ? v->pv.base : v->pv.user_base;
	struct page_info *pg;
	struct fault_walk w;
	uint8_t *at;

	if (!l4 || !guest_range_ok(addr, 1) || !walk(l4, addr, &w))
		return;
	pg = mfn_to_page(pte_mfn(w.e));
	if (!get_page(pg, v->domain))
		return;
	at = (uint8_t *)page_to_virt(pg) + (addr & ~PAGE_MASK);
	if (READ_ONCE(*at) != INT3)
		__asm__ volatile("lock orb $0, %0" : "+m"(*at));
	put_page(pg);
}

bool pv_mmu_fault(struct cpu_user_regs *regs, uint64_t addr, uint32_t error_code)
{
	struct vcpu *v = current;
	struct page_info *l4 = v->pv.kernel_mode ? v->pv.base : v->pv.user_base;
	struct fault_walk w;

	if (unlikely(addr >= HV_VIRT_START && addr < HV_VIRT_END))
		return !(error_code & PFEC_user) && pv_ldt_fault(v, addr);
	if (unlikely(!l4 || !is_canonical(addr) || (error_code & (PFEC_reserved | PFEC_PKEY))))
		return false;
	if (!walk(l4, addr, &w))
		return false;
	if (!((error_code & PFEC_write) && !w.write) && !((error_code & PFEC_fetch) && w.nx)) {
		if (unlikely(v->domain->pv.shadow) && shadow_fault(v, l4, addr, error_code & PFEC_write))
			return true;
		/* The kernel may be on the user root, which lacks what changed since. */
		if (v->pv.root_opened)
			root_leave_opened(v);
		return true;
	}
	/* There is an entry, whatever a shadow has. */
	if (unlikely(v->domain->pv.shadow))
		regs->error_code |= PFEC_present;
	if (likely(!v->pv.kernel_mode || !(error_code & PFEC_write)))
		return false;
	return store_to_table(v, mfn_to_page(pte_mfn(w.e)), addr, regs);
}
