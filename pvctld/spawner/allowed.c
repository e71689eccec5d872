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
#include <sys/random.h>

#define FIRST_ROOM 1024u
#define MAX_ALLOWED (4u << 20)

/*
 * A node may see many: each vif of each domain has an address of its own. So it is numbers that are kept, by a hash with a key
 * that the daemon does not know: of the 2^64 it would have to hit one of these, a question a time. Half of the table is free.
 */
static uint64_t *all;
static uint32_t nr, room;

static uint64_t rotated(uint64_t v, unsigned int by)
{
	return v << by | v >> (64 - by);
}

static void mix(uint64_t v[4], unsigned int rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[1] = rotated(v[1], 13) ^ v[0];
		v[0] = rotated(v[0], 32);
		v[2] += v[3];
		v[3] = rotated(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotated(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotated(v[1], 17) ^ v[2];
		v[2] = rotated(v[2], 32);
	}
}

/* SipHash-2-4 (Aumasson, Bernstein). */
static uint64_t siphash(const uint64_t key[2], const uint8_t *p, size_t len)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
			  key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };
	uint64_t word;

	for (size_t at = 0; at <= len; at += 8) {
		size_t n = len - at < 8 ? len - at : 8;

		word = n < 8 ? (uint64_t)len << 56 : 0;
		for (size_t i = 0; i < n; i++)
			word |= (uint64_t)p[at + i] << 8 * i;
		v[3] ^= word;
		mix(v, 2);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	mix(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Not 0, which is a free place. */
static uint64_t number_of(const char *key, const char *text)
{
	static uint64_t secret[2];
	static uint8_t both[ALLOWED_TEXT + 64];
	size_t n = strlen(key) + 1, len = strlen(text);
	uint64_t h;

	if (!secret[0] && getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		abort();
	memcpy(both, key, n);
	memcpy(both + n, text, len);
	h = siphash(secret, both, n + len);
	return h ? h : 1;
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

/* Its place, or the free one where it would be. */
static uint64_t *place(uint64_t *table, uint32_t size, uint64_t number)
{
	uint32_t i = (uint32_t)number & (size - 1);

	while (table[i] && table[i] != number)
		i = (i + 1) & (size - 1);
	return &table[i];
}

bool allowed_has(const char *key, const char *text)
{
	return room && strlen(text) <= ALLOWED_TEXT && *place(all, room, number_of(key, text));
}

static int make_room(void)
{
	uint32_t size = room ? room * 2 : FIRST_ROOM;
	uint64_t *table;

	if (nr < room / 2)
		return 0;
	if (nr >= MAX_ALLOWED)
		return -ENOSPC;
	table = calloc(size, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (uint32_t i = 0; i < room; i++)
		if (all[i])
			*place(table, size, all[i]) = all[i];
	free(all);
	all = table;
	room = size;
	return 0;
}

int allowed_add(const char *key, const char *given)
{
	char text[ALLOWED_TEXT + 1];
	uint64_t number, *p;
	int rc = strlen(key) >= sizeof(((struct proto_allow *)0)->key) ? -E2BIG : allowed_as_written(key, given, text);

	rc = rc ? rc : make_room();
	if (rc)
		return rc;
	number = number_of(key, text);
	p = place(all, room, number);
	nr += !*p;
	*p = number;
	return 0;
}

int allowed_asked(const char *key, const char *given)
{
	char text[ALLOWED_TEXT + 1];
	int rc = allowed_as_written(key, given, text);

	return rc ? rc : allowed_has(key, text) ? 0 : -ENOENT;
}
