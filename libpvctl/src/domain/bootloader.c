/* SPDX-License-Identifier: MIT */
/* What a disk would boot, for programs. */
#include "bootloader/run.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stddef.h>
#include <string.h>

struct pvctl_boot {
	struct boot_result r;
	struct pvctl_boot_entry entry[BOOT_MAX_ENTRIES];
};

int pvctl_boot_open(const char *disk, const struct pvctl_boot_opts *opts, struct pvctl_boot **ret, struct pvctl_error *err)
{
	struct pvctl_boot_opts o = { .size = sizeof(o) };
	struct pvctl_boot *b;
	unsigned int i;
	int rc;

	if (opts && opts->size != sizeof(o))
		return err_set(err, opts->size > sizeof(o) ? -E2BIG : -EINVAL, PVCTL_ORIGIN_LIB, "opts: unknown size");
	if (opts)
		o = *opts;
	b = calloc(1, sizeof(*b));
	if (!b)
		return err_nomem(err);
	rc = boot_run(disk, o.entry, o.list_only, o.timeout_ms, &b->r, err);
	if (rc) {
		free(b);
		return rc;
	}
	for (i = 0; i < b->r.n; i++) {
		const struct boot_entry *e = &b->r.entry[i];

		b->entry[i] = (struct pvctl_boot_entry){ e->title, e->id, e->kernel, e->ramdisk, e->cmdline };
	}
	*ret = b;
	return 0;
}

void pvctl_boot_get(const struct pvctl_boot *b, struct pvctl_boot_info *ret)
{
	*ret = (struct pvctl_boot_info){
		.default_entry = b->r.default_entry, .chosen = b->r.chosen, .partition = b->r.partition,
		.config = b->r.source, .kernel_fd = b->r.chosen < 0 ? -1 : b->r.kernel_fd,
		.ramdisk_fd = b->r.chosen < 0 ? -1 : b->r.ramdisk_fd,
	};
}

size_t pvctl_boot_entry_count(const struct pvctl_boot *b)
{
	return b->r.n;
}

const struct pvctl_boot_entry *pvctl_boot_entry_at(const struct pvctl_boot *b, size_t i)
{
	return i < b->r.n ? &b->entry[i] : NULL;
}

void pvctl_boot_free(struct pvctl_boot *b)
{
	if (!b)
		return;
	boot_result_fini(&b->r);
	free(b);
}
