/* SPDX-License-Identifier: MIT */
#include "pvctld/core/program.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool program_real(const char *path, char *ret, size_t size)
{
	char *full = realpath(path, NULL);
	bool ok = full && strlen(full) < size && !access(full, R_OK);

	if (ok)
		strcpy(ret, full);
	free(full);
	return ok;
}

bool program_find(const char *name, char *ret, size_t size)
{
	const char *path = getenv("PATH"), *end;
	char full[1024];

	for (path = path && *path ? path : "/usr/bin:/bin"; *path; path = *end ? end + 1 : end) {
		end = path + strcspn(path, ":");
		snprintf(full, sizeof(full), "%.*s/%s", (int)(end - path), path, name);
		if (full[0] == '/' && !access(full, X_OK) && program_real(full, ret, size))
			return true;
	}
	return false;
}
