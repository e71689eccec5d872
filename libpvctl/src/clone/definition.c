/* SPDX-License-Identifier: MIT */
#include "clone/definition.h"
#include "device/disk_spec.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

#define MAX_DISKS 256u

static bool is_it(const char *item, uint32_t vdev, const char *from)
{
	CLEANUP_FREE char *path = NULL;
	struct disk_spec s;

	if (disk_spec_parse(item, &s, NULL) || s.vdev != vdev)
		return false;
	if (!from)
		return true;
	path = realpath(s.target, NULL);
	return path && !strcmp(path, from);
}

bool definition_has(const char *node, const char *name, uint32_t vdev, const char *path)
{
	CLEANUP_FREE char *real = realpath(path, NULL);
	struct pvctl_config *c;
	const char *item;
	bool has = false;

	if (!real || pvctl_defined_get(node, name, &c, NULL))
		return false;
	for (size_t i = 0; !has && (item = pvctl_config_get_item(c, "disk", i)); i++)
		has = is_it(item, vdev, real);
	pvctl_config_free(c);
	return has;
}

int definition_retarget(const char *node, const char *name, uint32_t vdev, const char *from, const char *spec, struct pvctl_error *err)
{
	const char *list[MAX_DISKS], *item;
	struct pvctl_config *c;
	bool found = false;
	size_t n = 0;
	int rc = 0;

	if (pvctl_defined_get(node, name, &c, NULL))
		return 0;
	for (; n < MAX_DISKS && (item = pvctl_config_get_item(c, "disk", n)); n++) {
		list[n] = is_it(item, vdev, from) ? spec : item;
		found |= list[n] == spec;
	}
	/* Of the list itself, which goes with it, the texts are copied first. */
	rc = found ? pvctl_config_set_list(c, "disk", list, n, err) : 0;
	if (!rc && found)
		rc = pvctl_defined_set(node, c, err);
	pvctl_config_free(c);
	return rc;
}
