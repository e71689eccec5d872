/* SPDX-License-Identifier: MIT */
/* The words that entry/bounce.S uses without a further look, and who may write them. */
#include <check.h>
#include <stdlib.h>
#include "pv/bounce.h"
#include "pv/mmu_private.h"

/* The shared shim calls it where the delay build waits. */
void (*shim_hook)(const char *what);

_Thread_local struct cpu_info shim_cpu;
static struct domain dom;
static struct vcpu vcpus[2];
static unsigned int kicks[2];

void softirq_raise_cpu(unsigned int cpu, unsigned int nr) { kicks[cpu] += nr == KICK_SOFTIRQ; }

static void setup(void)
{
	memset(&dom, 0, sizeof(dom));
	memset(vcpus, 0, sizeof(vcpus));
	memset(kicks, 0, sizeof(kicks));
	dom.max_vcpus = 2;
	for (unsigned int i = 0; i < 2; i++) {
		dom.vcpu[i] = &vcpus[i];
		vcpus[i].domain = &dom;
		vcpus[i].vcpu_id = i;
		vcpus[i].processor = i;
		vcpus[i].is_running = true;
		vcpus[i].pv.syscall_cb = 0xffffffff80001000;
		vcpus[i].pv.syscall_mask_events = 1;
		vcpus[i].pv.kernel_sp = 0xffffffff80004000;
	}
	shim_cpu.cur = &vcpus[0];
}

/* Wherever the guest says its stack is: the assembly gets that or nothing, and never an address of ours. */
START_TEST(stack_is_checked)
{
	static const uint64_t ends[] = { 0, 0x1000, 0x00007ffffffff000, 0x0000800000000000, 0xffff7fffffffffff, 0xffff800000000000,
					 HV_VIRT_END - PAGE_SIZE, HV_VIRT_END, 0xffff840000000000, 0xffff830000000000, ~0ULL - 4095,
					 0xffffffff80000000 };
	struct pv_vcpu *p = &vcpus[0].pv;
	unsigned int used = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(ends); i++)
		for (int off = -300; off < 300; off++) {
			p->kernel_sp = ends[i] + (uint64_t)(int64_t)off;
			pv_update_fast_paths();
			if (p->fast_sp == 0)
				continue;
			used++;
			ck_assert_uint_eq(p->fast_sp, p->kernel_sp);
			ck_assert_uint_eq(p->fast_sp % 16, 0);
			/* Seven words below it. */
			ck_assert(guest_range_ok(p->fast_sp - 56, 56));
			ck_assert(p->fast_sp - 56 >= HV_VIRT_END || p->fast_sp <= 0x0000800000000000);
		}
	ck_assert_uint_gt(used, 0);
}
END_TEST

START_TEST(closed)
{
	struct pv_vcpu *p = &vcpus[0].pv;

	pv_update_fast_paths();
	ck_assert(p->fast_sp == p->kernel_sp && p->fast_iret);
	p->in_nmi = 1;
	pv_update_fast_paths();
	ck_assert(p->fast_sp && !p->fast_iret);
	p->in_nmi = 0;
	p->syscall_mask_events = 0;
	pv_update_fast_paths();
	ck_assert(!p->fast_sp && p->fast_iret);
	p->syscall_mask_events = 1;
	p->syscall_cb = 0;
	pv_update_fast_paths();
	ck_assert(!p->fast_sp && p->fast_iret);
}
END_TEST

/* Of another vCPU nothing is touched: it is told. */
START_TEST(assist_of_a_sibling)
{
	struct pv_vcpu *p = &vcpus[1].pv;

	p->fast_sp = 0x1230;
	p->fast_iret = 0x5a;
	for (unsigned int enable = 1; enable <= 2; enable++) {
		p->nmi_pending = PENDING_NMI;
		ck_assert_int_eq(do_vm_assist(enable == 1 ? VMASST_CMD_enable : VMASST_CMD_disable,
					      VMASST_TYPE_architectural_iopl), 0);
		ck_assert_uint_eq(p->fast_sp, 0x1230);
		ck_assert_uint_eq(p->fast_iret, 0x5a);
		ck_assert_uint_eq(p->nmi_pending, PENDING_NMI | PENDING_FAST_PATHS);
		ck_assert_uint_eq(vcpus[0].pv.nmi_pending, PENDING_FAST_PATHS);
		ck_assert_uint_eq(kicks[1], enable);
	}
	/* Nothing changes: nobody is disturbed. */
	ck_assert_int_eq(do_vm_assist(VMASST_CMD_disable, VMASST_TYPE_architectural_iopl), 0);
	ck_assert_uint_eq(kicks[1], 2);
	vcpus[1].is_running = false;
	ck_assert_int_eq(do_vm_assist(VMASST_CMD_enable, VMASST_TYPE_architectural_iopl), 0);
	ck_assert_uint_eq(p->nmi_pending, PENDING_NMI | PENDING_FAST_PATHS);
	ck_assert_uint_eq(kicks[1], 2);
	ck_assert_uint_eq(kicks[0], 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fast_paths");
	TCase *c = tcase_create("fast_paths");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, stack_is_checked);
	tcase_add_test(c, closed);
	tcase_add_test(c, assist_of_a_sibling);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
