/* SPDX-License-Identifier: MIT */
/* Logs and core dumps within the node's limits. */
#ifndef LIFE_TIDY_H
#define LIFE_TIDY_H

#include <stdint.h>

struct daemon;

/* At once, and then now and again. */
void tidy_start(struct daemon *d);
/* Something has been left on the disk. */
void tidy_soon(struct daemon *d);
void tidy_stop(struct daemon *d);
void tidy_consoles(struct daemon *d);
/* Room for one more of a domain of that name, with so many bytes. -EFBIG: more than all may have. */
int tidy_cores(struct daemon *d, const char *name, uint64_t bytes);

#endif
