/* SPDX-License-Identifier: MIT */
/* What was handed over at boot. */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H
#include "lib/types.h"

extern paddr_t boot_rsdp;
/* Copies the command line, feeds the memory map; before any low memory is written. */
void start_info_read(uint32_t paddr);

void hv_main(uint32_t start_info_paddr) __noreturn;
#endif
