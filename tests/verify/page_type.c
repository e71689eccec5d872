/* SPDX-License-Identifier: MIT */
/*
 * pv/page_type.c, pv/page_type_levels.c and x86/tlb.c as they are, with guests
 * that do as they like with one frame or two.
 *
 * The hardware caches a translation as soon as it can, which is the worst: the
 * hypervisor cannot see what a TLB holds.
 */
#include "explore.h"
#include "hw_model.h"
#include "domain/domain.h"
#include "lib/errno.h"
#include "x86/printk.h"
#include "pv/mmu_private.h"
#include "x86/tlb.h"

#define FRAMES 4
#define GUEST_CR3 0x1000UL
#define IDLE_CR3 0x2000UL
#define PTE(frame) ((uint64_t)(frame) << PAGE_SHIFT | PTE_P | PTE_W | PTE_U | PTE_NX)

uint8_t model_ram[FRAMES * PAGE_SIZE] __aligned(4096);
static struct page_info frames[FRAMES];
struct page_info *const model_frame_table = frames;
static struct domain dom;
struct domain *host_domain, *idle_domain;

/* Where the guest's entries are that name frame 1: for each CPU an L1 entry, and an L2 entry. */
static uint64_t map_of[NR_CPUS], link_of;
static uint8_t cached_writable[NR_CPUS], cached_table[NR_CPUS];

/* What each CPU holds, of the model's accounts. */
static struct { uint8_t mapped, pinned, linked, idle, seg, ops, pad[2]; } held[NR_CPUS];
static uint8_t max_ops;
static bool with_idle, with_link, with_seg, with_preempt;

/* --- what the files call --- */
bool mfn_valid(mfn_t m) { return m.m >= 1 && m.m < FRAMES; }
struct domain *page_owner(const struct page_info *pg) { return &dom; }
bool get_page(struct page_info *pg, struct domain *d) { return get_page_known(pg); }
bool get_page_known(struct page_info *pg)
{
	__atomic_add_fetch(&pg->count_info, 1, __ATOMIC_SEQ_CST);
	return true;
}
void get_page_once(struct page_info *pg) { (void)!get_page_known(pg); }
void put_page(struct page_info *pg)
{
	VERIFY((uint32_t)__atomic_sub_fetch(&pg->count_info, 1, __ATOMIC_SEQ_CST) != 0, "the owner's reference was put");
}
int seg_desc_validate(struct page_info *pg) { return 0; }
bool preempt_wanted(void) { return with_preempt && verify_choose(2); }
bool sched_drop_lazy(void) { return false; }
bool pv_root_catch_up(void) { return false; }
void model_event_irq(void) { }
void model_tlb_emptied(unsigned int cpu) { cached_writable[cpu] = cached_table[cpu] = 0; }
const char *verify_access(uintptr_t addr, size_t size, bool write) { return NULL; }

void verify_settle(void)
{
	unsigned int c, i;

	for (c = 0; c < NR_CPUS; c++) {
		if (hw_cr3[c] != GUEST_CR3)
			continue;
		for (i = 0; i < NR_CPUS; i++)
			if (map_of[i])
				cached_writable[c] = 1;
		if (link_of)
			cached_table[c] = 1;
	}
}

/* --- the guests --- */
#define PAGE (&frames[1])

static void op_map(unsigned int me)
{
	if (get_page_and_type(PAGE, &dom, PGT_writable) != 0)
		return;
	held[me].mapped = 1;
	__atomic_store_n(&map_of[me], PTE(1), __ATOMIC_SEQ_CST);
}

static void op_unmap(unsigned int me)
{
	__atomic_store_n(&map_of[me], 0, __ATOMIC_SEQ_CST);
	held[me].mapped = 0;
	put_page_and_type(PAGE);
}

static void op_pin(unsigned int me)
{
	if (!get_page(PAGE, &dom))
		return;
	if (get_page_type(PAGE, PGT_l1, false) == 0)
		held[me].pinned = 1;
	else
		put_page(PAGE);
}

static void op_unpin(unsigned int me)
{
	held[me].pinned = 0;
	put_page_and_type(PAGE);
}

static void op_seg(unsigned int me)
{
	if (held[me].seg) {
		held[me].seg = 0;
		put_page_and_type(PAGE);
	} else if (get_page_and_type(PAGE, &dom, PGT_seg_desc) == 0) {
		held[me].seg = 1;
	}
}

/* One upper table's entry, as pt_write_upper changes it. */
static void op_link(unsigned int me)
{
	if (held[me].linked) {
		held[me].linked = 0;
		__atomic_store_n(&link_of, 0, __ATOMIC_SEQ_CST);
		VERIFY(put_table_type(PAGE, false, tlb_clock_now()) == 0, "a put that is not preemptible was preempted");
		put_page(PAGE);
	} else if (get_page_and_type(PAGE, &dom, PGT_l1) == 0) {
		held[me].linked = 1;
		__atomic_store_n(&link_of, PTE(1), __ATOMIC_SEQ_CST);
	}
}

static void op_idle(unsigned int me)
{
	held[me].idle ^= 1;
	write_cr3(held[me].idle ? IDLE_CR3 : GUEST_CR3);
}

static void one_op(unsigned int me)
{
	switch (verify_choose(3 + with_idle + with_link + with_seg)) {
	case 0:
		flush_tlb_local();
		break;
	case 1:
		if (!held[me].idle)
			(held[me].mapped ? op_unmap : op_map)(me);
		break;
	case 2:
		(held[me].pinned ? op_unpin : op_pin)(me);
		break;
	case 3:
		if (with_idle)
			op_idle(me);
		else if (with_seg)
			op_seg(me);
		else if (me == 0)
			op_link(me);
		break;
	case 4:
		op_link(me);
		break;
	}
}

/*
 * Preempted work: frame 2 is an L2 table that names frame 1 twice, and frame 3, which
 * may be in writable use by CPU 1, so that validation fails half way.
 */
#define UPPER (&frames[2])
#define OTHER (&frames[3])

static void pin_upper(unsigned int me)
{
	int rc;

	do {
		if (!get_page(UPPER, &dom))
			return;
		rc = get_page_type(UPPER, PGT_l2, true);
		if (rc)
			put_page(UPPER);
		/* The guest need not call again: an orphan stays. */
	} while (rc == -ERESTART_HC && verify_choose(2));
	held[me].pinned = rc == 0;
}

static void unpin_upper(unsigned int me)
{
	/* pv_finish_partial: nothing else before that is done. */
	while (put_page_type(UPPER, true) == -ERESTART_HC)
		;
	put_page(UPPER);
	held[me].pinned = 0;
}

static void use_writable(unsigned int me, struct page_info *pg)
{
	if (held[me].mapped) {
		held[me].mapped = 0;
		put_page_and_type(pg);
	} else if (get_page_and_type(pg, &dom, PGT_writable) == 0) {
		held[me].mapped = 1;
	}
}

static void preempted_guest(unsigned int me)
{
	while (held[me].ops < max_ops) {
		held[me].ops++;
		if (verify_choose(2))
			(held[me].pinned ? unpin_upper : pin_upper)(me);
		else
			use_writable(me, me ? OTHER : UPPER);
	}
	if (held[me].mapped)
		use_writable(me, me ? OTHER : UPPER);
	if (held[me].pinned)
		unpin_upper(me);
}

static bool is_type(const struct page_info *pg, uint64_t type)
{
	return (uint32_t)pg->type_info && (pg->type_info & (PGT_type_mask | PGT_validated)) == (type | PGT_validated);
}

static const char *check_preempted(void)
{
	if (is_type(UPPER, PGT_l2) && (!is_type(PAGE, PGT_l1) || !is_type(OTHER, PGT_l1)))
		return "a table is in use, and what it names is none";
	return NULL;
}

/* What an orphan holds goes when its domain is taken apart. */
static const char *final_preempted(void)
{
	unsigned int i;

	with_preempt = false;
	if (drop_partial(UPPER, false) != 0)
		return "an orphan could not be dropped";
	for (i = 1; i < FRAMES; i++)
		if ((uint32_t)frames[i].type_info || frames[i].count_info != (PGC_allocated | 1))
			return "type counts or references are left over";
	return NULL;
}

static void guest(unsigned int me)
{
	while (held[me].ops < (me == 2 ? 1 : max_ops)) {
		held[me].ops++;
		one_op(me);
	}
	if (held[me].mapped)
		op_unmap(me);
	if (held[me].pinned)
		op_unpin(me);
	if (held[me].seg)
		op_seg(me);
	if (held[me].linked)
		op_link(me);
}

static void setup(unsigned int cpus, unsigned int ops)
{
	unsigned int i;

	cpu_online_map = (1ULL << cpus) - 1;
	dom.domid = 1;
	dom.dirty_cpus = cpu_online_map;
	for (i = 1; i < FRAMES; i++) {
		frames[i].owner = 2;
		frames[i].count_info = PGC_allocated | 1;
	}
	for (i = 0; i < cpus; i++) {
		verify_setup_as(i);
		tlb_set_idle_root(IDLE_CR3);
		write_cr3(GUEST_CR3);
	}
	verify_watch(map_of, sizeof(map_of));
	verify_watch(&link_of, sizeof(link_of));
	verify_watch(&PAGE->type_info, sizeof(PAGE->type_info));
	max_ops = (uint8_t)ops;
}

static const char *check(void)
{
	uint64_t x = PAGE->type_info, type = x & PGT_type_mask;
	unsigned int i;

	if (!(x & PGT_validated) || !(uint32_t)x)
		return NULL;
	for (i = 0; i < NR_CPUS; i++) {
		if (type != PGT_writable && type != PGT_none && cached_writable[i])
			return "a page is in use as a table, and a CPU's TLB may have it writable";
		if (type == PGT_writable && cached_table[i])
			return "a page is writable, and a CPU may still walk it as a table";
	}
	return NULL;
}

static const char *final(void)
{
	if ((uint32_t)PAGE->type_info != 0)
		return "type counts are left over";
	if (PAGE->count_info != (PGC_allocated | 1))
		return "references are left over";
	return NULL;
}

static void setup_2x4(void) { setup(2, 4); }
static void setup_3x2(void) { setup(3, 2); }
static void setup_idle(void) { setup(2, 3); with_idle = true; }
static void setup_link(void) { setup(2, 3); with_link = true; }
static void setup_seg(void) { setup(2, 3); with_seg = true; }

static void setup_partial(void)
{
	uint64_t *t = page_to_virt(UPPER);

	setup(2, 3);
	with_preempt = true;
	t[0] = PTE(1) & ~PTE_NX;
	t[1] = t[0];
	t[2] = PTE(3) & ~PTE_NX;
	verify_watch(frames, sizeof(frames));
}

const struct verify_scenario verify_scenarios[] = {
	{ "stamp",
	  "a table is never cached writable: 2 CPUs, 4 operations each of map, unmap, pin, unpin, flush",
	  setup_2x4, 2, guest, check, final },
	{ "stamp3", "the same with 3 CPUs, 2, 2 and 1 operations", setup_3x2, 3, guest, check, final },
	{ "idle",
	  "the same with 2 CPUs that go idle and come back, 3 operations each",
	  setup_idle, 2, guest, check, final },
	{ "link",
	  "nor is writable memory walked as a table: the same and an upper table's entry, 3 operations each",
	  setup_link, 2, guest, check, final },
	{ "seg", "the same with segment descriptors, 3 operations each", setup_seg, 2, guest, check, final },
	{ "partial",
	  "a table names validated tables only, and all counts are even in the end, wherever work is "
	  "preempted or fails: 2 CPUs, 3 operations each",
	  setup_partial, 2, preempted_guest, check_preempted, final_preempted },
	{ NULL, NULL, NULL, 0, NULL, NULL, NULL },
};
