/* SPDX-License-Identifier: MIT */
#ifndef X86_PROCESSOR_H
#define X86_PROCESSOR_H
#include "lib/types.h"
#define RFLAGS_IF (1UL << 9)
uint64_t read_rflags(void);
uint64_t read_cr3(void);
#endif
