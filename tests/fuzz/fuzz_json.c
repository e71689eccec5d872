/* SPDX-License-Identifier: MIT */
/* A configuration as JSON: whatever is accepted must come back the same. */
#include <libpvctl.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pvctl_config *c = NULL, *again = NULL;
	char *text = malloc(size + 1), *one = NULL, *two = NULL;
	struct pvctl_error err = { 0 };
	int rc;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	rc = pvctl_config_from_json(text, &c, &err);
	if (rc && (!err.msg[0] || rc > 0 || c))
		abort();
	if (!rc && !pvctl_config_to_json(c, &one, &err)) {
		if (pvctl_config_from_json(one, &again, &err) || pvctl_config_to_json(again, &two, &err) || strcmp(one, two))
			abort();
	}
	pvctl_free(one);
	pvctl_free(two);
	pvctl_config_free(c);
	pvctl_config_free(again);
	free(text);
	return 0;
}
