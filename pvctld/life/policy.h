/* SPDX-License-Identifier: MIT */
/* What becomes of a domain that has ended: on_poweroff, on_reboot, on_crash, on_watchdog. */
#ifndef PVCTLD_POLICY_H
#define PVCTLD_POLICY_H

#include <sys/types.h>

struct daemon;
struct dom;
struct pvctl_config;
struct pvctl_error;

int policy_init(struct daemon *d, struct pvctl_error *err);
void policy_fini(struct daemon *d);
void policy_init_dom(struct dom *dom);
int policy_read(struct dom *dom, const struct pvctl_config *config, struct pvctl_error *err);
/* A committed domain, perhaps one that was restarted. */
void policy_committed(struct dom *dom);

/* A new one by its configuration. dom may be gone by then. */
void policy_rebuild(struct dom *dom);
/* That it is to be rebuilt, for a daemon that takes over. */
void policy_note_rebuild(const struct dom *dom);
/* What another daemon had begun. */
void policy_adopt(struct daemon *d);

/* keep.c: a domain that is about to restart keeps its memory target and its number of vCPUs. */
void policy_keep_sizes(struct dom *dom);

/* dump.c: writes STATEDIR/dump/NAME-DATE.core, then calls done, always, and not before it returns. */
void dump_start(struct dom *dom, void (*done)(struct dom *dom, int rc));

#endif
