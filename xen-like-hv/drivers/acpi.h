/* SPDX-License-Identifier: MIT */
/* The little that is wanted from the firmware's tables: CPUs and the PM timer. */
#ifndef DRIVERS_ACPI_H
#define DRIVERS_ACPI_H
#include "lib/types.h"
/* rsdp 0: searched for. While the boot tables map the first 4 GiB. */
void acpi_init(paddr_t rsdp);
extern uint16_t acpi_pm_timer_port; /* 0: none */
#endif
