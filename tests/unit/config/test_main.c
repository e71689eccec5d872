/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "tests/unit/config/suites.h"

int main(void)
{
	Suite *suite = suite_create("config");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, parse_tests());
	suite_add_tcase(suite, schema_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
