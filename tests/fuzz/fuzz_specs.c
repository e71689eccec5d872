/* SPDX-License-Identifier: MIT */
/* A share's and a channel's specification: what is accepted must come back the same. */
#include "device/channel_spec.h"
#include "device/p9_spec.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text)
{
	static struct channel_spec c1, c2;
	static struct p9_spec p1, p2;
	char again[P9_SPEC_MAX + 1];
	struct pvctl_error err = { 0 };
	int rc = p9_spec_parse(text, &p1, &err);

	if (rc > 0 || (rc && !err.msg[0]))
		abort();
	if (!rc) {
		p9_spec_format(&p1, again);
		if (p9_spec_parse(again, &p2, &err) || strcmp(p1.path, p2.path) || p1.devid != p2.devid || strcmp(p1.tag, p2.tag))
			abort();
	}
	rc = channel_spec_parse(text, &c1, &err);
	if (rc > 0)
		abort();
	if (!rc) {
		channel_spec_format(&c1, again);
		if (channel_spec_parse(again, &c2, &err) || memcmp(&c1, &c2, sizeof(c1)))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	check(text);
	free(text);
	return 0;
}
