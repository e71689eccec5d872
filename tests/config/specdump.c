/* SPDX-License-Identifier: MIT */
/*
 * specdump FILE: each text of the keys disk and vif in it, and below what it says, as the library tells programs, or what is wrong with it.
 * Exits with 0 when all are good, with 1 when none is, with 2 else.
 */
#include <inttypes.h>
#include <libpvctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

static void put_text(const char *name, const char *value)
{
	if (value[0])
		printf(" %s=\"%s\"", name, value);
}

static void put_flag(const char *name, uint32_t value)
{
	if (value)
		printf(" %s", name);
}

static int dump_disk(const char *text, struct pvctl_error *err)
{
	static struct pvctl_disk_spec s;
	int rc;

	s = (struct pvctl_disk_spec){ .size = sizeof(s) };
	rc = pvctl_disk_parse(text, &s, err);
	if (rc)
		return rc;
	printf("   ");
	put_text("name", s.name);
	printf(" vdev=%u", s.vdev);
	put_text("format", s.format);
	put_text("backend", s.backend);
	put_text("script", s.script);
	put_text("target", s.target);
	if (s.sector_size)
		printf(" sector_size=%u", s.sector_size);
	put_flag("readonly", s.readonly);
	put_flag("cdrom", s.cdrom);
	put_flag("no_discard", s.no_discard);
	put_flag("direct_io_safe", s.direct_io_safe);
	put_flag("untrusted", s.untrusted);
	putchar('\n');
	return 0;
}

static int dump_vif(const char *text, struct pvctl_error *err)
{
	struct pvctl_vif_spec s = { .size = sizeof(s) };
	int rc = pvctl_vif_parse(text, &s, err);

	if (rc)
		return rc;
	printf("    devid=%d mtu=%u", s.devid, s.mtu);
	put_text("link", s.link);
	if (s.has_mac)
		printf(" mac=%02x:%02x:%02x:%02x:%02x:%02x", s.mac[0], s.mac[1], s.mac[2], s.mac[3], s.mac[4], s.mac[5]);
	put_text("bridge", s.bridge);
	put_text("ip", s.ip);
	put_text("vifname", s.vifname);
	put_text("script", s.script);
	put_text("gatewaydev", s.gatewaydev);
	if (s.rate_bytes)
		printf(" rate=%" PRIu64 "/%uus", (uint64_t)s.rate_bytes, s.rate_us);
	put_flag("untrusted", !s.trusted);
	putchar('\n');
	return 0;
}

int main(int argc, char **argv)
{
	static char text[CFG_TEXT_MAX + 1];
	struct cfg_diag diag = { 0 };
	struct cfg_file *file = NULL;
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;
	unsigned int good = 0, bad = 0;
	size_t len;

	if (!in) {
		fputs("usage: specdump FILE\n", stderr);
		return 2;
	}
	len = fread(text, 1, sizeof(text), in);
	fclose(in);
	if (cfg_parse(text, len, argv[1], &file, &diag))
		return 2;
	for (size_t i = 0; i < file->n; i++) {
		const struct cfg_setting *s = &file->settings[i];

		for (size_t k = 0; s->value.type == CFG_LIST && k < s->value.n; k++) {
			struct pvctl_error err = { 0 };
			const char *item = s->value.items[k].text;

			printf("%s '%s'\n", s->key, item);
			if (!strcmp(s->key, "disk") ? dump_disk(item, &err) : dump_vif(item, &err)) {
				printf("    error: %s\n", err.msg);
				bad++;
			} else {
				good++;
			}
		}
	}
	cfg_diag_fini(&diag);
	cfg_free(file);
	return !bad ? 0 : good ? 2 : 1;
}
