/* SPDX-License-Identifier: MIT */
/*
 * Grants: grant/{pin,map,unmap,maptrack,table,swap,setup}.c as they are.
 *
 * CPU 0 is the granting domain: its guest writes the shared entries, as the
 * public header tells it to or as it likes, and it changes the version or dies.
 * The other CPUs are vCPUs of the grantee, who map and unmap, each other's
 * handles, too.
 */
#include "explore.h"
#include "hw_model.h"
#include "grant/private.h"
#include "x86/printk.h"
#include "mm/heap.h"
#include "mm/page_alloc.h"
#include "p2m/p2m.h"
#include "pv/mmu.h"

#define FRAMES 20
#define FIRST_FREE 4u
#define REF 8u         /* the first that is not reserved */
#define GRANTER 1
#define GRANTEE 2
#define IN_USE (GTF_reading | GTF_writing)

uint8_t model_ram[FRAMES * PAGE_SIZE] __aligned(4096);
static struct page_info frames[FRAMES];
struct page_info *const model_frame_table = frames;
uint64_t max_page = FRAMES;
static struct domain granter, grantee;
struct domain *host_domain, *idle_domain;
static struct vcpu vcpus[NR_CPUS];
static uint64_t heap[256];
static unsigned int heap_used, next_frame;
static uint8_t gone[FRAMES]; /* given up: nobody may touch it */

/* Of the frames 1 and 2, which are granted in turn. */
static int32_t refs[4], writes[4];
/* Between a grant and its end: what an honest guest has said. */
static struct { bool open, readonly; uint8_t frame; } said[16];
static bool honest, may_close, may_set_version, both_halves;
static uint8_t max_ops[2], ref; /* of the granter, of each vCPU of the grantee */
static uint64_t ops[NR_CPUS], handles[NR_CPUS]; /* a word each */

/* --- what the files call --- */
bool mfn_valid(mfn_t m) { return m.m == 1 || m.m == 2; }
static bool owned(const struct page_info *pg, const struct domain *d) { return pg->owner == d->domid + 1; }
bool get_page(struct page_info *pg, struct domain *d)
{
	if (!owned(pg, d))
		return false;
	__atomic_add_fetch(&refs[pg - frames], 1, __ATOMIC_SEQ_CST);
	return true;
}
void put_page(struct page_info *pg)
{
	VERIFY(__atomic_sub_fetch(&refs[pg - frames], 1, __ATOMIC_SEQ_CST) >= 0, "a reference is put that nobody has");
}
int get_page_and_type(struct page_info *pg, struct domain *d, uint64_t type)
{
	if (!get_page(pg, d))
		return -EINVAL;
	__atomic_add_fetch(&writes[pg - frames], 1, __ATOMIC_SEQ_CST);
	return 0;
}
void put_page_and_type(struct page_info *pg)
{
	VERIFY(__atomic_sub_fetch(&writes[pg - frames], 1, __ATOMIC_SEQ_CST) >= 0, "a type count is put that nobody has");
	put_page(pg);
}
/* With three CPUs only one sees failures, or there are too many states. */
static bool fails(void) { return (cpu_online_map == 3 || verify_cpu() == 2) && verify_choose(2); }
int pv_grant_map_pte(struct vcpu *v, uint64_t host_addr, bool contains_pte, mfn_t frame, bool readonly,
		     uint64_t avail)
{
	return fails() ? -EINVAL : 0;
}
int pv_grant_unmap_pte(struct vcpu *v, uint64_t host_addr, bool contains_pte, mfn_t frame, bool readonly,
		       uint64_t new_addr)
{
	return fails() ? -EINVAL : 0;
}
/* Both know machine frames. */
static void no_p2m(void) { VERIFY(false, "a domain without a p2m is asked for gfns"); }
struct page_info *p2m_get_page(struct domain *d, uint64_t gfn, bool write)
{
	no_p2m();
	return NULL;
}
int p2m_add_page(struct domain *d, uint64_t gfn, struct page_info *pg, struct domain *owner, enum p2m_type type)
{
	no_p2m();
	return -EINVAL;
}
int p2m_remove_page(struct domain *d, uint64_t gfn, mfn_t m, unsigned int types, struct page_info **was)
{
	no_p2m();
	return -EINVAL;
}
struct domain *get_domain_by_id(domid_t id)
{
	struct domain *d = id == GRANTER ? &granter : id == GRANTEE ? &grantee : id == DOMID_SELF ? current->domain : NULL;

	if (d)
		__atomic_add_fetch(&d->refcnt, 1, __ATOMIC_SEQ_CST);
	return d;
}
void put_domain(struct domain *d)
{
	VERIFY(__atomic_sub_fetch(&d->refcnt, 1, __ATOMIC_SEQ_CST) > 0, "a reference to a domain is put that nobody has");
}
void *xzalloc_bytes(size_t size, size_t align)
{
	void *p = &heap[heap_used];

	heap_used += (unsigned int)((size + 7) / 8);
	VERIFY(heap_used <= 256, "the heap is too small");
	return p;
}
void xfree(void *p) { }
void *alloc_hv_page(void)
{
	VERIFY(next_frame < FRAMES, "more frames are needed");
	return mfn_to_virt(mfn(next_frame++));
}
void free_hv_page(void *va) { }
void share_hv_page_with_guest(void *va, struct domain *d, bool readonly) { }
void unshare_hv_page(void *va) { gone[virt_to_mfn(va).m] = 1; }
bool preempt_wanted(void) { return false; }
unsigned long copy_from_guest_raw(void *dst, uint64_t src, unsigned long n)
{
	memcpy(dst, (void *)src, n);
	return 0;
}
unsigned long copy_to_guest_raw(uint64_t dst, const void *src, unsigned long n)
{
	memcpy((void *)dst, src, n);
	return 0;
}
void printk(const char *fmt, ...) { }
long hypercall_continuation(unsigned int op, unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4,
			    unsigned long a5)
{
	return 0;
}
int gnttab_copy_one(uint64_t arg) { return 0; }
int gnttab_transfer_one(uint64_t arg) { return 0; }
void model_event_irq(void) { }
void model_tlb_emptied(unsigned int cpu) { }
void tlb_flush_ipi(void) { }
void hw_rendezvous_irq(void) { }
void verify_settle(void) { }
const char *verify_access(uintptr_t addr, size_t size, bool write)
{
	uintptr_t off = addr - (uintptr_t)model_ram;

	return off < sizeof(model_ram) && gone[off / PAGE_SIZE] ? "a frame of a closed table is used" : NULL;
}

/* --- the granting guest, as the public header says --- */
static void give(uint8_t frame, bool readonly)
{
	uint16_t flags = GTF_permit_access | (readonly ? GTF_readonly : 0);

	said[ref].frame = frame;
	said[ref].readonly = readonly;
	if (granter.grant->version == 1) {
		struct grant_entry_v1 *e = grant_v1(granter.grant, ref);

		WRITE_ONCE(e->frame, frame);
		WRITE_ONCE(e->domid, GRANTEE);
		said[ref].open = true;
		__atomic_store_n(&e->flags, flags, __ATOMIC_RELEASE);
	} else {
		union grant_entry_v2 *e = grant_v2(granter.grant, ref);

		WRITE_ONCE(e->full_page.frame, frame);
		WRITE_ONCE(e->hdr.domid, GRANTEE);
		said[ref].open = true;
		__atomic_store_n(&e->hdr.flags, flags, __ATOMIC_RELEASE);
	}
}

static void take_back_v1(void)
{
	struct grant_entry_v1 *e = grant_v1(granter.grant, ref);
	uint16_t old = READ_ONCE(e->flags);

	do {
		if (old & IN_USE)
			return;
		verify_atomic_begin();
		if (__atomic_compare_exchange_n(&e->flags, &old, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			said[ref].open = false;
		verify_atomic_end();
	} while (said[ref].open);
}

static void take_back_v2(void)
{
	union grant_entry_v2 *e = grant_v2(granter.grant, ref);

	WRITE_ONCE(e->hdr.flags, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	verify_atomic_begin();
	if (!(READ_ONCE(*grant_status(granter.grant, ref)) & IN_USE))
		said[ref].open = false;
	verify_atomic_end();
}

static void scribble(void)
{
	uint32_t word = verify_choose(2) ? GTF_permit_access | GRANTEE << 16 : verify_choose(2) ? 0 : IN_USE | 7 << 16;

	if (granter.grant->version == 1)
		WRITE_ONCE(*(uint32_t *)grant_v1(granter.grant, ref), word);
	else
		WRITE_ONCE(*(uint32_t *)&grant_v2(granter.grant, ref)->hdr, word);
}

static void set_version(void)
{
	uint32_t version = granter.grant->version == 1 ? 2 : 1;

	/* It empties the table, but for the reserved entries. */
	if (grant_set_version(&granter, version) == 0 && ref >= GNTTAB_NR_RESERVED_ENTRIES)
		said[ref].open = false;
}

static void granter_op(void)
{
	unsigned int op = verify_choose(2 + may_set_version);

	if (op == 2)
		set_version();
	else if (!honest && op == 1)
		scribble();
	else if (!said[ref].open)
		give((uint8_t)(1 + verify_choose(2)), verify_choose(2));
	else if (honest)
		(granter.grant->version == 1 ? take_back_v1 : take_back_v2)();
	else if (!may_set_version) {
		struct gnttab_swap_grant_ref swap = { .ref_a = ref, .ref_b = ref + 1 };

		gnttab_swap_one((uint64_t)&swap);
	}
}

/* --- the grantee --- */
static void map(unsigned int me)
{
	struct gnttab_map_grant_ref op = {
		.host_addr = 8, .ref = ref, .dom = GRANTER,
		.flags = GNTMAP_host_map | (both_halves ? GNTMAP_device_map : 0) | (verify_choose(2) ? GNTMAP_readonly : 0),
	};

	VERIFY(gnttab_map_one((uint64_t)&op) == 0, "the batch ended");
	handles[me] = op.status == GNTST_okay ? op.handle : MAPTRACK_NONE;
}

static void unmap_one(uint32_t handle)
{
	struct gnttab_unmap_grant_ref op = { .host_addr = 8, .handle = handle };

	if (both_halves && verify_choose(2)) {
		const struct maptrack *m = &grantee.grant->maptrack[0][handle];

		op.host_addr = 0;
		op.dev_bus_addr = READ_ONCE(m->frame.m) << PAGE_SHIFT;
	}
	VERIFY(gnttab_unmap_one((uint64_t)&op) == 0, "the batch ended");
}

/* Its own, or the other's, which may be in the middle of it. */
static void grantee_op(unsigned int me)
{
	unsigned int i;

	for (i = 0; i < NR_CPUS; i++)
		if (handles[i] != MAPTRACK_NONE && verify_choose(2)) {
			unmap_one((uint32_t)handles[i]);
			return;
		}
	if (handles[me] == MAPTRACK_NONE)
		map(me);
}

static void cpu_main(unsigned int cpu)
{
	while (ops[cpu] < max_ops[cpu != 0]) {
		ops[cpu]++;
		if (cpu == 0)
			granter_op();
		else
			grantee_op(cpu);
	}
	if (cpu == 0 && may_close)
		grant_close(&granter);
}

/* Of handles that are not just being taken apart. */
static void count_handles(int32_t any[4], int32_t rw[4])
{
	const struct grant_table *gt = grantee.grant;
	unsigned int i;

	for (i = 0; gt->nr_maptrack && i < 8; i++) {
		const struct maptrack *m = &gt->maptrack[0][i];

		if (!m->rd || (m->flags & MT_BUSY))
			continue;
		any[m->frame.m]++;
		rw[m->frame.m] += !(m->flags & MT_RO);
	}
}

static const char *check_said(void)
{
	const struct active_grant *act = grant_active(granter.grant, ref);

	if (spin_is_locked(&granter.grant->lock))
		return NULL;
	if (!act->readers && !act->writers)
		return NULL;
	if (!said[ref].open)
		return "the guest has ended a grant that is in use";
	if (act->writers && said[ref].readonly)
		return "a read-only grant is in use for writing";
	if (act->frame.m != said[ref].frame)
		return "another frame is in use than the guest granted";
	return NULL;
}

static const char *check(void)
{
	int32_t any[4] = { 0 }, rw[4] = { 0 };
	unsigned int i;

	if (!spin_is_locked(&grantee.grant->maptrack_lock))
		count_handles(any, rw);
	for (i = 1; i <= 2; i++) {
		if (any[i] > refs[i])
			return "a handle has no reference to its frame";
		if (rw[i] > writes[i])
			return "a handle to write has no type count of its frame";
	}
	return honest ? check_said() : NULL;
}

/* What is still mapped is unmapped here, as when the grantee dies: then nothing may be left. */
static const char *final(void)
{
	struct grant_table *gt = granter.grant;
	const struct active_grant *act = grant_active(gt, ref);
	uint16_t marks;

	verify_setup_as(1);
	if (grant_release_mappings(&grantee) != 0)
		return "release was preempted";
	verify_setup_as(0);
	if (act->readers || act->writers || gt->nr_pinned)
		return "pins are left over";
	if (refs[1] || refs[2] || writes[1] || writes[2])
		return "references are left over";
	if (granter.refcnt != 1 || grantee.refcnt != 1)
		return "references to a domain are left over";
	if (gt->closed || !honest)
		return NULL;
	marks = gt->version == 1 ? grant_v1(gt, ref)->flags : *grant_status(gt, ref);
	return marks & IN_USE ? "an entry that is not in use says that it is" : NULL;
}

static void setup(unsigned int cpus, unsigned int granter_ops, unsigned int grantee_ops, unsigned int which, unsigned int version)
{
	unsigned int i;

	cpu_online_map = (1ULL << cpus) - 1;
	next_frame = FIRST_FREE;
	granter.domid = GRANTER;
	grantee.domid = GRANTEE;
	granter.refcnt = grantee.refcnt = 1;
	for (i = 0; i < NR_CPUS; i++) {
		vcpus[i].domain = i ? &grantee : &granter;
		model_cpu_info[i].cur = &vcpus[i];
		handles[i] = MAPTRACK_NONE;
	}
	frames[1].owner = frames[2].owner = GRANTER + 1;
	verify_setup_as(0);
	VERIFY(grant_init(&granter, 1, 1, 2) == 0 && grant_init(&grantee, 1, 1, 2) == 0, "no grant tables");
	/* The page of handles is there already. */
	maptrack_free(grantee.grant, maptrack_alloc(grantee.grant));
	if (version == 2)
		VERIFY(grant_set_version(&granter, 2) == 0, "no version 2");
	ref = (uint8_t)which;
	max_ops[0] = (uint8_t)granter_ops;
	max_ops[1] = (uint8_t)grantee_ops;
	honest = true;
	verify_watch(refs, sizeof(refs));
	verify_watch(writes, sizeof(writes));
}

static void setup_v1(void) { setup(2, 4, 4, REF, 1); }
static void setup_v2(void) { setup(2, 4, 4, REF, 2); }
static void setup_two(void)
{
	setup(3, 1, 2, REF, 1);
	give(1, false);
}
static void setup_halves(void)
{
	setup(2, 1, 4, REF, 1);
	both_halves = true;
	give(1, false);
}
static void setup_hostile(void)
{
	setup(2, 4, 4, REF, 1);
	honest = false;
}
static void setup_hostile_v2(void)
{
	setup(2, 4, 4, REF, 2);
	honest = false;
}
static void setup_close(void)
{
	setup(2, 2, 4, REF, 1);
	may_close = true;
}
static void setup_close_v2(void)
{
	setup(2, 2, 4, REF, 2);
	may_close = true;
}
static void setup_version(void)
{
	setup(2, 4, 4, REF, 1);
	may_set_version = true;
}
static void setup_reserved(void)
{
	setup(2, 4, 4, 0, 1);
	may_set_version = true;
}

const struct verify_scenario verify_scenarios[] = {
	{ "v1",
	  "an ended grant is not in use, and is used as granted; counts agree: version 1, 2 CPUs, 4 "
	  "operations each",
	  setup_v1, 2, cpu_main, check, final },
	{ "v2", "the same of version 2", setup_v2, 2, cpu_main, check, final },
	{ "two",
	  "the same of version 1, two vCPUs that map and unmap each other's handles, 2 operations each",
	  setup_two, 3, cpu_main, check, final },
	{ "halves",
	  "the same of version 1, host and device mapping in one handle",
	  setup_halves, 2, cpu_main, check, final },
	{ "hostile",
	  "counts agree whatever the granting guest writes or swaps: version 1, 2 CPUs, 4 operations each",
	  setup_hostile, 2, cpu_main, check, final },
	{ "hostile-v2", "the same of version 2", setup_hostile_v2, 2, cpu_main, check, final },
	{ "close",
	  "the frames of a dying domain's table are not used: version 1, 4 operations",
	  setup_close, 2, cpu_main, check, final },
	{ "close-v2", "the same of version 2", setup_close_v2, 2, cpu_main, check, final },
	{ "version",
	  "a grant that is in use keeps its version: 2 CPUs, 4 operations each",
	  setup_version, 2, cpu_main, check, final },
	{ "reserved",
	  "a reserved entry stays right while it is in use and the version changes",
	  setup_reserved, 2, cpu_main, check, final },
	{ NULL, NULL, NULL, 0, NULL, NULL, NULL },
};
