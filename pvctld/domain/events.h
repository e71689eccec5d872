/* SPDX-License-Identifier: MIT */
#ifndef PVCTLD_EVENTS_H
#define PVCTLD_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct daemon;

/* One end of a SOCK_SEQPACKET pair that carries a struct pvctl_event per message; -errno. */
int events_subscribe(struct daemon *d, uint32_t mask, int *ret_fd);
/* Those of another daemon. */
void events_adopt(struct daemon *d);
/* ev: all but its size and time. */
struct pvctl_event;
void events_send(struct daemon *d, struct pvctl_event *ev);
/* Somebody wants one of these. */
bool events_wanted(const struct daemon *d, uint32_t types);
void events_emit(struct daemon *d, uint32_t type, uint32_t domid, int32_t reason, const char *name);
void events_close(struct daemon *d);

#endif
