/* SPDX-License-Identifier: MIT */
/* Returns the node's free memory to the host, some time after it became free. */
#ifndef PVCTLD_GIVEBACK_H
#define PVCTLD_GIVEBACK_H

struct daemon;

void giveback_init(struct daemon *d);
void giveback_fini(struct daemon *d);
/* Memory may have become free. */
void giveback_soon(struct daemon *d);

#endif
