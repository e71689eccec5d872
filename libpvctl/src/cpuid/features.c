/* SPDX-License-Identifier: MIT */
#include "cpuid/features.h"
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NO_LEAF 0x8fffffffu
#define WORDS (sizeof(words) / sizeof(words[0]))
#define FEATURES (sizeof(features) / sizeof(features[0]))
#define ALIASES (sizeof(aliases) / sizeof(aliases[0]))

/* Where the words of the public featureset come from. Those of MSRs are in no leaf. */
static const struct { uint32_t leaf, sub; enum cpuid_reg reg; } words[] = {
	{ 1, 0, CPUID_EDX }, { 1, 0, CPUID_ECX }, { 0x80000001, 0, CPUID_EDX }, { 0x80000001, 0, CPUID_ECX },
	{ 0xd, 1, CPUID_EAX }, { 7, 0, CPUID_EBX }, { 7, 0, CPUID_ECX }, { 0x80000007, 0, CPUID_EDX },
	{ 0x80000008, 0, CPUID_EBX }, { 7, 0, CPUID_EDX }, { 7, 1, CPUID_EAX }, { 0x80000021, 0, CPUID_EAX },
	{ 7, 1, CPUID_EBX }, { 7, 2, CPUID_EDX }, { 7, 1, CPUID_ECX }, { 7, 1, CPUID_EDX },
	{ NO_LEAF, 0, CPUID_EAX }, { NO_LEAF, 0, CPUID_EDX }, { 0x80000021, 0, CPUID_ECX },
};

#define XEN_CPUFEATURE(name, value) { #name, value },
static const struct { const char *name; unsigned int value; } features[] = {
#include <xen/arch-x86/cpufeatureset.h>
};
#undef XEN_CPUFEATURE

/* Other names of features, and features that the public header has not. */
static const struct { const char *name, *is; struct cpuid_bit bit; } aliases[] = {
	{ "aes", "aesni", { 0 } }, { "altmovcr8", "cr8-legacy", { 0 } }, { "clfsh", "clflush", { 0 } },
	{ "cmplegacy", "cmp-legacy", { 0 } }, { "cmpxchg16", "cx16", { 0 } }, { "cmpxchg8", "cx8", { 0 } },
	{ "cmt", "pqm", { 0 } }, { "est", "eist", { 0 } }, { "ht", "htt", { 0 } }, { "invtsc", "itsc", { 0 } },
	{ "lahfsahf", "lahf-lm", { 0 } }, { "nodeid", "nodeid-msr", { 0 } }, { "sysenter", "sep", { 0 } },
	{ "tm", "tm1", { 0 } }, { "avx512ifma", "avx512-ifma", { 0 } }, { "avx512vbmi", "avx512-vbmi", { 0 } },
	{ "avx512vbmi2", "avx512-vbmi2", { 0 } }, { "pclmuldq", "pclmulqdq", { 0 } }, { "pni", "sse3", { 0 } },
	{ "pdpe1gb", "page1gb", { 0 } }, { "fxsr-opt", "ffxsr", { 0 } }, { "ds-cpl", "dscpl", { 0 } },
	{ "sha-ni", "sha", { 0 } }, { "cr8legacy", "cr8-legacy", { 0 } }, { "avx512vnni", "avx512-vnni", { 0 } },
	{ "avx512bitalg", "avx512-bitalg", { 0 } },
	{ "cntxid", NULL, { 1, 0, CPUID_ECX, 10 } }, { "psn", NULL, { 1, 0, CPUID_EDX, 18 } },
	{ "ia64", NULL, { 1, 0, CPUID_EDX, 30 } }, { "arat", NULL, { 6, 0, CPUID_EAX, 2 } },
	{ "perfctr-core", NULL, { 0x80000001, 0, CPUID_ECX, 23 } }, { "perfctr-nb", NULL, { 0x80000001, 0, CPUID_ECX, 24 } },
	{ "svm-npt", NULL, { 0x8000000a, 0, CPUID_EDX, 0 } }, { "svm-lbrv", NULL, { 0x8000000a, 0, CPUID_EDX, 1 } },
	{ "svm-nrips", NULL, { 0x8000000a, 0, CPUID_EDX, 3 } }, { "svm-tscrate", NULL, { 0x8000000a, 0, CPUID_EDX, 4 } },
	{ "svm-vmcbclean", NULL, { 0x8000000a, 0, CPUID_EDX, 5 } }, { "svm-decode", NULL, { 0x8000000a, 0, CPUID_EDX, 7 } },
	{ "svm-pausefilt", NULL, { 0x8000000a, 0, CPUID_EDX, 10 } },
};

/* As the vendors' manuals say what must be looked for before what: a program may look for the second alone. */
static const struct { const char *name, *needed_by; } needs[] = {
	{ "xsave", "xsaveopt" }, { "xsave", "xsavec" }, { "xsave", "xgetbv1" }, { "xsave", "xsaves" }, { "xsave", "avx" },
	{ "xsave", "lwp" }, { "xsave", "mpx" }, { "xsave", "pku" },
	{ "avx", "avx2" }, { "avx", "fma" }, { "avx", "fma4" }, { "avx", "f16c" }, { "avx", "xop" }, { "avx", "vaes" },
	{ "avx", "vpclmulqdq" }, { "avx2", "avx-vnni" }, { "avx2", "avx512f" },
	{ "avx512f", "avx512dq" }, { "avx512f", "avx512-ifma" }, { "avx512f", "avx512pf" }, { "avx512f", "avx512er" },
	{ "avx512f", "avx512cd" }, { "avx512f", "avx512bw" }, { "avx512f", "avx512vl" }, { "avx512f", "avx512-4vnniw" },
	{ "avx512f", "avx512-4fmaps" }, { "avx512f", "avx512-vpopcntdq" }, { "avx512f", "avx512-vnni" },
	{ "avx512f", "avx512-vp2intersect" }, { "avx512bw", "avx512-vbmi" }, { "avx512bw", "avx512-vbmi2" },
	{ "avx512bw", "avx512-bitalg" }, { "avx512bw", "avx512-bf16" }, { "avx512bw", "avx512-fp16" },
	{ "fxsr", "sse" }, { "fxsr", "ffxsr" }, { "sse", "sse2" }, { "sse", "misalignsse" }, { "sse2", "sse3" },
	{ "sse2", "aesni" }, { "sse2", "pclmulqdq" }, { "sse2", "sha" }, { "sse2", "gfni" }, { "sse3", "ssse3" },
	{ "sse3", "sse4a" }, { "ssse3", "sse4-1" }, { "sse4-1", "sse4-2" }, { "sse4-2", "avx" }, { "aesni", "vaes" },
	{ "pclmulqdq", "vpclmulqdq" }, { "mmx", "mmxext" }, { "mmx", "3dnow" }, { "3dnow", "3dnowext" }, { "lm", "lahf-lm" },
};

static char folded(char c)
{
	return c == '_' || c == '.' ? '-' : (char)tolower((unsigned char)c);
}

static bool same(const char *a, const char *b)
{
	while (*a && folded(*a) == folded(*b)) {
		a++;
		b++;
	}
	return !*a && !*b;
}

/* A word that a newer header has is in no leaf that we know. */
static struct cpuid_bit by_value(unsigned int value)
{
	size_t w = value / 32;

	return w < WORDS ? (struct cpuid_bit){ words[w].leaf, words[w].sub, words[w].reg, value % 32 } :
	       (struct cpuid_bit){ NO_LEAF, (uint32_t)w, CPUID_EAX, value % 32 };
}

int feature_find(const char *name, struct cpuid_bit *ret)
{
	for (size_t i = 0; i < ALIASES; i++) {
		if (!same(aliases[i].name, name))
			continue;
		if (aliases[i].is) {
			name = aliases[i].is;
			break;
		}
		*ret = aliases[i].bit;
		return 0;
	}
	for (size_t i = 0; i < FEATURES; i++) {
		if (!same(features[i].name, name))
			continue;
		*ret = by_value(features[i].value);
		return 0;
	}
	return -ENOENT;
}

static void fold(const char *name, char ret[FEATURE_NAME_MAX])
{
	size_t i = 0;

	for (; name[i] && i < FEATURE_NAME_MAX - 1; i++)
		ret[i] = folded(name[i]);
	ret[i] = '\0';
}

int feature_name(const struct cpuid_bit *b, char ret[FEATURE_NAME_MAX])
{
	struct cpuid_bit f;

	for (size_t i = 0; i < FEATURES; i++) {
		f = by_value(features[i].value);
		if (f.leaf != b->leaf || f.sub != b->sub || f.reg != b->reg || f.bit != b->bit)
			continue;
		fold(features[i].name, ret);
		return 0;
	}
	return -ENOENT;
}

size_t feature_names(char ret[FEATURES_MAX][FEATURE_NAME_MAX])
{
	size_t n = 0;

	_Static_assert(FEATURES + ALIASES <= FEATURES_MAX, "room for all names");
	for (size_t i = 0; i < FEATURES; i++)
		fold(features[i].name, ret[n++]);
	for (size_t i = 0; i < ALIASES; i++)
		fold(aliases[i].name, ret[n++]);
	return n;
}

const char *feature_needs(const char *name, size_t i)
{
	for (size_t k = 0; k < sizeof(needs) / sizeof(needs[0]); k++)
		if (same(needs[k].name, name) && !i--)
			return needs[k].needed_by;
	return NULL;
}
