/* SPDX-License-Identifier: MIT */
/* libvirt's domain format, written, as it is documented for Xen's PV guests. */
#include "cpuid/features.h"
#include "ctx/ctx.h"
#include "device/channel_spec.h"
#include "device/disk_spec.h"
#include "device/vif_spec.h"
#include "util/buf.h"
#include "util/err.h"
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct xml_out {
	const struct pvctl_parse_opts *opts;
	const struct pvctl_config *config;
	struct buf b;
	int rc;                  /* of what failed first */
	struct pvctl_error *err;
};

static void put(struct xml_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct xml_out *o, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0 || buf_add(&o->b, text, (size_t)n))
		o->rc = -ENOMEM;
	if (n >= 0)
		free(text);
}

/* As the text of an element or of an attribute in apostrophes. */
static void put_text(struct xml_out *o, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&': put(o, "&amp;"); break;
		case '<': put(o, "&lt;"); break;
		case '>': put(o, "&gt;"); break;
		case '\'': put(o, "&apos;"); break;
		default: put(o, "%c", *text);
		}
	}
}

static void put_element(struct xml_out *o, const char *indent, const char *name, const char *text)
{
	if (!text)
		return;
	put(o, "%s<%s>", indent, name);
	put_text(o, text);
	put(o, "</%s>\n", name);
}

/* " NAME='TEXT'"; nothing for "" */
static void put_attr(struct xml_out *o, const char *name, const char *text)
{
	if (!text || !text[0])
		return;
	put(o, " %s='", name);
	put_text(o, text);
	put(o, "'");
}

/* What the format has no word for is left out, and said. */
static void left_out(struct xml_out *o, const char *what)
{
	struct pvctl_parse_message m = { .size = sizeof(m), .level = o->opts->strict ? 0 : 1, .line = 1, .column = 1,
		.file = o->opts->file ? o->opts->file : "<config>", .source_line = "" };
	char text[200];

	snprintf(text, sizeof(text), "%s: libvirt's format has no word for it: left out", what);
	m.text = text;
	if (o->opts->message)
		o->opts->message(o->opts->data, &m);
	if (o->opts->strict && !o->rc)
		o->rc = err_set(o->err, -EINVAL, PVCTL_ORIGIN_LIB, "%s", text);
}

static const char *str(const struct xml_out *o, const char *key)
{
	return pvctl_config_get_str(o->config, key);
}

/* ---- sizes ---- */
static bool is_cpuset(const char *text)
{
	return text[strspn(text, "0123456789,-^ ")] == '\0';
}

static void put_sizes(struct xml_out *o)
{
	int64_t memory = config_int_or(o->config, "memory", 0), vcpus = config_int_or(o->config, "vcpus", 1);
	int64_t maxmem = config_int_or(o->config, "maxmem", memory), maxvcpus = config_int_or(o->config, "maxvcpus", vcpus);
	const char *cpus = str(o, "cpus");

	if (memory) {
		put(o, "  <memory unit='MiB'>%lld</memory>\n", (long long)maxmem);
		put(o, "  <currentMemory unit='MiB'>%lld</currentMemory>\n", (long long)memory);
	}
	put(o, "  <vcpu");
	if (cpus && is_cpuset(cpus))
		put_attr(o, "cpuset", cpus);
	else if (cpus && strcmp(cpus, "all"))
		left_out(o, "cpus");
	if (maxvcpus > vcpus)
		put(o, " current='%lld'", (long long)vcpus);
	put(o, ">%lld</vcpu>\n", (long long)maxvcpus);
}

static void put_tuning(struct xml_out *o)
{
	int64_t weight = config_int_or(o->config, "cpu_weight", 0);
	const char *set;

	if (!weight && !pvctl_config_get_item(o->config, "cpus", 0))
		return;
	put(o, "  <cputune>\n");
	if (weight)
		put(o, "    <shares>%lld</shares>\n", (long long)weight);
	for (size_t i = 0; (set = pvctl_config_get_item(o->config, "cpus", i)); i++) {
		if (!strcmp(set, "all"))
			continue;
		if (!is_cpuset(set)) {
			left_out(o, "cpus");
			continue;
		}
		put(o, "    <vcpupin vcpu='%zu'", i);
		put_attr(o, "cpuset", set);
		put(o, "/>\n");
	}
	put(o, "  </cputune>\n");
}

static const char *feature_policy(const char *value)
{
	return !strcmp(value, "1") ? "force" : !strcmp(value, "0") ? "disable" : !strcmp(value, "x") ? "optional" : "require";
}

/* A number, and the form that is a list, have no element. */
static void put_cpu(struct xml_out *o)
{
	const char *text = str(o, "cpuid");
	char *copy = text ? strdup(text) : NULL, *rest = copy, *word, *value;
	struct cpuid_bit b;

	if (pvctl_config_get_item(o->config, "cpuid", 0))
		left_out(o, "cpuid");
	if (!text)
		return;
	if (!copy)
		o->rc = -ENOMEM;
	put(o, "  <cpu mode='host-passthrough'>\n");
	while ((word = strsep(&rest, ","))) {
		value = strchr(word, '=');
		if (!value)
			continue;
		*value++ = '\0';
		word += strspn(word, " \t");
		if (!strcmp(word, "clflush") || feature_find(word, &b)) {
			left_out(o, "a number of cpuid");
			continue;
		}
		put(o, "    <feature");
		put_attr(o, "policy", feature_policy(value));
		put_attr(o, "name", word);
		put(o, "/>\n");
	}
	put(o, "  </cpu>\n");
	free(copy);
}

static void put_boot(struct xml_out *o)
{
	char *cmdline = config_cmdline(o->config), *words = NULL;
	const char *type = str(o, "type");
	bool pvh = type && !strcmp(type, "pvh");
	struct buf args = { 0 };
	const char *word;

	put_element(o, "  ", "bootloader", str(o, "bootloader"));
	for (size_t i = 0; (word = pvctl_config_get_item(o->config, "bootloader_args", i)); i++)
		if (buf_addf(&args, "%s%s", i ? " " : "", word))
			o->rc = -ENOMEM;
	words = args.len ? strndup((char *)args.data, args.len) : NULL;
	put_element(o, "  ", "bootloader_args", words);
	put(o, "  <os>\n    <type arch='x86_64' machine='%s'>%s</type>\n", pvh ? "xenpvh" : "xenpv", pvh ? "xenpvh" : "linux");
	put_element(o, "    ", "kernel", str(o, "kernel"));
	put_element(o, "    ", "initrd", str(o, "ramdisk"));
	if (!cmdline)
		o->rc = -ENOMEM;
	else if (cmdline[0])
		put_element(o, "    ", "cmdline", cmdline);
	put(o, "  </os>\n  <clock offset='%s'/>\n", config_int_or(o->config, "localtime", 0) ? "localtime" : "utc");
	free(words);
	free(cmdline);
	buf_free(&args);
}

/* ---- devices ---- */
static bool failed(struct xml_out *o, int rc, const char *what)
{
	if (rc && !o->rc)
		o->rc = err_wrap(o->err, rc, "%s", what);
	return rc != 0;
}

static void put_disk(struct xml_out *o, const char *text)
{
	struct disk_spec *s = calloc(1, sizeof(*s));

	if (!s)
		o->rc = -ENOMEM;
	if (!s || failed(o, disk_spec_parse(text, s, o->err), "disk")) {
		free(s);
		return;
	}
	if (s->script[0])
		left_out(o, "a disk's script");
	if (s->sector_size || s->direct_io_safe || s->untrusted)
		left_out(o, "a disk's sector size, direct-io-safe or untrusted");
	put(o, "    <disk type='%s' device='%s'>\n", !strncmp(s->target, "/dev/", 5) ? "block" : "file", s->cdrom ? "cdrom" : "disk");
	put(o, "      <driver name='qemu' type='%s'%s/>\n", disk_format_name(s->format), s->no_discard ? " discard='ignore'" : "");
	if (s->target[0]) {
		put(o, "      <source");
		put_attr(o, !strncmp(s->target, "/dev/", 5) ? "dev" : "file", s->target);
		put(o, "/>\n");
	}
	put(o, "      <target dev='%s' bus='xen'/>\n", s->vdev_name);
	put(o, "%s    </disk>\n", s->readonly ? "      <readonly/>\n" : "");
	free(s);
}

static void put_one_attr(struct xml_out *o, const char *element, const char *attr, const char *text)
{
	if (!text[0])
		return;
	put(o, "      <%s", element);
	put_attr(o, attr, text);
	put(o, "/>\n");
}

static void put_rate(struct xml_out *o, const struct vif_spec *s)
{
	if (s->rate_bytes)
		put(o, "      <bandwidth>\n        <outbound average='%llu'/>\n      </bandwidth>\n",
		    (unsigned long long)(((unsigned __int128)s->rate_bytes * 1000000 / s->rate_us + 999) / 1000));
}

static void put_vif(struct xml_out *o, const char *text)
{
	struct vif_spec *s = calloc(1, sizeof(*s));
	char mac[18];

	if (!s)
		o->rc = -ENOMEM;
	if (!s || failed(o, vif_spec_parse(text, s, o->err), "vif")) {
		free(s);
		return;
	}
	if (s->kind == VIF_SWITCH)
		left_out(o, "an interface's switch of the node");
	if (s->gatewaydev[0] || s->nr_forwards || !s->trusted)
		left_out(o, "an interface's gatewaydev, hostfwd or untrusted");
	put(o, "    <interface type='%s'>\n", s->bridge[0] ? "bridge" : s->kind == VIF_TAP ? "ethernet" : "user");
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", s->mac[0], s->mac[1], s->mac[2], s->mac[3], s->mac[4], s->mac[5]);
	put_one_attr(o, "mac", "address", s->has_mac ? mac : "");
	put_one_attr(o, "source", "bridge", s->bridge);
	put_one_attr(o, "script", "path", s->script);
	put_one_attr(o, "target", "dev", s->vifname);
	put_one_attr(o, "ip", "address", s->ip);
	if (s->mtu && s->mtu != VIF_DEFAULT_MTU)
		put(o, "      <mtu size='%u'/>\n", s->mtu);
	put_rate(o, s);
	put(o, "    </interface>\n");
	free(s);
}

static void put_channel(struct xml_out *o, const char *text)
{
	struct channel_spec s;

	if (failed(o, channel_spec_parse(text, &s, o->err), "channel"))
		return;
	put(o, "    <channel type='%s'>\n", s.socket ? "unix" : "pty");
	if (s.socket && s.path[0]) {
		put(o, "      <source mode='bind'");
		put_attr(o, "path", s.path);
		put(o, "/>\n");
	}
	put(o, "      <target type='xen'");
	put_attr(o, "name", s.name);
	put(o, "/>\n    </channel>\n");
}

static void put_devices(struct xml_out *o)
{
	int64_t frames = config_int_or(o->config, "max_grant_frames", 0), ports = config_int_or(o->config, "max_event_channels", 0);
	static const struct { const char *key; void (*put)(struct xml_out *o, const char *text); } kinds[] = {
		{ "disk", put_disk }, { "vif", put_vif }, { "channel", put_channel } };
	const char *text;

	put(o, "  <devices>\n");
	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; (text = pvctl_config_get_item(o->config, kinds[k].key, i)); i++)
			kinds[k].put(o, text);
	if (frames || ports) {
		put(o, "    <controller type='xenbus'");
		if (frames)
			put(o, " maxGrantFrames='%lld'", (long long)frames);
		if (ports)
			put(o, " maxEventChannels='%lld'", (long long)ports);
		put(o, "/>\n");
	}
	put(o, "    <console type='pty'>\n      <target type='xen' port='0'/>\n    </console>\n  </devices>\n");
}

/* ---- the whole ---- */
static void put_domain(struct xml_out *o)
{
	static const char *const ends[] = { "on_poweroff", "on_reboot", "on_crash" };

	put(o, "<domain type='xen'>\n");
	put_element(o, "  ", "name", str(o, "name"));
	put_element(o, "  ", "uuid", str(o, "uuid"));
	put_sizes(o);
	put_tuning(o);
	put_boot(o);
	put_cpu(o);
	for (size_t i = 0; i < 3; i++)
		put_element(o, "  ", ends[i], str(o, ends[i]));
	put_devices(o);
	put(o, "</domain>\n");
}

static void look_for_others(struct xml_out *o)
{
	static const char *const known[] = { "name", "uuid", "type", "memory", "maxmem", "vcpus", "maxvcpus", "kernel", "ramdisk",
		"cmdline", "root", "extra", "bootloader", "bootloader_args", "on_poweroff", "on_reboot", "on_crash", "cpus", "cpu_weight",
		"disk", "vif", "channel", "max_grant_frames", "max_event_channels", "localtime",
		"cpuid" };

	for (size_t i = 0; config_keys[i].name; i++) {
		bool is_known = !config_value(o->config, config_keys[i].name);

		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			is_known |= !strcmp(known[k], config_keys[i].name);
		if (!is_known)
			left_out(o, config_keys[i].name);
	}
}

int pvctl_config_to_xml(const struct pvctl_config *c, const struct pvctl_parse_opts *opts, char **ret_text, struct pvctl_error *err)
{
	struct pvctl_parse_opts own;
	struct xml_out o = { .opts = &own, .config = c, .err = err };
	int rc = opts_load(&own, sizeof(own), opts, err);

	if (rc)
		return rc;
	look_for_others(&o);
	put_domain(&o);
	if (buf_add(&o.b, "", 1))
		o.rc = -ENOMEM;
	if (o.rc == -ENOMEM)
		err_nomem(err);
	if (o.rc)
		buf_free(&o.b);
	else
		*ret_text = (char *)o.b.data;
	return o.rc;
}
