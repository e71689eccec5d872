/* SPDX-License-Identifier: MIT */
/* The channels of a configuration, and those of a domain. */
#include "device/channel_spec.h"
#include "device/lists.h"
#include "device/request.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

struct pvctl_channel_list {
	struct pvctl_channel_info *row;
	size_t n;
};

static int plan(void *spec, struct pvctl_error *err)
{
	struct channel_spec *s = spec;

	/* What is at the path already is looked at by the daemon: at a restart it is the domain's own. */
	return s->socket ? device_path_absolute(s->path, CHANNEL_PATH_MAX, "channel path", err) : 0;
}

static int parse(const char *text, void *spec, struct pvctl_error *err)
{
	return channel_spec_parse(text, spec, err);
}

static void format(const void *spec, char *text)
{
	channel_spec_format(spec, text);
}

static uint32_t *devid(void *spec, bool **ret_has)
{
	struct channel_spec *s = spec;

	*ret_has = &s->has_devid;
	return &s->devid;
}

static const char *name(const void *spec)
{
	return ((const struct channel_spec *)spec)->name;
}

const struct device_list channel_list = {
	.key = "channel", .class_id = PROTO_CLASS_CHANNEL, .first = CHANNEL_FIRST, .last = CHANNEL_LAST,
	.spec_size = sizeof(struct channel_spec), .text_size = CHANNEL_SPEC_MAX + 1, .parse = parse, .format = format,
	.devid = devid, .what = "name", .name = name, .plan = plan,
};

int channel_check_list(const char *key, const char *const *values, size_t n, struct pvctl_error *err)
{
	return device_list_check(&channel_list, values, n, err);
}

int pvctl_channel_list(struct pvctl *ctx, uint32_t domid, struct pvctl_channel_list **ret, struct pvctl_error *err)
{
	struct pvctl_channel_list *l = calloc(1, sizeof(*l));
	void *rows;
	int rc;

	if (!l)
		return err_nomem(err);
	rc = device_request_rows(ctx, PROTO_CLASS_CHANNEL, domid, sizeof(*l->row), "channels", &rows, &l->n, err);
	if (rc) {
		free(l);
		return rc;
	}
	l->row = rows;
	*ret = l;
	return 0;
}

size_t pvctl_channel_list_count(const struct pvctl_channel_list *l)
{
	return l->n;
}

const struct pvctl_channel_info *pvctl_channel_list_at(const struct pvctl_channel_list *l, size_t i)
{
	return i < l->n ? &l->row[i] : NULL;
}

void pvctl_channel_list_free(struct pvctl_channel_list *l)
{
	if (!l)
		return;
	free(l->row);
	free(l);
}
