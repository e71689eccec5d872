/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "control/hypercall.h"
#include "mm/memmap.h"
#include "mm/hv_pagetable.h"
#include "pv/shadow.h"
#include "x86/desc.h"
#include "domain/uaccess.h"
#include "x86/smp.h"
#include <stdlib.h>
#include <stdio.h>

uint8_t shim_ram[SHIM_FRAMES * PAGE_SIZE] __aligned(4096);
static struct page_info frames[SHIM_FRAMES];
struct page_info *const shim_frame_table = frames;
_Thread_local struct cpu_info shim_cpu;
uint64_t cpu_online_map = 0xff, max_page = SHIM_FRAMES;
struct domain *host_domain, *idle_domain;
static uint64_t m2p_array[SHIM_FRAMES];
uint64_t *m2p_rw = m2p_array;
paddr_t m2p_paddr;
uint64_t m2p_bytes = 2 << 20;
void *cpu_gdt_page[NR_CPUS];
unsigned int preempt_one_in, flushes, code_freed, gathers, continuations;
void (*shim_hook)(const char *what);
void (*shim_flushed)(unsigned int cpu);
void (*shim_freed)(uint64_t m, uint64_t n);

/* --- what other parts of the hypervisor do --- */

#define FIRST_FREE 16u
static uint8_t in_use[SHIM_FRAMES];
static spinlock_t heap_lock;
static uint64_t clock_now = 1, cpu_flushed[NR_CPUS];
static unsigned int rendezvous_waits;

bool mfn_valid(mfn_t m) { return m.m >= 1 && m.m < SHIM_FRAMES && m.m != 8; }
struct mem_range ram_ranges[MEMMAP_MAX] = { { PAGE_SIZE, 8 * PAGE_SIZE }, { 9 * PAGE_SIZE, SHIM_FRAMES * PAGE_SIZE } };
unsigned int nr_ram_ranges = 2;

uint32_t tlb_clock_now(void)
{
	uint32_t now = (uint32_t)__atomic_load_n(&clock_now, __ATOMIC_SEQ_CST);

	hv_delay_point("clock: read");
	return now;
}
void clock_set(uint64_t now) { __atomic_store_n(&clock_now, now, __ATOMIC_SEQ_CST); }

cpumask_t tlb_flush_filter(cpumask_t mask, uint32_t stamp)
{
	cpumask_t left = 0;

	for (unsigned int i = 0; i < 8; i++)
		if ((mask >> i & 1) && __atomic_load_n(&cpu_flushed[i], __ATOMIC_SEQ_CST) <= stamp)
			left |= 1ULL << i;
	return left;
}

static spinlock_t irq_off[8];
unsigned long irq_save(void)
{
	spin_lock(&irq_off[smp_cpu()]);
	return 0;
}
void irq_restore(unsigned long f) { spin_unlock(&irq_off[smp_cpu()]); }

static void interrupt(unsigned int cpu)
{
	if (cpu == smp_cpu())
		return;
	spin_lock(&irq_off[cpu]);
	spin_unlock(&irq_off[cpu]);
}

/* In the order of x86/tlb.c. */
static void flush_cpu(unsigned int cpu)
{
	uint64_t t = __atomic_add_fetch(&clock_now, 1, __ATOMIC_SEQ_CST);

	hv_delay_point("flush: the time is taken");
	if (shim_flushed)
		shim_flushed(cpu);
	__atomic_store_n(&cpu_flushed[cpu], t, __ATOMIC_SEQ_CST);
}

bool somebody_waits(void) { return __atomic_load_n(&rendezvous_waits, __ATOMIC_SEQ_CST) != 0; }

void smp_rendezvous(cpumask_t mask)
{
	__atomic_add_fetch(&rendezvous_waits, mask != 0, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < 8; i++)
		if (mask >> i & 1)
			interrupt(i);
	__atomic_sub_fetch(&rendezvous_waits, mask != 0, __ATOMIC_SEQ_CST);
}

void flush_tlb_mask(cpumask_t mask)
{
	__atomic_add_fetch(&flushes, 1, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < 8; i++)
		if (mask >> i & 1)
			interrupt(i);
	for (unsigned int i = 0; i < 8; i++)
		if (mask >> i & 1)
			flush_cpu(i);
}
void flush_tlb_va_mask(cpumask_t mask, uint64_t va) { __atomic_add_fetch(&flushes, 1, __ATOMIC_SEQ_CST); }
void flush_tlb_local(void) { flush_tlb_mask(1ULL << smp_cpu()); }
void flush_tlb_va_local(uint64_t va) { }
s_time_t shim_now;
s_time_t NOW(void) { return shim_now; }
void tlb_guest_on_idle_root(void) {}

void write_cr3(uint64_t cr3)
{
	flush_cpu(smp_cpu());
}
void ldt_load(unsigned int entries) { }
void hv_root_fill(uint64_t *root)
{
	for (unsigned int i = HV_L4_FIRST; i <= HV_L4_LAST; i++)
		root[i] = 0xabcde00000000fff;
}

uint64_t page_skip_virgin(uint64_t m)
{
	return m;
}

struct page_info *page_alloc(unsigned int order, unsigned int flags)
{
	uint64_t n = 1ULL << order, i, j;
	struct page_info *ret = NULL;

	spin_lock(&heap_lock);
	for (i = (FIRST_FREE + n - 1) & ~(n - 1); !ret && i + n <= SHIM_FRAMES; i += n) {
		for (j = 0; j < n && !in_use[i + j]; j++)
			;
		if (j == n) {
			memset(in_use + i, 1, n);
			ret = &frames[i];
		}
	}
	spin_unlock(&heap_lock);
	if (ret)
		flush_tlb_mask(cpu_online_map);
	return ret;
}

struct page_info *page_alloc_for(struct page_claim *claim, unsigned int order, unsigned int flags)
{
	/* In pieces that are too small. */
	return gathers && flags & ALLOC_NO_GATHER ? NULL : page_alloc(order, flags);
}

bool page_gather(unsigned int order) { return gathers && gathers--; }

void page_free_run(struct page_info *pg, uint64_t n, bool code)
{
	uint64_t m = page_to_mfn(pg).m;

	for (uint64_t i = 0; i < n; i++) {
		BUG_ON(pg[i].count_info || !!(pg[i].flags & PGF_exec) != code);
		code_freed += code;
	}
	if (shim_freed)
		shim_freed(m, n);
	memset(page_to_virt(pg), 0, n * PAGE_SIZE);
	memset(pg, 0, n * sizeof(*pg));
	spin_lock(&heap_lock);
	for (uint64_t i = 0; i < n; i++) {
		BUG_ON(!in_use[m + i]);
		in_use[m + i] = 0;
	}
	spin_unlock(&heap_lock);
}

void page_free(struct page_info *pg)
{
	BUG_ON(pg->owner);
	pg->count_info = 0;
	page_free_run(pg, 1, pg->flags & PGF_exec);
}

void *alloc_hv_page(void)
{
	struct page_info *pg = page_alloc(0, 0);

	if (!pg)
		return NULL;
	pg->count_info = PGC_hv;
	return page_to_virt(pg);
}

void free_hv_page(void *va)
{
	if (!va)
		return;
	mfn_to_page(virt_to_mfn(va))->count_info = 0;
	page_free(mfn_to_page(virt_to_mfn(va)));
}

uint64_t free_pages_total(void) { return free_frames(); }
uint64_t claimed_pages_total(void) { return 0; }
int claim_pages(struct page_claim *claim, uint64_t pages) { return 0; }
void *xzalloc_bytes(size_t size, size_t align) { return calloc(1, size); }
void xfree(void *p) { free(p); }

void bug_at(const char *file, int line, const char *expr)
{
	fprintf(stderr, "BUG: %s:%d: %s\n", file, line, expr);
	abort();
}

bool get_domain(struct domain *d) { return __atomic_add_fetch(&d->refcnt, 1, __ATOMIC_SEQ_CST) > 1; }
void put_domain(struct domain *d) { BUG_ON(__atomic_sub_fetch(&d->refcnt, 1, __ATOMIC_SEQ_CST) == 0); }
struct domain *known_domain;
struct domain *get_domain_by_id(domid_t id)
{
	return known_domain && known_domain->domid == id && get_domain(known_domain) ? known_domain : NULL;
}

unsigned long copy_from_guest_raw(void *dst, uint64_t src, unsigned long n)
{
	if (!src)
		return n;
	memcpy(dst, (void *)src, n);
	return 0;
}
unsigned long copy_to_guest_raw(uint64_t dst, const void *src, unsigned long n)
{
	if (!dst)
		return n;
	memcpy((void *)dst, src, n);
	return 0;
}

static _Thread_local struct { bool made; unsigned int op; unsigned long a[5]; } again;

long hypercall_continuation(unsigned int op, unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4,
			    unsigned long a5)
{
	again.made = true;
	again.op = op;
	again.a[0] = a1;
	again.a[1] = a2;
	again.a[2] = a3;
	again.a[3] = a4;
	return -ERESTART_HC;
}

static _Thread_local uint64_t seed = 88172645463325252ULL;
uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

bool preempt_wanted(void) { return preempt_one_in && rnd() % preempt_one_in == 0; }

/* --- the machine --- */

void harness_init(void)
{
	memset(frames, 0, sizeof(frames));
	memset(in_use, 0, sizeof(in_use));
	memset(in_use, 1, FIRST_FREE);
	memset(shim_ram, 0, sizeof(shim_ram));
	preempt_one_in = gathers = continuations = 0;
	shim_hook = NULL;
	shim_flushed = NULL;
	shim_freed = NULL;
	if (!host_domain) {
		host_domain = calloc(1, sizeof(*host_domain));
		host_domain->max_vcpus = 1;
		host_domain->vcpu[0] = calloc(1, sizeof(struct vcpu));
		host_domain->vcpu[0]->domain = host_domain;
		idle_domain = calloc(1, sizeof(*idle_domain));
		idle_domain->is_idle = true;
	}
	for (unsigned int i = 0; i < 8; i++)
		cpu_gdt_page[i] = shim_ram + PAGE_SIZE;
}

uint64_t free_frames(void)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < SHIM_FRAMES; i++)
		n += !in_use[i];
	return n;
}

struct domain *new_domain(domid_t id, unsigned int vcpus)
{
	static struct domain *all[64]; /* lets a leak checker see those that are not freed */
	static unsigned int nr;
	struct domain *d = calloc(1, sizeof(*d));

	all[nr++ % ARRAY_SIZE(all)] = d;
	d->domid = id;
	d->refcnt = 1;
	d->max_pages = 2048;
	d->max_vcpus = vcpus;
	d->dirty_cpus = (1ULL << vcpus) - 1;
	for (unsigned int i = 0; i < vcpus; i++) {
		struct vcpu *v = calloc(1, sizeof(*v));

		v->domain = d;
		v->vcpu_id = v->processor = i;
		v->pv.kernel_mode = 1;
		d->vcpu[i] = v;
		BUG_ON(pv_root_init_vcpu(v));
	}
	return d;
}

void run_as(struct vcpu *v, unsigned int cpu)
{
	shim_cpu.cur = v;
	shim_cpu.cpu = cpu;
	v->processor = cpu;
	v->is_running = true;
	seed += v->vcpu_id * 7919;
}

struct page_info *new_page(struct domain *d)
{
	int err;
	struct page_info *pg = domain_page_alloc(d, 0, 0, &err);

	BUG_ON(!pg);
	return pg;
}

uint64_t *page_words(struct page_info *pg) { return page_to_virt(pg); }
uint64_t pte_for(const struct page_info *pg, uint64_t flags) { return page_to_mfn(pg).m << PAGE_SHIFT | flags; }

static long follow(long rc)
{
	while (rc == -ERESTART_HC && again.made) {
		again.made = false;
		continuations++;
		switch (again.op) {
		case __HYPERVISOR_mmu_update:
			rc = do_mmu_update(again.a[0], again.a[1], again.a[2], again.a[3]);
			break;
		case __HYPERVISOR_mmuext_op:
			rc = do_mmuext_op(again.a[0], again.a[1], again.a[2], again.a[3]);
			break;
		case __HYPERVISOR_update_va_mapping:
			rc = do_update_va_mapping(again.a[0], again.a[1], again.a[2]);
			break;
		case __HYPERVISOR_memory_op:
			rc = do_memory_op(again.a[0], again.a[1]);
			break;
		default:
			BUG();
		}
	}
	return rc;
}

long call_mmu_update(uint64_t ptr, uint64_t val)
{
	struct mmu_update req = { ptr, val };

	return follow(do_mmu_update((unsigned long)&req, 1, 0, DOMID_SELF));
}

long call_memory_op(unsigned int op, void *arg) { return follow(do_memory_op(op, (unsigned long)arg)); }

long call_mmuext(unsigned int cmd, uint64_t arg1)
{
	struct mmuext_op op = { .cmd = cmd };

	op.arg1.mfn = arg1;
	return follow(do_mmuext_op((unsigned long)&op, 1, 0, DOMID_SELF));
}

long call_update_va(uint64_t va, uint64_t val, uint64_t flags) { return follow(do_update_va_mapping(va, val, flags)); }

long set_entry(struct page_info *table, unsigned int slot, uint64_t val)
{
	return call_mmu_update(page_to_mfn(table).m << PAGE_SHIFT | slot * 8, val);
}

long pin(struct page_info *pg, int level) { return call_mmuext(MMUEXT_PIN_L1_TABLE + (unsigned int)level - 1, page_to_mfn(pg).m); }
long unpin(struct page_info *pg) { return call_mmuext(MMUEXT_UNPIN_TABLE, page_to_mfn(pg).m); }

/* --- the audit --- */

struct tally {
	uint32_t refs[SHIM_FRAMES], types[SHIM_FRAMES];
};

static void use(struct tally *t, const struct page_info *pg, bool type)
{
	uint64_t m = page_to_mfn(pg).m;

	t->refs[m]++;
	t->types[m] += type;
}

static void tally_table(struct tally *t, struct page_info *pg, unsigned int limit)
{
	int level = type_level(pg->type_info);
	pte_t *pt = page_to_virt(pg);

	for (unsigned int i = 0; i < limit; i++) {
		struct page_info *to = mfn_to_page(pte_mfn(pt[i]));

		if (level == 4 && hv_l4_slot(i)) {
			BUG_ON((pg->type_info & PGT_validated) && pt[i]);
			continue;
		}
		if (!(pt[i] & PTE_P) || (level == 4 && to == pg))
			continue;
		BUG_ON(!mfn_valid(pte_mfn(pt[i])) || !(pt[i] & PTE_U) || (pt[i] & (PTE_PSE | PTE_G)));
		if (level == 1) {
			use(t, to, pt[i] & PTE_W);
			BUG_ON((pt[i] & PTE_W) && (to->type_info & (PGT_type_mask | PGT_validated)) !=
							  (PGT_writable | PGT_validated));
			continue;
		}
		use(t, to, true);
		BUG_ON((to->type_info & PGT_type_mask) != level_type(level - 1));
		BUG_ON((pg->type_info & PGT_validated) && !(to->type_info & PGT_validated));
		if (level == 4)
			BUG_ON(!(page_owner(pg)->pv.l4_groups >> (i / 8) & 1));
	}
}

static void tally_root(struct vcpu *v, const uint64_t *root, const struct page_info *l4, const uint64_t *replaced)
{
	for (unsigned int i = 0; i < PT_ENTRIES; i++) {
		uint64_t want = l4 ? ((uint64_t *)page_to_virt(l4))[i] : 0;

		if (hv_l4_slot(i))
			continue;
		if (replaced)
			for (unsigned int k = 0; k < v->pv.fast_nr; k++)
				if (v->pv.fast_slot[k] == i)
					want = replaced[k];
		if (v->domain->pv.shadow && !replaced) {
			/* Filled in when it is used. */
			if (!(root[i] & PTE_P))
				continue;
			want = l4 ? shadow_root_entry(v->domain, l4, want) : 0;
		}
		if (((root[i] | want) & PTE_P) && root[i] != want) {
			fprintf(stderr, "vcpu %u %s slot %u: %016lx, want %016lx; opened %u, listed %u\n", v->vcpu_id,
				root == v->pv.root_user ? "user" : "kernel", i, root[i], want, v->pv.root_opened,
				v->pv.fast_nr);
			abort();
		}
	}
}

static void tally_vcpu(struct tally *t, struct vcpu *v)
{
	if (v->pv.base)
		use(t, v->pv.base, true);
	if (v->pv.user_base)
		use(t, v->pv.user_base, true);
	if (v->partial_page)
		use(t, v->partial_page, true);
	for (unsigned int i = 0; i < (v->pv.gdt_entries + 511) / 512; i++)
		use(t, mfn_to_page(mfn(v->pv.gdt_frames[i])), true);
	for (unsigned int i = 0; i < LDT_MAX_PAGES; i++)
		if (v->pv.ldt_mapped >> i & 1)
			use(t, mfn_to_page(pte_mfn(v->pv.pervcpu_l1[16 + i])), true);
	tally_root(v, v->pv.root_kernel, v->pv.base, NULL);
	tally_root(v, v->pv.root_user, v->pv.user_base, v->pv.root_opened ? v->pv.fast_kernel : NULL);
}

static void tally_page(struct tally *t, struct page_info *pg)
{
	uint64_t x = pg->type_info;
	int level = type_level(x);

	if (pg->count_info & PGC_allocated)
		t->refs[page_to_mfn(pg).m]++;
	if (pg->count_info & PGC_hv)
		t->types[page_to_mfn(pg).m]++;
	if (x & PGT_pinned)
		use(t, pg, true);
	if (x & PGT_partial)
		use(t, pg, true);
	BUG_ON(x & PGT_locked);
	BUG_ON((uint32_t)x && !(x & (PGT_validated | PGT_partial)));
	if (level >= 1 && level <= 4 && (uint32_t)x)
		tally_table(t, pg, x & PGT_validated ? PT_ENTRIES : (unsigned int)((x & PGT_done_mask) >> PGT_done_shift));
}

void audit(struct domain *d)
{
	static struct tally t;
	struct vcpu *v;
	unsigned int i;

	memset(&t, 0, sizeof(t));
	for (i = 0; i < SHIM_FRAMES; i++)
		if (frames[i].owner == d->domid + 1)
			tally_page(&t, &frames[i]);
	for_each_vcpu (d, v, i)
		tally_vcpu(&t, v);
	for (i = 0; i < SHIM_FRAMES; i++) {
		if (frames[i].owner != d->domid + 1)
			continue;
		if ((uint32_t)frames[i].count_info != t.refs[i] || (uint32_t)frames[i].type_info != t.types[i]) {
			fprintf(stderr, "frame %u: refs %u, want %u; type %016lx, want %u\n", i,
				(uint32_t)frames[i].count_info, t.refs[i], frames[i].type_info, t.types[i]);
			abort();
		}
	}
}

void destroy_domain(struct domain *d, uint64_t foreign)
{
	struct vcpu *v;
	unsigned int i;

	d->is_dying = DOMDYING_dying;
	for_each_vcpu (d, v, i) {
		pv_mmu_switch_from(v);
		v->is_running = false;
	}
	while (pv_relinquish_memory(d))
		;
	for (i = 0; d->tot_pages != foreign && i < SHIM_FRAMES; i++)
		if (frames[i].owner == d->domid + 1)
			fprintf(stderr, "frame %u left: count %016lx type %016lx\n", i, frames[i].count_info,
				frames[i].type_info);
	BUG_ON(d->tot_pages != foreign || d->page_list || d->pv.unpinned_list);
	BUG_ON(!foreign && d->refcnt != 1);
	for_each_vcpu (d, v, i) {
		BUG_ON(v->partial_page);
		pv_root_destroy_vcpu(v);
	}
}
