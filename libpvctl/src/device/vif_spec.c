/* SPDX-License-Identifier: MIT */
#include "device/vif_spec.h"
#include "device/vif_words.h"
#include "util/err.h"
#include "util/nearest.h"
#include <stdio.h>
#include <string.h>

#define MTU_MIN 68u
#define MTU_MAX 65521u /* with the Ethernet header it is NET_FRAME_MAX */
#define DEVID_MAX 255u

int vif_bad(struct vif_parse *p, int code, const char *what, const char *value)
{
	return err_set(p->err, code, PVCTL_ORIGIN_LIB, "vif \"%.500s\": %s%s%.200s%s%s", p->text, what, value ? " \"" : "",
	               value ? value : "", value ? "\"" : "", code == -ENOSYS ? " is not supported" : "");
}

static int set_mac(struct vif_parse *p, const char *value)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t any = 0;

	for (unsigned int i = 0; i < 17; i++) {
		const char *d = value[i] ? strchr(hex, value[i] | 0x20) : NULL;

		if (i % 3 == 2 ? value[i] != ':' : !d)
			return vif_bad(p, -EINVAL, "mac must be like 00:16:3e:01:02:03, not", value);
		if (i % 3 != 2)
			p->s->mac[i / 3] = (uint8_t)(p->s->mac[i / 3] << 4 | (d - hex));
	}
	for (unsigned int i = 0; i < 6; i++)
		any |= p->s->mac[i];
	if (value[17] || !any || p->s->mac[0] & 1)
		return vif_bad(p, -EINVAL, "mac must be one interface's address, not", value);
	p->s->has_mac = true;
	return 0;
}

/* What a network interface of the host may be called, and a little less. */
static int set_ifname(struct vif_parse *p, const char *key, char name[16], const char *value)
{
	static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+@";
	char what[64];
	size_t n = strlen(value);

	if (!n || n > 15 || strspn(value, ok) != n || value[0] == '.' || value[0] == '-') {
		snprintf(what, sizeof(what), "%s must be 1 to 15 letters, digits and ._-+@, not", key);
		return vif_bad(p, -EINVAL, what, value);
	}
	memcpy(name, value, n + 1);
	return 0;
}

static int set_bridge(struct vif_parse *p, const char *value)
{
	return set_ifname(p, "bridge", p->s->bridge, value);
}

static int set_vifname(struct vif_parse *p, const char *value)
{
	return set_ifname(p, "vifname", p->s->vifname, value);
}

static int set_gatewaydev(struct vif_parse *p, const char *value)
{
	return set_ifname(p, "gatewaydev", p->s->gatewaydev, value);
}

/* Goes to the script alone; there may be several, with blanks between them. */
static int set_ip(struct vif_parse *p, const char *value)
{
	size_t n = strlen(value);

	if (!n || n >= sizeof(p->s->ip) || strspn(value, "0123456789abcdefABCDEF.:/ ") != n)
		return vif_bad(p, -EINVAL, "ip must be addresses, not", value);
	memcpy(p->s->ip, value, n + 1);
	return 0;
}

static int set_script(struct vif_parse *p, const char *value)
{
	size_t n = strlen(value);

	if (!n || n >= sizeof(p->s->script))
		return vif_bad(p, -EINVAL, "script must be a file's name, not", value);
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return vif_bad(p, -EINVAL, "the script's name has a control character in it", NULL);
	memcpy(p->s->script, value, n + 1);
	return 0;
}

static int set_backend(struct vif_parse *p, const char *value)
{
	if (!strcmp(value, "0") || !strcmp(value, "Domain-0") || !strcmp(value, "dom0"))
		return 0;
	return vif_bad(p, -ENOSYS, "a backend in another domain than Domain-0, backend", value);
}

static int set_type(struct vif_parse *p, const char *value)
{
	/* ioemu is for HVM guests: with a PV one, there is the frontend alone. */
	if (!strcmp(value, "vif") || !strcmp(value, "netfront") || !strcmp(value, "ioemu"))
		return 0;
	return vif_bad(p, -EINVAL, "type must be vif or ioemu, not", value);
}

static int set_model(struct vif_parse *p, const char *value)
{
	if (!*value)
		return vif_bad(p, -EINVAL, "model is empty", NULL);
	p->s->has_model = true;
	return 0;
}

static int set_devid(struct vif_parse *p, const char *value)
{
	const char *at = value;
	uint64_t n;

	if (!vif_number(&at, DEVID_MAX, &n) || *at)
		return vif_bad(p, -EINVAL, "devid must be a number from 0 to 255, not", value);
	p->s->devid = (uint32_t)n;
	p->s->has_devid = true;
	return 0;
}

static int set_mtu(struct vif_parse *p, const char *value)
{
	uint64_t n;

	if (!vif_number(&value, MTU_MAX, &n) || *value || n < MTU_MIN)
		return vif_bad(p, -EINVAL, "mtu must be a number from 68 to 65521", NULL);
	p->s->mtu = (uint32_t)n;
	return 0;
}

static int set_link(struct vif_parse *p, const char *value)
{
	if (!strcmp(value, "user"))
		p->s->kind = VIF_USER;
	else if (!strcmp(value, "switch"))
		p->s->kind = VIF_SWITCH;
	else if (!strcmp(value, "tap"))
		p->s->kind = VIF_TAP;
	else
		return vif_bad(p, -EINVAL, "link must be user, switch or tap, not", value);
	return 0;
}

static int set_trusted(struct vif_parse *p, const char *value)
{
	p->s->trusted = *value == 't';
	return 0;
}

static int set_nothing(struct vif_parse *p, const char *value)
{
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct vif_parse *p, const char *value);
	unsigned int bit; /* of those that exclude each other; 0: may come again */
} keys[] = {
	{ "mac", set_mac, 1 << 0 }, { "bridge", set_bridge, 1 << 1 }, { "ip", set_ip, 1 << 2 },
	{ "script", set_script, 1 << 3 }, { "backend", set_backend, 1 << 4 }, { "vifname", set_vifname, 1 << 5 },
	{ "gatewaydev", set_gatewaydev, 1 << 6 }, { "netdev", set_gatewaydev, 1 << 6 }, { "rate", vif_set_rate, 1 << 7 },
	{ "model", set_model, 1 << 8 }, { "type", set_type, 1 << 9 }, { "devid", set_devid, 1 << 10 },
	{ "mtu", set_mtu, 1 << 11 }, { "link", set_link, 1 << 12 }, { "hostfwd", vif_set_hostfwd, 0 },
}, flags[] = {
	{ "trusted", set_trusted, 1 << 13 }, { "untrusted", set_trusted, 1 << 13 }, { "accel", set_nothing, 0 },
};
#define NR(a) (sizeof(a) / sizeof((a)[0]))

static int unknown(struct vif_parse *p, const char *word)
{
	const char *words[NR(keys) + NR(flags)], *near;
	char what[96];

	if (!strncmp(word, "colo_", 5) || !strcmp(word, "forwarddev") || !strcmp(word, "vlan"))
		return vif_bad(p, -ENOSYS, "parameter", word);
	for (size_t i = 0; i < NR(words); i++)
		words[i] = i < NR(keys) ? keys[i].name : flags[i - NR(keys)].name;
	near = nearest_word(word, words, NR(words));
	if (!near)
		return vif_bad(p, -EINVAL, "unknown parameter", word);
	snprintf(what, sizeof(what), "unknown parameter \"%.40s\" (did you mean %s?)", word, near);
	return vif_bad(p, -EINVAL, what, NULL);
}

static int take_item(struct vif_parse *p, char *item)
{
	char *equals = strchr(item, '='), what[48];
	const char *value = equals ? equals + 1 : item;
	size_t n = equals ? NR(keys) : NR(flags);

	if (equals)
		*equals = '\0';
	for (size_t i = 0; i < n; i++) {
		unsigned int bit = equals ? keys[i].bit : flags[i].bit;

		if (strcmp(item, equals ? keys[i].name : flags[i].name))
			continue;
		if (p->got & bit) {
			snprintf(what, sizeof(what), "%s respecified", item);
			return vif_bad(p, -EINVAL, what, NULL);
		}
		p->got |= bit;
		return equals ? keys[i].set(p, value) : flags[i].set(p, value);
	}
	for (size_t i = 0; i < (equals ? NR(flags) : NR(keys)); i++)
		if (!strcmp(item, equals ? flags[i].name : keys[i].name))
			return vif_bad(p, -EINVAL, equals ? "no value belongs to" : "a value is missing after", item);
	return unknown(p, item);
}

/* What says two things at once. */
static int check_together(struct vif_parse *p)
{
	const struct vif_spec *s = p->s;
	bool of_tap = s->script[0] || s->vifname[0] || s->gatewaydev[0];

	if (s->nr_forwards && (s->kind == VIF_SWITCH || s->kind == VIF_TAP || s->bridge[0] || of_tap))
		return vif_bad(p, -EINVAL, "hostfwd is for link=user, without bridge, script, vifname and gatewaydev", NULL);
	if (s->kind == VIF_USER && (s->bridge[0] || of_tap))
		return vif_bad(p, -EINVAL, "bridge, script, vifname and gatewaydev are not for link=user", NULL);
	if (s->kind == VIF_SWITCH && of_tap)
		return vif_bad(p, -EINVAL, "script, vifname and gatewaydev are not for link=switch", NULL);
	if (s->kind == VIF_SWITCH && !s->bridge[0])
		return vif_bad(p, -EINVAL, "link=switch needs bridge=, the switch's name", NULL);
	return 0;
}

static char *trimmed(char *item)
{
	size_t n;

	item += strspn(item, " \t");
	for (n = strlen(item); n && (item[n - 1] == ' ' || item[n - 1] == '\t'); n--)
		item[n - 1] = '\0';
	return item;
}

int vif_spec_parse(const char *text, struct vif_spec *ret, struct pvctl_error *err)
{
	struct vif_parse p = { .s = ret, .err = err, .text = text };
	char copy[VIF_SPEC_MAX + 1], *rest = copy, *item;
	int rc = 0;

	memset(ret, 0, sizeof(*ret));
	ret->mtu = VIF_DEFAULT_MTU;
	ret->trusted = true;
	if (strlen(text) > VIF_SPEC_MAX)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "vif \"%.60s...\": longer than %d bytes", text, VIF_SPEC_MAX);
	strcpy(copy, text);
	while (!rc && (item = strsep(&rest, ","))) {
		item = trimmed(item);
		rc = *item ? take_item(&p, item) : 0;
	}
	return rc ? rc : check_together(&p);
}
