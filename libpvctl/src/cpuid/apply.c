/* SPDX-License-Identifier: MIT */
/* The edits done to a policy, and what follows from them. */
#include "cpuid/cpuid.h"
#include "util/err.h"
#include <string.h>

#define XSTATE_AVX 4u
#define XSAVE_LEGACY_BYTES 576u  /* the FXSAVE image and the header */
#define AMD_COMMON 0x0183f3ffu   /* of 1.edx, what AMD's 0x80000001.edx repeats */

static xen_cpuid_leaf_t *find(struct hv_policy *p, uint32_t leaf, uint32_t sub)
{
	for (uint32_t i = 0; i < p->n_leaves && i < HV_POLICY_LEAVES; i++) {
		xen_cpuid_leaf_t *l = &p->leaf[i];

		if (l->leaf == leaf && (l->subleaf == sub || (l->subleaf == XEN_CPUID_NO_SUBLEAF && sub == 0)))
			return l;
	}
	return NULL;
}

static uint32_t *reg_of(xen_cpuid_leaf_t *l, enum cpuid_reg reg)
{
	return reg == CPUID_EAX ? &l->a : reg == CPUID_EBX ? &l->b : reg == CPUID_ECX ? &l->c : &l->d;
}

/* What the machine is like: a guest that is told otherwise fools itself alone. */
static bool is_free(const struct cpuid_edit *e)
{
	switch (e->leaf) {
	case 0:
	case 0x80000000:
		return e->reg == CPUID_EAX;
	case 1:
		return e->reg == CPUID_EAX || e->reg == CPUID_EBX;
	case 0x80000008:
		return e->reg == CPUID_EAX || e->reg == CPUID_ECX;
	}
	return e->leaf == 2 || e->leaf == 4 || (e->leaf >= 0x80000002 && e->leaf <= 0x80000006);
}

/* The vendor's name, and how large the state of XSAVE is. */
static bool is_fixed(const struct cpuid_edit *e)
{
	return (e->leaf == 0 && e->reg != CPUID_EAX) || (e->leaf == 0xd && (e->sub != 1 || e->reg != CPUID_EAX));
}

static const char *reg_name(enum cpuid_reg reg)
{
	static const char *const names[] = { "eax", "ebx", "ecx", "edx" };

	return names[reg];
}

static int not_there(const char *key, const struct cpuid_edit *e, uint32_t bits, struct pvctl_error *err)
{
	struct cpuid_bit b = { e->leaf, e->sub, e->reg, (unsigned int)__builtin_ctz(bits) };
	char name[FEATURE_NAME_MAX];

	if (!feature_name(&b, name))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: %s is to be 1, but a guest has it not on this node's CPUs", key, name);
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: bit %u of leaf 0x%x's %s is to be 1, but a guest has it not on this node's CPUs",
	               key, b.bit, e->leaf, reg_name(e->reg));
}

static int apply_one(const char *key, const struct cpuid_edit *e, struct hv_policy *p, struct pvctl_error *err)
{
	xen_cpuid_leaf_t *l = find(p, e->leaf, e->sub);
	uint32_t *r = l ? reg_of(l, e->reg) : NULL, was = r ? *r : 0, now = (was & ~e->clear) | e->set;

	if (now == was)
		return 0;
	if (!r || (!is_free(e) && (now & ~was)))
		return not_there(key, e, now & ~was, err);
	if (is_fixed(e))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: leaf 0x%x's %s cannot be changed", key, e->leaf, reg_name(e->reg));
	/* A lower maximum hides leaves, a higher one finds none. */
	if ((e->leaf == 0 || e->leaf == 0x80000000) && now > was)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: leaf 0x%x is the last one on this node, 0x%x is to be", key, was, now);
	*r = now;
	return 0;
}

static uint32_t *feature_reg(struct hv_policy *p, const char *name, uint32_t *ret_mask)
{
	struct cpuid_bit b;
	xen_cpuid_leaf_t *l = feature_find(name, &b) ? NULL : find(p, b.leaf, b.sub);

	if (!l)
		return NULL;
	*ret_mask = 1u << b.bit;
	return reg_of(l, b.reg);
}

static bool has(struct hv_policy *p, const char *name)
{
	uint32_t mask, *r = feature_reg(p, name, &mask);

	return r && (*r & mask);
}

static void clear_dependents(struct hv_policy *p, const char *name)
{
	const char *other;
	uint32_t mask, *r;

	for (size_t i = 0; (other = feature_needs(name, i)); i++) {
		if (!has(p, other))
			continue;
		r = feature_reg(p, other, &mask);
		*r &= ~mask;
		clear_dependents(p, other);
	}
}

static void clear_xstate(struct hv_policy *p)
{
	xen_cpuid_leaf_t *l;

	for (uint32_t sub = 0; sub < 64; sub++) {
		l = find(p, 0xd, sub);
		if (!l)
			continue;
		if (!has(p, "xsave"))
			l->a = l->b = l->c = l->d = 0;
		else if (sub == 0 && !has(p, "avx") && (l->a & XSTATE_AVX)) {
			l->a &= ~XSTATE_AVX;
			l->b = l->c = XSAVE_LEGACY_BYTES;
		} else if (sub == 1 && !has(p, "avx") && l->b)
			l->b = XSAVE_LEGACY_BYTES;
		else if (sub >= 2 && !has(p, "avx"))
			l->a = l->b = l->c = l->d = 0;
	}
}

#define ROOTS (sizeof(roots) / sizeof(roots[0]))
static const char *const roots[] = { "xsave", "fxsr", "sse", "sse2", "sse3", "ssse3", "sse4-1", "sse4-2", "aesni", "pclmulqdq",
	"avx", "avx2", "avx512f", "avx512bw", "mmx", "3dnow", "lm" };

int cpuid_apply(const char *key, const struct cpuid_edits *e, struct hv_policy *p, struct pvctl_error *err)
{
	xen_cpuid_leaf_t *one = find(p, 1, 0), *ext = find(p, 0x80000001, 0);
	uint32_t edx = one ? one->d : 0;
	bool had[ROOTS];
	size_t i;

	for (i = 0; i < ROOTS; i++)
		had[i] = has(p, roots[i]);
	for (i = 0; i < e->n; i++) {
		int rc = apply_one(key, &e->e[i], p, err);

		if (rc)
			return rc;
	}
	for (i = 0; i < ROOTS; i++)
		if (had[i] && !has(p, roots[i]))
			clear_dependents(p, roots[i]);
	if (one && ext)
		ext->d &= ~(edx & ~one->d & AMD_COMMON);
	clear_xstate(p);
	return 0;
}
