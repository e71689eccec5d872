/* SPDX-License-Identifier: MIT */
/*
 * The text of a volume group: name = value, name = [ list ], name { ... }, # comments. Nothing is kept of it but
 * pointers into it; each look-up walks the one section that it asks, so that the time is linear in the text for
 * each of a few names.
 */
#include "bootloader/lvm_text.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SECTOR 512u
#define MAX_LOOK (32u << 20) /* bytes walked over, in all: a text with thousands of sections is not a boot disk's */

struct span { const char *at, *end; };
struct item { struct span name, value; bool section; };
struct group {
	const struct lvm_pv *pv;
	struct span name, id;
	struct span here;          /* this physical volume's name in the group */
	uint64_t extent_bytes, pe_start, pe_count;
	size_t looked;
};

static void skip_space(struct span *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r' || *s->at == '#')) {
		if (*s->at == '#')
			while (s->at < s->end && *s->at != '\n')
				s->at++;
		else
			s->at++;
	}
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_.+-/", c));
}

/* Past a string's closing quote. */
static bool skip_string(struct span *s)
{
	for (s->at++; s->at < s->end && *s->at != '"'; s->at++)
		if (*s->at == '\\')
			s->at++;
	if (s->at >= s->end)
		return false;
	s->at++;
	return true;
}

/* Past what closes `open', which is what s is at: of brackets within, only the same kind counts. */
static bool skip_nested(struct span *s, char open, char close)
{
	unsigned int depth = 0;

	while (s->at < s->end) {
		if (*s->at == '"') {
			if (!skip_string(s))
				return false;
			continue;
		}
		if (*s->at == '#') {
			skip_space(s);
			continue;
		}
		if (*s->at == open)
			depth++;
		if (*s->at++ == close && --depth == 0)
			return true;
	}
	return false;
}

/* The next of a section. 1: there is one, 0: none, -EINVAL. */
static int next_item(struct span *s, struct item *ret)
{
	bool ok;

	skip_space(s);
	if (s->at >= s->end || !*s->at)
		return 0;
	ret->name.at = s->at;
	while (s->at < s->end && is_word(*s->at))
		s->at++;
	ret->name.end = s->at;
	if (ret->name.at == ret->name.end)
		return -EINVAL;
	skip_space(s);
	if (s->at >= s->end || (*s->at != '=' && *s->at != '{'))
		return -EINVAL;
	ret->section = *s->at == '{';
	if (!ret->section) {
		s->at++;
		skip_space(s);
	}
	ret->value.at = s->at;
	if (s->at >= s->end)
		return -EINVAL;
	if (ret->section) {
		ok = skip_nested(s, '{', '}');
	} else if (*s->at == '[') {
		ok = skip_nested(s, '[', ']');
	} else if (*s->at == '"') {
		ok = skip_string(s);
	} else {
		while (s->at < s->end && is_word(*s->at))
			s->at++;
		ok = s->at > ret->value.at;
	}
	if (!ok)
		return -EINVAL;
	ret->value.end = s->at;
	if (ret->section || *ret->value.at == '"' || *ret->value.at == '[') {
		ret->value.at++;
		ret->value.end--;
	}
	return 1;
}

static bool is(struct span s, const char *text)
{
	return (size_t)(s.end - s.at) == strlen(text) && !memcmp(s.at, text, strlen(text));
}

static bool same(struct span a, struct span b)
{
	return a.end - a.at == b.end - b.at && !memcmp(a.at, b.at, (size_t)(a.end - a.at));
}

static int find(struct group *g, struct span in, const char *name, bool section, struct span *ret)
{
	struct item it;
	int rc;

	g->looked += (size_t)(in.end - in.at);
	if (g->looked > MAX_LOOK)
		return -E2BIG;
	while ((rc = next_item(&in, &it)) == 1)
		if (it.section == section && is(it.name, name)) {
			*ret = it.value;
			return 0;
		}
	return rc ? rc : -ENOENT;
}

static int find_number(struct group *g, struct span in, const char *name, uint64_t max, uint64_t *ret)
{
	struct span v;
	uint64_t n = 0;
	int rc = find(g, in, name, false, &v);

	if (rc)
		return rc;
	for (; v.at < v.end && n <= max; v.at++) {
		if (*v.at < '0' || *v.at > '9')
			return -EINVAL;
		n = n * 10 + (uint64_t)(*v.at - '0');
	}
	if (n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

/* The next string or word of a list. */
static bool next_of_list(struct span *list, struct span *ret)
{
	while (list->at < list->end && (*list->at == ',' || *list->at == ' ' || *list->at == '\t' || *list->at == '\n'))
		list->at++;
	if (list->at >= list->end)
		return false;
	ret->at = list->at;
	if (*list->at == '"') {
		ret->at++;
		if (!skip_string(list))
			return false;
		ret->end = list->at - 1;
		return true;
	}
	while (list->at < list->end && is_word(*list->at))
		list->at++;
	ret->end = list->at;
	return ret->end > ret->at;
}

static bool list_has(struct span list, const char *what)
{
	struct span s;

	while (next_of_list(&list, &s))
		if (is(s, what))
			return true;
	return false;
}

static bool is_id(struct span id, const char bare[32])
{
	unsigned int n = 0;

	for (; id.at < id.end; id.at++)
		if (*id.at != '-' && (n == 32 || bare[n++] != *id.at))
			return false;
	return n == 32;
}

/* The section of this physical volume. */
static int find_pv(struct group *g, struct span text)
{
	struct span pvs, id;
	struct item it;
	int rc = find(g, text, "physical_volumes", true, &pvs);

	while (!rc && (rc = next_item(&pvs, &it)) == 1) {
		rc = it.section ? find(g, it.value, "id", false, &id) : -ENOENT;
		if (rc || !is_id(id, g->pv->id)) {
			rc = rc == -ENOENT ? 0 : rc;
			continue;
		}
		g->here = it.name;
		rc = find_number(g, it.value, "pe_start", INT64_MAX / SECTOR, &g->pe_start);
		rc = rc ? rc : find_number(g, it.value, "pe_count", UINT32_MAX, &g->pe_count);
		g->pe_start *= SECTOR;
		if (!rc && (g->pe_start > g->pv->bytes || g->pe_count > (g->pv->bytes - g->pe_start) / g->extent_bytes))
			rc = -EINVAL;
		return rc == -ENOENT ? -EINVAL : rc;
	}
	return rc ? rc : -EINVAL;
}

/* One segment, which is to follow on what there is already. */
static int add_segment(struct group *g, struct span seg, struct lvm_volume *v)
{
	uint64_t start, count, stripes, first = 0;
	struct span type, list, pv, number;
	int rc = find_number(g, seg, "start_extent", UINT32_MAX, &start);

	rc = rc ? rc : find_number(g, seg, "extent_count", UINT32_MAX, &count);
	rc = rc ? rc : find(g, seg, "type", false, &type);
	if (rc)
		return rc;
	if (!is(type, "striped") && !is(type, "linear")) {
		v->refused = is(type, "thin") || is(type, "thin-pool") ? "thin" : is(type, "snapshot") ? "a snapshot" :
			     is(type, "cache") ? "cached" : is(type, "error") || is(type, "zero") ? "not on a disk" : "of a kind that is not linear";
		return 0;
	}
	rc = find_number(g, seg, "stripe_count", UINT32_MAX, &stripes);
	rc = rc ? rc : find(g, seg, "stripes", false, &list);
	if (rc)
		return rc;
	if (stripes != 1) {
		v->refused = "striped";
		return 0;
	}
	if (!next_of_list(&list, &pv) || !next_of_list(&list, &number))
		return -EINVAL;
	if (!same(pv, g->here)) {
		v->refused = "on another disk, in part or as a whole";
		return 0;
	}
	for (; number.at < number.end; number.at++) {
		if (*number.at < '0' || *number.at > '9' || first > UINT32_MAX)
			return -EINVAL;
		first = first * 10 + (uint64_t)(*number.at - '0');
	}
	if (!count || first > g->pe_count || count > g->pe_count - first || start * g->extent_bytes != v->bytes)
		return -EINVAL;
	v->piece[v->n_pieces++] = (struct lvm_piece){ v->bytes, count * g->extent_bytes,
						      g->pv->offset + g->pe_start + first * g->extent_bytes };
	v->bytes += count * g->extent_bytes;
	return v->bytes > LVM_MAX_BYTES ? -E2BIG : 0;
}

static int add_segments(struct group *g, struct span lv, struct lvm_volume *v)
{
	uint64_t n, i;
	struct span seg;
	char name[32];
	int rc = find_number(g, lv, "segment_count", UINT32_MAX, &n);

	if (!rc && n > LVM_MAX_PIECES)
		v->refused = "in too many pieces";
	for (i = 1; !rc && !v->refused && i <= n; i++) {
		snprintf(name, sizeof(name), "segment%u", (unsigned int)i);
		rc = find(g, lv, name, true, &seg);
		rc = rc ? rc : add_segment(g, seg, v);
	}
	if (!rc && !v->refused && !v->bytes)
		rc = -EINVAL;
	return rc;
}

static int len_of(struct span s)
{
	return (int)(s.end - s.at);
}

static bool put_names(const struct group *g, struct span name, struct span id, struct lvm_volume *v)
{
	const struct span parts[2] = { g->name, name };
	size_t n = strlen(strcpy(v->grub, "lvm/"));

	if (len_of(g->name) + len_of(name) > 250 || len_of(id) > 38 || len_of(g->id) > 38)
		return false;
	snprintf(v->name, sizeof(v->name), "%.*s/%.*s", len_of(g->name), g->name.at, len_of(name), name.at);
	snprintf(v->grub_id, sizeof(v->grub_id), "lvmid/%.*s/%.*s", len_of(g->id), g->id.at, len_of(id), id.at);
	for (int i = 0; i < 2; i++) {
		for (const char *p = parts[i].at; p < parts[i].end && n + 4 < sizeof(v->grub); p++) {
			v->grub[n++] = *p;
			if (*p == '-')
				v->grub[n++] = '-';
		}
		if (!i)
			v->grub[n++] = '-';
	}
	v->grub[n] = '\0';
	return true;
}

static int add_volume(struct group *g, const struct item *it, struct lvm_volume *v, bool *ret_seen)
{
	struct span id, status, word;
	int rc = find(g, it->value, "status", false, &status);

	*ret_seen = !rc && list_has(status, "VISIBLE");
	if (rc || !*ret_seen)
		return rc;
	memset(v, 0, sizeof(*v));
	rc = find(g, it->value, "id", false, &id);
	if (rc || !put_names(g, it->name, id, v))
		return rc ? rc : -EINVAL;
	while (next_of_list(&status, &word))
		if (!is(word, "READ") && !is(word, "WRITE") && !is(word, "VISIBLE") && !is(word, "FIXED_MINOR"))
			v->refused = "in a state that is not known here";
	return v->refused ? 0 : add_segments(g, it->value, v);
}

int lvm_text_read(const char *text, size_t len, const struct lvm_pv *pv, struct lvm_volume ret[LVM_MAX_VOLUMES], unsigned int *ret_n)
{
	struct span all = { text, text + len }, lvs;
	struct group g = { .pv = pv };
	struct item vg, it;
	bool seen;
	int rc = next_item(&all, &vg);

	*ret_n = 0;
	if (rc != 1 || !vg.section)
		return rc < 0 ? rc : -EINVAL;
	g.name = vg.name;
	rc = find(&g, vg.value, "id", false, &g.id);
	rc = rc ? rc : find_number(&g, vg.value, "extent_size", UINT32_MAX, &g.extent_bytes);
	g.extent_bytes *= SECTOR;
	if (!rc && !g.extent_bytes)
		rc = -EINVAL;
	rc = rc ? rc : find_pv(&g, vg.value);
	/* A group without volumes has no such section. */
	if (!rc && find(&g, vg.value, "logical_volumes", true, &lvs))
		return 0;
	while (!rc && (rc = next_item(&lvs, &it)) == 1) {
		if (*ret_n == LVM_MAX_VOLUMES)
			return 0;
		rc = it.section ? add_volume(&g, &it, &ret[*ret_n], &seen) : -EINVAL;
		if (!rc && seen)
			++*ret_n;
	}
	/* What an origin's blocks are worth while a snapshot goes back into it, the device mapper knows alone. */
	for (unsigned int i = 0; memmem(text, len, "merging_store", 13) && i < *ret_n; i++)
		ret[i].refused = "perhaps being merged with a snapshot";
	if (rc < 0)
		*ret_n = 0;
	return rc == -ENOENT ? -EINVAL : rc;
}
