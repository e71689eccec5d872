/* SPDX-License-Identifier: MIT */
/*
 * What the daemon may have opened and started: what the node's owner named, in so many words, over a connection of
 * his own to the spawner. Devices are kept as their parsers write them, so that two ways to say the same are one.
 */
#include "libpvctl/src/device/channel_spec.h"
#include "libpvctl/src/device/disk_spec.h"
#include "libpvctl/src/device/p9_spec.h"
#include "libpvctl/src/device/vif_spec.h"
#include "pvctld/spawner/spawner.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ALLOWED 65536u

struct allowed { uint64_t hash; char *text; };

static struct allowed *all;
static uint32_t nr, room;

static uint64_t hash_of(const char *key, const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (const char *p = key; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	h = (h ^ 0xffu) * 0x100000001b3u;
	for (const char *p = text; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	return h;
}

int allowed_as_written(const char *key, const char *text, char ret[ALLOWED_TEXT + 1])
{
	union { struct disk_spec disk; struct vif_spec vif; struct p9_spec p9; struct channel_spec channel; } s;
	struct pvctl_error e;
	int rc = 0;

	if (strlen(text) > ALLOWED_TEXT)
		return -E2BIG;
	if (!strcmp(key, "disk") && !(rc = disk_spec_parse(text, &s.disk, &e)))
		disk_spec_format(&s.disk, ret);
	else if (!strcmp(key, "vif") && !(rc = vif_spec_parse(text, &s.vif, &e)))
		vif_spec_format(&s.vif, ret);
	else if (!strcmp(key, "p9") && !(rc = p9_spec_parse(text, &s.p9, &e)))
		p9_spec_format(&s.p9, ret);
	else if (!strcmp(key, "channel") && !(rc = channel_spec_parse(text, &s.channel, &e)))
		channel_spec_format(&s.channel, ret);
	else if (!rc)
		strcpy(ret, text);
	return rc;
}

/* The text as stored: the key, a NUL, the text. */
static bool is(const struct allowed *a, uint64_t hash, const char *key, const char *text)
{
	return a->hash == hash && !strcmp(a->text, key) && !strcmp(a->text + strlen(key) + 1, text);
}

bool allowed_has(const char *key, const char *text)
{
	uint64_t hash = hash_of(key, text);

	for (uint32_t i = nr; i--;)
		if (is(&all[i], hash, key, text))
			return true;
	return false;
}

static int make_room(void)
{
	uint32_t more = room ? room * 2 : 256;
	struct allowed *p;

	if (nr < room)
		return 0;
	if (nr >= MAX_ALLOWED)
		return -ENOSPC;
	p = realloc(all, more * sizeof(*p));
	if (!p)
		return -ENOMEM;
	all = p;
	room = more;
	return 0;
}

int allowed_add(const char *key, const char *given)
{
	char text[ALLOWED_TEXT + 1], *both;
	int rc = allowed_as_written(key, given, text);

	if (rc || allowed_has(key, text))
		return rc;
	rc = make_room();
	both = rc ? NULL : malloc(strlen(key) + strlen(text) + 2);
	if (!both)
		return rc ? rc : -ENOMEM;
	strcpy(both, key);
	strcpy(both + strlen(key) + 1, text);
	all[nr++] = (struct allowed){ hash_of(key, text), both };
	return 0;
}
