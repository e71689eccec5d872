/* SPDX-License-Identifier: MIT */
/* What files a clone is about to make: for who finds that nobody came to the end of it (snapshot/recover.c). */
#ifndef TWIN_RECORD_H
#define TWIN_RECORD_H

#include "clone/fork.h"
#include "snapshot/private.h"

struct record {
	char dir[SNAPSHOT_PATH];
	int lock;                  /* -1: there is none */
};
/* f is planned, and nothing of it made; config is the domain's. What others left who were killed is put in order first. */
int record_begin(struct record *r, const struct fork *f, const struct pvctl_config *config, struct pvctl_error *err);
/* The domain has gone on, and the disks of its copies are there: from here on these may have them. */
int record_switched(struct record *r, const struct fork *f, const struct pvctl_config *config, struct pvctl_error *err);
/* All is made, or undone; else the record is kept. */
void record_end(struct record *r, bool keep);

#endif
