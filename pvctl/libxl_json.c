/* SPDX-License-Identifier: MIT */
#include "pvctl/libxl_json.h"

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
	json_end_map(j);
}
