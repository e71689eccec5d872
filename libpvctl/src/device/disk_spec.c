/* SPDX-License-Identifier: MIT */
#include "device/disk_spec.h"
#include "util/err.h"
#include <stdio.h>
#include <string.h>

enum { GOT_TARGET = 1, GOT_FORMAT = 2, GOT_VDEV = 4, GOT_ACCESS = 8, GOT_TYPE = 16, GOT_BACKEND = 32,
       GOT_BACKENDTYPE = 64, GOT_DISCARD = 128, GOT_SAFE = 256, GOT_TRUST = 512, GOT_SPECIFICATION = 1024, GOT_SCRIPT = 2048, GOT_SECTOR = 4096 };

static const struct {
	const char *name, *driver;
} formats[] = {
	[DISK_RAW] = { "raw", "raw" }, [DISK_QCOW] = { "qcow", "qcow" }, [DISK_QCOW2] = { "qcow2", "qcow2" },
	[DISK_VHD] = { "vhd", "vpc" }, [DISK_QED] = { "qed", "qed" },
};

const char *disk_format_name(enum disk_format f)
{
	return formats[f].name;
}

int disk_format_parse(const char *name, enum disk_format *ret)
{
	for (unsigned int i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strcmp(name, formats[i].name)) {
			*ret = (enum disk_format)i;
			return 0;
		}
	return -EINVAL;
}

const char *disk_format_driver(enum disk_format f)
{
	return formats[f].driver;
}

struct parse {
	struct disk_spec *s;
	struct pvctl_error *err;
	const char *text;
	unsigned int got, position;
};

static int bad(struct parse *p, int code, const char *what, const char *value)
{
	return err_set(p->err, code, PVCTL_ORIGIN_LIB, "disk \"%.500s\": %s%s%.200s%s%s", p->text, what, value ? " \"" : "",
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

	if (rc || !*value)
		return rc;
	if (!disk_format_parse(value, &p->s->format))
		return 0;
	return bad(p, -EINVAL, "format must be raw, qcow, qcow2, vhd or qed, not", value);
}

static int set_type(struct parse *p, const char *value)
{
	int rc = once(p, GOT_TYPE, "devtype");

	if (!rc && !is_one_of(value, "disk cdrom"))
		return bad(p, -EINVAL, "devtype must be disk or cdrom, not", value);
	p->s->cdrom = !strcmp(value, "cdrom");
	return rc;
}

static int set_vdev(struct parse *p, const char *value)
{
	int rc = once(p, GOT_VDEV, "vdev");
	const char *name = value, *type;
	size_t len;

	if (rc)
		return rc;
	/* Old forms that xl takes: who emulates it, and what it is. */
	if (!strncmp(name, "ioemu:", 6))
		name += 6;
	len = strcspn(name, ":");
	type = name[len] ? name + len + 1 : NULL;
	if (len < sizeof(p->s->vdev_name))
		snprintf(p->s->vdev_name, sizeof(p->s->vdev_name), "%.*s", (int)len, name);
	if (len >= sizeof(p->s->vdev_name) || disk_vdev_parse(p->s->vdev_name, &p->s->vdev))
		return bad(p, -EINVAL, "vdev must be like xvda, xvda1, sda, hda, d0p1 or a number, not", value);
	return type ? set_type(p, type) : 0;
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

static int set_backend(struct parse *p, const char *value)
{
	int rc = once(p, GOT_BACKEND, "backend");

	return rc || is_one_of(value, "0 Domain-0 dom0") ? rc : bad(p, -ENOSYS, "backend", value);
}

static int set_backendtype(struct parse *p, const char *value)
{
	int rc = once(p, GOT_BACKENDTYPE, "backendtype");

	if (rc)
		return rc;
	if (is_one_of(value, "tap standalone"))
		return bad(p, -ENOSYS, "backendtype", value);
	if (!is_one_of(value, "phy qdisk"))
		return bad(p, -EINVAL, "backendtype must be phy or qdisk, not", value);
	p->s->backend = value[0] == 'p' ? DISK_BACKEND_PHY : DISK_BACKEND_QDISK;
	return 0;
}

static int set_specification(struct parse *p, const char *value)
{
	int rc = once(p, GOT_SPECIFICATION, "specification");

	if (rc || !strcmp(value, "xen"))
		return rc;
	return !strcmp(value, "virtio") ? bad(p, -ENOSYS, "specification", value) : bad(p, -EINVAL, "specification must be xen, not", value);
}

/* It is run, so that its name must not lead anywhere by surprise. */
static int set_script(struct parse *p, const char *value)
{
	int rc = once(p, GOT_SCRIPT, "script");

	if (rc)
		return rc;
	if (!*value || strlen(value) >= sizeof(p->s->script) ||
	    value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")])
		return bad(p, -EINVAL, "script must be a name like block-nbd, not", value);
	if (strchr(value, '/') && value[0] != '/')
		return bad(p, -EINVAL, "script must be a name or an absolute path, not", value);
	strcpy(p->s->script, value);
	return 0;
}

static int set_sectorsize(struct parse *p, const char *value)
{
	int rc = once(p, GOT_SECTOR, "sectorsize");

	if (rc)
		return rc;
	if (!is_one_of(value, "512 4096"))
		return bad(p, -EINVAL, "sectorsize must be 512 or 4096, not", value);
	p->s->sector_size = value[0] == '5' ? 512 : 4096;
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct parse *p, const char *value);
} keys[] = {
	{ "format", set_format }, { "vdev", set_vdev }, { "access", set_access }, { "devtype", set_type },
	{ "backend", set_backend }, { "backendtype", set_backendtype }, { "specification", set_specification },
	{ "script", set_script }, { "sectorsize", set_sectorsize },
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
	} else if (is_one_of(item, "trusted untrusted")) {
		rc = once(p, GOT_TRUST, "trusted");
		p->s->untrusted = item[0] == 'u';
	} else if (is_one_of(item, "colo no-colo"))
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
	if (!strncmp(item, "grant_usage=", 12) || !strncmp(item, "colo-", 5))
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
		rc = 0;
		if (is_one_of(word, "raw qcow qcow2 vhd")) {
			rc = set_format(p, word);
		} else if (is_one_of(word, "iscsi nbd enbd drbd")) {
			char script[sizeof(word) + 8];

			snprintf(script, sizeof(script), "block-%s", word);
			rc = set_script(p, script);
		} else if (!is_one_of(word, "phy file tap tap2 tapdisk aio ioemu")) {
			return bad(p, -EINVAL, "unknown prefix of target", *item);
		}
		if (rc)
			return rc;
		*item += len + 1;
		any = true;
		/* What follows is the script's. */
		if (p->got & GOT_SCRIPT)
			break;
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

/* A file's name may end with a blank, nothing else does. */
static void trim(char *item)
{
	size_t len = strlen(item);

	while (len && (item[len - 1] == ' ' || item[len - 1] == '\t'))
		item[--len] = '\0';
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
		if (p->position || strchr(item, '='))
			trim(item);
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

/* What does not go together. */
static int check(struct parse *p)
{
	struct disk_spec *s = p->s;

	if (!(p->got & GOT_VDEV))
		return bad(p, -EINVAL, "no vdev is given (xvda, for instance)", NULL);
	if (!s->target[0] && !s->cdrom)
		return bad(p, -EINVAL, "no target is given", NULL);
	if (s->script[0] && !s->target[0])
		return bad(p, -EINVAL, "no target is given for the script", NULL);
	if (s->format != DISK_RAW && (s->script[0] || s->backend == DISK_BACKEND_PHY))
		return bad(p, -EINVAL, s->script[0] ? "what a script provides is raw, not" : "backendtype=phy is for raw, not",
		           disk_format_name(s->format));
	if (s->script[0] && s->backend == DISK_BACKEND_QDISK)
		return bad(p, -EINVAL, "a script is for backendtype=phy", NULL);
	/* There is nothing that it would be the format of. */
	if (!s->target[0] && s->format != DISK_RAW)
		return bad(p, -EINVAL, "a drive without a medium has no format", NULL);
	/* As xl has it, whatever access says. */
	if (s->cdrom)
		s->readonly = true;
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
	return rc ? rc : check(&p);
}

void disk_spec_format(const struct disk_spec *s, char buf[DISK_SPEC_MAX + 1])
{
	static const char *const backends[] = { "", ",backendtype=phy", ",backendtype=qdisk" };
	char sector[24] = "";

	if (s->sector_size)
		snprintf(sector, sizeof(sector), ",sectorsize=%u", s->sector_size);
	snprintf(buf, DISK_SPEC_MAX + 1, "format=%s,vdev=%s,access=%s%s%s%s%s%s%s%s%s,target=%s",
	         disk_format_name(s->format), s->vdev_name, s->readonly ? "ro" : "rw", s->cdrom ? ",cdrom" : "",
	         s->no_discard ? ",no-discard" : "", s->direct_io_safe ? ",direct-io-safe" : "",
	         s->untrusted ? ",untrusted" : "", backends[s->backend], sector, s->script[0] ? ",script=" : "", s->script,
	         s->target);
}
