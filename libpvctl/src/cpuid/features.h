/* SPDX-License-Identifier: MIT */
/* The names of CPU features, as the public cpufeatureset.h has them and as xl.cfg(5), Linux and libvirt have had them. */
#ifndef CPUID_FEATURES_H
#define CPUID_FEATURES_H

#include <stddef.h>
#include <stdint.h>

enum cpuid_reg { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

struct cpuid_bit {
	uint32_t leaf, sub;  /* sub: 0 where the leaf has none */
	enum cpuid_reg reg;
	unsigned int bit;
};

#define FEATURE_NAME_MAX 32u
#define FEATURES_MAX 512u

/* Capitals do not count; `_', `.' and `-' are the same. -ENOENT. */
int feature_find(const char *name, struct cpuid_bit *ret);
/* In lower case, with `-'. -ENOENT: the bit has no name. */
int feature_name(const struct cpuid_bit *b, char ret[FEATURE_NAME_MAX]);
/* All names there are, for a suggestion; returns how many. */
size_t feature_names(char ret[FEATURES_MAX][FEATURE_NAME_MAX]);
/* A feature that cannot be without `name', i = 0, 1, ...; NULL: no more. */
const char *feature_needs(const char *name, size_t i);

#endif
