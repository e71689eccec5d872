/* SPDX-License-Identifier: MIT */
/* Both forms of the text. */
#include "cpuid/cpuid.h"
#include "util/err.h"
#include "util/nearest.h"
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64u
#define BITS 32u

/* Keys with a number. max 0: it is the hypervisor's to say. */
static const struct number {
	const char *name;
	uint32_t leaf;
	enum cpuid_reg reg;
	unsigned int shift, width;
	uint32_t max;
} numbers[] = {
	{ "maxleaf", 0, CPUID_EAX, 0, 32, UINT32_MAX }, { "family", 1, CPUID_EAX, 8, 4, 0xf + 0xff },
	{ "model", 1, CPUID_EAX, 4, 4, 0xff }, { "stepping", 1, CPUID_EAX, 0, 4, 0xf }, { "brandid", 1, CPUID_EBX, 0, 8, 0xff },
	{ "clflush", 1, CPUID_EBX, 8, 8, 0xff }, { "procpkg", 4, CPUID_EAX, 26, 6, 0x3f },
	{ "nc", 0x80000008, CPUID_ECX, 0, 8, 0xff }, { "apicidsize", 0x80000008, CPUID_ECX, 12, 4, 0xf },
	{ "proccount", 1, CPUID_EBX, 16, 8, 0 }, { "localapicid", 1, CPUID_EBX, 24, 8, 0 }, { "maxhvleaf", 0x40000000, CPUID_EAX, 0, 8, 0 },
};
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static int edit(struct cpuid_edits *e, uint32_t leaf, uint32_t sub, enum cpuid_reg reg, uint32_t clear, uint32_t set)
{
	size_t i = 0;

	while (i < e->n && (e->e[i].leaf != leaf || e->e[i].sub != sub || e->e[i].reg != reg))
		i++;
	if (i == CPUID_EDITS_MAX)
		return -E2BIG;
	if (i == e->n)
		e->e[e->n++] = (struct cpuid_edit){ .leaf = leaf, .sub = sub, .reg = reg };
	/* What comes later counts. */
	e->e[i].clear = (e->e[i].clear & ~set) | clear;
	e->e[i].set = (e->e[i].set & ~clear) | set;
	return 0;
}

static int edit_bit(struct cpuid_edits *e, const struct cpuid_bit *b, char how)
{
	size_t i;

	if (how == '0' || how == '1')
		return edit(e, b->leaf, b->sub, b->reg, how == '0' ? 1u << b->bit : 0, how == '1' ? 1u << b->bit : 0);
	/* x, k and s: as the node has it, whatever was said before. */
	for (i = 0; i < e->n; i++) {
		if (e->e[i].leaf != b->leaf || e->e[i].sub != b->sub || e->e[i].reg != b->reg)
			continue;
		e->e[i].clear &= ~(1u << b->bit);
		e->e[i].set &= ~(1u << b->bit);
	}
	return 0;
}

static int too_many(const char *key, struct pvctl_error *err)
{
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: more than %u registers", key, CPUID_EDITS_MAX);
}

static int edit_field(struct cpuid_edits *e, const struct number *k, uint32_t sub, unsigned int shift, unsigned int width, uint32_t v)
{
	uint32_t mask = (width == 32 ? UINT32_MAX : (1u << width) - 1) << shift;

	return edit(e, k->leaf, sub, k->reg, mask & ~(v << shift), v << shift);
}

/* Family and model have a low and a high part; the family's is a sum. Each cache says how many cores a package has. */
static int edit_number(struct cpuid_edits *e, const struct number *k, uint32_t v)
{
	int rc;

	if (!strcmp(k->name, "family")) {
		rc = edit_field(e, k, 0, 8, 4, v < 0xf ? v : 0xf);
		return rc ? rc : edit_field(e, k, 0, 20, 8, v < 0xf ? 0 : v - 0xf);
	}
	if (!strcmp(k->name, "model")) {
		rc = edit_field(e, k, 0, 4, 4, v & 0xf);
		return rc ? rc : edit_field(e, k, 0, 16, 4, v >> 4);
	}
	rc = edit_field(e, k, 0, k->shift, k->width, v);
	for (uint32_t sub = 1; !rc && k->leaf == 4 && sub < 4; sub++)
		rc = edit_field(e, k, sub, k->shift, k->width, v);
	return rc;
}

static int number_item(const char *key, const struct number *k, const char *value, struct cpuid_edits *e, struct pvctl_error *err)
{
	unsigned long v;
	char *end;

	if (!k->max)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: %s cannot be set: the hypervisor says it of each vCPU", key, k->name);
	/* As the node has it. */
	if ((value[0] == 'x' || value[0] == 'k' || value[0] == 's') && !value[1])
		return 0;
	errno = 0;
	v = strtoul(value, &end, 0);
	if (value[0] < '0' || value[0] > '9' || *end || errno || v > k->max)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: %s=%.20s: a number from 0 to %u is expected", key, k->name, value, k->max);
	return edit_number(e, k, (uint32_t)v) ? too_many(key, err) : 0;
}

static int unknown(const char *key, const char *word, struct pvctl_error *err)
{
	char (*names)[FEATURE_NAME_MAX] = calloc(FEATURES_MAX, sizeof(*names));
	const char **all = calloc(FEATURES_MAX + NUMBERS, sizeof(*all)), *near;
	size_t n, i;
	int rc;

	if (!names || !all) {
		free(names);
		free(all);
		return err_nomem(err);
	}
	n = feature_names(names);
	for (i = 0; i < n; i++)
		all[i] = names[i];
	for (i = 0; i < NUMBERS; i++)
		all[n++] = numbers[i].name;
	near = nearest_word(word, all, n);
	rc = near ? err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: \"%.40s\" is no feature of a CPU: did you mean \"%s\"?", key, word, near) :
	     err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: \"%.40s\" is no feature of a CPU", key, word);
	free(names);
	free(all);
	return rc;
}

static bool is_bit_value(char c)
{
	return c && strchr("01xks", c);
}

static int item(const char *key, const char *word, struct cpuid_edits *e, struct pvctl_error *err)
{
	const char *eq = strchr(word, '=');
	char name[WORD_MAX];
	struct cpuid_bit b;

	if (!eq || eq == word)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: \"%.40s\" is not FEATURE=VALUE", key, word);
	memcpy(name, word, (size_t)(eq - word));
	name[eq - word] = '\0';
	for (size_t i = 0; i < NUMBERS; i++)
		if (!strcmp(numbers[i].name, name))
			return number_item(key, &numbers[i], eq + 1, e, err);
	if (feature_find(name, &b))
		return unknown(key, name, err);
	if (!is_bit_value(eq[1]) || eq[2])
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: %s=%.20s: one of 0, 1, x, k, s is expected", key, name, eq + 1);
	return edit_bit(e, &b, eq[1]) ? too_many(key, err) : 0;
}

/* The next word up to one of stop, without the blanks around it. 1: no more. */
static int next_word(const char *key, const char **at, const char *stop, char word[WORD_MAX], struct pvctl_error *err)
{
	const char *from = *at, *end;
	size_t len;

	if (!from)
		return 1;
	len = strcspn(from, stop);
	*at = from[len] ? from + len + 1 : NULL;
	for (end = from + len; end > from && (end[-1] == ' ' || end[-1] == '\t'); end--)
		;
	while (from < end && (*from == ' ' || *from == '\t'))
		from++;
	if ((size_t)(end - from) >= WORD_MAX)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: \"%.40s...\" is too long", key, from);
	memcpy(word, from, (size_t)(end - from));
	word[end - from] = '\0';
	return 0;
}

int cpuid_parse_text(const char *key, const char *text, struct cpuid_edits *ret, struct pvctl_error *err)
{
	const char *at = text;
	char word[WORD_MAX];
	int rc = next_word(key, &at, ",", word, err);

	ret->n = 0;
	if (rc < 0)
		return rc;
	if (strcmp(word, "host"))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: \"%.40s\": a text begins with \"host,\", another form is a list", key, text);
	while (!(rc = next_word(key, &at, ",", word, err))) {
		rc = word[0] ? item(key, word, ret, err) : 0;
		if (rc)
			return rc;
	}
	return rc < 0 ? rc : 0;
}

/* ---- the list ---- */
static int leaf_number(const char **at, uint32_t *ret)
{
	char *end;
	unsigned long v;

	if (**at < '0' || **at > '9')
		return -EINVAL;
	errno = 0;
	v = strtoul(*at, &end, 0);
	if (errno || v > UINT32_MAX)
		return -EINVAL;
	*at = end;
	*ret = (uint32_t)v;
	return 0;
}

static int bits(const char *key, const char *word, struct cpuid_bit *b, struct cpuid_edits *e, struct pvctl_error *err)
{
	static const char *const regs[] = { "eax", "ebx", "ecx", "edx" };
	const char *value = word + 4;
	unsigned int r = 0, i;

	while (r < 4 && (strncmp(word, regs[r], 3) || word[3] != '='))
		r++;
	if (r == 4)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: \"%.40s\" is not eax=, ebx=, ecx= or edx=", key, word);
	if (strlen(value) != BITS || strspn(value, "01xks") != BITS)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: \"%.40s\": %u characters 0, 1, x, k or s are expected", key, word, BITS);
	b->reg = (enum cpuid_reg)r;
	for (i = 0; i < BITS; i++) {
		b->bit = BITS - 1 - i;
		if (edit_bit(e, b, value[i]))
			return too_many(key, err);
	}
	return 0;
}

static int leaf_item(const char *key, const char *text, struct cpuid_edits *e, struct pvctl_error *err)
{
	const char *at = text;
	struct cpuid_bit b = { 0 };
	char word[WORD_MAX];
	int rc = leaf_number(&at, &b.leaf);

	if (!rc && *at == ',') {
		at++;
		rc = leaf_number(&at, &b.sub);
	}
	if (rc || *at != ':')
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: \"%.40s\" is not LEAF:REGISTER=BITS or LEAF,SUBLEAF:REGISTER=BITS", key, text);
	at++;
	while (!(rc = next_word(key, &at, ",", word, err))) {
		rc = bits(key, word, &b, e, err);
		if (rc)
			return rc;
	}
	return rc < 0 ? rc : 0;
}

int cpuid_parse_list(const char *key, const char *const *texts, size_t n, struct cpuid_edits *ret, struct pvctl_error *err)
{
	int rc = 0;

	ret->n = 0;
	for (size_t i = 0; i < n && !rc; i++)
		rc = leaf_item(key, texts[i], ret, err);
	return rc;
}

int cpuid_check_text(const char *key, const char *text, struct pvctl_error *err)
{
	struct cpuid_edits e;

	return cpuid_parse_text(key, text, &e, err);
}

int cpuid_check_list(const char *key, const char *const *texts, size_t n, struct pvctl_error *err)
{
	struct cpuid_edits e;

	return cpuid_parse_list(key, texts, n, &e, err);
}
