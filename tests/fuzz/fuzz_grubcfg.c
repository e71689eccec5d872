/* SPDX-License-Identifier: MIT */
/* grub.cfg, with files that it includes being itself. */
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
	(*ret_text)[in->size] = '\0';
	*ret_len = in->size;
	return 0;
}

static bool exists(void *data, const char *path)
{
	return strlen(path) % 2;
}

static int list(void *data, const char *dir, int (*each)(void *arg, const char *name), void *arg)
{
	int rc = each(arg, "a-1.conf");

	return rc ? rc : each(arg, "a-2.conf");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	/* Few inclusions: a file that includes itself would only cost time. */
	struct boot_files files = { load, exists, list, &in, BOOT_MAX_FILES - 4 };
	struct boot_menu m = { 0 };
	unsigned int i;

	(void)grubcfg_parse((const char *)data, size, "/boot/grub", &files, &m);
	for (i = 0; i < menu_count(&m); i++)
		if (menu_at(&m, i) < 0 || !m.node[menu_at(&m, i)].kernel)
			abort();
	if (m.choice)
		(void)menu_refused(&m, m.choice, true);
	if (menu_count(&m) && menu_default(&m) >= menu_count(&m))
		abort();
	menu_free(&m);
	return 0;
}
