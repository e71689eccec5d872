/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables of a PVH domain: that there is no hardware but local APICs, which
 * are used by MSRs. Pure.
 */
#ifndef BUILD_ACPI_H
#define BUILD_ACPI_H

#include <stddef.h>
#include <stdint.h>

#define ACPI_MAX_VCPUS 128u

/*
 * RSDP first, then XSDT, FADT, DSDT and MADT, into a zeroed buffer that the
 * guest finds at paddr. vCPU n has the APIC id n and the ACPI processor uid n:
 * by the latter a guest knows its number for hypercalls. The bytes used; 0:
 * too many vCPUs for the room.
 */
size_t acpi_tables_make(uint8_t *buf, size_t room, uint64_t paddr, unsigned int nr_vcpus);

#endif
