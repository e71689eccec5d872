/* SPDX-License-Identifier: MIT */
/* Between the files of the direct-paging code. */
#ifndef PV_MMU_PRIVATE_H
#define PV_MMU_PRIVATE_H
#include "lib/errno.h"
#include "mm/page_alloc.h"
#include "pv/mmu.h"
#include "x86/printk.h"
#include "x86/softirq.h"
#include "x86/tlb.h"

#define PT_ENTRIES 512u

/* As stock kernels know it; the public headers leave it out. */
#define MMU_UPDATE_PREEMPTED 0x80000000UL

/*
 * Bits a guest may set. Cache attributes and the global bit are taken off: all
 * that a guest can map is RAM, which the hypervisor maps write-back, and no
 * entry may survive a change of address space. 59..62 are protection keys.
 */
#define PTE_SOFT_HIGH (0x7fUL << 52)
#define L1_KNOWN (PTE_P | PTE_W | PTE_U | PTE_PWT | PTE_PCD | PTE_A | PTE_D | PTE_PAT | PTE_G | PTE_AVAIL | \
		  PTE_MFN_MASK | PTE_SOFT_HIGH | PTE_NX)
#define L1_STRIP (PTE_PWT | PTE_PCD | PTE_PAT | PTE_G)
#define LN_KNOWN (L1_KNOWN & ~PTE_PSE)
#define LN_STRIP (PTE_PWT | PTE_PCD | PTE_G)

static inline bool hv_l4_slot(unsigned int slot) { return slot >= HV_L4_FIRST && slot <= HV_L4_LAST; }
static inline uint64_t level_type(int level) { return (uint64_t)level << 60; }
static inline int type_level(uint64_t type_info) { return (int)((type_info & PGT_type_mask) >> 60); }

/* Before a root may be made of the table: the copy takes the groups noted here only. They are never taken back. */
static inline void l4_note_slot(struct domain *d, unsigned int slot)
{
	uint64_t group = 1ULL << (slot / 8);

	if (!(READ_ONCE(d->pv.l4_groups) & group))
		__atomic_fetch_or(&d->pv.l4_groups, group, __ATOMIC_SEQ_CST);
}

static inline bool cmpxchg_u64(uint64_t *p, uint64_t *old, uint64_t val)
{
	return __atomic_compare_exchange_n(p, old, val, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* --- page_type.c --- */
/* As put_page_type, for a table that a live table or a root named until stamp. */
int put_table_type(struct page_info *pg, bool preemptible, uint32_t stamp);
/*
 * Keeps a validated table as it is while one of its entries is changed: false
 * unless pg is a validated table of that type and d's. No reference is needed,
 * the last reference cannot go before the unlock.
 */
bool __must_check table_lock(struct page_info *pg, const struct domain *d, uint64_t type);
void table_unlock(struct page_info *pg);
/*
 * table_lock is for the usual case: it fails for a watched table (pv/shadow.h), so that those who
 * know of nobody watching need not ask. This one is for all; then table_watched() says whether
 * shadow_l1_changed or shadow_upper_changed is to be called.
 */
bool __must_check table_lock_any(struct page_info *pg, const struct domain *d, uint64_t type);
static inline bool table_watched(const struct page_info *pg) { return READ_ONCE(pg->type_info) & PGT_watched; }
/* Tears down the orphan left by a preempted validation (teardown of its domain only). */
int drop_partial(struct page_info *pg, bool preemptible);

/* --- page_type_levels.c --- */
/*
 * Takes the references of a table's entries, from the number already done on;
 * or gives them back, down to 0. On -ERESTART_HC, and after any error, the
 * number in PGT_done_mask says which are held. The caller alone may use pg.
 */
int table_validate(struct page_info *pg, bool preemptible);
int table_devalidate(struct page_info *pg, bool preemptible);
/* Flags of a present entry: 0 with *e as it may stand in a table, or -EINVAL. */
int l1e_fix(pte_t *e);
int lne_fix(pte_t *e);
/* References of a present entry in a table of d; fd: owner of the frames it may map, NULL: none. */
int l1e_get(struct domain *fd, pte_t e);
void l1e_put(pte_t e);
int lne_get(struct domain *d, const struct page_info *table, pte_t e, int level, bool preemptible);
int lne_put(const struct page_info *table, pte_t e, int level, bool preemptible, uint32_t stamp);

/* --- pt_entry.c --- */
enum pt_mode { PT_STORE, PT_PRESERVE_AD, PT_CMPXCHG };
struct pt_write {
	struct domain *pt_dom;  /* owns the table */
	struct domain *fd;      /* owns what an L1 entry maps; NULL: nothing may be mapped */
	enum pt_mode mode;
	pte_t expected;         /* PT_CMPXCHG: -EAGAIN, and the value found here, if it differs */
	pte_t val;
};
/* table is locked, an L1. */
int pt_write_l1(struct page_info *table, unsigned int slot, struct pt_write *w);
/* For a table that could not be locked as one that nobody watches; not locked. -EINVAL: it is no L1 of w->pt_dom. */
int pt_write_l1_slow(struct page_info *table, unsigned int slot, struct pt_write *w);
/* Any table or plain page of w->pt_dom: what mmu_update does. -ERESTART_HC: nothing was done. */
int pt_write(struct vcpu *v, struct page_info *pg, unsigned int slot, struct pt_write *w);
/* Drops a type and a general reference; what is left after preemption goes to v->partial_page. For a
 * table this is for one that no CPU can have walked through what named it: pins, roots not loaded now. */
void put_page_and_type_deferred(struct vcpu *v, struct page_info *pg);

/* --- va_mapping.c --- */
/* The L1 page that maps va in the tables under l4, NULL: none. No reference, no lock: lock it, then use it. */
struct page_info *pt_find_l1(const struct page_info *l4, uint64_t va);
/* The CPUs on which vCPUs of d in the guest's bitmap at addr may run: 0 or -EFAULT. */
int vcpu_bitmap_to_cpus(struct domain *d, uint64_t addr, cpumask_t *ret);

/* --- root.c, root_fast.c --- */
int pv_put_bases(struct vcpu *v); /* as pv_drop_bases, preemptible */
/* The entries of v's roots are copied anew; v is paused. */
void pv_root_remake(struct vcpu *v);
/* v is current and runs on the opened user root: on its kernel root from now on. */
void root_leave_opened(struct vcpu *v);
/* The two roots were made anew: may the one be opened for the kernel? */
void root_fast_setup(struct vcpu *v);
void root_fast_off(struct vcpu *v);
/* Under root_lock: stores an L4 entry that changed, in a root that may be the opened one. */
void root_store_low(struct vcpu *v, unsigned int slot, bool user, pte_t val);
/* true: a copy of the old one may show there, or come, until root_show_high. */
bool root_store_high(struct vcpu *v, unsigned int slot, bool user, pte_t val);
/* l4, of d, is locked, no root_lock held; interrupts on. Its entry, stored in all roots, shows in all. */
void root_show_high(struct domain *d, const struct page_info *l4, unsigned int slot);

/* --- ldt.c, descriptors.c --- */
extern uint64_t desc_pte; /* flags of an entry that shows the CPU a page of descriptors; with PTE_U: pv/far.c */
int pv_set_ldt(struct vcpu *v, uint64_t base, uint64_t entries);
int seg_desc_validate(struct page_info *pg);
mfn_t empty_desc_mfn(void);

/* --- ro_emul.c, ro_exec.c --- */
enum ro_op { RO_MOV, RO_ADD, RO_OR, RO_AND, RO_SUB, RO_XOR, RO_XCHG, RO_CMPXCHG, RO_XADD, RO_BTS, RO_BTR, RO_BTC,
	     RO_INC, RO_DEC, RO_NOT, RO_NEG, RO_CMPXCHG8B };
struct ro_insn {
	enum ro_op op;
	uint8_t length;
	uint8_t size;      /* of the operand in memory: 1, 2, 4, 8 */
	uint8_t reg;       /* register operand, as the encoding numbers them */
	bool high_byte;    /* reg means ah, ch, dh, bh */
	bool has_imm;      /* the source is imm, sign-extended, and not reg */
	uint64_t imm;
};
/* Decodes an instruction that changes memory. false: none of those above. */
bool ro_decode(const uint8_t *b, unsigned int n, struct ro_insn *in);
/* What it makes of the operand old; registers and flags in regs as after it, rip excepted. */
uint64_t ro_execute(const struct ro_insn *in, struct cpu_user_regs *regs, uint64_t old);
#endif
