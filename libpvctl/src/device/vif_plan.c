/* SPDX-License-Identifier: MIT */
/* Device numbers and addresses for new interfaces, beside those that are there. */
#include "device/vif.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 64u

/*
 * 00:16:3e is Xen's, the rest FNV-1a over the name, the devid and the attempt.
 * Guests know their interfaces by these addresses: this must never change.
 */
void vif_make_mac(const char *name, uint32_t devid, unsigned int attempt, uint8_t mac[6])
{
	const uint8_t tail[] = { 0, (uint8_t)devid, (uint8_t)attempt };
	uint64_t h = 0xcbf29ce484222325ull;

	for (const char *c = name; *c; c++)
		h = (h ^ (uint8_t)*c) * 0x100000001b3ull;
	for (size_t i = 0; i < sizeof(tail); i++)
		h = (h ^ tail[i]) * 0x100000001b3ull;
	h ^= h >> 32;
	memcpy(mac, (const uint8_t[]){ 0x00, 0x16, 0x3e, (uint8_t)(h >> 16), (uint8_t)(h >> 8), (uint8_t)h }, 6);
}

int vif_others_add(struct vif_others *o, const uint8_t mac[6], struct pvctl_error *err)
{
	void *p = reallocarray(o->mac, o->n + 1, sizeof(*o->mac));

	if (!p)
		return err_nomem(err);
	o->mac = p;
	memcpy(o->mac[o->n++], mac, 6);
	return 0;
}

void vif_others_free(struct vif_others *o)
{
	free(o->mac);
	memset(o, 0, sizeof(*o));
}

static bool taken(const struct vif_others *o, const uint8_t mac[6])
{
	for (size_t i = 0; i < o->n; i++)
		if (!memcmp(o->mac[i], mac, 6))
			return true;
	return false;
}

static int assign_mac(struct vif_spec *s, const char *name, struct vif_others *o, struct pvctl_error *err)
{
	unsigned int attempt = 0;

	do {
		if (attempt == ATTEMPTS)
			return err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "vif: no MAC address is free; mac= sets one");
		vif_make_mac(name, s->devid, attempt++, s->mac);
	} while (taken(o, s->mac));
	s->has_mac = true;
	return vif_others_add(o, s->mac, err);
}

int vif_assign(struct vif_spec *s, size_t n, const char *name, struct vif_others *o, struct pvctl_error *err)
{
	uint32_t next = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i].has_devid && o->devid[s[i].devid])
			return err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "vif: devid=%u is taken", s[i].devid);
		if (s[i].has_devid)
			o->devid[s[i].devid] = true;
	}
	for (size_t i = 0; i < n; i++) {
		if (s[i].has_devid)
			continue;
		while (next < 256 && o->devid[next])
			next++;
		if (next == 256)
			return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "vif: no devid is free");
		o->devid[next] = true;
		s[i].devid = next;
		s[i].has_devid = true;
	}
	/* Those that were given first: the others keep out of their way. */
	for (size_t i = 0; i < n && !rc; i++)
		rc = s[i].has_mac ? vif_others_add(o, s[i].mac, err) : 0;
	for (size_t i = 0; i < n && !rc; i++)
		rc = s[i].has_mac ? 0 : assign_mac(&s[i], name, o, err);
	return rc;
}

/* Where two would hear each other. */
static bool same_net(const struct vif_spec *s, const struct pvctl_vif_info *v)
{
	return s->kind != VIF_USER && !strcmp(v->link, s->kind == VIF_TAP ? "tap" : "switch") && !strcmp(v->bridge, s->bridge);
}

static int add_one(const struct vif_spec *s, size_t n, const struct pvctl_vif_info *v, struct vif_others *o,
                   struct pvctl_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (s[i].has_mac && !memcmp(s[i].mac, v->mac, 6) && same_net(&s[i], v))
			return err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "vif: domain %u has mac=%02x:%02x:%02x:%02x:%02x:%02x on this "
			               "network already", v->domid, v->mac[0], v->mac[1], v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	return vif_others_add(o, v->mac, err);
}

static int add_domain(struct pvctl *ctx, uint32_t domid, bool own, const struct vif_spec *s, size_t n,
                      struct vif_others *o, struct pvctl_error *err)
{
	const struct pvctl_vif_info *v;
	struct pvctl_vif_list *l;
	int rc = pvctl_vif_list(ctx, domid, &l, err);

	if (rc)
		return rc == -ESRCH && !own ? 0 : rc; /* it went meanwhile */
	for (size_t i = 0; !rc && (v = pvctl_vif_list_at(l, i)); i++) {
		if (own && v->devid < 256)
			o->devid[v->devid] = true;
		rc = add_one(s, n, v, o, err);
	}
	pvctl_vif_list_free(l);
	return rc;
}

int vif_others_load(struct pvctl *ctx, uint32_t domid, const struct vif_spec *s, size_t n, struct vif_others *ret,
                    struct pvctl_error *err)
{
	const struct pvctl_domain_info *info;
	struct pvctl_domain_list *list;
	int rc = pvctl_domain_list(ctx, &list, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && (info = pvctl_domain_list_at(list, i)); i++) {
		/* One that ended may be kept, and its successor has its addresses. */
		if (!info->domid || (info->domid != domid && (info->state == PVCTL_STATE_DYING || info->state == PVCTL_STATE_SHUTDOWN)))
			continue;
		rc = add_domain(ctx, info->domid, info->domid == domid, s, n, ret, err);
	}
	pvctl_domain_list_free(list);
	if (rc)
		vif_others_free(ret);
	return rc;
}
