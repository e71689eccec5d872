/* SPDX-License-Identifier: MIT */
/* pvctl-jail: disk images, opened while their files can be reached. */
#ifndef JAIL_CHAIN_H
#define JAIL_CHAIN_H

#include <stdbool.h>

/* The image and what it is based on, whose format it names: libpvctl has judged them. */
void chain_open(const char *path, bool writable);
/* main.c: the program will find fd under that name. */
void jail_open(int fd, const char *name);

#endif
