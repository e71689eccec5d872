/* SPDX-License-Identifier: MIT */
/* The hypervisor's console ring, copied to STATEDIR/hv.log from where its serial line fell silent. */
#ifndef PVCTLD_HVLOG_H
#define PVCTLD_HVLOG_H

struct daemon;

void hvlog_init(struct daemon *d);
void hvlog_copy(struct daemon *d);
/* Where the serial line carries on, QEMU writes the file: it is cut when it has grown. */
void hvlog_tidy(struct daemon *d);
void hvlog_fini(struct daemon *d);

#endif
