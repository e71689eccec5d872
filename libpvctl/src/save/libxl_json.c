/* SPDX-License-Identifier: MIT */
/* A configuration as libxl's JSON has it (libxl_domain_config), so that Xen's xl can start what is saved here, and the reverse. */
#include "device/disk_spec.h"
#include "device/vif_spec.h"
#include "save/private.h"
#include "util/err.h"
#include "util/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text(struct json_out *o, const char *key, const char *value)
{
	if (!value)
		return;
	json_out_key(o, key);
	json_out_str(o, value);
}

static void number(struct json_out *o, const char *key, int64_t value)
{
	json_out_key(o, key);
	json_out_int(o, value);
}

static bool is_pvh(const struct pvctl_config *c)
{
	const char *type = pvctl_config_get_str(c, "type");

	return type && strcmp(type, "pvh") == 0;
}

static void put_build_info(struct json_out *o, const struct pvctl_config *c)
{
	int64_t memory = config_int_or(c, "memory", 0), max = config_int_or(c, "maxvcpus", config_int_or(c, "vcpus", 1)), i;
	char *cmdline = config_cmdline(c);

	json_out_key(o, "b_info");
	json_out_open(o, '{');
	number(o, "max_vcpus", max);
	json_out_key(o, "avail_vcpus");
	json_out_open(o, '[');
	for (i = 0; i < config_int_or(c, "vcpus", max); i++)
		json_out_int(o, i);
	json_out_close(o, ']');
	number(o, "max_memkb", config_int_or(c, "maxmem", memory) << 10);
	number(o, "target_memkb", memory << 10);
	text(o, "kernel", pvctl_config_get_str(c, "kernel"));
	text(o, "ramdisk", pvctl_config_get_str(c, "ramdisk"));
	text(o, "cmdline", cmdline && cmdline[0] ? cmdline : NULL);
	text(o, "bootloader", pvctl_config_get_str(c, "bootloader"));
	json_out_key(o, is_pvh(c) ? "type.pvh" : "type.pv");
	json_out_open(o, '{');
	json_out_close(o, '}');
	json_out_close(o, '}');
	free(cmdline);
}

static void put_disk(struct json_out *o, const char *spec)
{
	struct disk_spec *d = malloc(sizeof(*d));

	if (!d) {
		o->rc = -ENOMEM;
	} else if (!disk_spec_parse(spec, d, NULL)) {
		json_out_open(o, '{');
		text(o, "pdev_path", d->target);
		text(o, "vdev", d->vdev_name);
		text(o, "format", d->cdrom && !d->target[0] ? "empty" : disk_format_name(d->format));
		text(o, "script", d->script[0] ? d->script : NULL);
		number(o, "removable", d->cdrom);
		number(o, "readwrite", !d->readonly);
		number(o, "is_cdrom", d->cdrom);
		json_out_close(o, '}');
	}
	free(d);
}

static void put_nic(struct json_out *o, const char *spec, int64_t devid)
{
	struct vif_spec *v = malloc(sizeof(*v));
	char mac[18];

	if (!v) {
		o->rc = -ENOMEM;
	} else if (!vif_spec_parse(spec, v, NULL)) {
		json_out_open(o, '{');
		number(o, "devid", v->has_devid ? v->devid : devid);
		if (v->has_mac) {
			snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2], v->mac[3],
			         v->mac[4], v->mac[5]);
			text(o, "mac", mac);
		}
		text(o, "bridge", v->bridge[0] ? v->bridge : "xenbr0");
		text(o, "script", v->script[0] ? v->script : "vif-bridge");
		text(o, "nictype", "vif");
		json_out_close(o, '}');
	}
	free(v);
}

static void put_devices(struct json_out *o, const struct pvctl_config *c)
{
	const char *spec;
	size_t i;

	json_out_key(o, "disks");
	json_out_open(o, '[');
	for (i = 0; (spec = pvctl_config_get_item(c, "disk", i)) && !o->rc; i++)
		put_disk(o, spec);
	json_out_close(o, ']');
	json_out_key(o, "nics");
	json_out_open(o, '[');
	for (i = 0; (spec = pvctl_config_get_item(c, "vif", i)) && !o->rc; i++)
		put_nic(o, spec, (int64_t)i);
	json_out_close(o, ']');
}

static const char *const actions[] = { "on_poweroff", "on_reboot", "on_crash", "on_watchdog" };

int libxl_json_make(const struct pvctl_config *c, uint32_t domid, char **ret, struct pvctl_error *err)
{
	struct json_out o = { .rc = 0 };
	unsigned int i;
	int rc;

	json_out_open(&o, '{');
	json_out_key(&o, "c_info");
	json_out_open(&o, '{');
	text(&o, "type", is_pvh(c) ? "pvh" : "pv");
	text(&o, "name", pvctl_config_get_str(c, "name"));
	text(&o, "uuid", pvctl_config_get_str(c, "uuid"));
	text(&o, "run_hotplug_scripts", "True");
	if (domid)
		number(&o, "domid", domid);
	json_out_close(&o, '}');
	put_build_info(&o, c);
	put_devices(&o, c);
	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		text(&o, actions[i], pvctl_config_get_str(c, actions[i]));
	json_out_close(&o, '}');
	rc = json_out_take(&o, ret);
	if (rc == -EINVAL)
		return err_set(err, rc, PVCTL_ORIGIN_LIB, "the configuration is not UTF-8");
	return rc ? err_nomem(err) : 0;
}

/* ---- and back ---- */

static yajl_val object(yajl_val v, const char *key)
{
	const char *path[] = { key, NULL };

	return v ? yajl_tree_get(v, path, yajl_t_object) : NULL;
}

static yajl_val array(yajl_val v, const char *key)
{
	const char *path[] = { key, NULL };

	return v ? yajl_tree_get(v, path, yajl_t_array) : NULL;
}

static int set_text(struct pvctl_config *c, const char *key, yajl_val from, const char *name, struct pvctl_error *err)
{
	const char *value = from ? json_str(from, name) : NULL;

	return value && value[0] ? pvctl_config_set_str(c, key, value, err) : 0;
}

static int parse_build_info(struct pvctl_config *c, yajl_val b, struct pvctl_error *err)
{
	yajl_val on = array(b, "avail_vcpus");
	long long max = 0, most = 0, now = 0;
	int rc;

	if (!b || json_int(b, "max_memkb", &most) || most <= 0)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "xl's configuration does not say how much memory the domain has (b_info.max_memkb)");
	if (json_int(b, "target_memkb", &now) || now <= 0 || now > most)
		now = most;
	if (json_int(b, "max_vcpus", &max) || max < 1)
		max = 1;
	rc = pvctl_config_set_int(c, "memory", (now + 1023) / 1024, err);
	if (!rc)
		rc = pvctl_config_set_int(c, "maxmem", (most + 1023) / 1024, err);
	if (!rc)
		rc = pvctl_config_set_int(c, "maxvcpus", max, err);
	if (!rc)
		rc = pvctl_config_set_int(c, "vcpus", on && on->u.array.len && on->u.array.len <= (size_t)max ? (int64_t)on->u.array.len : max, err);
	if (!rc)
		rc = set_text(c, "kernel", b, "kernel", err);
	if (!rc)
		rc = set_text(c, "ramdisk", b, "ramdisk", err);
	return rc ? rc : set_text(c, "cmdline", b, "cmdline", err);
}

static int disk_text(yajl_val v, char buf[DISK_SPEC_MAX + 1], struct pvctl_error *err)
{
	const char *target = json_str(v, "pdev_path"), *vdev = json_str(v, "vdev"), *format = json_str(v, "format");
	const char *script = json_str(v, "script");
	long long rw = 1, cdrom = 0;
	int n;

	(void)json_int(v, "readwrite", &rw);
	(void)json_int(v, "is_cdrom", &cdrom);
	if (!vdev)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "xl's configuration has a disk without a vdev");
	n = snprintf(buf, DISK_SPEC_MAX + 1, "vdev=%s,format=%s,access=%s%s%s%s,target=%s", vdev,
	             format && strcmp(format, "empty") != 0 && strcmp(format, "unknown") != 0 ? format : "raw", rw ? "rw" : "ro",
	             cdrom ? ",cdrom" : "", script ? ",script=" : "", script ? script : "", target ? target : "");
	return n > DISK_SPEC_MAX ? err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "xl's configuration has a disk that is too long") : 0;
}

static int nic_text(yajl_val v, char buf[DISK_SPEC_MAX + 1], struct pvctl_error *err)
{
	const char *mac = json_str(v, "mac"), *bridge = json_str(v, "bridge");
	int n = snprintf(buf, DISK_SPEC_MAX + 1, "%s%s%s%s%s", mac ? "mac=" : "", mac ? mac : "", mac && bridge ? "," : "",
	                 bridge ? "bridge=" : "", bridge ? bridge : "");

	return n > DISK_SPEC_MAX ? err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "xl's configuration has an interface that is too long") : 0;
}

#define DEVICES_MAX 64u

static int parse_devices(struct pvctl_config *c, const char *key, yajl_val list,
                         int (*make)(yajl_val, char *, struct pvctl_error *), struct pvctl_error *err)
{
	char *spec[DEVICES_MAX] = { 0 };
	size_t i, n = list ? list->u.array.len : 0;
	int rc = 0;

	if (!n)
		return 0;
	if (n > DEVICES_MAX)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "xl's configuration has too many devices");
	for (i = 0; i < n && !rc; i++) {
		spec[i] = malloc(DISK_SPEC_MAX + 1);
		rc = spec[i] ? make(list->u.array.values[i], spec[i], err) : err_nomem(err);
	}
	if (!rc)
		rc = pvctl_config_set_list(c, key, (const char *const *)spec, n, err);
	for (i = 0; i < n; i++)
		free(spec[i]);
	return rc;
}

static int parse(struct pvctl_config *c, yajl_val root, struct pvctl_error *err)
{
	yajl_val info = object(root, "c_info");
	const char *type = info ? json_str(info, "type") : NULL;
	unsigned int i;
	int rc;

	if (type && strcmp(type, "pv") != 0 && strcmp(type, "pvh") != 0)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "xl's configuration is of a domain of type %.20s", type);
	rc = type && strcmp(type, "pvh") == 0 ? pvctl_config_set_str(c, "type", type, err) : 0;
	if (!rc)
		rc = set_text(c, "name", info, "name", err);
	if (!rc)
		rc = set_text(c, "uuid", info, "uuid", err);
	if (!rc)
		rc = parse_build_info(c, object(root, "b_info"), err);
	if (!rc)
		rc = parse_devices(c, "disk", array(root, "disks"), disk_text, err);
	if (!rc)
		rc = parse_devices(c, "vif", array(root, "nics"), nic_text, err);
	for (i = 0; i < sizeof(actions) / sizeof(actions[0]) && !rc; i++)
		rc = set_text(c, actions[i], root, actions[i], err);
	return rc;
}

uint32_t libxl_json_domid(const char *json)
{
	long long domid = 0;
	yajl_val root, info;

	if (json_parse_object(json, &root, NULL))
		return 0;
	info = object(root, "c_info");
	if (!info || json_int(info, "domid", &domid) || domid < 0 || domid >= DOMID_FIRST_RESERVED)
		domid = 0;
	yajl_tree_free(root);
	return (uint32_t)domid;
}

int libxl_json_parse(const char *json, struct pvctl_config **ret, struct pvctl_error *err)
{
	struct pvctl_config *c;
	yajl_val root;
	int rc = json_parse_object(json, &root, err);

	if (rc)
		return err_wrap(err, rc, "xl's configuration in the saved domain");
	rc = pvctl_config_new(&c, err);
	if (!rc) {
		rc = parse(c, root, err);
		if (rc)
			pvctl_config_free(c);
		else
			*ret = c;
	}
	yajl_tree_free(root);
	return rc;
}
