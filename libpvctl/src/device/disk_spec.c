/* SPDX-License-Identifier: MIT */
#include "device/disk_spec.h"
#include "util/err.h"
#include <stdio.h>
#include <string.h>

enum { GOT_TARGET = 1, GOT_FORMAT = 2, GOT_VDEV = 4, GOT_ACCESS = 8, GOT_TYPE = 16, GOT_BACKEND = 32,
       GOT_BACKENDTYPE = 64, GOT_DISCARD = 128, GOT_SAFE = 256, GOT_TRUST = 512, GOT_SPECIFICATION = 1024 };

struct parse {
	struct disk_spec *s;
	struct pvctl_error *err;
	const char *text;
	unsigned int got, position;
};

static int bad(struct parse *p, int code, const char *what, const char *value)
{
	return err_set(p->err, code, PVCTL_ORIGIN_LIB, "disk \"%.80s\": %s%s%.60s%s%s", p->text, what, value ? " \"" : "",
	               value ? value : "", value ? "\"" : "", code == -ENOSYS ? " is not supported yet" : "");
}

static int once(struct parse *p, unsigned int bit, const char *name)
{
	char what[48];

	if (!(p->got & bit)) {
		p->got |= bit;
		return 0;
	}
	snprintf(what, sizeof(what), "%s respecified", name);
	return bad(p, -EINVAL, what, NULL);
}

static bool is_one_of(const char *value, const char *words)
{
	size_t n = strlen(value);

	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		if (len == n && !memcmp(at, value, n))
			return true;
		at += len;
	}
	return false;
}

static int set_format(struct parse *p, const char *value)
{
	int rc = once(p, GOT_FORMAT, "format");

	if (rc || !*value || !strcmp(value, "raw"))
		return rc;
	if (is_one_of(value, "qcow qcow2 vhd qed"))
		return bad(p, -ENOSYS, "format", value);
	return bad(p, -EINVAL, "unknown format", value);
}

static int set_vdev(struct parse *p, const char *value)
{
	int rc = once(p, GOT_VDEV, "vdev");

	if (rc)
		return rc;
	if (strlen(value) >= sizeof(p->s->vdev_name) || disk_vdev_parse(value, &p->s->vdev))
		return bad(p, -EINVAL, "vdev must be like xvda, xvda1, sda, hda, d0p1 or a number, not", value);
	strcpy(p->s->vdev_name, value);
	return 0;
}

static int set_access(struct parse *p, const char *value)
{
	int rc = once(p, GOT_ACCESS, "access");

	if (rc)
		return rc;
	if (is_one_of(value, "r ro"))
		p->s->readonly = true;
	else if (!is_one_of(value, "w rw"))
		return bad(p, -EINVAL, "access must be rw, w, ro or r, not", value);
	return 0;
}

static int set_target(struct parse *p, const char *value)
{
	int rc = once(p, GOT_TARGET, "target");

	if (rc)
		return rc;
	if (strlen(value) > DISK_TARGET_MAX)
		return bad(p, -EINVAL, "the target's name is too long", NULL);
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return bad(p, -EINVAL, "the target has a control character in it", NULL);
	strcpy(p->s->target, value);
	return 0;
}

static int set_type(struct parse *p, const char *value)
{
	int rc = once(p, GOT_TYPE, "devtype");

	if (!rc && !is_one_of(value, "disk cdrom"))
		return bad(p, -EINVAL, "devtype must be disk or cdrom, not", value);
	p->s->cdrom = !strcmp(value, "cdrom");
	return rc;
}

static int set_backend(struct parse *p, const char *value)
{
	int rc = once(p, GOT_BACKEND, "backend");

	return rc || is_one_of(value, "0 Domain-0 dom0") ? rc : bad(p, -ENOSYS, "backend", value);
}

/* Which of xl's backends is meant makes no difference here: there is one. */
static int set_backendtype(struct parse *p, const char *value)
{
	int rc = once(p, GOT_BACKENDTYPE, "backendtype");

	if (rc || is_one_of(value, "phy qdisk tap"))
		return rc;
	return bad(p, !strcmp(value, "standalone") ? -ENOSYS : -EINVAL, "backendtype", value);
}

static int set_specification(struct parse *p, const char *value)
{
	int rc = once(p, GOT_SPECIFICATION, "specification");

	if (rc || !strcmp(value, "xen"))
		return rc;
	return bad(p, !strcmp(value, "virtio") ? -ENOSYS : -EINVAL, "specification", value);
}

static const struct {
	const char *key;
	int (*set)(struct parse *p, const char *value);
} keys[] = {
	{ "format", set_format }, { "vdev", set_vdev }, { "access", set_access }, { "devtype", set_type },
	{ "backend", set_backend }, { "backendtype", set_backendtype }, { "specification", set_specification },
};

/* 1: it was one. */
static int flag(struct parse *p, const char *item)
{
	int rc;

	if (!strcmp(item, "cdrom"))
		rc = set_type(p, item);
	else if (is_one_of(item, "discard no-discard")) {
		rc = once(p, GOT_DISCARD, "discard");
		p->s->no_discard = item[0] == 'n';
	} else if (!strcmp(item, "direct-io-safe")) {
		rc = once(p, GOT_SAFE, item);
		p->s->direct_io_safe = true;
	} else if (is_one_of(item, "trusted untrusted"))
		rc = once(p, GOT_TRUST, "trusted");
	else if (!strncmp(item, "colo", 4))
		rc = bad(p, -ENOSYS, "flag", item);
	else
		return 0;
	return rc ? rc : 1;
}

/* 1: it was one. */
static int key_value(struct parse *p, const char *item)
{
	size_t len = strspn(item, "abcdefghijklmnopqrstuvwxyz-_");
	int rc;

	if (!len || item[len] != '=')
		return 0;
	for (unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i].key) == len && !memcmp(keys[i].key, item, len)) {
			rc = keys[i].set(p, item + len + 1);
			return rc ? rc : 1;
		}
	if (!strncmp(item, "script=", 7) || !strncmp(item, "grant_usage=", 12) || !strncmp(item, "colo", 4))
		return bad(p, -ENOSYS, "parameter", item);
	return bad(p, -EINVAL, "unknown parameter", item);
}

/* The old way to say the format, or nothing at all, before the target. */
static int prefixes(struct parse *p, const char **item)
{
	bool any = false;
	char word[16];
	size_t len;
	int rc;

	while (len = strspn(*item, "abcdefghijklmnopqrstuvwxyz0123456789"), len && (*item)[len] == ':') {
		snprintf(word, sizeof(word), "%.*s", (int)(len < sizeof(word) ? len : sizeof(word) - 1), *item);
		if (is_one_of(word, "raw qcow qcow2 vhd")) {
			rc = set_format(p, word);
			if (rc)
				return rc;
		} else if (is_one_of(word, "iscsi nbd enbd drbd")) {
			return bad(p, -ENOSYS, "target", *item);
		} else if (!is_one_of(word, "phy file tap tap2 tapdisk aio ioemu")) {
			return bad(p, -EINVAL, "unknown prefix of target", *item);
		}
		*item += len + 1;
		any = true;
	}
	if (any)
		p->got |= GOT_FORMAT;
	return 0;
}

static int positional(struct parse *p, const char *item)
{
	static int (*const set[])(struct parse *, const char *) = { set_target, set_format, set_vdev, set_access };
	int rc;

	if (p->position >= 4)
		return bad(p, -EINVAL, "too many positional parameters", NULL);
	if (p->position == 0) {
		rc = prefixes(p, &item);
		if (rc)
			return rc;
		p->position = p->got & GOT_FORMAT ? 2 : 1;
		return *item ? set_target(p, item) : 0;
	}
	/* Left empty: as if it were not there. */
	return *item ? set[p->position++](p, item) : (p->position++, 0);
}

static int take_items(struct parse *p, char *rest)
{
	while (rest) {
		char *item = rest + strspn(rest, " \t");
		char *comma;
		int rc;

		/* The only way to name a file with a comma. */
		if (!strncmp(item, "target=", 7))
			return set_target(p, item + 7);
		comma = strchr(item, ',');
		rest = comma ? comma + 1 : NULL;
		if (comma)
			*comma = '\0';
		rc = flag(p, item);
		if (!rc)
			rc = key_value(p, item);
		if (!rc)
			rc = positional(p, item);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int disk_spec_parse(const char *text, struct disk_spec *ret, struct pvctl_error *err)
{
	struct parse p = { .s = ret, .err = err, .text = text };
	char copy[DISK_SPEC_MAX + 1];
	int rc;

	memset(ret, 0, sizeof(*ret));
	if (strlen(text) > DISK_SPEC_MAX)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk \"%.60s...\": longer than %d bytes", text, DISK_SPEC_MAX);
	strcpy(copy, text);
	rc = take_items(&p, copy);
	if (rc)
		return rc;
	if (!(p.got & GOT_VDEV))
		return bad(&p, -EINVAL, "no vdev is given (xvda, for instance)", NULL);
	if (!ret->target[0])
		return ret->cdrom ? bad(&p, -ENOSYS, "an empty drive", NULL) : bad(&p, -EINVAL, "no target is given", NULL);
	if (ret->cdrom) {
		if (p.got & GOT_ACCESS && !ret->readonly)
			return bad(&p, -EINVAL, "a cdrom is read-only", NULL);
		ret->readonly = true;
	}
	return 0;
}

void disk_spec_format(const struct disk_spec *s, char buf[DISK_SPEC_MAX + 1])
{
	snprintf(buf, DISK_SPEC_MAX + 1, "format=raw,vdev=%s,access=%s%s%s%s,target=%s", s->vdev_name,
	         s->readonly ? "ro" : "rw", s->cdrom ? ",cdrom" : "", s->no_discard ? ",no-discard" : "",
	         s->direct_io_safe ? ",direct-io-safe" : "", s->target);
}
