/* SPDX-License-Identifier: MIT */
/* libvirt's XML as a domain's configuration; what was read is written, and read again. */
#include "libpvctl.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pvctl_config *c, *again;
	char *text;

	if (pvctl_config_from_xml((const char *)data, size, NULL, &c, NULL))
		return 0;
	if (!pvctl_config_to_xml(c, NULL, &text, NULL)) {
		if (!pvctl_config_from_xml(text, strlen(text), NULL, &again, NULL))
			pvctl_config_free(again);
		pvctl_free(text);
	}
	pvctl_config_free(c);
	return 0;
}
