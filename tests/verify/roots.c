/* SPDX-License-Identifier: MIT */
/*
 * The lazy roots: pv/root.c, pv/root_fast.c, pv/pt_entry.c, pv/page_type*.c,
 * x86/tlb.c, x86/smp.c's rendezvous and sched/context.c as they are.
 *
 * CPU 0 runs vCPU 0, which takes an entry out of an L4 that vCPU 1 has as a
 * base, makes the table it named writable memory, and puts it back. Meanwhile
 * vCPU 1 goes between its kernel and its user, goes idle, is switched away and
 * comes back, on CPU 1, or on CPU 1 and CPU 2 in turn.
 */
#include "explore.h"
#include "hw.h"
#include "hw_model.h"
#include "domain/domain.h"
#include "host/host.h"
#include "lib/errno.h"
#include "x86/printk.h"
#include "mm/hv_pagetable.h"
#include "pv/mmu_private.h"
#include "sched/private.h"
#include "x86/desc.h"
#include "x86/smp.h"
#include "x86/tlb.h"
#include "x86/hooks.h"

#define FRAMES 28
#define K_L4 1u
#define U_L4 2u
#define TABLE 3u
#define OTHER_L4 4u
#define FIRST_FREE 5u
#define SLOT 300u
#define ENTRY ((uint64_t)TABLE << PAGE_SHIFT | PTE_P | PTE_W | PTE_U)

uint8_t model_ram[FRAMES * PAGE_SIZE] __aligned(4096);
static struct page_info frames[FRAMES];
struct page_info *const model_frame_table = frames;
static struct domain dom, idle_dom;
struct domain *host_domain, *idle_domain = &idle_dom;
struct vcpu *idle_vcpu[NR_CPUS];
static struct vcpu vcpus[2], idle_vcpus[NR_CPUS];
struct run_queue run_queues[NR_CPUS];
volatile cpumask_t idle_cpus;
void *cpu_gdt_page[NR_CPUS];
static unsigned int next_frame;

static uint8_t cached[NR_CPUS];  /* the CPU may walk TABLE as a table */
static uint64_t loops[NR_CPUS];  /* a word each */
static uint8_t max_loops, rounds, changed_l4;
static bool assembly, must_close;
static enum { NO_BASE, OTHER_BASE, ANY_BASE } rebases;
static spinlock_t pick_lock;
static void *jump[NR_CPUS][5];   /* back to a CPU's loop: __builtin_setjmp */

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
mfn_t empty_desc_mfn(void) { return mfn(FRAMES - 1); }
void ldt_load(unsigned int entries) { }
void hv_root_fill(uint64_t *root) { }
void *alloc_hv_page(void)
{
	VERIFY(next_frame < FRAMES, "more frames are needed");
	return mfn_to_virt(mfn(next_frame++));
}
void free_hv_page(void *va) { }
bool preempt_wanted(void) { return false; }
void softirq_raise_cpu(unsigned int cpu, unsigned int nr) { }
void softirq_raise(unsigned int nr) { }
/* Domain 0 sends nothing here: sends.c. */
static struct node_shared nothing_sent;
struct node_shared *node_shared = &nothing_sent;
void host_cpu_runs(void) { }
void vtime_update(struct vcpu *v, bool force) { }
void vtime_update_runstate_area(struct vcpu *v) { }
void idle_loop(void) { verify_fail("not called"); }
void model_event_irq(void) { }
/* As pv/context.c, for what the roots are. */
void pv_ctxt_switch_from(struct vcpu *v)
{
	if (is_idle_vcpu(v))
		return;
	pv_mmu_switch_from(v);
}
void pv_ctxt_switch_to(struct vcpu *v) { }
/* All guests are PV here. */
void hvm_switch_from(struct vcpu *v) { verify_fail("not called"); }
void hvm_switch_to(struct vcpu *v) { verify_fail("not called"); }
void hvm_run(void) { verify_fail("not called"); }
const char *verify_access(uintptr_t addr, size_t size, bool write) { return NULL; }

void exit_to_guest(void) { __builtin_longjmp(jump[verify_cpu()], 1); }
void reset_stack_and_jump(void (*fn)(void) __noreturn) { __builtin_longjmp(jump[verify_cpu()], 1); }

void model_tlb_emptied(unsigned int cpu) { cached[cpu] = 0; }
static bool names_table(const uint64_t *root)
{
	return root && (root[SLOT] & PTE_P) && pte_mfn(root[SLOT]).m == TABLE;
}
void verify_settle(void)
{
	for (unsigned int c = 0; c < NR_CPUS; c++)
		if (hw_cr3[c] && names_table(paddr_to_virt(hw_cr3[c])))
			cached[c] = 1;
}

/* --- CPU 0: the guest that changes an L4 --- */
static uint64_t set_entry(uint64_t val)
{
	struct pt_write w = { .pt_dom = &dom, .fd = &dom, .mode = PT_STORE, .val = val };

	return (uint64_t)pt_write(current, &frames[changed_l4], SLOT, &w);
}

static void changer(void)
{
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		VERIFY(set_entry(0) == 0, "the entry could not be removed");
		if (get_page_and_type(&frames[TABLE], &dom, PGT_writable) != 0)
			continue;
		/* The guest may write it until here. */
		put_page_and_type(&frames[TABLE]);
		VERIFY(set_entry(ENTRY) == 0, "the entry could not be put back");
	}
}

/* --- the other CPUs: vCPU 1 --- */
/* What schedule() does under the run queues' locks. */
static bool pick(struct vcpu *v, unsigned int cpu)
{
	bool ok;

	spin_lock(&pick_lock);
	ok = !v->is_running || run_queues[cpu].lazy == v;
	if (ok) {
		if (v->processor != cpu)
			WRITE_ONCE(v->processor, cpu);
		__atomic_store_n(&v->is_running, true, __ATOMIC_SEQ_CST);
	}
	spin_unlock(&pick_lock);
	return ok;
}

/* entry/bounce.S: as the C, but the list backwards, and CR3 without the clock. */
static void asm_copy_slots(struct vcpu *v, const uint64_t *from)
{
	unsigned int i;

	for (i = READ_ONCE(v->pv.fast_nr); i; i--) {
		uint64_t e = READ_ONCE(from[i - 1]);

		WRITE_ONCE(v->pv.root_user[v->pv.fast_slot[i - 1]], e);
	}
}

static void asm_toggle(struct vcpu *v)
{
	if (!v->pv.kernel_mode) {
		if (READ_ONCE(v->pv.fast_root)) {
			asm_copy_slots(v, v->pv.fast_kernel);
			v->pv.root_opened = 1;
		} else {
			hw_load_cr3(v->pv.cr3_kernel);
		}
		v->pv.kernel_mode = 1;
		return;
	}
	if (v->pv.root_opened) {
		asm_copy_slots(v, v->pv.fast_user);
		v->pv.root_opened = 0;
	}
	hw_load_cr3(v->pv.cr3_user);
	v->pv.kernel_mode = 0;
}

static void switch_now(unsigned int cpu, struct vcpu *next)
{
	if (__builtin_setjmp(jump[cpu]) == 0)
		context_switch(current, next);
}

static void leave_cpu(unsigned int cpu, bool lazily)
{
	vcpus[1].pause_count = !lazily;
	switch_now(cpu, idle_vcpu[cpu]);
	vcpus[1].pause_count = 0;
}

/* Of the two bases the one that does not change itself, to another L4 and back: a hypercall. */
static void change_other_base(struct vcpu *v)
{
	bool user = changed_l4 == K_L4;
	const struct page_info *now = user ? v->pv.user_base : v->pv.base;
	unsigned int next = now != &frames[OTHER_L4] ? OTHER_L4 : user ? U_L4 : K_L4;

	VERIFY(pv_set_base(v, mfn(next), user, false) == 0, "the other base");
}

static void change_any_base(struct vcpu *v)
{
	static const unsigned int l4s[] = { K_L4, U_L4, OTHER_L4 };
	bool user = verify_choose(2);

	VERIFY(pv_set_base(v, mfn(l4s[verify_choose(3)]), user, false) == 0, "any base");
}

static void one_turn(unsigned int cpu)
{
	if (rebases && current == &vcpus[1] && current->pv.kernel_mode && verify_choose(2)) {
		(rebases == ANY_BASE ? change_any_base : change_other_base)(current);
		return;
	}
	irq_disable();
	if (current == idle_vcpu[cpu]) {
		if (pick(&vcpus[1], cpu))
			switch_now(cpu, &vcpus[1]);
		irq_enable();
		return;
	}
	switch (verify_choose(3)) {
	case 0:
		(assembly ? asm_toggle : toggle_guest_mode)(current);
		break;
	case 1:
		leave_cpu(cpu, true);
		break;
	case 2:
		leave_cpu(cpu, false);
		break;
	}
	irq_enable();
}

static void cpu_main(unsigned int cpu)
{
	if (cpu == 0) {
		changer();
		return;
	}
	while (loops[cpu] < max_loops) {
		loops[cpu]++;
		one_turn(cpu);
	}
	irq_disable();
	if (current == &vcpus[1])
		leave_cpu(cpu, false);
	flush_lazy_here(&run_queues[cpu]);
	irq_enable();
}

static const char *check(void)
{
	uint64_t x = frames[TABLE].type_info;
	unsigned int i;

	if ((x & (PGT_type_mask | PGT_validated)) != (PGT_writable | PGT_validated) || !(uint32_t)x)
		return NULL;
	for (i = 0; i < NR_CPUS; i++)
		if (cached[i])
			return "a table is writable memory again, and a CPU may still walk it";
	if (names_table(vcpus[1].pv.root_user) || names_table(vcpus[1].pv.root_kernel))
		return "a table is writable memory again, and a root still names it";
	return NULL;
}

static const char *final(void)
{
	const struct pv_vcpu *pv = &vcpus[1].pv;
	const uint64_t *k = page_to_virt(pv->base), *u = page_to_virt(pv->user_base);

	if (vcpus[1].is_running)
		return "the vCPU was not let go";
	if (pv->root_opened)
		return must_close ? "the vCPU was let go with its root open" : NULL;
	if (pv->root_user[SLOT] != u[SLOT])
		return "the user root does not show what its L4 has";
	if (pv->root_kernel[SLOT] != k[SLOT])
		return "the kernel root does not show what its L4 has";
	return NULL;
}

static void setup_cpu_of(unsigned int i)
{
	verify_setup_as(i);
	cpu_gdt_page[i] = mfn_to_virt(mfn(FRAMES - 1));
	idle_vcpus[i].domain = &idle_dom;
	idle_vcpus[i].is_running = true;
	idle_vcpus[i].processor = i;
	idle_vcpu[i] = &idle_vcpus[i];
	current = idle_vcpu[i];
	pv_init_idle_root(i);
	tlb_set_idle_root(pv_idle_cr3(i));
}

static void setup(unsigned int cpus, unsigned int nr, uint64_t in_kernel, uint64_t in_user, unsigned int which)
{
	uint64_t *k = mfn_to_virt(mfn(K_L4)), *u = mfn_to_virt(mfn(U_L4));
	unsigned int i;

	next_frame = FIRST_FREE;
	cpu_online_map = (1ULL << cpus) - 1;
	idle_dom.is_idle = true;
	dom.domid = 1;
	dom.max_vcpus = 2;
	for (i = 1; i < FRAMES; i++) {
		frames[i].owner = 2;
		frames[i].count_info = PGC_allocated | 1;
	}
	for (i = 0; i < cpus; i++)
		setup_cpu_of(i);
	for (i = 0; i < 2; i++) {
		vcpus[i].domain = &dom;
		vcpus[i].vcpu_id = i;
		vcpus[i].processor = i;
		dom.vcpu[i] = &vcpus[i];
		VERIFY(pv_root_init_vcpu(&vcpus[i]) == 0, "no roots");
		vcpus[i].pv.kernel_mode = 1;
	}
	verify_setup_as(0);
	pv_mmu_switch_to(&vcpus[0]);
	current = &vcpus[0];
	vcpus[0].is_running = true;
	k[SLOT] = in_kernel;
	u[SLOT] = in_user;
	changed_l4 = (uint8_t)which;
	verify_setup_as(1);
	VERIFY(get_page_type(&frames[K_L4], PGT_l4, false) == 0, "pin");
	VERIFY(get_page_type(&frames[U_L4], PGT_l4, false) == 0, "pin");
	VERIFY(get_page_type(&frames[OTHER_L4], PGT_l4, false) == 0, "pin");
	pick(&vcpus[1], 1);
	pv_mmu_switch_to(&vcpus[1]);
	current = &vcpus[1];
	VERIFY(pv_set_base(&vcpus[1], mfn(K_L4), false, false) == 0, "base");
	VERIFY(pv_set_base(&vcpus[1], mfn(U_L4), true, false) == 0, "user base");
	VERIFY(vcpus[1].pv.fast_root, "the roots are not fit to be opened");
	toggle_guest_mode(&vcpus[1]);
	max_loops = (uint8_t)nr;
	rounds = 1;
	verify_watch(cached, sizeof(cached));
	verify_watch(&vcpus[1].pv.root_user[SLOT], 8);
	verify_watch(&vcpus[1].pv.root_kernel[SLOT], 8);
	verify_watch(&frames[TABLE].type_info, 8);
	verify_watch(hw_cr3, sizeof(hw_cr3));
}

static void setup_user(void) { setup(2, 5, 0, ENTRY, U_L4); }
static void setup_kernel(void)
{
	setup(2, 5, ENTRY, 0, K_L4);
	must_close = true;
}
static void setup_asm(void)
{
	setup(2, 5, 0, ENTRY, U_L4);
	assembly = true;
}
static void setup_asm_kernel(void)
{
	setup(2, 5, ENTRY, 0, K_L4);
	assembly = true;
}
static void setup_migrate(void) { setup(3, 2, 0, ENTRY, U_L4); }
static void setup_rebase(void)
{
	setup(2, 3, 0, ENTRY, U_L4);
	rebases = OTHER_BASE;
}
static void setup_rebase_user(void)
{
	setup(2, 3, ENTRY, 0, K_L4);
	rebases = OTHER_BASE;
}
static void setup_rebase_any(void)
{
	setup(2, 3, 0, ENTRY, U_L4);
	rebases = ANY_BASE;
}

#define BOUNDS "an entry is removed and put back, beside 5 turns of"
const struct verify_scenario verify_scenarios[] = {
	{ "user",
	  "no CPU and no root has a removed entry of the user L4: " BOUNDS " kernel, user, idle, away",
	  setup_user, 2, cpu_main, check, final },
	{ "kernel", "the same of the kernel L4", setup_kernel, 2, cpu_main, check, final },
	{ "user-asm",
	  "the same of the user L4 by the paths of entry/bounce.S",
	  setup_asm, 2, cpu_main, check, final },
	{ "kernel-asm",
	  "the same of the kernel L4 by the paths of entry/bounce.S",
	  setup_asm_kernel, 2, cpu_main, check, final },
	{ "migrate",
	  "the same of the user L4 with a vCPU that goes between two other CPUs, 2 turns each",
	  setup_migrate, 3, cpu_main, check, final },
	{ "rebase",
	  "the same of the user L4, and the kernel's base changes: 3 turns",
	  setup_rebase, 2, cpu_main, check, final },
	{ "rebase-user",
	  "the same of the kernel L4, and the user's base changes: 3 turns",
	  setup_rebase_user, 2, cpu_main, check, final },
	{ "rebase-any",
	  "the same of the user L4, and any base becomes any L4: 3 turns",
	  setup_rebase_any, 2, cpu_main, check, final },
	{ NULL, NULL, NULL, 0, NULL, NULL, NULL },
};
