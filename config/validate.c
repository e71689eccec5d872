/* SPDX-License-Identifier: MIT */
#include "config/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct check {
	const struct cfg_file *file;
	struct cfg_diag *diag;
	unsigned int flags;
};

static const struct cfg_source *source_of(const struct check *c, struct cfg_pos pos)
{
	return &c->file->sources[pos.source];
}

#define report(c, severity, where, hint, ...) \
	cfg_report((c)->diag, severity, source_of(c, where), (where).offset, hint, __VA_ARGS__)

/* Nobody is sent to a key that does nothing: those that are ignored are left out. */
static const char *next_key(const void *data, size_t i)
{
	const struct cfg_key *key;

	for (size_t k = 0; (key = cfg_key_at(k)); k++)
		if (key->status != CFG_STATUS_IGNORED && !i--)
			return key->name;
	return NULL;
}

/* What other tools and older ones call it. */
static const char *known_elsewhere(const char *name)
{
	static const struct {
		const char *theirs, *ours;
	} names[] = {
		{ "initrd", "ramdisk" }, { "initramfs", "ramdisk" }, { "image", "kernel" }, { "append", "cmdline" },
		{ "args", "cmdline" }, { "cmd_line", "cmdline" }, { "kernel_args", "cmdline" },
		{ "cpu_cap", "cap" }, { "weight", "cpu_weight" }, { "cpu", "cpus" }, { "affinity", "cpus" },
		{ "max_vcpus", "maxvcpus" }, { "max_memory", "maxmem" }, { "max_mem", "maxmem" }, { "ram", "memory" },
		{ "bootargs", "bootloader_args" }, { "bootentry", "bootloader_args" },
		{ "nics", "vif" }, { "nic", "vif" }, { "network", "vif" }, { "hostname", "name" },
		{ "on_shutdown", "on_poweroff" }, { "on_halt", "on_poweroff" }, { "restart", "on_reboot" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].theirs, name))
			return names[i].ours;
	return NULL;
}

static void check_unknown(const struct check *c, const struct cfg_setting *s)
{
	const char *near = known_elsewhere(s->key) ? known_elsewhere(s->key) : cfg_suggest(s->key, next_key, NULL);
	char hint[96];

	snprintf(hint, sizeof(hint), "did you mean `%s'?", near ? near : "");
	report(c, c->flags & CFG_STRICT ? CFG_ERROR : CFG_WARNING, s->pos, near ? hint : NULL,
	       c->flags & CFG_STRICT ? "unknown key `%.64s'" : "unknown key `%.64s': ignored", s->key);
}

/* disk=[], pci=[], vnc=0, bootloader="" ask for nothing that is missing. */
static bool asks_for_nothing(const struct cfg_key *key, const struct cfg_value *v)
{
	int64_t n;

	if (v->type == CFG_LIST)
		return v->n == 0;
	if (!v->text[0])
		return true;
	return key->kind != CFG_KIND_STRING && !cfg_value_number(v, &n) && n == 0;
}

/* words: with a blank between each two. */
static bool is_word(const char *words, const char *text)
{
	size_t len;

	for (; *words; words += len + (words[len] == ' ')) {
		len = strcspn(words, " ");
		if (strlen(text) == len && !strncmp(words, text, len))
			return true;
	}
	return false;
}

static bool is_as_it_is(const struct cfg_key *key, const struct cfg_value *v)
{
	return key->as_is && v->type != CFG_LIST && is_word(key->as_is, v->text);
}

static void check_number(const struct check *c, const struct cfg_key *key, const struct cfg_value *v)
{
	int64_t n;
	char hint[96];

	if (cfg_value_number(v, &n)) {
		report(c, CFG_ERROR, v->pos, strncmp(key->name, "mem", 3) && strncmp(key->name, "maxmem", 6) ? NULL :
		       "in MiB, without a unit", "`%s' is a number: `%.64s' is none", key->name, v->text);
		return;
	}
	if (n >= key->min && n <= key->max)
		return;
	snprintf(hint, sizeof(hint), "from %" PRId64 " to %" PRId64, key->min, key->max);
	report(c, CFG_ERROR, v->pos, hint, "`%s' is out of range", key->name);
}

struct words {
	char word[8][32];
	size_t n;
};

static void split(struct words *w, const char *text)
{
	for (w->n = 0; *text && w->n < 8; w->n++) {
		size_t len = strcspn(text, " ");

		snprintf(w->word[w->n], sizeof(w->word[0]), "%.*s", (int)len, text);
		text += len + (text[len] == ' ');
	}
}

static const char *next_word(const void *data, size_t i)
{
	const struct words *w = data;

	return i < w->n ? w->word[i] : NULL;
}

static void check_choice(const struct check *c, const struct cfg_key *key, const struct cfg_value *v)
{
	struct words w;
	const char *near;
	char hint[256];

	if (is_word(key->choices, v->text))
		return;
	if (key->later && is_word(key->later, v->text)) {
		report(c, CFG_ERROR, v->pos, key->instead, "%s=\"%s\": not supported yet", key->name, v->text);
		return;
	}
	split(&w, key->choices);
	near = cfg_suggest(v->text, next_word, &w);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean `%s'?", near);
	else
		snprintf(hint, sizeof(hint), "one of: %s", key->choices);
	report(c, CFG_ERROR, v->pos, hint, "`%s' cannot be `%.64s'", key->name, v->text);
}

static void check_text(const struct check *c, const struct cfg_key *key, const struct cfg_value *v)
{
	if (key->max && strlen(v->text) > (size_t)key->max)
		report(c, CFG_ERROR, v->pos, NULL, "`%s' is longer than %" PRId64 " bytes", key->name, key->max);
	else if (key->kind == CFG_KIND_PATH && !v->text[0] && !cfg_may_be_empty(key))
		report(c, CFG_ERROR, v->pos, NULL, "`%s' is empty", key->name);
}

static void check_texts(const struct check *c, const struct cfg_key *key, const struct cfg_value *v)
{
	for (size_t i = 0; v->type == CFG_LIST && i < v->n; i++)
		if (v->items[i].type == CFG_LIST)
			report(c, CFG_ERROR, v->items[i].pos, NULL, "`%s' is a list of texts, not of lists", key->name);
}

static void check_supported(const struct check *c, const struct cfg_key *key, const struct cfg_setting *s)
{
	const struct cfg_value *v = &s->value;

	if (v->type != CFG_LIST && !v->text[0] && cfg_may_be_empty(key))
		return;
	if (key->kind == CFG_KIND_LIST && v->type != CFG_LIST) {
		report(c, CFG_ERROR, v->pos, NULL, "`%s' is a list", key->name);
		return;
	}
	if (key->kind == CFG_KIND_TEXTS || key->kind == CFG_KIND_LIST) {
		check_texts(c, key, v);
		return;
	}
	if (v->type == CFG_LIST) {
		report(c, CFG_ERROR, v->pos, NULL, "`%s' is a %s, not a list", key->name,
		       key->kind == CFG_KIND_NUMBER ? "number" : "text");
		return;
	}
	if (key->kind == CFG_KIND_NUMBER)
		check_number(c, key, v);
	else if (key->kind == CFG_KIND_CHOICE)
		check_choice(c, key, v);
	else
		check_text(c, key, v);
}

static void check_setting(const struct check *c, const struct cfg_setting *s)
{
	const struct cfg_key *key = cfg_key_find(s->key);

	if (!key) {
		check_unknown(c, s);
		return;
	}
	switch (key->status) {
	case CFG_STATUS_SUPPORTED:
		check_supported(c, key, s);
		break;
	case CFG_STATUS_LATER:
		if (!asks_for_nothing(key, &s->value))
			report(c, CFG_ERROR, s->pos, NULL, "%s: not supported yet (%s)", s->key, key->help);
		break;
	case CFG_STATUS_IGNORED:
		if ((key->kind != CFG_KIND_ANY && asks_for_nothing(key, &s->value)) || is_as_it_is(key, &s->value))
			break;
		report(c, c->flags & CFG_STRICT ? CFG_ERROR : CFG_WARNING, s->pos, NULL, "%s: %s (%s)", s->key,
		       c->flags & CFG_STRICT ? "not used" : "ignored", key->help);
		break;
	case CFG_STATUS_OLD:
		check_supported(c, key, s);
		report(c, CFG_NOTE, s->pos, NULL, "%s: %s", s->key, key->help);
		break;
	}
}

/* No message when either is missing or is no number: that has been said. */
static void check_order(const struct check *c, const char *low_key, const char *high_key)
{
	const struct cfg_setting *low = cfg_find(c->file, low_key), *high = cfg_find(c->file, high_key);
	int64_t a, b;

	if (!low || !high || cfg_value_number(&low->value, &a) || cfg_value_number(&high->value, &b) || a <= b)
		return;
	report(c, CFG_ERROR, high->value.pos, NULL, "`%s' is less than `%s' (%" PRId64 ")", high_key, low_key, a);
}

int cfg_validate(const struct cfg_file *file, unsigned int flags, struct cfg_diag *diag)
{
	const struct check c = { file, diag, flags };
	unsigned int before = diag->errors;
	const struct cfg_setting *cmdline = cfg_find(file, "cmdline");

	for (size_t i = 0; i < file->n; i++)
		check_setting(&c, &file->settings[i]);
	check_order(&c, "memory", "maxmem");
	check_order(&c, "vcpus", "maxvcpus");
	if (cmdline && (cfg_find(file, "root") || cfg_find(file, "extra")))
		report(&c, CFG_WARNING, cmdline->pos, NULL, "`root' and `extra' are ignored because `cmdline' is set");
	return diag->errors > before ? -EINVAL : 0;
}
