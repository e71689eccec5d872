/* SPDX-License-Identifier: MIT */
/* Page types one by one: what is accepted, what is counted, what comes back. */
#include <check.h>
#include "control/hypercall.h"
#include "harness.h"
#include "domain/uaccess.h"
#include <xen/memory.h>

#define RW (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define OPENED (1UL << 62) /* how root_fast.c marks the kernel's entries */
#define RO (PTE_P | PTE_U | PTE_A)

static struct domain *d, *other;
static struct vcpu *v;
static uint64_t free_before;
static struct page_info *l4, *l3, *l2, *l1, *data;

static uint32_t refs(struct page_info *pg) { return (uint32_t)pg->count_info; }
static uint32_t types(struct page_info *pg) { return (uint32_t)pg->type_info; }
static uint64_t type_of(struct page_info *pg) { return pg->type_info & PGT_type_mask; }

static void setup(void)
{
	harness_init();
	free_before = free_frames();
	d = new_domain(1, 2);
	other = new_domain(2, 1);
	v = d->vcpu[0];
	run_as(v, 0);
	l4 = new_page(d);
	l3 = new_page(d);
	l2 = new_page(d);
	l1 = new_page(d);
	data = new_page(d);
}

static void teardown(void)
{
	audit(d);
	audit(other);
	destroy_domain(other, 0);
	preempt_one_in = 2;
	destroy_domain(d, 0);
	ck_assert_uint_eq(free_frames(), free_before);
}

/* data at virtual 0, read-write; the L1 at 4096, read-only. */
static void build(void)
{
	page_words(l4)[0] = pte_for(l3, RW);
	page_words(l3)[0] = pte_for(l2, RW);
	page_words(l2)[0] = pte_for(l1, RW);
	page_words(l1)[0] = pte_for(data, RW);
	page_words(l1)[1] = pte_for(l1, RO);
}

START_TEST(pin_counts_everything)
{
	build();
	ck_assert_int_eq(pin(l4, 4), 0);
	audit(d);
	ck_assert_uint_eq(type_of(l1), PGT_l1);
	ck_assert_uint_eq(types(data), 1);
	ck_assert_uint_eq(refs(data), 2);
	ck_assert_uint_eq(refs(l1), 3);
	ck_assert_int_eq(pin(l4, 4), -EINVAL);
	ck_assert_int_eq(pin(l3, 4), -EINVAL);
	ck_assert_int_eq(unpin(l4), 0);
	ck_assert_int_eq(unpin(l4), -EINVAL);
	ck_assert_uint_eq(types(l4) + types(l3) + types(l2) + types(l1) + types(data), 0);
	ck_assert_uint_eq(refs(data), 1);
	ck_assert_uint_eq(refs(l1), 1);
}
END_TEST

START_TEST(no_writable_mapping_of_a_table)
{
	build();
	page_words(l1)[2] = pte_for(l1, RW);
	ck_assert_int_ne(pin(l4, 4), 0);
	audit(d);
	page_words(l1)[2] = pte_for(l2, RW);
	ck_assert_int_ne(pin(l4, 4), 0);
	ck_assert_uint_eq(types(l4) | types(l3) | types(l2) | types(l1) | types(data), 0);
	page_words(l1)[2] = 0;
	ck_assert_int_eq(pin(l4, 4), 0);
	ck_assert_int_eq(set_entry(l1, 2, pte_for(l3, RW)), -EBUSY);
	ck_assert_int_eq(set_entry(l1, 2, pte_for(l3, RO)), 0);
	ck_assert_int_eq(set_entry(l1, 2, pte_for(l3, RW)), -EBUSY);
	/* A page mapped writable does not become a table. */
	ck_assert_int_eq(pin(data, 1), -EINVAL);
	ck_assert_int_eq(set_entry(l2, 1, pte_for(data, RW)), -EBUSY);
	ck_assert_int_eq(set_entry(l1, 0, pte_for(data, RO)), 0);
	ck_assert_int_eq(set_entry(l2, 1, pte_for(data, RW)), 0);
	ck_assert_uint_eq(type_of(data), PGT_l1);
}
END_TEST

START_TEST(hostile_entries)
{
	struct page_info *foreign = new_page(other);
	void *hv = alloc_hv_page();
	static const uint64_t bad_flags[] = { 1ULL << 59, 1ULL << 62, 1ULL << 51, PTE_MFN_MASK };

	build();
	ck_assert_int_eq(pin(l4, 4), 0);
	ck_assert_int_eq(set_entry(l1, 5, pte_for(foreign, RO)), -EINVAL);
	ck_assert_int_eq(set_entry(l1, 5, pte_for(foreign, RW)), -EINVAL);
	ck_assert_int_eq(set_entry(l1, 5, virt_to_paddr(hv) | RO), -EINVAL);
	ck_assert_int_eq(set_entry(l1, 5, (uint64_t)SHIM_FRAMES << PAGE_SHIFT | RO), -EINVAL);
	ck_assert_int_eq(set_entry(l1, 5, 8 << PAGE_SHIFT | RO), -EINVAL);
	ck_assert_int_eq(set_entry(l1, 5, 0 | RO), -EINVAL);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_flags); i++) {
		ck_assert_int_eq(set_entry(l1, 5, pte_for(data, RO) | bad_flags[i]), -EINVAL);
		ck_assert_int_eq(set_entry(l2, 5, pte_for(l1, RO) | bad_flags[i]), -EINVAL);
	}
	ck_assert_int_eq(set_entry(l2, 5, pte_for(data, RW) | PTE_PSE), -EINVAL);
	ck_assert_int_eq(set_entry(l3, 5, pte_for(data, RW) | PTE_PSE), -EINVAL);
	ck_assert_int_eq(set_entry(l4, 256, pte_for(l3, RW)), -EINVAL);
	ck_assert_int_eq(set_entry(l4, 271, 0), -EINVAL);
	ck_assert_int_eq(set_entry(l4, 272, pte_for(l3, RW)), 0);
	ck_assert_int_eq(set_entry(foreign, 0, 0), -EINVAL);
	ck_assert_int_eq(call_mmu_update(virt_to_paddr(hv), 0), -EINVAL);
	ck_assert_int_eq(call_mmu_update(~7ULL, 0), -EINVAL);
	ck_assert_int_eq(call_mmu_update((page_to_mfn(l1).m << PAGE_SHIFT) + 4, 0), -EINVAL);
	/* Not present: any bits. */
	ck_assert_int_eq(set_entry(l1, 5, ~1ULL), 0);
	/* Fixed on the way in. */
	ck_assert_int_eq(set_entry(l1, 6, pte_for(data, PTE_P | PTE_G | PTE_PCD | PTE_PWT | PTE_PAT)), 0);
	ck_assert_uint_eq(page_words(l1)[6], pte_for(data, PTE_P | PTE_U));
	free_hv_page(hv);
}
END_TEST

START_TEST(hypervisor_slots_are_emptied)
{
	build();
	page_words(l4)[260] = pte_for(data, RW);
	page_words(l4)[5] = pte_for(l4, RO);
	ck_assert_int_eq(pin(l4, 4), 0);
	ck_assert_uint_eq(page_words(l4)[260], 0);
	ck_assert_uint_eq(d->pv.l4_groups, 1);
	audit(d);
	/* The linear slot is read-only and counts nothing. */
	ck_assert_int_eq(set_entry(l4, 5, pte_for(l4, RW)), -EINVAL);
	ck_assert_int_eq(set_entry(l4, 6, pte_for(l4, RO)), 0);
	ck_assert_int_eq(set_entry(l4, 5, 0), 0);
	ck_assert_uint_eq(types(l4), 1);
	ck_assert_int_eq(set_entry(l3, 6, pte_for(l3, RO)), -EBUSY);
}
END_TEST

START_TEST(roots_follow)
{
	build();
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(l4).m), 0);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_USER_BASEPTR, page_to_mfn(l4).m), 0);
	ck_assert_uint_eq(v->pv.root_kernel[0], page_words(l4)[0]);
	ck_assert_uint_eq(v->pv.fast_root, 1);
	ck_assert_uint_eq(types(l4), 2);
	ck_assert_int_eq(set_entry(l4, 300, pte_for(l3, RW)), 0);
	ck_assert_uint_eq(v->pv.root_kernel[300], pte_for(l3, RW));
	ck_assert_uint_eq(v->pv.root_user[300], pte_for(l3, RW));
	audit(d);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_USER_BASEPTR, 0), 0);
	ck_assert_uint_eq(v->pv.root_user[300], 0);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, 0), -EINVAL);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(l3).m), -EBUSY);
	ck_assert_uint_eq(v->pv.root_kernel[260], 0xabcde00000000fff);
}
END_TEST

START_TEST(fast_root_opens_and_closes)
{
	struct page_info *user = new_page(d), *l3b = new_page(d);

	build();
	page_words(l4)[300] = pte_for(l3, RW);
	page_words(user)[0] = page_words(l4)[0];
	page_words(user)[511] = pte_for(l3b, RW);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(l4).m), 0);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_USER_BASEPTR, page_to_mfn(user).m), 0);
	ck_assert_uint_eq(v->pv.fast_root, 1);
	ck_assert_uint_eq(v->pv.fast_nr, 2);
	root_open_kernel(v);
	audit(d);
	ck_assert_uint_eq(v->pv.root_user[300], pte_for(l3, RW) | OPENED);
	ck_assert_uint_eq(v->pv.root_user[511], OPENED);
	/* A low slot in one root only: not fast until the other follows. */
	ck_assert_int_eq(set_entry(l4, 7, pte_for(l3, RW)), 0);
	ck_assert_uint_eq(v->pv.fast_root, 0);
	ck_assert_int_eq(set_entry(user, 7, pte_for(l3, RW)), 0);
	ck_assert_uint_eq(v->pv.fast_root, 1);
	/* While open: a kernel slot that goes away is gone at once, a user's comes with closing. */
	ck_assert_int_eq(set_entry(l4, 300, 0), 0);
	ck_assert_uint_eq(v->pv.root_user[300], OPENED);
	ck_assert_int_eq(set_entry(user, 511, 0), 0);
	ck_assert_uint_eq(v->pv.fast_root, 0);
	root_close_kernel(v);
	ck_assert_uint_eq(v->pv.root_user[511], 0);
	audit(d);
	/* Leaving the address space while open. */
	ck_assert_int_eq(set_entry(user, 511, pte_for(l3b, RW)), 0);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_USER_BASEPTR, page_to_mfn(user).m), 0);
	ck_assert_uint_eq(v->pv.fast_root, 0);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_USER_BASEPTR, 0), 0);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_USER_BASEPTR, page_to_mfn(user).m), 0);
	ck_assert_uint_eq(v->pv.fast_root, 1);
	root_open_kernel(v);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_USER_BASEPTR, 0), 0);
	ck_assert_uint_eq(v->pv.root_opened, 0);
}
END_TEST

START_TEST(va_mapping_and_flags)
{
	struct page_info *more = new_page(d);

	build();
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(l4).m), 0);
	ck_assert_int_eq(call_update_va(0x3000, pte_for(more, RW), UVMF_INVLPG), 0);
	ck_assert_uint_eq(page_words(l1)[3], pte_for(more, RW));
	ck_assert_uint_eq(types(more), 1);
	ck_assert_int_eq(call_update_va(0x3000, pte_for(more, RO), UVMF_TLB_FLUSH | UVMF_ALL), 0);
	ck_assert_uint_eq(types(more), 0);
	ck_assert_int_eq(call_update_va(0x3000, pte_for(more, RW), UVMF_NONE), 0);
	ck_assert_uint_eq(types(more), 1);
	ck_assert_int_eq(call_update_va(0x3000, 0, UVMF_NONE), 0);
	ck_assert_uint_eq(refs(more), 1);
	ck_assert_int_eq(call_update_va(0x40000000, 0, UVMF_NONE), -EINVAL);
	ck_assert_int_eq(call_update_va(0xffff800000000000, 0, UVMF_NONE), -EINVAL);
	/* PRESERVE_AD keeps what the hardware set. */
	page_words(l1)[0] |= PTE_D | PTE_A;
	ck_assert_int_eq(call_mmu_update(page_to_mfn(l1).m << PAGE_SHIFT | MMU_PT_UPDATE_PRESERVE_AD,
					 pte_for(data, PTE_P | PTE_U)), 0);
	ck_assert_uint_eq(page_words(l1)[0], pte_for(data, RO | PTE_D));
}
END_TEST

START_TEST(plain_memory_can_be_stored_to)
{
	ck_assert_int_eq(set_entry(data, 3, 0x1234567), 0);
	ck_assert_uint_eq(page_words(data)[3], 0x1234567);
	ck_assert_uint_eq(types(data), 0);
	ck_assert_int_eq(call_mmu_update(page_to_mfn(data).m << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 77), 0);
	ck_assert_uint_eq(m2p_get(page_to_mfn(data)), 77);
	ck_assert_int_eq(call_mmu_update(page_to_mfn(new_page(other)).m << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 77), -EINVAL);
}
END_TEST

START_TEST(type_change_flushes_once)
{
	unsigned int before;

	build();
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(l4).m), 0);
	ck_assert_int_eq(set_entry(l1, 0, pte_for(data, RO)), 0);
	before = flushes;
	ck_assert_int_eq(pin(data, 1), 0);
	ck_assert_uint_eq(flushes, before + 1);
	ck_assert_int_eq(unpin(data), 0);
	/* Never walked by anyone since that flush: no other is needed. */
	before = flushes;
	ck_assert_int_eq(set_entry(l1, 0, pte_for(data, RW)), 0);
	ck_assert_uint_eq(flushes, before);
	/* Named by a live table, then not: walked perhaps. */
	ck_assert_int_eq(set_entry(l1, 0, 0), 0);
	ck_assert_int_eq(set_entry(l2, 4, pte_for(data, RW)), 0);
	ck_assert_int_eq(set_entry(l2, 4, 0), 0);
	before = flushes;
	ck_assert_int_eq(set_entry(l1, 0, pte_for(data, RW)), 0);
	ck_assert_uint_eq(flushes, before + 1);
}
END_TEST

/* So many below l2 that its validation is preempted. */
static void many_tables(void)
{
	for (unsigned int i = 0; i < 40; i++) {
		struct page_info *t = new_page(d);

		page_words(t)[i] = pte_for(data, RW);
		page_words(l2)[i + 10] = pte_for(t, RW);
	}
}

START_TEST(preempted_validation_goes_on)
{
	struct page_info *tables[40];
	unsigned int i;

	build();
	for (i = 0; i < 40; i++) {
		tables[i] = new_page(d);
		page_words(tables[i])[i] = pte_for(data, RW);
		page_words(l2)[i + 10] = pte_for(tables[i], RW);
	}
	preempt_one_in = 1;
	ck_assert_int_eq(pin(l4, 4), 0);
	audit(d);
	ck_assert_uint_eq(types(data), 41);
	ck_assert_int_eq(unpin(l4), 0);
	audit(d);
	ck_assert_uint_eq(types(data), 0);
	ck_assert_ptr_null(v->partial_page);
	/* Given up half way: the orphan goes when the page is wanted for something else. */
	ck_assert(get_page(l2, d));
	ck_assert_int_eq(get_page_type(l2, PGT_l2, true), -ERESTART_HC);
	put_page(l2);
	audit(d);
	preempt_one_in = 0;
	ck_assert(l2->type_info & PGT_partial);
	ck_assert_int_eq(set_entry(l2, 0, 4), -EBUSY);
	ck_assert_int_eq(pin(l2, 2), 0);
	ck_assert_int_eq(unpin(l2), 0);
	ck_assert_int_eq(set_entry(l2, 0, 4), 0);
	ck_assert_uint_eq(types(l2), 0);
	audit(d);
	/* Another, left for the teardown. */
	preempt_one_in = 1;
	ck_assert(get_page(l2, d));
	ck_assert_int_eq(get_page_type(l2, PGT_l2, true), -ERESTART_HC);
	put_page(l2);
}
END_TEST

/* As a guest with more than 32 GiB can: it has as many references to a table as there may be, and is preempted there. */
START_TEST(partial_where_all_references_are_used)
{
	uint64_t others;

	build();
	many_tables();
	ck_assert(get_page(l2, d));
	others = 0xf0000001u - (uint32_t)l2->count_info;
	l2->count_info += others;
	ck_assert(!get_page(l2, d));
	preempt_one_in = 1;
	ck_assert_int_eq(get_page_type(l2, PGT_l2, true), -ERESTART_HC);
	ck_assert(l2->type_info & PGT_partial);
	preempt_one_in = 0;
	ck_assert_int_eq(get_page_type(l2, PGT_l2, false), 0);
	preempt_one_in = 1;
	ck_assert_int_eq(put_page_type(l2, true), -ERESTART_HC);
	preempt_one_in = 0;
	ck_assert_int_eq(put_page_type(l2, true), 0);
	ck_assert(!get_page(l2, d));
	l2->count_info -= others;
	put_page(l2);
}
END_TEST

START_TEST(failed_validation_leaves_nothing)
{
	build();
	many_tables();
	page_words(l2)[500] = pte_for(data, RW);
	preempt_one_in = 1;
	ck_assert_int_eq(pin(l4, 4), -EINVAL);
	ck_assert_uint_eq(types(l4) | types(l3) | types(l2) | types(l1) | types(data), 0);
	ck_assert_int_eq(set_entry(l2, 500, 0), 0);
	ck_assert_int_eq(pin(l4, 4), 0);
}
END_TEST

START_TEST(live_entry_drop_is_deferred)
{
	build();
	many_tables();
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(l4).m), 0);
	preempt_one_in = 1;
	ck_assert_int_eq(set_entry(l3, 0, 0), 0);
	ck_assert_ptr_null(v->partial_page);
	ck_assert_uint_eq(types(l2), 0);
	ck_assert_uint_eq(types(data), 0);
	audit(d);
	ck_assert_int_eq(set_entry(l3, 0, pte_for(l2, RW)), 0);
	ck_assert_uint_eq(types(data), 41);
}
END_TEST

START_TEST(descriptors)
{
	uint64_t frames_arg[1], flat = 0x00af9b000000ffffULL;
	struct page_info *gdt = new_page(d);

	page_words(gdt)[2] = flat;
	frames_arg[0] = page_to_mfn(gdt).m;
	ck_assert_int_eq(do_set_gdt((unsigned long)frames_arg, 16), 0);
	ck_assert_uint_eq(page_words(gdt)[2], flat | 3ULL << 45);
	ck_assert_uint_eq(type_of(gdt), PGT_seg_desc);
	audit(d);
	ck_assert_int_eq(do_update_descriptor(page_to_mfn(gdt).m << PAGE_SHIFT | 24, 0x0000890000000067ULL), -EINVAL);
	ck_assert_int_eq(do_update_descriptor(page_to_mfn(gdt).m << PAGE_SHIFT | 24, 0x00008c0000080000ULL), -EINVAL);
	ck_assert_int_eq(do_update_descriptor(page_to_mfn(gdt).m << PAGE_SHIFT | 24, 0x00ef9b000000ffffULL), -EINVAL);
	ck_assert_int_eq(do_update_descriptor(page_to_mfn(gdt).m << PAGE_SHIFT | 24, 0x00cf92000000ffffULL), 0);
	ck_assert_uint_eq(page_words(gdt)[3], 0x00cff3000000ffffULL);
	ck_assert_int_eq(set_entry(gdt, 3, 0), -EBUSY);
	ck_assert_int_eq(do_set_gdt((unsigned long)frames_arg, 14 * 512 + 1), -EINVAL);
	page_words(data)[7] = 0x0000890000000067ULL;
	frames_arg[0] = page_to_mfn(data).m;
	ck_assert_int_eq(do_set_gdt((unsigned long)frames_arg, 16), -EINVAL);
	ck_assert_uint_eq(types(data), 0);
	ck_assert_uint_eq(v->pv.gdt_frames[0], page_to_mfn(gdt).m);
	ck_assert_int_eq(do_set_gdt(0, 0), 0);
	ck_assert_uint_eq(types(gdt), 0);
}
END_TEST

START_TEST(ldt_on_demand)
{
	struct page_info *ldt = new_page(d);
	struct mmuext_op op = { .cmd = MMUEXT_SET_LDT };

	build();
	page_words(ldt)[0] = 0x00cf92000000ffffULL;
	page_words(l1)[9] = pte_for(ldt, RO);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(l4).m), 0);
	op.arg1.linear_addr = 0x9000;
	op.arg2.nr_ents = 512;
	ck_assert_int_eq(do_mmuext_op((unsigned long)&op, 1, 0, DOMID_SELF), 0);
	ck_assert(pv_mmu_fault(guest_regs(), LDT_VIRT + 8, 0));
	ck_assert(!pv_mmu_fault(guest_regs(), LDT_VIRT + 8, 4));
	ck_assert(!pv_mmu_fault(guest_regs(), LDT_VIRT + 4096, 0));
	ck_assert_uint_eq(type_of(ldt), PGT_seg_desc);
	ck_assert_int_eq(set_entry(l1, 9, pte_for(ldt, RW)), -EBUSY);
	audit(d);
	op.arg2.nr_ents = 0;
	ck_assert_int_eq(do_mmuext_op((unsigned long)&op, 1, 0, DOMID_SELF), 0);
	ck_assert_int_eq(set_entry(l1, 9, pte_for(ldt, RW)), 0);
	op.arg1.linear_addr = 0x9001;
	op.arg2.nr_ents = 1;
	ck_assert_int_eq(do_mmuext_op((unsigned long)&op, 1, 0, DOMID_SELF), -EINVAL);
}
END_TEST

START_TEST(grant_entries)
{
	struct page_info *foreign = new_page(other), *mine = new_page(d);
	mfn_t m = page_to_mfn(foreign);

	build();
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(l4).m), 0);
	ck_assert_int_eq(get_page_and_type(foreign, other, PGT_writable), 0);
	ck_assert_int_eq(pv_grant_map_pte(v, 0x8000, false, m, false, 0), 0);
	ck_assert_uint_eq(refs(foreign), 3);
	/* Fewer rights and back: not back. */
	ck_assert_int_eq(call_update_va(0x8000, m.m << PAGE_SHIFT | RO, 0), 0);
	ck_assert_int_eq(call_update_va(0x8000, m.m << PAGE_SHIFT | RW, 0), -EINVAL);
	ck_assert_uint_eq(types(foreign), 1);
	/* No copies. */
	ck_assert_int_eq(call_update_va(0xa000, m.m << PAGE_SHIFT | RO, 0), -EINVAL);
	ck_assert_int_eq(pv_grant_unmap_pte(v, 0x8000, false, page_to_mfn(mine), false, 0), -EINVAL);
	/* A writable mapping does not end with a read-only entry: its own may be elsewhere. */
	ck_assert_int_eq(pv_grant_unmap_pte(v, 0x8000, false, m, false, 0), -EINVAL);
	ck_assert_int_eq(call_update_va(0x8000, 0, 0), 0);
	ck_assert_uint_eq(refs(foreign), 2);
	ck_assert_int_eq(pv_grant_map_pte(v, 0x8000, false, m, false, 0), 0);
	ck_assert_int_eq(pv_grant_unmap_pte(v, 0x8000, false, m, true, 0), -EINVAL);
	ck_assert_int_eq(pv_grant_unmap_pte(v, 0x8000, false, m, false, 0), 0);
	ck_assert_uint_eq(refs(foreign), 2);
	ck_assert_int_eq(pv_grant_map_pte(v, (page_to_mfn(l1).m << PAGE_SHIFT) + 4, true, m, true, 0), -EINVAL);
	ck_assert_int_eq(pv_grant_map_pte(v, page_to_mfn(l1).m << PAGE_SHIFT | 0x40, true, m, true, 0), 0);
	ck_assert_int_eq(call_update_va(0x9000, pte_for(mine, RW), 0), 0);
	ck_assert_int_eq(pv_grant_unmap_pte(v, 0x8000, false, m, true, 0x9000), 0);
	ck_assert_uint_eq(page_words(l1)[8], pte_for(mine, RW));
	ck_assert_uint_eq(page_words(l1)[9], 0);
	/* One left in the tables: teardown drops it. */
	ck_assert_int_eq(pv_grant_map_pte(v, 0xb000, false, m, false, 0), 0);
	audit(d);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_USER_BASEPTR, 0), 0);
	ck_assert_int_eq(set_entry(l1, 11, 0), 0);
	put_page_and_type(foreign);
}
END_TEST

START_TEST(pages_others_hold_outlive_the_domain)
{
	struct domain *z = new_domain(3, 1);
	struct page_info *pg = new_page(z);

	ck_assert_int_eq(get_page_and_type(pg, z, PGT_writable), 0);
	destroy_domain(z, 1);
	ck_assert_uint_eq(z->refcnt, 2);
	put_page_and_type(pg);
	ck_assert_uint_eq(z->refcnt, 1);
	ck_assert_ptr_null(page_owner(pg));
}
END_TEST

START_TEST(reservations)
{
	xen_pfn_t list[4] = { 100, 101, 102, 103 };
	struct xen_memory_reservation r = { .nr_extents = 4, .domid = DOMID_SELF };
	uint64_t tot = d->tot_pages;

	r.extent_start.p = list;
	preempt_one_in = 0;
	ck_assert_int_eq(do_memory_op(XENMEM_populate_physmap, (unsigned long)&r), 4);
	ck_assert_uint_eq(m2p_get(mfn(list[2])), 102);
	ck_assert_uint_eq(d->tot_pages, tot + 4);
	audit(d);
	ck_assert_int_eq(do_memory_op(XENMEM_decrease_reservation, (unsigned long)&r), 4);
	ck_assert_int_eq(do_memory_op(XENMEM_decrease_reservation, (unsigned long)&r), 0);
	ck_assert_uint_eq(d->tot_pages, tot);
	r.domid = 2;
	ck_assert_int_eq(do_memory_op(XENMEM_populate_physmap, (unsigned long)&r), -EPERM);
	r.domid = DOMID_SELF;
	r.extent_order = 10;
	ck_assert_int_eq(do_memory_op(XENMEM_populate_physmap, (unsigned long)&r), 0);
	r.extent_order = 64;
	ck_assert_int_eq(do_memory_op(XENMEM_decrease_reservation, (unsigned long)&r), 0);
	r.extent_order = 9;
	r.nr_extents = 1;
	list[0] = 0x2000;
	ck_assert_int_eq(do_memory_op(XENMEM_populate_physmap, (unsigned long)&r), 1);
	ck_assert_uint_eq(m2p_get(mfn(list[0] + 511)), 0x2000 + 511);
	ck_assert_int_eq(do_memory_op(XENMEM_decrease_reservation, (unsigned long)&r), 1);
	d->max_pages = d->tot_pages + 2;
	r.extent_order = 0;
	r.nr_extents = 4;
	ck_assert_int_eq(do_memory_op(XENMEM_increase_reservation, (unsigned long)&r), 2);
}
END_TEST

START_TEST(executable_frames_are_known)
{
	struct page_info *a = new_page(d), *b = new_page(d), *c = new_page(d);

	build();
	page_words(l1)[0] = pte_for(data, RW | PTE_NX);
	page_words(l1)[1] = pte_for(l1, RO | PTE_NX);
	page_words(l1)[2] = pte_for(a, RO);
	page_words(l1)[3] = pte_for(b, RW | PTE_NX);
	page_words(l1)[4] = pte_for(c, RO | PTE_NX);
	ck_assert_int_eq(pin(l4, 4), 0);
	ck_assert_uint_eq(a->flags, PGF_exec);
	ck_assert_uint_eq(b->flags | c->flags | data->flags | l1->flags, 0);
	/* The right to execute comes later; with another change and without. */
	ck_assert_int_eq(set_entry(l1, 3, pte_for(b, RO)), 0);
	ck_assert_int_eq(set_entry(l1, 4, pte_for(c, RO)), 0);
	ck_assert_uint_eq(b->flags, PGF_exec);
	ck_assert_uint_eq(c->flags, PGF_exec);
	/* It is not forgotten with the last mapping, nor when another domain gets the frame. */
	for (unsigned int i = 2; i < 5; i++)
		ck_assert_int_eq(set_entry(l1, i, 0), 0);
	ck_assert_int_eq(domain_page_steal(d, a), 0);
	ck_assert_int_eq(domain_page_assign(other, a), 0);
	ck_assert_uint_eq(a->flags, PGF_exec);
	code_freed = 0;
	destroy_domain(other, 0);
	ck_assert_uint_eq(code_freed, 1);
	other = new_domain(2, 1);
}
END_TEST

START_TEST(teardown_of_many)
{
	struct domain *t = new_domain(3, 1);
	struct page_info *held[2];
	int err;

	for (int i = 0; i < 700; i++)
		new_page(t);
	ck_assert_ptr_nonnull(domain_page_alloc(t, 9, 0, &err));
	for (int i = 0; i < 2; i++) {
		held[i] = new_page(t);
		ck_assert(get_page(held[i], t));
		new_page(t);
	}
	preempt_one_in = 3;
	destroy_domain(t, 2);
	ck_assert_uint_eq(t->tot_pages, 2);
	put_page(held[1]);
	put_page(held[0]);
	ck_assert_uint_eq(t->tot_pages, 0);
	ck_assert_uint_eq(t->refcnt, 1);
	preempt_one_in = 0;
}
END_TEST

START_TEST(exchange)
{
	xen_pfn_t in[8], out[1] = { 500 };
	struct xen_memory_exchange x = { .in = { .nr_extents = 8, .domid = DOMID_SELF },
					 .out = { .nr_extents = 1, .extent_order = 3, .domid = DOMID_SELF } };
	uint64_t tot, free_then;

	for (int i = 0; i < 8; i++)
		in[i] = page_to_mfn(new_page(d)).m;
	tot = d->tot_pages;
	free_then = free_frames();
	x.in.extent_start.p = in;
	x.out.extent_start.p = out;
	/* One of them in use: nothing happens. */
	ck_assert(get_page(mfn_to_page(mfn(in[5])), d));
	ck_assert_int_eq(do_memory_op(XENMEM_exchange, (unsigned long)&x), -EBUSY);
	put_page(mfn_to_page(mfn(in[5])));
	ck_assert_uint_eq(d->tot_pages, tot);
	audit(d);
	ck_assert_int_eq(do_memory_op(XENMEM_exchange, (unsigned long)&x), 0);
	ck_assert_uint_eq(x.nr_exchanged, 8);
	ck_assert_uint_eq(out[0] % 8, 0);
	ck_assert_uint_eq(m2p_get(mfn(out[0] + 7)), 507);
	ck_assert_uint_eq(d->tot_pages, tot);
	ck_assert_uint_eq(free_frames(), free_then);
	audit(d);
	x.nr_exchanged = 0;
	x.in.nr_extents = 7;
	ck_assert_int_eq(do_memory_op(XENMEM_exchange, (unsigned long)&x), -EINVAL);
}
END_TEST

START_TEST(shared_hypervisor_pages)
{
	void *rw = alloc_hv_page(), *ro = alloc_hv_page();
	uint64_t frame = virt_to_mfn(rw).m;
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

	share_hv_page_with_guest(rw, d, false);
	share_hv_page_with_guest(ro, d, true);
	build();
	ck_assert_int_eq(pin(l4, 4), 0);
	ck_assert_int_eq(set_entry(l1, 20, virt_to_paddr(rw) | RW), 0);
	ck_assert_int_eq(set_entry(l1, 21, virt_to_paddr(ro) | RO), 0);
	ck_assert_int_eq(set_entry(l1, 22, virt_to_paddr(ro) | RW), -EBUSY);
	ck_assert_int_eq(set_entry(l2, 22, virt_to_paddr(rw) | RW), -EBUSY);
	ck_assert_int_eq(set_entry(l2, 22, virt_to_paddr(ro) | RW), -EBUSY);
	r.extent_start.p = &frame;
	ck_assert_int_eq(do_memory_op(XENMEM_decrease_reservation, (unsigned long)&r), 0);
	audit(d);
	unshare_hv_page(ro);
	unshare_hv_page(rw);
	ck_assert_uint_eq(d->xenheap_pages, 2);
	ck_assert_int_eq(set_entry(l1, 21, 0), 0);
	ck_assert_uint_eq(d->xenheap_pages, 1);
	ck_assert_int_eq(unpin(l4), 0);
	ck_assert_uint_eq(d->xenheap_pages, 0);
}
END_TEST

Suite *suite_page_type(void);
Suite *suite_page_type(void)
{
	Suite *s = suite_create("page types");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, pin_counts_everything);
	tcase_add_test(t, no_writable_mapping_of_a_table);
	tcase_add_test(t, hostile_entries);
	tcase_add_test(t, hypervisor_slots_are_emptied);
	tcase_add_test(t, roots_follow);
	tcase_add_test(t, fast_root_opens_and_closes);
	tcase_add_test(t, va_mapping_and_flags);
	tcase_add_test(t, plain_memory_can_be_stored_to);
	tcase_add_test(t, type_change_flushes_once);
	tcase_add_test(t, preempted_validation_goes_on);
	tcase_add_test(t, partial_where_all_references_are_used);
	tcase_add_test(t, failed_validation_leaves_nothing);
	tcase_add_test(t, live_entry_drop_is_deferred);
	tcase_add_test(t, descriptors);
	tcase_add_test(t, ldt_on_demand);
	tcase_add_test(t, grant_entries);
	tcase_add_test(t, pages_others_hold_outlive_the_domain);
	tcase_add_test(t, reservations);
	tcase_add_test(t, exchange);
	tcase_add_test(t, executable_frames_are_known);
	tcase_add_test(t, teardown_of_many);
	tcase_add_test(t, shared_hypervisor_pages);
	suite_add_tcase(s, t);
	return s;
}
