/* SPDX-License-Identifier: MIT */
#include "pvctl/libxl_json.h"

#include <stdio.h>

static int64_t number_or(const struct pvctl_config *c, const char *key, int64_t otherwise)
{
	int64_t n;

	return pvctl_config_get_int(c, key, &n) ? otherwise : n;
}

static void put_text(struct json *j, const char *name, const struct pvctl_config *c, const char *key)
{
	const char *value = pvctl_config_get_str(c, key);

	if (value)
		json_str(j, name, value);
}

static void put_c_info(struct json *j, const struct pvctl_config *c, const struct pvctl_domain_info *info)
{
	const char *name = c ? pvctl_config_get_str(c, "name") : info->name;
	char uuid[37];

	json_map(j, "c_info");
	json_str(j, "type", "pv");
	json_str(j, "name", name && name[0] ? name : NULL);
	if (info) {
		uuid_text(info->uuid, uuid);
		json_str(j, "uuid", uuid);
	} else {
		put_text(j, "uuid", c, "uuid");
	}
	json_end_map(j);
}

static void put_b_info(struct json *j, const struct pvctl_config *c)
{
	int64_t memory = number_or(c, "memory", 0), vcpus = number_or(c, "vcpus", number_or(c, "maxvcpus", 1));

	json_map(j, "b_info");
	json_u64(j, "max_vcpus", (uint64_t)number_or(c, "maxvcpus", vcpus));
	json_array(j, "avail_vcpus");
	for (int64_t i = 0; i < vcpus; i++)
		json_u64(j, NULL, (uint64_t)i);
	json_end_array(j);
	json_u64(j, "max_memkb", (uint64_t)number_or(c, "maxmem", memory) << 10);
	json_u64(j, "target_memkb", (uint64_t)memory << 10);
	put_text(j, "kernel", c, "kernel");
	put_text(j, "ramdisk", c, "ramdisk");
	put_text(j, "cmdline", c, "cmdline");
	put_text(j, "bootloader", c, "bootloader");
	json_map(j, "type.pv");
	json_end_map(j);
	json_end_map(j);
}

/* As libxl_disk's JSON; what has its default is left out there, too. */
static void put_disk(struct json *j, const char *text)
{
	struct pvctl_disk_spec s = { .size = sizeof(s) };

	if (pvctl_disk_parse(text, &s, NULL))
		return;
	json_map(j, NULL);
	if (s.target[0])
		json_str(j, "pdev_path", s.target);
	json_str(j, "vdev", s.name);
	if (s.backend[0])
		json_str(j, "backend", s.backend);
	json_str(j, "format", s.target[0] ? s.format : "empty");
	if (s.script[0])
		json_str(j, "script", s.script);
	if (s.cdrom)
		json_u64(j, "removable", 1);
	if (!s.readonly)
		json_u64(j, "readwrite", 1);
	if (s.cdrom)
		json_u64(j, "is_cdrom", 1);
	if (s.direct_io_safe)
		json_bool(j, "direct_io_safe", true);
	if (s.no_discard)
		json_str(j, "discard_enable", "False");
	json_end_map(j);
}

static void put_if(struct json *j, const char *name, const char *value)
{
	if (value[0])
		json_str(j, name, value);
}

/* A place in the list is the number that the guest knows it by, where the text has none. */
static void put_nic(struct json *j, const char *text, size_t i)
{
	struct pvctl_vif_spec s = { .size = sizeof(s) };
	char mac[18];

	if (pvctl_vif_parse(text, &s, NULL))
		return;
	json_map(j, NULL);
	json_u64(j, "devid", s.devid < 0 ? i : (uint64_t)s.devid);
	json_u64(j, "mtu", s.mtu);
	if (s.has_mac) {
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", s.mac[0], s.mac[1], s.mac[2], s.mac[3], s.mac[4], s.mac[5]);
		json_str(j, "mac", mac);
	}
	put_if(j, "ip", s.ip);
	put_if(j, "bridge", s.bridge);
	put_if(j, "ifname", s.vifname);
	put_if(j, "script", s.script);
	json_str(j, "nictype", "vif");
	if (s.rate_bytes) {
		json_u64(j, "rate_bytes_per_interval", s.rate_bytes);
		json_u64(j, "rate_interval_usecs", s.rate_us);
	}
	put_if(j, "gatewaydev", s.gatewaydev);
	json_end_map(j);
}

static void put_devices(struct json *j, const struct pvctl_config *c)
{
	const char *text;
	size_t i;

	if (pvctl_config_get_item(c, "disk", 0)) {
		json_array(j, "disks");
		for (i = 0; (text = pvctl_config_get_item(c, "disk", i)); i++)
			put_disk(j, text);
		json_end_array(j);
	}
	if (pvctl_config_get_item(c, "vif", 0)) {
		json_array(j, "nics");
		for (i = 0; (text = pvctl_config_get_item(c, "vif", i)); i++)
			put_nic(j, text, i);
		json_end_array(j);
	}
}

void json_config(struct json *j, const char *key, const struct pvctl_config *config, const struct pvctl_domain_info *info)
{
	char *text = NULL;

	json_map(j, key);
	if (config && !pvctl_config_to_json(config, &text, NULL))
		json_members(j, text);
	pvctl_free(text);
	put_c_info(j, config, info);
	if (config)
		put_b_info(j, config);
	if (config)
		put_devices(j, config);
	json_end_map(j);
}
