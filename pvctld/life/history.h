/* SPDX-License-Identifier: MIT */
/* How the domains that are restarted have fared, by uuid: one that ends again and again is let be at last. */
#ifndef PVCTLD_HISTORY_H
#define PVCTLD_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct dom;

bool history_has(struct daemon *d, const uint8_t uuid[16]);
void history_drop(struct daemon *d, const uint8_t uuid[16]);
void history_fini(struct daemon *d);
/* Another daemon's. */
void history_adopt(struct daemon *d);
/*
 * dom has ended and is to be restarted: true, and how long to wait before that.
 * False: it has ended too often. failed: it crashed, and did not just reboot.
 */
bool history_may_restart(struct dom *dom, bool failed, uint64_t *ret_pause_ns);

#endif
