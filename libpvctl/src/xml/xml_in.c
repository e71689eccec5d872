/* SPDX-License-Identifier: MIT */
/* A configuration from libvirt's domain format, as it is documented for Xen's PV guests. */
#include "util/err.h"
#include "xml/xml_in.h"
#include <stdlib.h>
#include <string.h>

#define MIB (1ull << 20)

/* As libvirt counts: KiB where nothing is said. Whole MiB, rounded up. */
static uint64_t mebibytes(struct xml_in *x, xmlNode *n)
{
	static const struct { const char *name; uint64_t bytes; } units[] = { { "b", 1 }, { "bytes", 1 }, { "KB", 1000 }, { "k", 1024 },
		{ "KiB", 1024 }, { "MB", 1000000 }, { "M", MIB }, { "MiB", MIB }, { "GB", 1000000000 }, { "G", MIB << 10 }, { "GiB", MIB << 10 },
		{ "TB", 1000000000000 }, { "T", MIB << 20 }, { "TiB", MIB << 20 } };
	const char *unit = xml_attr(x, n, "unit"), *text = xml_text(x, n);
	int64_t v;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(units[i].name, unit ? unit : "KiB"))
			continue;
		if (!xml_number(x, n, text, (int64_t)((MIB << 20) / units[i].bytes * 1024), &v))
			return 0;
		return ((uint64_t)v * units[i].bytes + MIB - 1) / MIB;
	}
	xml_say(x, 0, n, "unit='%.20s' is no unit of memory", unit);
	return 0;
}

static void take_memory(struct xml_in *x, xmlNode *n)
{
	x->memory_mib = mebibytes(x, n);
}

static void take_current(struct xml_in *x, xmlNode *n)
{
	x->current_mib = mebibytes(x, n);
}

static void take_vcpus(struct xml_in *x, xmlNode *n)
{
	const char *current = xml_attr(x, n, "current");

	xml_number(x, n, xml_text(x, n), 100000, &x->vcpus);
	if (current)
		xml_number(x, n, current, 100000, &x->current_vcpus);
	x->cpuset = xml_attr(x, n, "cpuset");
}

#define TEXT_KEY(function, key) \
	static void function(struct xml_in *x, xmlNode *n) { xml_set(x, n, key, xml_text(x, n)); }
TEXT_KEY(take_name, "name")
TEXT_KEY(take_uuid, "uuid")
TEXT_KEY(take_kernel, "kernel")
TEXT_KEY(take_initrd, "ramdisk")
TEXT_KEY(take_cmdline, "cmdline")
TEXT_KEY(take_bootloader, "bootloader")
TEXT_KEY(take_bootloader_args, "bootloader_args")
TEXT_KEY(take_on_poweroff, "on_poweroff")
TEXT_KEY(take_on_reboot, "on_reboot")
TEXT_KEY(take_on_crash, "on_crash")

static void take_os_type(struct xml_in *x, xmlNode *n)
{
	const char *type = xml_text(x, n), *machine = xml_attr(x, n, "machine"), *arch = xml_attr(x, n, "arch");

	bool pvh = !strcmp(type, "xenpvh");

	if (!pvh && strcmp(type, "linux") && strcmp(type, "xen"))
		xml_say(x, 0, n, "<type>%.20s</type>: a domain here is a PV guest, <type>linux</type>, or a PVH one, <type>xenpvh</type>", type);
	else if (machine && strcmp(machine, pvh ? "xenpvh" : "xenpv"))
		xml_say(x, 0, n, "machine='%.20s': a domain here is a PV guest, xenpv, or a PVH one, xenpvh", machine);
	else if (arch && strcmp(arch, "x86_64"))
		xml_say(x, 0, n, "arch='%.20s': only x86_64 is supported", arch);
	else if (pvh)
		xml_set(x, n, "type", "pvh");
}

static const char not_pv[] = "it is not for PV guests: such a domain cannot run here as it is meant";
static const struct xml_rule os_rules[] = {
	{ .name = "type", .take = take_os_type }, { .name = "kernel", .take = take_kernel }, { .name = "initrd", .take = take_initrd },
	{ .name = "cmdline", .take = take_cmdline }, { .name = "boot" }, { .name = "bootmenu" },
	{ .name = "loader", .refused = not_pv }, { .name = "nvram", .refused = not_pv }, { .name = "init", .refused = not_pv },
	{ .name = "dtb", .refused = not_pv }, { 0 }
};

static void take_os(struct xml_in *x, xmlNode *n)
{
	xml_children(x, n, os_rules);
}

static void take_features(struct xml_in *x, xmlNode *n)
{
	static const struct xml_rule rules[] = {
		{ .name = "acpi" }, { .name = "apic" }, { .name = "pae" },
		{ .name = "xen", .refused = "e820_host and passthrough are for host devices, which a node has not" },
		{ .name = "hyperv", .refused = not_pv }, { .name = "kvm", .refused = not_pv }, { 0 }
	};

	xml_children(x, n, rules);
}

static void take_clock(struct xml_in *x, xmlNode *n)
{
	static const struct xml_rule rules[] = { { .name = "timer", .refused = "a guest's timers are Xen's own" }, { 0 } };
	const char *offset = xml_attr(x, n, "offset"), *adjustment = xml_attr(x, n, "adjustment");

	if (offset && !strcmp(offset, "localtime"))
		xml_set_number(x, n, "localtime", 1);
	else if (offset && strcmp(offset, "utc") && (strcmp(offset, "variable") || (adjustment && strcmp(adjustment, "0"))))
		xml_say(x, 0, n, "<clock offset='%.20s'>: a guest's clock is UTC or local time", offset);
	xml_children(x, n, rules);
}

static const char not_model[] = "a PV guest sees the node's CPU, <cpu mode='host-passthrough'/>, less what a <feature> disables";

/* As libvirt's driver for Xen has them. */
static char feature_value(const char *policy)
{
	static const struct { const char *name; char value; } policies[] = {
		{ "force", '1' }, { "require", 'k' }, { "optional", 'x' }, { "disable", '0' }, { "forbid", '0' } };

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (!strcmp(policies[i].name, policy))
			return policies[i].value;
	return 0;
}

static void take_feature(struct xml_in *x, xmlNode *n)
{
	const char *name = xml_attr(x, n, "name"), *policy = xml_attr(x, n, "policy");
	char value = feature_value(policy ? policy : "require");

	if (!name || !value || strpbrk(name, ",= ")) {
		xml_say(x, 0, n, "<feature>: a name, and a policy of force, require, optional, disable or forbid are expected");
		return;
	}
	if ((!x->cpuid.len && buf_addf(&x->cpuid, "host")) || buf_addf(&x->cpuid, ",%.40s=%c", name, value))
		xml_no_memory(x);
}

static void take_cpu(struct xml_in *x, xmlNode *n)
{
	static const struct xml_rule rules[] = {
		{ .name = "feature", .take = take_feature }, { .name = "topology", .refused = "each virtual CPU is a package of its own" },
		{ .name = "model", .refused = not_model }, { .name = "numa", .refused = "its memory is in one node" }, { 0 }
	};
	const char *mode = xml_attr(x, n, "mode");

	if (!mode || strcmp(mode, "host-passthrough")) {
		xml_say(x, 0, n, "<cpu>: %s", not_model);
		return;
	}
	xml_children(x, n, rules);
	if (!x->cpuid.len)
		return;
	if (buf_add(&x->cpuid, "", 1))
		xml_no_memory(x);
	else
		xml_set(x, n, "cpuid", (char *)x->cpuid.data);
}

static void take_shares(struct xml_in *x, xmlNode *n)
{
	int64_t v;

	if (xml_number(x, n, xml_text(x, n), 1 << 20, &v))
		xml_set_number(x, n, "cpu_weight", v);
}

static void take_pin(struct xml_in *x, xmlNode *n)
{
	const char *vcpu = xml_attr(x, n, "vcpu"), *set = xml_attr(x, n, "cpuset");
	int64_t v;

	if (vcpu && set && xml_number(x, n, vcpu, XML_PINS_MAX - 1, &v))
		x->pin[v] = set;
	else if (!vcpu || !set)
		xml_say(x, 0, n, "<vcpupin> has no vcpu or cpuset");
}

static void take_cputune(struct xml_in *x, xmlNode *n)
{
	static const struct xml_rule rules[] = {
		{ .name = "shares", .take = take_shares }, { .name = "vcpupin", .take = take_pin },
		{ .name = "quota", .refused = "use the key cap, in percent of a CPU" }, { .name = "period" }, { .name = "emulatorpin" }, { 0 }
	};

	xml_children(x, n, rules);
}

static const struct xml_rule domain_rules[] = {
	{ .name = "name", .take = take_name }, { .name = "uuid", .take = take_uuid }, { .name = "memory", .take = take_memory },
	{ .name = "currentMemory", .take = take_current }, { .name = "vcpu", .take = take_vcpus }, { .name = "os", .take = take_os },
	{ .name = "bootloader", .take = take_bootloader }, { .name = "bootloader_args", .take = take_bootloader_args },
	{ .name = "on_poweroff", .take = take_on_poweroff }, { .name = "on_reboot", .take = take_on_reboot },
	{ .name = "on_crash", .take = take_on_crash }, { .name = "features", .take = take_features }, { .name = "clock", .take = take_clock },
	{ .name = "cpu", .take = take_cpu }, { .name = "cputune", .take = take_cputune }, { .name = "devices", .take = xml_take_devices },
	{ .name = "metadata" }, { .name = "title" }, { .name = "description" },
	{ .name = "idmap", .refused = not_pv }, { .name = "launchSecurity", .refused = not_pv }, { .name = "genid", .refused = not_pv },
	{ 0 }
};

/* ---- what several elements say together ---- */
static void set_sizes(struct xml_in *x, xmlNode *root)
{
	uint64_t now = x->current_mib ? x->current_mib : x->memory_mib;
	int64_t online = x->current_vcpus ? x->current_vcpus : x->vcpus;

	if (now)
		xml_set_number(x, root, "memory", (int64_t)now);
	if (x->memory_mib > now)
		xml_set_number(x, root, "maxmem", (int64_t)x->memory_mib);
	if (online)
		xml_set_number(x, root, "vcpus", online);
	if (x->vcpus > online)
		xml_set_number(x, root, "maxvcpus", x->vcpus);
}

static void set_list(struct xml_in *x, xmlNode *root, const char *key, const char *const *items, size_t n)
{
	struct pvctl_error err = { 0 };
	int rc = n ? pvctl_config_set_list(x->config, key, items, n, &err) : 0;

	if (rc == -ENOMEM)
		xml_no_memory(x);
	else if (rc)
		xml_say(x, 0, root, "%s", err.msg);
}

static void set_affinity(struct xml_in *x, xmlNode *root)
{
	size_t n = XML_PINS_MAX;

	while (n && !x->pin[n - 1])
		n--;
	if (!n && x->cpuset)
		xml_set(x, root, "cpus", x->cpuset);
	for (size_t i = 0; i < n; i++)
		x->pin[i] = x->pin[i] ? x->pin[i] : x->cpuset ? x->cpuset : "all";
	set_list(x, root, "cpus", x->pin, n);
}

static void take_domain(struct xml_in *x, xmlNode *root)
{
	const char *type = xml_attr(x, root, "type");

	if (strcmp((const char *)root->name, "domain"))
		return xml_say(x, 0, root, "<%.40s> is no <domain>", (const char *)root->name);
	if (!type || strcmp(type, "xen"))
		return xml_say(x, 0, root, "<domain type='%.20s'>: only type='xen' can be read", type ? type : "");
	xml_children(x, root, domain_rules);
	set_sizes(x, root);
	set_affinity(x, root);
	set_list(x, root, "disk", (const char *const *)x->disks.item, x->disks.n);
	set_list(x, root, "vif", (const char *const *)x->vifs.item, x->vifs.n);
	set_list(x, root, "channel", (const char *const *)x->channels.item, x->channels.n);
}

/* ---- the document ---- */
static bool too_deep(const xmlNode *root)
{
	unsigned int depth = 1;
	const xmlNode *n = root;

	while (n) {
		if (n->type == XML_ELEMENT_NODE && n->children) {
			n = n->children;
			if (++depth > XML_DEPTH_MAX)
				return true;
			continue;
		}
		while (n != root && !n->next) {
			n = n->parent;
			depth--;
		}
		n = n == root ? NULL : n->next;
	}
	return false;
}

/* A DTD is refused before libxml2 sees it: there are no entities, none that grow and none that name files. */
static bool has_dtd(const char *text, size_t len)
{
	return memmem(text, len, "<!DOCTYPE", 9) || memmem(text, len, "<!ENTITY", 8);
}

static int not_xml(struct xml_in *x, const xmlError *e)
{
	if (e && e->code == XML_ERR_NO_MEMORY)
		return err_nomem(x->err);
	return err_set(x->err, -EINVAL, PVCTL_ORIGIN_LIB, "%s:%d: %.200s", x->opts->file ? x->opts->file : "<text>",
	               e && e->line ? e->line : 1, e && e->message ? e->message : "this is no XML");
}

static int read_document(struct xml_in *x, const char *text, size_t len, xmlDoc **ret)
{
	xmlParserCtxt *p;
	xmlDoc *doc;
	char *end;
	int rc = 0;

	if (len > XML_TEXT_MAX)
		return err_set(x->err, -E2BIG, PVCTL_ORIGIN_LIB, "more than %u bytes are no domain's XML", XML_TEXT_MAX);
	if (memchr(text, '\0', len) || has_dtd(text, len))
		return err_set(x->err, -EINVAL, PVCTL_ORIGIN_LIB, "a document type, or text that is not UTF-8, is not read");
	p = libxml2.xmlNewParserCtxt();
	if (!p)
		return err_nomem(x->err);
	doc = libxml2.xmlCtxtReadMemory(p, text, (int)len, NULL, "UTF-8", XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
	                        XML_PARSE_NOCDATA);
	if (!doc)
		rc = not_xml(x, libxml2.xmlCtxtGetLastError(p));
	else if (!libxml2.xmlDocGetRootElement(doc) || doc->intSubset || too_deep(libxml2.xmlDocGetRootElement(doc)))
		rc = err_set(x->err, -EINVAL, PVCTL_ORIGIN_LIB, "elements are at most %u deep", XML_DEPTH_MAX);
	libxml2.xmlFreeParserCtxt(p);
	/* libxml2's texts end with a line's end. */
	end = rc && x->err ? strchr(x->err->msg, '\n') : NULL;
	if (end)
		*end = '\0';
	if (rc)
		libxml2.xmlFreeDoc(doc);
	else
		*ret = doc;
	return rc;
}

static void free_list(struct xml_list *l)
{
	while (l->n)
		free(l->item[--l->n]);
}

static void fini(struct xml_in *x)
{
	while (x->n_owned)
		(*libxml2.free)(x->owned[--x->n_owned]);
	free(x->owned);
	buf_free(&x->cpuid);
	free_list(&x->disks);
	free_list(&x->vifs);
	free_list(&x->channels);
}

int pvctl_config_from_xml(const char *text, size_t len, const struct pvctl_parse_opts *opts, struct pvctl_config **ret,
                          struct pvctl_error *err)
{
	struct pvctl_parse_opts o;
	struct pvctl_error own;
	struct xml_in *x;
	xmlDoc *doc = NULL;
	int rc = opts_load(&o, sizeof(o), opts, err);

	rc = rc ? rc : libxml2_load(err);
	if (rc)
		return rc;
	x = calloc(1, sizeof(*x));
	if (!x)
		return err_nomem(err);
	x->opts = &o;
	x->err = err ? err : &own;
	rc = read_document(x, text, len, &doc);
	if (!rc) {
		rc = pvctl_config_new(&x->config, err);
		if (!rc) {
			take_domain(x, libxml2.xmlDocGetRootElement(doc));
			rc = x->rc;
		}
		libxml2.xmlFreeDoc(doc);
	}
	if (rc)
		pvctl_config_free(x->config);
	else
		*ret = x->config;
	fini(x);
	free(x);
	return rc;
}
