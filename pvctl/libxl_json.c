/* SPDX-License-Identifier: MIT */
#include "pvctl/libxl_json.h"

#include <stdio.h>

#define REGISTERS_MAX 128

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

/* As it runs; before that, as it is wanted. */
static const char *type_of(const struct pvctl_config *c, const struct pvctl_domain_info *info)
{
	const char *type = c ? pvctl_config_get_str(c, "type") : NULL;

	if (info)
		return info->type == PVCTL_TYPE_PVH ? "pvh" : "pv";
	return type ? type : "pv";
}

static void put_c_info(struct json *j, const struct pvctl_config *c, const struct pvctl_domain_info *info)
{
	const char *name = c ? pvctl_config_get_str(c, "name") : info->name;
	char uuid[37];

	json_map(j, "c_info");
	json_str(j, "type", type_of(c, info));
	json_str(j, "name", name && name[0] ? name : NULL);
	if (info) {
		uuid_text(info->uuid, uuid);
		json_str(j, "uuid", uuid);
	} else {
		put_text(j, "uuid", c, "uuid");
	}
	json_end_map(j);
}

/* One text, as libxl has it, of what may be two keys. */
static void put_cmdline(struct json *j, const struct pvctl_config *c)
{
	const char *all = pvctl_config_get_str(c, "cmdline"), *root = pvctl_config_get_str(c, "root"), *extra = pvctl_config_get_str(c, "extra");
	char text[2100];

	if (all || root || extra)
		snprintf(text, sizeof(text), "%s%s%s%s", all ? "" : root ? "root=" : "", all ? all : root ? root : "", !all && root && extra ? " " : "",
			 !all && extra ? extra : "");
	if (all || root || extra)
		json_str(j, "cmdline", text);
}

/* For each vCPU the CPUs it may run on; a text is for all of them. */
static void put_affinity(struct json *j, const char *name, const struct pvctl_config *c, const char *key, int64_t vcpus)
{
	const char *all = pvctl_config_get_str(c, key);
	uint64_t mask;

	if (!all && !pvctl_config_get_item(c, key, 0))
		return;
	json_array(j, name);
	for (int64_t v = 0; v < vcpus; v++) {
		const char *text = all ? all : pvctl_config_get_item(c, key, (size_t)v);

		if (!text || pvctl_cpus_parse(text, &mask, NULL))
			mask = ~UINT64_C(0);
		json_array(j, NULL);
		for (unsigned int cpu = 0; cpu < 64; cpu++)
			if (mask >> cpu & 1)
				json_u64(j, NULL, cpu);
		json_end_array(j);
	}
	json_end_array(j);
}

static bool has_subleaves(uint32_t leaf)
{
	return leaf == 4 || leaf == 7 || (leaf >= 0xb && leaf <= 0x1f) || leaf == 0x8000001d;
}

static void put_register(struct json *j, const struct pvctl_cpuid_edit *e)
{
	static const char *const names[] = { "eax", "ebx", "ecx", "edx" };
	char bits[33] = "";

	for (unsigned int b = 0; b < 32; b++)
		bits[31 - b] = e->set >> b & 1 ? '1' : e->clear >> b & 1 ? '0' : 'x';
	json_str(j, names[e->reg & 3], bits);
}

/* A map for each leaf, with the bits of its registers, the highest first. */
static void put_cpuid(struct json *j, const struct pvctl_config *c)
{
	struct pvctl_cpuid_edit e[REGISTERS_MAX];
	size_t n = 0;

	for (; n < REGISTERS_MAX; n++) {
		e[n].size = sizeof(e[n]);
		if (pvctl_config_get_cpuid(c, n, &e[n], NULL))
			break;
	}
	if (!n)
		return;
	json_array(j, "cpuid");
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (e[k].leaf != e[i].leaf || e[k].subleaf != e[i].subleaf)
			k++;
		/* With the first of its leaf it was told. */
		if (k < i)
			continue;
		json_map(j, NULL);
		json_u64(j, "leaf", e[i].leaf);
		if (e[i].subleaf || has_subleaves(e[i].leaf))
			json_u64(j, "subleaf", e[i].subleaf);
		for (; k < n; k++)
			if (e[k].leaf == e[i].leaf && e[k].subleaf == e[i].subleaf)
				put_register(j, &e[k]);
		json_end_map(j);
	}
	json_end_array(j);
}

static void put_number(struct json *j, const char *name, const struct pvctl_config *c, const char *key)
{
	int64_t n;

	if (!pvctl_config_get_int(c, key, &n))
		json_u64(j, name, (uint64_t)n);
}

/* libxl's truth values are words. */
static void put_truth(struct json *j, const char *name, const struct pvctl_config *c, const char *key)
{
	int64_t n;

	if (!pvctl_config_get_int(c, key, &n))
		json_str(j, name, n ? "True" : "False");
}

static void put_texts(struct json *j, const char *name, const struct pvctl_config *c, const char *key)
{
	const char *text = pvctl_config_get_str(c, key);

	if (!text && !pvctl_config_get_item(c, key, 0))
		return;
	json_array(j, name);
	if (text)
		json_str(j, NULL, text);
	for (size_t i = 0; !text && pvctl_config_get_item(c, key, i); i++)
		json_str(j, NULL, pvctl_config_get_item(c, key, i));
	json_end_array(j);
}

static void put_limits(struct json *j, const struct pvctl_config *c)
{
	int64_t n;

	put_number(j, "event_channels", c, "max_event_channels");
	put_number(j, "max_grant_frames", c, "max_grant_frames");
	put_number(j, "max_maptrack_frames", c, "max_maptrack_frames");
	put_number(j, "max_grant_version", c, "max_grant_version");
	put_truth(j, "localtime", c, "localtime");
	put_number(j, "rtc_timeoffset", c, "rtc_timeoffset");
	put_truth(j, "disable_migrate", c, "nomigrate");
	if (pvctl_config_get_int(c, "cpu_weight", &n) && pvctl_config_get_int(c, "cap", &n))
		return;
	json_map(j, "sched_params");
	put_number(j, "weight", c, "cpu_weight");
	put_number(j, "cap", c, "cap");
	json_end_map(j);
}

static void put_b_info(struct json *j, const struct pvctl_config *c)
{
	int64_t memory = number_or(c, "memory", 0), vcpus = number_or(c, "vcpus", number_or(c, "maxvcpus", 1));
	int64_t max = number_or(c, "maxvcpus", vcpus);

	json_map(j, "b_info");
	json_u64(j, "max_vcpus", (uint64_t)max);
	json_array(j, "avail_vcpus");
	for (int64_t i = 0; i < vcpus; i++)
		json_u64(j, NULL, (uint64_t)i);
	json_end_array(j);
	put_affinity(j, "vcpu_hard_affinity", c, "cpus", max);
	put_affinity(j, "vcpu_soft_affinity", c, "cpus_soft", max);
	json_u64(j, "max_memkb", (uint64_t)number_or(c, "maxmem", memory) << 10);
	json_u64(j, "target_memkb", (uint64_t)memory << 10);
	put_cpuid(j, c);
	put_text(j, "kernel", c, "kernel");
	put_text(j, "ramdisk", c, "ramdisk");
	put_cmdline(j, c);
	put_text(j, "bootloader", c, "bootloader");
	put_texts(j, "bootloader_args", c, "bootloader_args");
	put_limits(j, c);
	json_map(j, "type.pv");
	json_end_map(j);
	json_end_map(j);
}

/* As libxl_disk's JSON; what has its default is left out there, too. */
int json_disk(struct json *j, const char *text, struct pvctl_error *err)
{
	struct pvctl_disk_spec s = { .size = sizeof(s) };
	int rc = pvctl_disk_parse(text, &s, err);

	if (rc)
		return rc;
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
	return 0;
}

static void put_if(struct json *j, const char *name, const char *value)
{
	if (value[0])
		json_str(j, name, value);
}

int json_nic(struct json *j, const char *text, int64_t devid, struct pvctl_error *err)
{
	struct pvctl_vif_spec s = { .size = sizeof(s) };
	char mac[18];
	int rc = pvctl_vif_parse(text, &s, err);

	if (rc)
		return rc;
	json_map(j, NULL);
	if (s.devid >= 0 || devid >= 0)
		json_u64(j, "devid", s.devid < 0 ? (uint64_t)devid : (uint64_t)s.devid);
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
	return 0;
}

static void put_devices(struct json *j, const struct pvctl_config *c)
{
	const char *text;
	size_t i;

	if (pvctl_config_get_item(c, "disk", 0)) {
		json_array(j, "disks");
		for (i = 0; (text = pvctl_config_get_item(c, "disk", i)); i++)
			(void)json_disk(j, text, NULL);
		json_end_array(j);
	}
	if (pvctl_config_get_item(c, "vif", 0)) {
		json_array(j, "nics");
		for (i = 0; (text = pvctl_config_get_item(c, "vif", i)); i++)
			(void)json_nic(j, text, (int64_t)i, NULL);
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
