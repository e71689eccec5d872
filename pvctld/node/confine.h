/* SPDX-License-Identifier: MIT */
/* QEMU's jail: what has to be found on the host for it. */
#ifndef NODE_CONFINE_H
#define NODE_CONFINE_H

#include "libpvctl.h"
#include <stdbool.h>

struct confine {
	char program[512]; /* QEMU */
	bool on;           /* the rest is there */
	char tool[512], hv[512], rom[512], option_rom[512];
	char module[512];  /* QEMU's accelerator, or "" where it is built in */
	int kvm_fd;        /* -1: not wanted */
	int said[2];       /* a pipe: what is in force */
};

/* -ENOENT: there is no such QEMU. What else is missing turns it off and is logged. */
int confine_find(struct confine *c, const char *qemu, const char *hv, bool kvm, struct pvctl_error *err);
void confine_close(struct confine *c);
/* The flags of jail/jail.h; 0: nothing was said. */
unsigned int confine_state(int fd);
/* "own user, ...", or what that means when there are none. */
void confine_describe(unsigned int state, char *buf, size_t size);

#endif
