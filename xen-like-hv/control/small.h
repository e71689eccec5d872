/* SPDX-License-Identifier: MIT */
/* Handlers of hypercalls that only control/ knows. */
#ifndef CONTROL_SMALL_H
#define CONTROL_SMALL_H

/* control/compat.c: the forms of before interface version 3.2.2, one argument block with the command inside */
long do_event_channel_op_compat(unsigned long arg);
long do_physdev_op_compat(unsigned long arg);
/* control/hypfs.c */
long do_hypfs_op(unsigned int cmd, unsigned long path, unsigned long path_len, unsigned long data, unsigned long size);
/* control/console_io.c: what one domain may have logged; one that has more is told of */
extern unsigned int guest_lines_per_second;
#endif
