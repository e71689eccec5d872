/* SPDX-License-Identifier: MIT */
/* Addresses that were seen behind a port of a switch: each port has a table of its own, so that nobody evicts another's. Pure code. */
#ifndef NET_LEARN_H
#define NET_LEARN_H

#include <stdbool.h>
#include <stdint.h>

#define LEARN_MAX 16u
/* As long as a port is heard from with an address, no other port can have it. */
#define LEARN_HOLD_NS 15000000000ull

struct learned {
	uint8_t mac[6];
	bool used;
	uint64_t seen_ns;
};
struct learn_table { struct learned entry[LEARN_MAX]; };

/* The one that was not seen for the longest makes room. */
void learn_note(struct learn_table *t, const uint8_t mac[6], uint64_t now_ns);
bool learn_has(const struct learn_table *t, const uint8_t mac[6], uint64_t now_ns);

#endif
