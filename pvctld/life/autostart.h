/* SPDX-License-Identifier: MIT */
#ifndef PVCTLD_LIFE_AUTOSTART_H
#define PVCTLD_LIFE_AUTOSTART_H

struct daemon;

/* The node serves: what starts with it is started, one after the other. */
void autostart_begin(struct daemon *d);
/* "pvctld --autostart NODE": the process that does so; its exit status. */
int autostart_main(const char *node);

#endif
