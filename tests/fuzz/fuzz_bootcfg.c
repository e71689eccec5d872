/* SPDX-License-Identifier: MIT */
/* The other boot configs. The first byte chooses: 0 syslinux, 1 menu.lst, 2 a boot loader entry, 3 grubenv, 4 loader.conf. */
#include "libpvctl/src/bootloader/menu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input { const uint8_t *data; size_t size; };

static int load(void *data, const char *path, char **ret_text, size_t *ret_len)
{
	const struct input *in = data;

	*ret_text = malloc(in->size + 1);
	if (!*ret_text)
		return -ENOMEM;
	memcpy(*ret_text, in->data, in->size);
	*ret_len = in->size;
	return 0;
}

static int set(void *arg, const char *name, const char *value)
{
	return name[0] && value ? 0 : -EINVAL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data + 1, size - 1 };
	struct boot_files files = { load, NULL, NULL, &in, 0 };
	const char *text = (const char *)data + 1;
	struct boot_menu m = { 0 };

	if (size < 1)
		return 0;
	switch (data[0] & 7) {
	case 0: (void)syslinux_parse(text, size - 1, "/boot", &files, &m); break;
	case 1: (void)legacy_parse(text, size - 1, &m); break;
	case 2: (void)bls_parse(text, size - 1, "x.conf", NULL, NULL, -1, &m); menu_prune(&m); break;
	case 3: (void)grubenv_parse(text, size - 1, set, NULL); break;
	case 4:
		(void)bls_parse("linux /k\n", 9, "entry-1.conf", NULL, NULL, -1, &m);
		(void)bls_loader_conf(text, size - 1, &m);
		break;
	}
	if (m.choice)
		(void)menu_refused(&m, m.choice, !m.flat_choice);
	if (menu_count(&m) && menu_default(&m) >= menu_count(&m))
		abort();
	menu_free(&m);
	return 0;
}
