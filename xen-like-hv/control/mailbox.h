/* SPDX-License-Identifier: MIT */
#ifndef CONTROL_MAILBOX_H
#define CONTROL_MAILBOX_H
#include "lib/types.h"

/* NODE_OP_SHUTDOWN, SHUTDOWN of the node: all CPUs stop, QEMU leaves with 33. */
void node_shutdown(void) __noreturn;
#endif
