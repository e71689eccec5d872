/* SPDX-License-Identifier: MIT */
/* Memory and vCPUs of domains, which guests change without telling anybody: looked at while somebody wants to know. */
#ifndef PVCTLD_SIZES_H
#define PVCTLD_SIZES_H

struct daemon;

void sizes_init(struct daemon *d);
/* A subscriber has come. */
void sizes_watch(struct daemon *d);
void sizes_fini(struct daemon *d);

#endif
