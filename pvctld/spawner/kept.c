/* SPDX-License-Identifier: MIT */
/* Descriptors of the daemon's, by name: see spawn/keep.h. Sorted, so that a few thousand cost little. */
#include "pvctld/spawn/keep.h"
#include "pvctld/spawner/spawner.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct kept { int fd; char name[SPAWN_NAME]; };

static struct kept *all;
static uint32_t nr, room;

/* Where it is, or would be. */
static uint32_t find(const char *name, bool *ret_there)
{
	uint32_t low = 0, high = nr;

	*ret_there = false;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int c = strcmp(name, all[mid].name);

		if (!c) {
			*ret_there = true;
			return mid;
		}
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static int make_room(void)
{
	uint32_t more = room ? room * 2 : 64;
	struct kept *p;

	if (nr < room)
		return 0;
	if (nr >= KEEP_MAX)
		return -ENOSPC;
	p = realloc(all, more * sizeof(*p));
	if (!p)
		return -ENOMEM;
	all = p;
	room = more;
	return 0;
}

int kept_put(const char *name, int fd)
{
	bool there;
	uint32_t i = find(name, &there);
	int rc;

	if (there) {
		close(all[i].fd);
		all[i].fd = fd;
		return 0;
	}
	rc = make_room();
	if (rc) {
		close(fd);
		return rc;
	}
	memmove(&all[i + 1], &all[i], (nr - i) * sizeof(*all));
	nr++;
	all[i].fd = fd;
	memcpy(all[i].name, name, SPAWN_NAME);
	return 0;
}

int kept_get(const char *name)
{
	bool there;
	uint32_t i = find(name, &there);

	return there ? all[i].fd : -ENOENT;
}

int kept_drop(const char *name)
{
	bool there;
	uint32_t i = find(name, &there);

	if (!there)
		return -ENOENT;
	close(all[i].fd);
	nr--;
	memmove(&all[i], &all[i + 1], (nr - i) * sizeof(*all));
	return 0;
}

uint32_t kept_names(uint32_t skip, char (*ret)[SPAWN_NAME], uint32_t max)
{
	uint32_t n = skip < nr ? nr - skip : 0;

	if (n > max)
		n = max;
	for (uint32_t i = 0; i < n; i++)
		memcpy(ret[i], all[skip + i].name, SPAWN_NAME);
	return n;
}
