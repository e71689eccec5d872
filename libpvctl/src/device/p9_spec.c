/* SPDX-License-Identifier: MIT */
#include "device/p9_spec.h"
#include "device/items.h"
#include "util/err.h"
#include <stdio.h>
#include <string.h>

static int set_tag(struct item_parse *p, const char *value)
{
	struct p9_spec *s = p->spec;

	return items_text(p, "tag", value, s->tag, P9_TAG_MAX);
}

static int set_path(struct item_parse *p, const char *value)
{
	struct p9_spec *s = p->spec;

	return items_text(p, "path", value, s->path, P9_PATH_MAX);
}

static int set_model(struct item_parse *p, const char *value)
{
	if (!strcmp(value, "none"))
		return 0;
	return items_bad(p, -EINVAL, "security_model must be none, not", value);
}

static int set_backend(struct item_parse *p, const char *value)
{
	if (!strcmp(value, "0") || !strcmp(value, "Domain-0") || !strcmp(value, "dom0"))
		return 0;
	return items_bad(p, -ENOSYS, "backend", value);
}

static int set_readonly(struct item_parse *p, const char *value)
{
	struct p9_spec *s = p->spec;
	uint32_t n;
	int rc = items_number(p, "readonly", value, 0, 1, &n);

	if (!rc)
		s->readonly = n;
	return rc;
}

static int set_devid(struct item_parse *p, const char *value)
{
	struct p9_spec *s = p->spec;

	s->has_devid = true;
	return items_number(p, "devid", value, 0, P9_MAX_SHARES - 1, &s->devid);
}

/* Which of xl's servers is meant makes no difference here: there is one. */
static int set_type(struct item_parse *p, const char *value)
{
	if (!strcmp(value, "qemu") || !strcmp(value, "xen_9pfsd"))
		return 0;
	return items_bad(p, -EINVAL, "type must be qemu or xen_9pfsd, not", value);
}

/* The limits of xen_9pfsd: 0 is none, which is what there is. */
static int set_limit(struct item_parse *p, const char *value)
{
	if (!strcmp(value, "0"))
		return 0;
	return items_bad(p, -ENOSYS, "a limit (max-files, max-open-files, max-space, auto-delete) other than 0,", value);
}

static const struct item_key keys[] = {
	{ "tag", set_tag }, { "path", set_path }, { "security_model", set_model }, { "backend", set_backend },
	{ "readonly", set_readonly }, { "devid", set_devid }, { "type", set_type }, { "max-files", set_limit },
	{ "max-open-files", set_limit }, { "max-space", set_limit }, { "auto-delete", set_limit },
};

int p9_spec_parse(const char *text, struct p9_spec *ret, struct pvctl_error *err)
{
	struct item_parse p = { .what = "p9", .text = text, .keys = keys, .nr_keys = sizeof(keys) / sizeof(keys[0]),
	                        .spec = ret, .err = err };
	int rc;

	memset(ret, 0, sizeof(*ret));
	rc = items_parse(&p);
	if (rc)
		return rc;
	if (!ret->tag[0])
		return items_bad(&p, -EINVAL, "no tag is given, by which the guest mounts it", NULL);
	if (!ret->path[0])
		return items_bad(&p, -EINVAL, "no path is given", NULL);
	return 0;
}

void p9_spec_format(const struct p9_spec *s, char buf[P9_SPEC_MAX + 1])
{
	char devid[20] = "";

	if (s->has_devid)
		snprintf(devid, sizeof(devid), ",devid=%u", s->devid);
	snprintf(buf, P9_SPEC_MAX + 1, "tag=%s,path=%s,security_model=none%s%s", s->tag, s->path,
	         s->readonly ? ",readonly=1" : "", devid);
}
