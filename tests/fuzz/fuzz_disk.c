/* SPDX-License-Identifier: MIT */
/* A disk's specification: what is accepted must come back the same. Also what qemu-img would tell of an image, and an image's header. */
#include "device/disk_image.h"
#include "device/disk_spec.h"
#include "device/qcow2.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void header(const uint8_t *data, size_t size)
{
	static struct qcow2_plain p;

	if (!qcow2_plain_of(data, size, size, "/i", &p) && (!p.bytes || p.bytes % 512 || (p.base[0] && p.base[0] != '/')))
		abort();
	(void)qcow2_plain_of(data, size, 0, "/i", &p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct disk_spec one, two;
	static char base[DISK_TARGET_MAX + 1], format[16];
	char *text = malloc(size + 1), again[DISK_SPEC_MAX + 1];
	struct pvctl_error err = { 0 };
	int rc;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	rc = disk_spec_parse(text, &one, &err);
	if (rc && (!err.msg[0] || rc > 0))
		abort();
	if (!rc) {
		disk_spec_format(&one, again);
		if (disk_spec_parse(again, &two, &err) || memcmp(&one, &two, sizeof(one)))
			abort();
	}
	if (!disk_image_judge("/i", text, base, format, &err) && base[0] && (base[0] != '/' || !format[0]))
		abort();
	free(text);
	header(data, size);
	return 0;
}
