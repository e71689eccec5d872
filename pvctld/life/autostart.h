/* SPDX-License-Identifier: MIT */
#ifndef PVCTLD_LIFE_AUTOSTART_H
#define PVCTLD_LIFE_AUTOSTART_H

#include <sys/types.h>

struct daemon;

/* The spawner's, once the node serves: the process that starts what is defined so; 0: there is nothing to do. */
pid_t autostart_spawn(const struct daemon *d);
/* "pvctld --autostart NODE": the process that does so; its exit status. */
int autostart_main(const char *node);

#endif
