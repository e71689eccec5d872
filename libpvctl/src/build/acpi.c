/* SPDX-License-Identifier: MIT */
#include "build/acpi.h"
#include <string.h>

/* Sizes and offsets: ACPI 6.3, tables 5-27 (RSDP), 5-29 (header), 5-33 (FADT), 5-43 (MADT), 5-57 (x2APIC). */
#define HEADER 36u
#define RSDP_LEN 36u
#define RSDP_OLD_LEN 20u
#define FADT_LEN 276u
#define FADT_REV 6u
#define FADT_MINOR 3u
#define MADT_LEN 44u
#define MADT_REV 5u
#define X2APIC_LEN 16u
#define X2APIC_TYPE 9u
#define X2APIC_ENABLED 1u
#define ALIGN 16u

#define FADT_WBINVD (1u << 0)
#define FADT_NO_POWER_BUTTON (1u << 4)
#define FADT_NO_SLEEP_BUTTON (1u << 5)
#define FADT_HW_REDUCED (1u << 20)
#define BOOT_NO_VGA (1u << 2)
#define BOOT_NO_MSI (1u << 3)
#define BOOT_NO_RTC (1u << 5)

/* The hypervisor's: a byte with SLP_EN written there turns the machine off (xen-like-hv/hvm/run.c). */
#define SLEEP_CONTROL_PORT 0xb004u
#define SLEEP_STATUS_PORT 0xb005u
#define GAS_IO 1u
#define GAS_BYTE 1u

/* Name (_S5, Package () { 5, 0, 0, 0 }): it can be turned off. Nothing is there that a driver could find. */
static const uint8_t aml[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0a, 0x05, 0x00, 0x00, 0x00 };

struct out {
	uint8_t *buf;
	size_t room, at;
	uint64_t paddr;
};

static void put(uint8_t *p, size_t offset, uint64_t value, size_t len)
{
	memcpy(p + offset, &value, len); /* little-endian, as this is */
}

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	return (uint8_t)-s;
}

/* Room for len bytes, aligned. NULL: none left. */
static uint8_t *take(struct out *o, size_t len, uint64_t *ret_paddr)
{
	uint8_t *p = o->buf + o->at;
	size_t whole = (len + ALIGN - 1) & -(size_t)ALIGN;

	if (whole > o->room - o->at)
		return NULL;
	if (ret_paddr)
		*ret_paddr = o->paddr + o->at;
	o->at += whole;
	return p;
}

static void header(uint8_t *p, const char sign[4], size_t len, uint8_t rev)
{
	memcpy(p, sign, 4);
	put(p, 4, len, 4);
	p[8] = rev;
	memcpy(p + 10, "PVCTL ", 6);
	memcpy(p + 16, "PVHGUEST", 8);
	put(p, 24, 1, 4);
	memcpy(p + 28, "PVCT", 4);
	put(p, 32, 1, 4);
}

static void finish(uint8_t *p, size_t len)
{
	p[9] = sum(p, len);
}

/* A generic address: 8 bits wide, read and written as a byte. */
static void port_register(uint8_t *p, uint16_t port)
{
	p[0] = GAS_IO;
	p[1] = 8;
	p[3] = GAS_BYTE;
	put(p, 4, port, 8);
}

static uint64_t make_dsdt(struct out *o)
{
	const size_t len = HEADER + sizeof(aml);
	uint64_t at = 0;
	uint8_t *p = take(o, len, &at);

	if (!p)
		return 0;
	header(p, "DSDT", len, 2);
	memcpy(p + HEADER, aml, sizeof(aml));
	finish(p, len);
	return at;
}

static uint64_t make_fadt(struct out *o, uint64_t dsdt)
{
	uint64_t at = 0;
	uint8_t *p = take(o, FADT_LEN, &at);

	if (!p)
		return 0;
	header(p, "FACP", FADT_LEN, FADT_REV);
	put(p, 40, dsdt, 4);
	put(p, 109, BOOT_NO_VGA | BOOT_NO_MSI | BOOT_NO_RTC, 2);
	put(p, 112, FADT_WBINVD | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON | FADT_HW_REDUCED, 4);
	p[131] = FADT_MINOR;
	port_register(p + 244, SLEEP_CONTROL_PORT);
	port_register(p + 256, SLEEP_STATUS_PORT);
	put(p, 140, dsdt, 8);
	memcpy(p + 268, "xenlkhv", 7); /* the hypervisor's identity, 8 bytes */
	finish(p, FADT_LEN);
	return at;
}

static uint64_t make_madt(struct out *o, unsigned int nr_vcpus)
{
	size_t len = MADT_LEN + (size_t)nr_vcpus * X2APIC_LEN;
	uint64_t at = 0;
	uint8_t *p = take(o, len, &at), *e;

	if (!p)
		return 0;
	header(p, "APIC", len, MADT_REV);
	put(p, 36, 0xfee00000, 4);
	for (unsigned int v = 0; v < nr_vcpus; v++) {
		e = p + MADT_LEN + v * X2APIC_LEN;
		e[0] = X2APIC_TYPE;
		e[1] = X2APIC_LEN;
		put(e, 4, v, 4);
		put(e, 8, X2APIC_ENABLED, 4);
		put(e, 12, v, 4);
	}
	finish(p, len);
	return at;
}

static uint64_t make_xsdt(struct out *o, uint64_t fadt, uint64_t madt)
{
	const size_t len = HEADER + 16;
	uint64_t at = 0;
	uint8_t *p = take(o, len, &at);

	if (!p)
		return 0;
	header(p, "XSDT", len, 1);
	put(p, HEADER, fadt, 8);
	put(p, HEADER + 8, madt, 8);
	finish(p, len);
	return at;
}

size_t acpi_tables_make(uint8_t *buf, size_t room, uint64_t paddr, unsigned int nr_vcpus)
{
	struct out o = { .buf = buf, .room = room, .paddr = paddr };
	uint8_t *rsdp = take(&o, RSDP_LEN, NULL);
	uint64_t dsdt = make_dsdt(&o), fadt = make_fadt(&o, dsdt), madt = make_madt(&o, nr_vcpus);
	uint64_t xsdt = make_xsdt(&o, fadt, madt);

	if (!rsdp || !dsdt || !fadt || !madt || !xsdt || nr_vcpus > ACPI_MAX_VCPUS)
		return 0;
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 9, "PVCTL ", 6);
	rsdp[15] = 2;
	put(rsdp, 20, RSDP_LEN, 4);
	put(rsdp, 24, xsdt, 8);
	rsdp[8] = sum(rsdp, RSDP_OLD_LEN);
	rsdp[32] = sum(rsdp, RSDP_LEN);
	return o.at;
}
