/* SPDX-License-Identifier: MIT */
/* A vif's specification: what parses is written out as a text that parses to the same; and frames for user-mode network. */
#include "device/vif_spec.h"
#include "pvctld/usernet/usernet.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[VIF_SPEC_MAX + 2], again[VIF_SPEC_MAX + 1];
	struct vif_spec a, b;
	uint8_t *frame;

	if (size > VIF_SPEC_MAX + 1)
		return 0;
	/* In memory of its very size, so that a byte too far is seen. */
	frame = malloc(size + 1);
	memcpy(frame, data, size);
	frame = realloc(frame, size ? size : 1);
	(void)usernet_may_pass(frame, size);
	free(frame);
	memcpy(text, data, size);
	text[size] = '\0';
	if (vif_spec_parse(text, &a, NULL))
		return 0;
	vif_spec_format(&a, again);
	if (vif_spec_parse(again, &b, NULL) || memcmp(&a, &b, sizeof(a)))
		abort();
	return 0;
}
