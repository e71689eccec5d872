/* SPDX-License-Identifier: MIT */
/*
 * How QEMU and qemu-nbd are locked in, in two steps with an exec between them.
 * pvctl-jail takes namespaces and another user's number, builds a root with
 * nothing in it but the files that it was told to copy, and executes the program
 * with pvctl-jail.so loaded into it. That, with the libraries in memory and
 * before main(), makes the new root the only one, gives up all capabilities,
 * forgets the environment, loads the system call filter, and says what it did in
 * one byte. What else the program may open was opened before: pvctl-jail.so
 * answers open() for those names with a copy of the descriptor.
 */
#ifndef PVCTLD_JAIL_H
#define PVCTLD_JAIL_H

#define JAIL_TOOL "pvctl-jail"
#define JAIL_LIBRARY "pvctl-jail.so"
#define JAIL_LIBRARY_FD "/proc/self/fd/" /* by which it is loaded */
/* Where the new root is until it is one: a directory that every host has, and that the dynamic loader does not need. */
#define JAIL_MOUNT "/sys"
#define JAIL_MAX_OPEN 48
#define JAIL_MAX_KEPT 4
/* QEMU's names for what it gets. */
#define JAIL_RAM "/ram"
#define JAIL_SERIAL "/serial"

/*
 * A process of root's becomes this plus its own number: a user that nobody else is, from a range that is used for
 * nothing (above the container managers', below those that are negative to some programs).
 */
#define JAIL_UID_BASE 0x70000000u

/* What is in force. */
#define JAIL_ROOT    0x01u /* a root of its own */
#define JAIL_NET     0x02u /* a network without any interface */
#define JAIL_IPC     0x04u /* IPC and host name */
#define JAIL_USER    0x08u /* a user of its own */
#define JAIL_FILTER  0x10u /* system calls by a list, no capabilities */
#define JAIL_LANDLOCK 0x20u
#define JAIL_READY   0x80u /* always: the byte was written */

/* From the first step to the second, in the environment: numbers, and JAIL_OPEN plus a descriptor's for each name. */
#define JAIL_ENV_STATE "JAIL_STATE"
#define JAIL_ENV_STATUS "JAIL_STATUS"
#define JAIL_ENV_PROFILE "JAIL_PROFILE"
#define JAIL_ENV_PARENT "JAIL_PARENT"
#define JAIL_ENV_OPEN "JAIL_OPEN_"
#define JAIL_ENV_KEEP "JAIL_KEEP_" /* with the rest of its name it goes on to the program, in memory that /proc does not show */

#endif
