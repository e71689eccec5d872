/* SPDX-License-Identifier: MIT */
/* The disks of a domain's definition, when another file takes the place of one. */
#ifndef CLONE_DEFINITION_H
#define CLONE_DEFINITION_H

#include "ctx/ctx.h"

/*
 * The disk vdev of a domain that is defined is what spec says from now on, if it is the file "from" (NULL: whatever it is). Nothing is
 * done to one that is not defined, or has another disk there.
 */
int definition_retarget(const char *node, const char *name, uint32_t vdev, const char *from, const char *spec, struct pvctl_error *err);
/* Is the disk vdev of the domain, which is defined, the file path? */
bool definition_has(const char *node, const char *name, uint32_t vdev, const char *path);

#endif
