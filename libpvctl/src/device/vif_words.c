/* SPDX-License-Identifier: MIT */
#include "device/vif_words.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The address that the guest's side of link=user gives out. */
#define USER_GUEST "10.0.2.15"
#define RATE_MAX 1000000000000ull /* bytes a second */
#define INTERVAL_MAX_US UINT32_MAX

bool vif_number(const char **at, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;
	size_t digits = strspn(*at, "0123456789");

	if (!digits || digits > 15)
		return false;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (uint64_t)((*at)[i] - '0');
	*at += digits;
	*ret = n;
	return n <= max;
}

/* "", or "@20ms" */
static bool interval(const char *at, uint64_t *ret_us)
{
	uint64_t n, unit = 1000000;

	*ret_us = VIF_RATE_DEFAULT_US;
	if (!*at)
		return true;
	at++;
	if (at[-1] != '@' || !vif_number(&at, INTERVAL_MAX_US, &n))
		return false;
	if (*at == 'm')
		unit = 1000;
	else if (*at == 'u')
		unit = 1;
	at += unit != 1000000;
	*ret_us = n * unit;
	return !strcmp(at, "s") && *ret_us && *ret_us <= INTERVAL_MAX_US;
}

int vif_set_rate(struct vif_parse *p, const char *value)
{
	const char *at = value;
	uint64_t n, unit = 1, us;
	unsigned __int128 bytes;

	if (!vif_number(&at, RATE_MAX, &n))
		goto wrong;
	if (*at == 'G')
		unit = 1000000000;
	else if (*at == 'M')
		unit = 1000000;
	else if (*at == 'K')
		unit = 1000;
	at += unit != 1;
	if ((*at != 'B' && *at != 'b') || at[1] != '/' || at[2] != 's' || !interval(at + 3, &us))
		goto wrong;
	bytes = (unsigned __int128)n * unit / (*at == 'b' ? 8 : 1) * us / 1000000;
	if (!bytes || (unsigned __int128)n * unit > RATE_MAX)
		return vif_bad(p, -EINVAL, "rate lets nothing or everything through:", value);
	p->s->rate_bytes = (uint64_t)bytes;
	p->s->rate_us = (uint32_t)us;
	return 0;
wrong:
	return vif_bad(p, -EINVAL, "rate must be like 10Mb/s, 1GB/s or 500KB/s@20ms, not", value);
}

static bool same_end(const struct vif_forward *a, const struct vif_forward *b)
{
	return a->udp == b->udp && a->host_port == b->host_port && !strcmp(a->host_addr, b->host_addr);
}

/* PROTO:[ADDR:]PORT-PORT, and QEMU's PROTO:[ADDR]:PORT-[ADDR]:PORT. *at is behind the protocol. */
static bool ends(const char *at, struct vif_forward *f, bool *ret_v6)
{
	const char *dash = strrchr(at, '-'), *colon = dash;
	uint64_t n;
	struct in_addr a;

	*ret_v6 = strchr(at, '[') != NULL;
	if (!dash)
		return false;
	while (colon > at && colon[-1] != ':')
		colon--;
	if (colon > at) {
		size_t len = (size_t)(colon - 1 - at);

		if (len >= sizeof(f->host_addr))
			return false;
		memcpy(f->host_addr, at, len);
		if (len && inet_pton(AF_INET, f->host_addr, &a) != 1)
			return false;
	}
	if (!strcmp(f->host_addr, "127.0.0.1"))
		memset(f->host_addr, 0, sizeof(f->host_addr));
	if (!vif_number(&colon, 65535, &n) || colon != dash || !n)
		return false;
	f->host_port = (uint16_t)n;
	at = dash + 1;
	if (!strncmp(at, USER_GUEST ":", sizeof(USER_GUEST)))
		at += sizeof(USER_GUEST);
	else if (*at == ':')
		at++;
	if (!vif_number(&at, 65535, &n) || *at || !n)
		return false;
	f->guest_port = (uint16_t)n;
	return true;
}

int vif_set_hostfwd(struct vif_parse *p, const char *value)
{
	struct vif_forward f = { 0 };
	bool v6 = false;

	if (p->s->nr_forwards == VIF_MAX_FORWARDS)
		return vif_bad(p, -EINVAL, "there are more than 32 hostfwd", NULL);
	f.udp = !strncmp(value, "udp:", 4);
	if ((!f.udp && strncmp(value, "tcp:", 4)) || !ends(value + 4, &f, &v6))
		return v6 ? vif_bad(p, -ENOSYS, "hostfwd of an IPv6 address,", value)
			  : vif_bad(p, -EINVAL, "hostfwd must be like tcp:2222-22 or udp:192.0.2.1:5353-53, not", value);
	for (unsigned int i = 0; i < p->s->nr_forwards; i++)
		if (same_end(&p->s->forward[i], &f))
			return vif_bad(p, -EINVAL, "two hostfwd have the same port of the host:", value);
	p->s->forward[p->s->nr_forwards++] = f;
	return 0;
}

static void add(char *buf, size_t *len, const char *key, const char *value)
{
	if (value[0])
		*len += (size_t)snprintf(buf + *len, VIF_SPEC_MAX + 1 - *len, ",%s=%s", key, value);
}

void vif_spec_format(const struct vif_spec *s, char buf[VIF_SPEC_MAX + 1])
{
	static const char *const links[] = { "", "user", "switch", "tap" };
	char text[96];
	size_t len;

	len = (size_t)snprintf(buf, VIF_SPEC_MAX + 1, "mtu=%u%s", s->mtu, s->trusted ? "" : ",untrusted");
	add(buf, &len, "link", links[s->kind]);
	snprintf(text, sizeof(text), "%u", s->devid);
	add(buf, &len, "devid", s->has_devid ? text : "");
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", s->mac[0], s->mac[1], s->mac[2], s->mac[3], s->mac[4],
	         s->mac[5]);
	add(buf, &len, "mac", s->has_mac ? text : "");
	add(buf, &len, "bridge", s->bridge);
	add(buf, &len, "script", s->script);
	add(buf, &len, "vifname", s->vifname);
	add(buf, &len, "gatewaydev", s->gatewaydev);
	add(buf, &len, "ip", s->ip);
	add(buf, &len, "model", s->has_model ? "any" : "");
	if (s->rate_bytes) {
		/* Bytes a second, rounded up: that divided again gives the same number of bytes. */
		unsigned __int128 n = ((unsigned __int128)s->rate_bytes * 1000000 + s->rate_us - 1) / s->rate_us;

		snprintf(text, sizeof(text), "%lluB/s@%uus", (unsigned long long)n, s->rate_us);
		add(buf, &len, "rate", text);
	}
	for (unsigned int i = 0; i < s->nr_forwards; i++) {
		const struct vif_forward *f = &s->forward[i];

		snprintf(text, sizeof(text), "%s:%s:%u-:%u", f->udp ? "udp" : "tcp", f->host_addr, f->host_port, f->guest_port);
		add(buf, &len, "hostfwd", text);
	}
}
