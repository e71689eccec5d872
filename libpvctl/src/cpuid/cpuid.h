/* SPDX-License-Identifier: MIT */
/*
 * cpuid= of a configuration: what a domain sees of the node's CPUs. Two forms,
 * as xl.cfg(5) has them: "host,aes=0,family=6" and
 * ["1:ecx=xxxx0xxx...,edx=...", "7,0:ebx=..."], 32 characters for each register,
 * the highest bit first.
 */
#ifndef CPUID_CPUID_H
#define CPUID_CPUID_H

#include "cpuid/features.h"
#include "hv/state.h"

#define CPUID_EDITS_MAX 128u

struct cpuid_edit {
	uint32_t leaf, sub;
	enum cpuid_reg reg;
	uint32_t clear, set;  /* of no bit both */
};
struct cpuid_edits {
	size_t n;
	struct cpuid_edit e[CPUID_EDITS_MAX];
};

/* Pure: no node is asked. key begins the messages. -EINVAL. */
int cpuid_parse_text(const char *key, const char *text, struct cpuid_edits *ret, struct pvctl_error *err);
int cpuid_parse_list(const char *key, const char *const *texts, size_t n, struct cpuid_edits *ret, struct pvctl_error *err);
/* Of what the node gives to a new domain. -EINVAL: a feature is to be there that is not; p is then half changed. */
int cpuid_apply(const char *key, const struct cpuid_edits *e, struct hv_policy *p, struct pvctl_error *err);

/* For the table of keys. */
int cpuid_check_text(const char *key, const char *text, struct pvctl_error *err);
int cpuid_check_list(const char *key, const char *const *texts, size_t n, struct pvctl_error *err);

#endif
