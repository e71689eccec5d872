/* SPDX-License-Identifier: MIT */
/* pvctl-jail.so's own parts. Nothing of it may be seen by the program but what it is to call instead of libc's. */
#ifndef JAIL_PRELOAD_H
#define JAIL_PRELOAD_H

#include <stdio.h>

enum profile { PROFILE_TCG, PROFILE_KVM, PROFILE_NBD };
struct opened { int fd; char *name; };

extern struct opened opened[] __attribute__((visibility("hidden")));
extern unsigned int nr_opened __attribute__((visibility("hidden")));

void jail_failed(const char *what) __attribute__((noreturn, visibility("hidden")));
/* filter.c */
void filter_load(enum profile p) __attribute__((visibility("hidden")));

#endif
