/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

Suite *suite_page_type(void);
Suite *suite_mmu_random(void);
Suite *suite_ro_emul(void);
Suite *suite_races(void);
Suite *suite_shadow(void);
Suite *suite_domain_pages(void);
Suite *suite_grant_table(void);
Suite *suite_p2m(void);
Suite *suite_p2m_log(void);

int main(void)
{
	SRunner *r = srunner_create(suite_page_type());
	int failed;

	srunner_add_suite(r, suite_domain_pages());
	srunner_add_suite(r, suite_grant_table());
	srunner_add_suite(r, suite_p2m());
	srunner_add_suite(r, suite_p2m_log());
	srunner_add_suite(r, suite_ro_emul());
	srunner_add_suite(r, suite_races());
	srunner_add_suite(r, suite_shadow());
	srunner_add_suite(r, suite_mmu_random());
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
