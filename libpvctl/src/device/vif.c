/* SPDX-License-Identifier: MIT */
#include "device/vif.h"
#include "device/request.h"
#include "store/client.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS 20
#define LINK_MS 45000u /* longer than the daemon gives a script */
#define DETACH_MS 10000u

struct pvctl_vif_list {
	struct pvctl_vif_info *row;
	size_t n;
};

/* n specifications in one array, to be freed. */
static int parse_all(const char *const *values, size_t n, struct vif_spec **ret, struct pvctl_error *err)
{
	struct vif_spec *s = calloc(n + 1, sizeof(*s));
	int rc = 0;

	if (!s)
		return err_nomem(err);
	for (size_t i = 0; i < n && !rc; i++)
		rc = vif_spec_parse(values[i], &s[i], err);
	if (rc)
		free(s);
	else
		*ret = s;
	return rc;
}

static const char *clash(const struct vif_spec *a, const struct vif_spec *b)
{
	if (a->has_devid && b->has_devid && a->devid == b->devid)
		return "devid";
	if (a->has_mac && b->has_mac && !memcmp(a->mac, b->mac, sizeof(a->mac)))
		return "mac";
	if (a->vifname[0] && !strcmp(a->vifname, b->vifname))
		return "vifname";
	return NULL;
}

int vif_check_list(const char *key, const char *const *values, size_t n, struct pvctl_error *err)
{
	struct vif_spec *s;
	int rc;

	if (n > VIF_MAX)
		return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "%s: %zu are too many; %d are allowed", key, n, VIF_MAX);
	rc = parse_all(values, n, &s, err);
	if (rc)
		return rc;
	for (size_t i = 1; i < n && !rc; i++)
		for (size_t k = 0; k < i && !rc; k++)
			if (clash(&s[i], &s[k]))
				rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: two have the same %s", key, clash(&s[i], &s[k]));
	free(s);
	return rc;
}

/* domid: ~0 for a new domain. */
static int plan(struct pvctl *ctx, const struct log *log, uint32_t domid, const char *name, struct vif_spec *s, size_t n, struct pvctl_error *err)
{
	struct vif_others others = { 0 };
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++)
		rc = vif_resolve(&s[i], log, err);
	if (!rc && ctx)
		rc = vif_others_load(ctx, domid, s, n, &others, err);
	rc = rc ? rc : vif_assign(s, n, name, &others, err);
	vif_others_free(&others);
	return rc;
}

static int set_texts(struct pvctl_config *c, const struct vif_spec *s, size_t n, struct pvctl_error *err)
{
	char (*text)[VIF_SPEC_MAX + 1] = calloc(n, sizeof(*text));
	const char *list[VIF_MAX];
	int rc;

	if (!text)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++) {
		vif_spec_format(&s[i], text[i]);
		list[i] = text[i];
	}
	rc = pvctl_config_set_list(c, "vif", list, n, err);
	free(text);
	return rc;
}

int vif_plan(struct pvctl *ctx, const struct log *log, struct pvctl_config *c, struct pvctl_error *err)
{
	const struct config_value *v = config_value(c, "vif");
	const char *name = pvctl_config_get_str(c, "name");
	struct vif_spec *s;
	int rc;

	if (!v || !v->n)
		return 0;
	rc = parse_all((const char *const *)v->list, v->n, &s, err);
	if (rc)
		return rc;
	rc = plan(ctx, log, ~0u, name ? name : "", s, v->n, err);
	rc = rc ? rc : set_texts(c, s, v->n, err);
	free(s);
	return rc;
}

static char *read_node(struct pvctl *ctx, uint32_t domid, uint32_t devid, const char *node)
{
	struct pvctl_error none;
	char path[96], *value;
	size_t len;

	snprintf(path, sizeof(path), "/local/domain/0/backend/vif/%u/%u/%s", domid, devid, node);
	return store_client_read(ctx->t, path, &value, &len, &none) ? NULL : value;
}

/* hotplug-status, as Xen's toolstack waits for it. 1: it is up, 0: not yet. */
static int link_state(struct pvctl *ctx, uint32_t domid, const struct vif_spec *s, struct pvctl_error *err)
{
	CLEANUP_FREE char *status = read_node(ctx, domid, s->devid, "hotplug-status");
	CLEANUP_FREE char *why = read_node(ctx, domid, s->devid, "hotplug-error");

	if (status && !strcmp(status, "connected"))
		return 1;
	if (!why && (!status || strcmp(status, "error")))
		return 0;
	/* What a script wrote may be seen before the daemon has put its name to it. */
	if (s->script[0] && (!why || !strstr(why, s->script)))
		return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "vif %u of domain %u: script \"%.600s\": %.80s", s->devid, domid,
		               s->script, why ? why : "it failed");
	return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "vif %u of domain %u: %.600s", s->devid, domid,
	               why ? why : "the link failed");
}

static int wait_link(struct pvctl *ctx, uint32_t domid, const struct vif_spec *s, struct pvctl_error *err)
{
	struct timespec pause = { 0, 1000000 };
	uint64_t until = ctx_now_ns() + LINK_MS * 1000000ull;
	int rc;

	if (s->kind == VIF_SWITCH)
		return 0;
	while (!(rc = link_state(ctx, domid, s, err))) {
		if (ctx_now_ns() > until)
			return err_set(err, -ETIMEDOUT, PVCTL_ORIGIN_LIB, "vif %u of domain %u: its link does not come up", s->devid,
			               domid);
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < POLL_MS * 1000000l)
			pause.tv_nsec *= 2;
	}
	return rc < 0 ? rc : 0;
}

int vif_attach_all(struct pvctl *ctx, uint32_t domid, const struct pvctl_config *c, struct pvctl_error *err)
{
	const struct config_value *v = config_value(c, "vif");
	struct vif_spec *s;
	int rc;

	if (!v || !v->n)
		return 0;
	rc = parse_all((const char *const *)v->list, v->n, &s, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < v->n && !rc; i++)
		rc = device_request_attach(ctx, PROTO_CLASS_VIF, domid, v->list[i], err);
	for (size_t i = 0; i < v->n && !rc; i++)
		rc = wait_link(ctx, domid, &s[i], err);
	free(s);
	return rc;
}

static int name_of(struct pvctl *ctx, uint32_t domid, char name[128], struct pvctl_error *err)
{
	const struct proto_domain_row *row;
	struct rows rows;
	int rc = rows_get(ctx, &rows, err);

	if (rc)
		return rc;
	row = rows_by_id(&rows, domid);
	if (row)
		snprintf(name, 128, "%s", row->name);
	else
		rc = err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "there is no domain %u", domid);
	rows_free(&rows);
	return rc;
}

int pvctl_vif_attach(struct pvctl *ctx, uint32_t domid, const char *spec, struct pvctl_error *err)
{
	char text[VIF_SPEC_MAX + 1], name[128];
	struct pvctl_error why;
	struct vif_spec s;
	int rc = vif_spec_parse(spec, &s, err);

	rc = rc ? rc : name_of(ctx, domid, name, err);
	rc = rc ? rc : plan(ctx, &ctx->log, domid, name, &s, 1, err);
	if (rc)
		return rc;
	vif_spec_format(&s, text);
	rc = device_request_attach(ctx, PROTO_CLASS_VIF, domid, text, err);
	if (rc)
		return rc;
	rc = wait_link(ctx, domid, &s, err);
	if (rc && device_request_detach(ctx, PROTO_CLASS_VIF, domid, s.devid, true, &why))
		log_msg(&ctx->log, LOG_ERROR, "vif %u of domain %u could not be removed again: %s", s.devid, domid, why.msg);
	return rc;
}

int pvctl_vif_list(struct pvctl *ctx, uint32_t domid, struct pvctl_vif_list **ret, struct pvctl_error *err)
{
	struct pvctl_vif_list *l = calloc(1, sizeof(*l));
	void *rows;
	int rc;

	if (!l)
		return err_nomem(err);
	rc = device_request_rows(ctx, PROTO_CLASS_VIF, domid, sizeof(*l->row), "network interfaces", &rows, &l->n, err);
	if (rc) {
		free(l);
		return rc;
	}
	l->row = rows;
	*ret = l;
	return 0;
}

size_t pvctl_vif_list_count(const struct pvctl_vif_list *l)
{
	return l->n;
}

const struct pvctl_vif_info *pvctl_vif_list_at(const struct pvctl_vif_list *l, size_t i)
{
	return i < l->n ? &l->row[i] : NULL;
}

void pvctl_vif_list_free(struct pvctl_vif_list *l)
{
	if (!l)
		return;
	free(l->row);
	free(l);
}

/* which: a devid or a MAC, as network-list shows them. -ENOENT: there is none. */
static int find(struct pvctl *ctx, uint32_t domid, const char *which, uint32_t *ret_devid, struct pvctl_error *err)
{
	const struct pvctl_vif_info *v;
	struct pvctl_vif_list *l;
	char devid[16], mac[24];
	int rc = pvctl_vif_list(ctx, domid, &l, err);
	bool found = false;

	for (size_t i = 0; !rc && !found && (v = pvctl_vif_list_at(l, i)); i++) {
		snprintf(devid, sizeof(devid), "%u", v->devid);
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2], v->mac[3], v->mac[4],
		         v->mac[5]);
		found = !strcmp(which, devid) || !strcasecmp(which, mac);
		if (found)
			*ret_devid = v->devid;
	}
	if (!rc)
		pvctl_vif_list_free(l);
	if (rc || found)
		return rc;
	return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "domain %u has no vif \"%.40s\": a devid or a MAC of network-list is "
	               "wanted", domid, which);
}

int pvctl_vif_detach(struct pvctl *ctx, uint32_t domid, const char *which, const struct pvctl_vif_detach_opts *opts,
                     struct pvctl_error *err)
{
	const struct timespec pause = { 0, POLL_MS * 1000000l };
	struct pvctl_vif_detach_opts o;
	struct pvctl_error none;
	uint32_t devid, same;
	uint64_t until;
	char text[16];
	int rc = opts_load(&o, sizeof(o), opts, err);

	rc = rc ? rc : find(ctx, domid, which, &devid, err);
	rc = rc ? rc : device_request_detach(ctx, PROTO_CLASS_VIF, domid, devid, o.force != 0, err);
	if (rc)
		return rc;
	until = ctx_now_ns() + (o.timeout_ms ? o.timeout_ms : DETACH_MS) * 1000000ull;
	snprintf(text, sizeof(text), "%u", devid);
	while (!find(ctx, domid, text, &same, &none)) {
		if (ctx_now_ns() > until)
			return err_set(err, -ETIMEDOUT, PVCTL_ORIGIN_LIB,
			               "domain %u does not let go of vif %u: it may be in use (it can be forced)", domid, devid);
		nanosleep(&pause, NULL);
	}
	return 0;
}
