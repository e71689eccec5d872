/* SPDX-License-Identifier: MIT */
#ifndef PVCTL_BOOTMENU_H
#define PVCTL_BOOTMENU_H

#include <libpvctl.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The boot menu of the configuration's disk on the caller's terminal, when its
 * bootloader_args or `always' ask for it. entry: the number chosen, or "" where
 * nothing was asked. 0 or an exit code; a message has been printed.
 */
int bootmenu_ask(const struct pvctl_config *config, bool always, char *entry, size_t size);

#endif
