/* SPDX-License-Identifier: MIT */
#include "device/channel_spec.h"
#include "device/items.h"
#include "util/err.h"
#include <stdio.h>
#include <string.h>

enum { KEY_NAME, KEY_CONNECTION, KEY_PATH, KEY_BACKEND, KEY_DEVID };

static int set_name(struct item_parse *p, const char *value)
{
	struct channel_spec *s = p->spec;

	return items_text(p, "name", value, s->name, CHANNEL_NAME_MAX);
}

static int set_connection(struct item_parse *p, const char *value)
{
	struct channel_spec *s = p->spec;

	s->socket = !strcmp(value, "socket");
	if (s->socket || !strcmp(value, "pty"))
		return 0;
	return items_bad(p, -EINVAL, "connection must be pty or socket, not", value);
}

static int set_path(struct item_parse *p, const char *value)
{
	struct channel_spec *s = p->spec;

	return items_text(p, "path", value, s->path, CHANNEL_PATH_MAX);
}

static int set_backend(struct item_parse *p, const char *value)
{
	if (!strcmp(value, "0") || !strcmp(value, "Domain-0") || !strcmp(value, "dom0"))
		return 0;
	return items_bad(p, -ENOSYS, "backend", value);
}

static int set_devid(struct item_parse *p, const char *value)
{
	struct channel_spec *s = p->spec;

	s->has_devid = true;
	return items_number(p, "devid", value, CHANNEL_FIRST, CHANNEL_LAST, &s->devid);
}

static const struct item_key keys[] = {
	[KEY_NAME] = { "name", set_name }, [KEY_CONNECTION] = { "connection", set_connection },
	[KEY_PATH] = { "path", set_path }, [KEY_BACKEND] = { "backend", set_backend },
	[KEY_DEVID] = { "devid", set_devid },
};

int channel_spec_parse(const char *text, struct channel_spec *ret, struct pvctl_error *err)
{
	struct item_parse p = { .what = "channel", .text = text, .keys = keys, .nr_keys = sizeof(keys) / sizeof(keys[0]),
	                        .spec = ret, .err = err };
	int rc;

	memset(ret, 0, sizeof(*ret));
	rc = items_parse(&p);
	if (rc)
		return rc;
	if (!ret->name[0])
		return items_bad(&p, -EINVAL, "no name is given, by which the guest finds it", NULL);
	if (!(p.got & 1u << KEY_CONNECTION))
		return items_bad(&p, -EINVAL, "no connection is given: pty or socket", NULL);
	if (ret->socket && !ret->path[0])
		return items_bad(&p, -EINVAL, "connection=socket needs a path", NULL);
	if (!ret->socket && ret->path[0])
		return items_bad(&p, -EINVAL, "a path is for connection=socket only", NULL);
	return 0;
}

void channel_spec_format(const struct channel_spec *s, char buf[CHANNEL_SPEC_MAX + 1])
{
	char devid[20] = "";

	if (s->has_devid)
		snprintf(devid, sizeof(devid), ",devid=%u", s->devid);
	snprintf(buf, CHANNEL_SPEC_MAX + 1, "name=%s,connection=%s%s%s%s", s->name, s->socket ? "socket" : "pty",
	         s->socket ? ",path=" : "", s->socket ? s->path : "", devid);
}
