/* SPDX-License-Identifier: MIT */
#include "clone/identity.h"
#include "device/channel_spec.h"
#include "device/vif_spec.h"
#include "store/client.h"
#include "util/err.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#define MAX_VIFS 64

char *identity_name(const char *name, uint32_t count, uint32_t copy)
{
	char *text;

	if (count <= 1)
		return strdup(name);
	return asprintf(&text, "%s-%u", name, copy + 1) < 0 ? NULL : text;
}

int identity_check(const struct pvctl_config *c, struct pvctl_error *err)
{
	struct channel_spec s;
	const char *item;

	for (size_t i = 0; (item = pvctl_config_get_item(c, "channel", i)); i++)
		if (!channel_spec_parse(item, &s, NULL) && s.socket)
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "channel %s is the socket %s, which one domain can have: a channel of "
			               "connection=pty could be cloned", s.name, s.path);
	return 0;
}

static int renew_vif(const char *item, char *text, struct pvctl_error *err)
{
	struct vif_spec s;
	int rc = vif_spec_parse(item, &s, err);

	s.has_mac = false;
	s.vifname[0] = s.ip[0] = '\0';
	s.nr_forwards = 0;
	if (!rc)
		vif_spec_format(&s, text);
	return rc;
}

static int renew_vifs(struct pvctl_config *c, struct pvctl_error *err)
{
	char (*text)[VIF_SPEC_MAX + 1] = calloc(MAX_VIFS, sizeof(*text));
	const char *list[MAX_VIFS], *item;
	size_t n = 0;
	int rc = text ? 0 : err_nomem(err);

	for (; !rc && n < MAX_VIFS && (item = pvctl_config_get_item(c, "vif", n)); n++) {
		rc = renew_vif(item, text[n], err);
		list[n] = text[n];
	}
	if (!rc && n)
		rc = pvctl_config_set_list(c, "vif", list, n, err);
	free(text);
	return rc;
}

int identity_renew(struct pvctl_config *c, const char *name, struct pvctl_error *err)
{
	char text[37];
	uuid_t uuid;
	int rc = pvctl_config_set_str(c, "name", name, err);

	uuid_generate(uuid);
	uuid_unparse_lower(uuid, text);
	rc = rc ? rc : pvctl_config_set_str(c, "uuid", text, err);
	return rc ? rc : renew_vifs(c, err);
}

int identity_generation(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	char path[80], text[48];
	uint64_t half[2];
	uuid_t id;
	int rc;

	uuid_generate_random(id);
	uuid_unparse_lower(id, text);
	snprintf(path, sizeof(path), "/local/domain/%u/vm-generation-id", domid);
	rc = store_client_write(ctx->t, path, text, strlen(text), err);
	if (rc)
		return rc;
	/* As Xen's tools have it for other guests: two numbers. */
	memcpy(half, id, sizeof(half));
	snprintf(path, sizeof(path), "/local/domain/%u/platform/generation-id", domid);
	snprintf(text, sizeof(text), "%" PRIu64 ":%" PRIu64, half[0], half[1]);
	return store_client_write(ctx->t, path, text, strlen(text), err);
}
