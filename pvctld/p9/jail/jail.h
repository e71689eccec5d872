/* SPDX-License-Identifier: MIT */
/*
 * How diod is locked in, in two steps with an exec between them. pvctl-p9 takes
 * namespaces, builds the new root (the shared directory below an empty one) and
 * executes diod with pvctl-p9-jail.so loaded into it; that, with diod's
 * libraries in memory and before diod's first instruction, makes the new root the
 * only one, gives up all capabilities and loads the system call filter. Only then is
 * JAIL_READY written to the connection; without it pvctld sends nothing.
 */
#ifndef P9_JAIL_H
#define P9_JAIL_H

#include <stdint.h>

#define JAIL_SOCKET_FD 3
#define JAIL_READY 0x2a
/* Where the new root is until it is one: a directory that every host has, and nothing needs. */
#define JAIL_MOUNT "/proc"
#define JAIL_SHARE "/share"       /* in the new root; what diod exports */
#define JAIL_CONFIG "/diod.conf"  /* empty: the host's is not for this, and a guest's less so */
#define JAIL_LIBRARY "pvctl-p9-jail.so"

/* The caller's number in there. diod as root would want to become other users, which it could not. */
#define JAIL_UID(caller) ((caller) ? (uint32_t)(caller) : 65534u)

#define JAIL_MAX_FILES 1024
#define JAIL_MAX_MEMORY (1ull << 30)
#define JAIL_THREADS "4"

#endif
