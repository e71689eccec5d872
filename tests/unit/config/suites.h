/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_CONFIG_SUITES_H
#define TESTS_UNIT_CONFIG_SUITES_H

#include <check.h>

TCase *parse_tests(void);
TCase *schema_tests(void);

#endif
