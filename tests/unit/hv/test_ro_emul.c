/* SPDX-License-Identifier: MIT */
/* The little emulator: against the CPU itself for results and flags, and as a fault handler. */
#include <check.h>
#include <sys/mman.h>
#include "harness.h"
#include "pv/reservation.h"

#define ARITH 0x8d5u

struct sample {
	const char *code;
	unsigned int length, size;
};

/* All with the memory operand at (%rdi), the register operand rcx, the accumulator rax. */
static const struct sample samples[] = {
	{ "\x48\x89\x0f", 3, 8 }, { "\x89\x0f", 2, 4 }, { "\x66\x89\x0f", 3, 2 }, { "\x88\x0f", 2, 1 }, { "\x88\x2f", 2, 1 },
	{ "\x48\xc7\x07\xff\xff\xff\x80", 7, 8 }, { "\xc7\x07\x01\x02\x03\x04", 6, 4 }, { "\xc6\x07\x9a", 3, 1 },
	{ "\x48\x01\x0f", 3, 8 }, { "\x01\x0f", 2, 4 }, { "\x00\x0f", 2, 1 }, { "\x48\x29\x0f", 3, 8 }, { "\x28\x0f", 2, 1 },
	{ "\x48\x21\x0f", 3, 8 }, { "\x48\x09\x0f", 3, 8 }, { "\x48\x31\x0f", 3, 8 }, { "\xf0\x48\x83\x0f\x02", 5, 8 },
	{ "\x48\x83\x27\xfd", 4, 8 }, { "\x48\x81\x07\x00\x00\x00\x80", 7, 8 }, { "\x80\x27\xfd", 3, 1 },
	{ "\x48\x87\x0f", 3, 8 }, { "\x87\x0f", 2, 4 }, { "\x86\x0f", 2, 1 }, { "\xf0\x48\x0f\xb1\x0f", 5, 8 },
	{ "\x0f\xb1\x0f", 3, 4 }, { "\x0f\xb0\x0f", 3, 1 }, { "\xf0\x48\x0f\xc1\x0f", 5, 8 }, { "\x0f\xc0\x0f", 3, 1 },
	{ "\xf0\x48\x0f\xba\x37\x06", 6, 8 }, { "\x48\x0f\xba\x2f\x3f", 5, 8 }, { "\x48\x0f\xba\x3f\x01", 5, 8 },
	{ "\x48\xff\x07", 3, 8 }, { "\x48\xff\x0f", 3, 8 }, { "\x48\xf7\x17", 3, 8 }, { "\x48\xf7\x1f", 3, 8 },
	{ "\x48\x0f\xc3\x0f", 4, 8 }, { "\xf0\x0f\xc7\x0f", 4, 8 },
};

static const uint64_t values[] = { 0, 1, 0x7f, 0x80, 0xff, 0x8000000000000067, 0x7fffffffffffffff, ~0ULL,
				   0x123456789abcdef0, 0x80000000, 0x9a };

/* Runs the bytes on this CPU. */
static void run_native(const struct sample *s, struct cpu_user_regs *r, uint64_t *mem)
{
	static uint8_t *code;
	uint64_t flags = r->rflags;

	if (!code)
		code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(code, s->code, s->length);
	code[s->length] = 0xc3;
	__asm__ volatile("pushq %[f]; popfq; call *%[c]; pushfq; popq %[f]"
			 : [f] "+r"(flags), "+a"(r->rax), "+c"(r->rcx), "+d"(r->rdx), "+b"(r->rbx)
			 : "D"(mem), [c] "r"(code) : "memory", "cc");
	r->rflags = flags;
}

START_TEST(like_the_cpu)
{
	const struct sample *s = &samples[_i];
	struct ro_insn in;

	ck_assert(ro_decode((const uint8_t *)s->code, s->length, &in));
	ck_assert_uint_eq(in.length, s->length);
	ck_assert_uint_eq(in.size, s->size);
	ck_assert(!ro_decode((const uint8_t *)s->code, s->length - 1, &in));
	ck_assert(ro_decode((const uint8_t *)s->code, s->length, &in));
	for (unsigned int a = 0; a < ARRAY_SIZE(values); a++)
		for (unsigned int b = 0; b < ARRAY_SIZE(values); b++)
			for (unsigned int eq = 0; eq < 2; eq++) {
				struct cpu_user_regs soft = { .rax = eq ? values[a] : 0x55, .rcx = values[b], .rbx = 0x77,
							      .rdx = eq ? values[a] >> 32 : 3, .rflags = 0x202 };
				struct cpu_user_regs hard = soft;
				uint64_t mem = values[a], mask = s->size == 8 ? ~0ULL : (1ULL << 8 * s->size) - 1, val;

				run_native(s, &hard, &mem);
				val = ro_execute(&in, &soft, values[a] & mask);
				ck_assert_uint_eq((values[a] & ~mask) | (val & mask), mem);
				ck_assert_uint_eq(soft.rax, hard.rax);
				ck_assert_uint_eq(soft.rcx, hard.rcx);
				ck_assert_uint_eq(soft.rdx, hard.rdx);
				if (in.op == RO_BTS || in.op == RO_BTR || in.op == RO_BTC)
					ck_assert_uint_eq(soft.rflags & 1, hard.rflags & 1);
				else if (in.op == RO_OR || in.op == RO_AND || in.op == RO_XOR) /* AF is undefined */
					ck_assert_uint_eq(soft.rflags & ARITH & ~0x10u, hard.rflags & ARITH & ~0x10u);
				else
					ck_assert_uint_eq(soft.rflags & ARITH, hard.rflags & ARITH);
			}
}
END_TEST

START_TEST(others_are_refused)
{
	static const struct sample bad[] = {
		{ "\x48\x8b\x0f", 3, 0 }, { "\x48\x89\xcf", 3, 0 }, { "\xf3\x48\xab", 3, 0 }, { "\x48\x83\x3f\x01", 4, 0 },
		{ "\x48\x11\x0f", 3, 0 }, { "\xff\x27", 2, 0 }, { "\x0f\x01\x0f", 3, 0 }, { "\x48\x0f\xc7\x0f", 4, 0 },
		{ "\x0f\xba\x27\x01", 4, 0 }, { "\x8f\x07", 2, 0 }, { "\x67\x89\x0f", 3, 0 }, { "", 0, 0 },
		{ "\xc6\x4f\x00\x00", 4, 0 }, { "\x82\x07\x00", 3, 0 },
	};
	struct ro_insn in;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(!ro_decode((const uint8_t *)bad[i].code, bad[i].length, &in), "sample %u", i);
	for (unsigned int i = 0; i < 2000000; i++) {
		uint32_t w[4] = { rnd(), rnd(), rnd(), rnd() };

		if (ro_decode((const uint8_t *)w, rnd() % 16, &in)) {
			struct cpu_user_regs r = { .rflags = 2 };

			ck_assert_uint_le(in.length, 15);
			ro_execute(&in, &r, rnd());
		}
	}
}
END_TEST

START_TEST(addressing_forms)
{
	static const struct sample forms[] = {
		{ "\x48\x89\x4f\x08", 4, 8 }, { "\x48\x89\x8f\x00\x01\x00\x00", 7, 8 }, { "\x48\x89\x0c\x24", 4, 8 },
		{ "\x48\x89\x0c\x25\x00\x10\x00\x00", 8, 8 }, { "\x48\x89\x0d\x00\x10\x00\x00", 7, 8 },
		{ "\x4d\x89\x7c\xc8\x10", 5, 8 }, { "\x48\xc7\x05\x01\x02\x03\x04\x05\x06\x07\x08", 11, 8 },
	};
	struct ro_insn in;

	for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++) {
		ck_assert(ro_decode((const uint8_t *)forms[i].code, forms[i].length, &in));
		ck_assert_uint_eq(in.length, forms[i].length);
	}
	ck_assert(ro_decode((const uint8_t *)"\x4d\x89\x7c\xc8\x10", 5, &in));
	ck_assert_uint_eq(in.reg, 15);
}
END_TEST

START_TEST(a_store_into_a_live_table)
{
	static const uint8_t code[16] = "\x48\x89\x0f";
	struct cpu_user_regs *r = guest_regs();
	struct page_info *l4, *l3, *l2, *l1, *data;
	struct domain *d;

	harness_init();
	d = new_domain(1, 1);
	run_as(d->vcpu[0], 0);
	l4 = new_page(d), l3 = new_page(d), l2 = new_page(d), l1 = new_page(d), data = new_page(d);
	page_words(l4)[0] = pte_for(l3, PTE_P | PTE_W);
	page_words(l3)[0] = pte_for(l2, PTE_P | PTE_W);
	page_words(l2)[0] = pte_for(l1, PTE_P | PTE_W);
	page_words(l1)[1] = pte_for(l1, PTE_P);
	page_words(l1)[2] = pte_for(l4, PTE_P);
	page_words(l1)[3] = pte_for(data, PTE_P);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(l4).m), 0);

	memset(r, 0, sizeof(*r));
	r->cs = FLAT_KERNEL_CS64;
	r->rip = (uint64_t)code;
	r->rcx = pte_for(data, PTE_P | PTE_W);
	ck_assert(pv_mmu_fault(r, 0x1000 + 8 * 9, 7));
	ck_assert_uint_eq(r->rip, (uint64_t)code + 3);
	ck_assert_uint_eq(page_words(l1)[9], pte_for(data, PTE_P | PTE_W | PTE_U));
	audit(d);
	/* Not what an entry may be, not in kernel mode, not a table, not a write, and misaligned. */
	r->rip = (uint64_t)code;
	r->rcx = pte_for(l1, PTE_P | PTE_W);
	ck_assert(!pv_mmu_fault(r, 0x1000 + 8 * 9, 7));
	ck_assert_uint_eq(r->rip, (uint64_t)code);
	r->rcx = 0;
	ck_assert(!pv_mmu_fault(r, 0x1000 + 8 * 9 + 4, 7));
	ck_assert(!pv_mmu_fault(r, 0x3000, 7));
	d->vcpu[0]->pv.kernel_mode = 0;
	ck_assert(!pv_mmu_fault(r, 0x1000 + 8 * 9, 7));
	d->vcpu[0]->pv.kernel_mode = 1;
	/* Allowed by the tables: spurious. */
	ck_assert(pv_mmu_fault(r, 0x1000, 5));
	ck_assert(!pv_mmu_fault(r, 0x5000, 5));
	/* An L4 too, its roots included. */
	r->rcx = pte_for(l3, PTE_P | PTE_W);
	ck_assert(pv_mmu_fault(r, 0x2000 + 8 * 400, 7));
	ck_assert_uint_eq(d->vcpu[0]->pv.root_kernel[400], pte_for(l3, PTE_P | PTE_W | PTE_U));
	r->rip = (uint64_t)code;
	ck_assert(!pv_mmu_fault(r, 0x2000 + 8 * 260, 7));
	audit(d);
	destroy_domain(d, 0);
}
END_TEST

static struct page_info *outrun_table;
static unsigned int looks, looks_with_work_left;

/* Another CPU changes the entry between the look at it and the store, each time. */
static void change_the_entry(const char *what)
{
	if (strcmp(what, "table: owner seen"))
		return;
	looks++;
	looks_with_work_left += current->partial_page != NULL;
	page_words(outrun_table)[9] = (uint64_t)(looks % 8) << 9;
}

/*
 * What a try took and has to give back may be a large table, whose end was
 * preempted. The next try would have no place to note the same of another, and
 * take that one down in one go.
 */
START_TEST(a_store_that_is_outrun_leaves_one_piece_of_work)
{
	static const uint8_t code[16] = "\x48\x89\x0f";
	struct cpu_user_regs *r = guest_regs();
	struct page_info *l4, *l3, *l2, *l1, *large;
	struct domain *d;
	unsigned int i;

	harness_init();
	d = new_domain(1, 1);
	run_as(d->vcpu[0], 0);
	l4 = new_page(d), l3 = new_page(d), l2 = new_page(d), l1 = new_page(d), large = new_page(d);
	page_words(l4)[0] = pte_for(l3, PTE_P | PTE_W);
	page_words(l3)[0] = pte_for(l2, PTE_P | PTE_W);
	page_words(l2)[0] = pte_for(l1, PTE_P | PTE_W);
	page_words(l1)[1] = pte_for(l3, PTE_P);
	for (i = 0; i < 5; i++)
		page_words(large)[i] = pte_for(new_page(d), PTE_P | PTE_W);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(l4).m), 0);

	memset(r, 0, sizeof(*r));
	r->cs = FLAT_KERNEL_CS64;
	r->rip = (uint64_t)code;
	r->rcx = pte_for(large, PTE_P | PTE_W);
	outrun_table = l3;
	looks = looks_with_work_left = 0;
	shim_hook = change_the_entry;
	preempt_one_in = 1;
	for (i = 0; i < 100 && !d->vcpu[0]->partial_page; i++)
		ck_assert(pv_mmu_fault(r, 0x1000 + 8 * 9, 7));
	shim_hook = NULL;
	preempt_one_in = 0;
	ck_assert_ptr_eq(d->vcpu[0]->partial_page, large);
	ck_assert_uint_gt(looks, 0);
	ck_assert_uint_eq(looks_with_work_left, 0);
	ck_assert_uint_eq(r->rip, (uint64_t)code);
	/* It runs again, and nobody is in its way. */
	ck_assert(pv_mmu_fault(r, 0x1000 + 8 * 9, 7));
	ck_assert_uint_eq(page_words(l3)[9], pte_for(large, PTE_P | PTE_W | PTE_U));
	audit(d);
	destroy_domain(d, 0);
}
END_TEST

static struct page_info *given_up, *mapped_by;
static struct domain *next_owner;

/* Another CPU unmaps and unpins the table, and gives the frame back; another domain has it next, and writes to it. */
static void give_the_table_up(const char *what)
{
	struct page_info *pg;

	if (strcmp(what, "store: its own table, seen"))
		return;
	shim_hook = NULL;
	ck_assert_int_eq(set_entry(mapped_by, 1, 0), 0);
	ck_assert_int_eq(unpin(given_up), 0);
	ck_assert_int_eq(memory_release_page(current->domain, page_to_mfn(given_up).m), 0);
	pg = new_page(next_owner);
	page_words(pg)[9] = 0x5ec2e7;
}

/* lock xadd %rcx, (%rdi): of 0 it changes nothing, and reads. */
START_TEST(a_table_given_up_meanwhile_is_not_read)
{
	static const uint8_t code[16] = "\xf0\x48\x0f\xc1\x0f";
	struct cpu_user_regs *r = guest_regs();
	struct page_info *l4, *l3, *l2, *l1;
	struct domain *d;

	harness_init();
	d = new_domain(1, 1);
	next_owner = new_domain(2, 1);
	run_as(d->vcpu[0], 0);
	/* The first free frame, so that it is the next to be had. */
	given_up = new_page(d);
	l4 = new_page(d), l3 = new_page(d), l2 = new_page(d), l1 = new_page(d);
	page_words(l4)[0] = pte_for(l3, PTE_P | PTE_W);
	page_words(l3)[0] = pte_for(l2, PTE_P | PTE_W);
	page_words(l2)[0] = pte_for(l1, PTE_P | PTE_W);
	page_words(l1)[1] = pte_for(given_up, PTE_P);
	page_words(given_up)[9] = 0x77000;
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(l4).m), 0);
	ck_assert_int_eq(pin(given_up, 1), 0);

	memset(r, 0, sizeof(*r));
	r->cs = FLAT_KERNEL_CS64;
	r->rip = (uint64_t)code;
	mapped_by = l1;
	shim_hook = give_the_table_up;
	(void)pv_mmu_fault(r, 0x1000 + 8 * 9, 7);
	ck_assert_ptr_null(shim_hook);
	ck_assert_uint_ne(r->rcx, 0x5ec2e7);
	audit(d);
	audit(next_owner);
	destroy_domain(next_owner, 0);
	destroy_domain(d, 0);
}
END_TEST

Suite *suite_ro_emul(void);
Suite *suite_ro_emul(void)
{
	Suite *s = suite_create("read-only emulation");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, like_the_cpu, 0, ARRAY_SIZE(samples));
	tcase_add_test(t, others_are_refused);
	tcase_add_test(t, addressing_forms);
	tcase_add_test(t, a_store_into_a_live_table);
	tcase_add_test(t, a_store_that_is_outrun_leaves_one_piece_of_work);
	tcase_add_test(t, a_table_given_up_meanwhile_is_not_read);
	suite_add_tcase(s, t);
	return s;
}
