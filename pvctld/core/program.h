/* SPDX-License-Identifier: MIT */
/* Programs of the host's, found once: what runs them has neither the caller's PATH nor, later, any file. */
#ifndef PVCTLD_CORE_PROGRAM_H
#define PVCTLD_CORE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/* The readable file that path leads to, without symbolic links and "..": a new root will have the same names. */
bool program_real(const char *path, char *ret, size_t size);
/* In $PATH. */
bool program_find(const char *name, char *ret, size_t size);

#endif
