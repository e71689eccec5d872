/* SPDX-License-Identifier: MIT */
/* What was handed over at boot. */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H
#include "lib/types.h"

extern char boot_cmdline[1024];
extern paddr_t boot_rsdp;
/* Copies the command line, feeds the memory map; before any low memory is written. */
void start_info_read(uint32_t paddr);

/* "name=value" of the command line: the number (decimal, or hex with 0x), def where it is missing or no number. */
uint64_t cmdline_u64(const char *name, uint64_t def);
bool cmdline_flag(const char *name); /* "name" alone */

void hv_main(uint32_t start_info_paddr) __noreturn;
#endif
