/* SPDX-License-Identifier: MIT */
/* <devices>: each becomes the text that the keys disk, vif and channel have for it. */
#include "device/vif_spec.h"
#include "device/disk_spec.h"
#include "xml/xml_in.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct spec { char text[DISK_SPEC_MAX + 1]; size_t len; bool bad; };

static bool is(const char *a, const char *b)
{
	return a && !strcmp(a, b);
}

/* ",WORD" or ",KEY=VALUE", which must not become several. */
static void add(struct xml_in *x, xmlNode *n, struct spec *s, const char *key, const char *value)
{
	int l;

	if (!value)
		return;
	if (strcmp(key, "target") && strpbrk(value, ",\n")) {
		xml_say(x, 0, n, "%s \"%.60s\": a comma or a line's end cannot be in it", key, value);
		s->bad = true;
		return;
	}
	l = snprintf(s->text + s->len, sizeof(s->text) - s->len, "%s%s%s%s", s->len ? "," : "", key, *value ? "=" : "", value);
	if ((size_t)l >= sizeof(s->text) - s->len) {
		xml_say(x, 0, n, "<%s> is too long", (const char *)n->name);
		s->bad = true;
		return;
	}
	s->len += (size_t)l;
}

static void keep(struct xml_in *x, xmlNode *n, struct xml_list *list, const struct spec *s)
{
	if (s->bad)
		return;
	if (list->n == XML_DEVICES_MAX) {
		xml_say(x, 0, n, "more than %u <%s>", XML_DEVICES_MAX, (const char *)n->name);
		return;
	}
	list->item[list->n] = strdup(s->text);
	if (!list->item[list->n])
		xml_no_memory(x);
	else
		list->n++;
}

/* ---- disks ---- */
static const char disk_elsewhere[] = "only files and block devices of the host can be a disk's source";
static const struct xml_rule disk_rules[] = {
	{ .name = "driver" }, { .name = "source" }, { .name = "target" }, { .name = "readonly" }, { .name = "alias" },
	{ .name = "address" }, { .name = "backingStore" },
	{ .name = "shareable", .refused = "a disk is one domain's here; attach it read-only to several" },
	{ .name = "transient", .refused = "a disk keeps what is written to it here; use an overlay image" },
	{ .name = "encryption", .refused = "encrypted images are not supported" },
	{ .name = "auth", .refused = disk_elsewhere }, { .name = "mirror", .refused = "a copy that runs is not taken over" },
	{ .name = "backenddomain", .refused = "there are no driver domains" },
	{ .name = "iotune", .refused = "a disk's rate cannot be limited" },
	{ 0 }
};

static const char *disk_format(struct xml_in *x, xmlNode *disk, xmlNode *driver, bool *ret_bad)
{
	static const char *const known[][2] = { { "raw", "raw" }, { "aio", "raw" }, { "qcow", "qcow" }, { "qcow2", "qcow2" },
		{ "vhd", "vhd" }, { "vpc", "vhd" }, { "qed", "qed" } };
	const char *type = xml_attr(x, driver, "type");

	if (!type)
		return "raw";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i][0], type))
			return known[i][1];
	xml_say(x, 0, disk, "<driver type='%.40s'>: there is no such format of disks", type);
	*ret_bad = true;
	return "raw";
}

static void take_disk(struct xml_in *x, xmlNode *n)
{
	xmlNode *source = xml_child(n, "source"), *target = xml_child(n, "target"), *driver = xml_child(n, "driver");
	const char *type = xml_attr(x, n, "type"), *device = xml_attr(x, n, "device"), *bus = xml_attr(x, target, "bus");
	const char *vdev = xml_attr(x, target, "dev"), *path = xml_attr(x, source, is(type, "block") ? "dev" : "file");
	bool cdrom = is(device, "cdrom");
	struct spec s = { .len = 0 };

	xml_children(x, n, disk_rules);
	if (!is(type, "file") && !is(type, "block"))
		return xml_say(x, 0, n, "<disk type='%.20s'>: %s", type ? type : "", disk_elsewhere);
	if (device && !is(device, "disk") && !cdrom)
		return xml_say(x, 0, n, "<disk device='%.20s'>: there are disks and cdroms", device);
	if (bus && !is(bus, "xen"))
		return xml_say(x, 0, n, "<target bus='%.20s'>: a PV guest's disks are on bus xen", bus);
	if (!vdev || (!path && !cdrom))
		return xml_say(x, 0, n, "<disk> has no %s", vdev ? "source" : "target's dev");
	add(x, n, &s, "format", disk_format(x, n, driver, &s.bad));
	add(x, n, &s, "vdev", vdev);
	add(x, n, &s, "access", xml_child(n, "readonly") || cdrom ? "ro" : "rw");
	add(x, n, &s, "cdrom", cdrom ? "" : NULL);
	add(x, n, &s, "no-discard", is(xml_attr(x, driver, "discard"), "ignore") ? "" : NULL);
	/* The last: it may have whatever it has. */
	if (path && *path)
		add(x, n, &s, "target", path);
	keep(x, n, &x->disks, &s);
}

/* ---- network interfaces ---- */
static void take_rate(struct xml_in *x, xmlNode *n)
{
	if (xml_child(n, "inbound"))
		xml_say(x, 1, xml_child(n, "inbound"), "<inbound>: only what a guest sends is limited: left out");
}

static void take_link(struct xml_in *x, xmlNode *n)
{
	if (!is(xml_attr(x, n, "state"), "up"))
		xml_say(x, 0, n, "<link>: an interface cannot be down");
}

static const struct xml_rule vif_rules[] = {
	{ .name = "mac" }, { .name = "source" }, { .name = "script" }, { .name = "target" }, { .name = "model" }, { .name = "ip" },
	{ .name = "mtu" }, { .name = "alias" }, { .name = "address" }, { .name = "bandwidth", .take = take_rate },
	{ .name = "link", .take = take_link },
	{ .name = "virtualport", .refused = "only Linux's own bridges are supported" },
	{ .name = "vlan", .refused = "VLANs are the bridge's" },
	{ .name = "filterref", .refused = "it would be without its filter here" },
	{ .name = "port", .refused = "it would not be isolated here" },
	{ .name = "backenddomain", .refused = "there are no driver domains" },
	{ 0 }
};

static void add_rate(struct xml_in *x, xmlNode *n, struct spec *s)
{
	xmlNode *bandwidth = xml_child(n, "bandwidth"), *out = bandwidth ? xml_child(bandwidth, "outbound") : NULL;
	const char *average = xml_attr(x, out, "average");
	char rate[40];
	int64_t kb;

	if (!average || !xml_number(x, out, average, 1000000000, &kb))
		return;
	snprintf(rate, sizeof(rate), "%lldKB/s", (long long)kb);
	add(x, n, s, "rate", rate);
}

static void take_vif(struct xml_in *x, xmlNode *n)
{
	xmlNode *source = xml_child(n, "source");
	const char *type = xml_attr(x, n, "type"), *bridge = xml_attr(x, source, "bridge");
	const char *model = xml_attr(x, xml_child(n, "model"), "type");
	struct spec s = { .len = 0 };

	xml_children(x, n, vif_rules);
	if (is(type, "network"))
		return xml_say(x, 0, n, "<interface type='network'>: libvirt's networks are libvirt's: name the bridge, <interface "
		               "type='bridge'>, or use type='user'");
	if (!is(type, "bridge") && !is(type, "ethernet") && !is(type, "user"))
		return xml_say(x, 0, n, "<interface type='%.20s'>: there are bridge, ethernet and user", type ? type : "");
	if (is(type, "bridge") && !bridge)
		return xml_say(x, 0, n, "<interface type='bridge'> has no <source bridge='...'>");
	if (model && !is(model, "netfront"))
		return xml_say(x, 0, n, "<model type='%.20s'>: a PV guest's interfaces are netfront", model);
	add(x, n, &s, "mac", xml_attr(x, xml_child(n, "mac"), "address"));
	add(x, n, &s, "bridge", is(type, "bridge") ? bridge : NULL);
	add(x, n, &s, "link", is(type, "user") ? "user" : is(type, "ethernet") ? "tap" : NULL);
	add(x, n, &s, "script", xml_attr(x, xml_child(n, "script"), "path"));
	add(x, n, &s, "vifname", xml_attr(x, xml_child(n, "target"), "dev"));
	add(x, n, &s, "ip", xml_attr(x, xml_child(n, "ip"), "address"));
	add(x, n, &s, "mtu", xml_attr(x, xml_child(n, "mtu"), "size"));
	add_rate(x, n, &s);
	keep(x, n, &x->vifs, &s);
}

/* ---- the rest ---- */
static void take_channel(struct xml_in *x, xmlNode *n)
{
	xmlNode *target = xml_child(n, "target");
	const char *type = xml_attr(x, n, "type"), *name = xml_attr(x, target, "name");
	struct spec s = { .len = 0 };

	if (!is(xml_attr(x, target, "type"), "xen") || !name)
		return xml_say(x, 0, n, "<channel>: a PV guest's has <target type='xen' name='...'/>");
	if (!is(type, "pty") && !is(type, "unix"))
		return xml_say(x, 0, n, "<channel type='%.20s'>: there are pty and unix", type ? type : "");
	add(x, n, &s, "name", name);
	add(x, n, &s, "connection", is(type, "unix") ? "socket" : "pty");
	add(x, n, &s, "path", is(type, "unix") ? xml_attr(x, xml_child(n, "source"), "path") : NULL);
	keep(x, n, &x->channels, &s);
}

static void take_console(struct xml_in *x, xmlNode *n)
{
	const char *type = xml_attr(x, n, "type");

	if (type && strcmp(type, "pty"))
		xml_say(x, 1, n, "<console type='%.20s'>: its console is the node's: left out", type);
}

static void take_controller(struct xml_in *x, xmlNode *n)
{
	static const char *const keys[][2] = { { "maxGrantFrames", "max_grant_frames" }, { "maxEventChannels", "max_event_channels" } };
	const char *type = xml_attr(x, n, "type"), *value;
	int64_t v;

	if (!is(type, "xenbus"))
		return xml_say(x, 1, n, "<controller type='%.20s'>: a PV guest has none: left out", type ? type : "");
	for (size_t i = 0; i < 2; i++) {
		value = xml_attr(x, n, keys[i][0]);
		if (value && xml_number(x, n, value, 1 << 20, &v))
			xml_set_number(x, n, keys[i][1], v);
	}
}

static const char no_such[] = "there is no such device for a PV guest here";
static const struct xml_rule device_rules[] = {
	{ .name = "emulator" }, { .name = "memballoon" }, { .name = "disk", .take = take_disk }, { .name = "interface", .take = take_vif },
	{ .name = "channel", .take = take_channel }, { .name = "console", .take = take_console },
	{ .name = "controller", .take = take_controller },
	{ .name = "graphics", .refused = "there is no screen; a PV guest has its console" },
	{ .name = "filesystem", .refused = "name it in the key p9 instead" },
	{ .name = "hostdev", .refused = "a node has no host devices" }, { .name = "tpm", .refused = no_such },
	{ .name = "rng", .refused = no_such }, { .name = "sound", .refused = no_such }, { .name = "watchdog", .refused = no_such },
	{ .name = "shmem", .refused = no_such }, { .name = "vsock", .refused = no_such }, { .name = "redirdev", .refused = no_such },
	{ .name = "memory", .refused = no_such }, { .name = "lease", .refused = no_such }, { .name = "smartcard", .refused = no_such },
	{ .name = "iommu", .refused = no_such }, { .name = "nvram", .refused = no_such }, { .name = "crypto", .refused = no_such },
	{ 0 }
};

void xml_take_devices(struct xml_in *x, xmlNode *n)
{
	xml_children(x, n, device_rules);
}
