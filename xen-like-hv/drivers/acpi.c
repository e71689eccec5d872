/* SPDX-License-Identifier: MIT */
#include "drivers/acpi.h"
#include "x86/page.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/smp.h"

#define BOOT_MAP_END (1ULL << 32)
#define MAX_TABLE_BYTES (1u << 20)
#define MAX_TABLES 128

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision, creator_id, creator_revision;
} __attribute__((packed));

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t checksum2, reserved[3];
} __attribute__((packed));

#define RSDP_V1_BYTES 20
#define MADT_ENTRIES_OFFSET 44
#define MADT_LAPIC 0
#define MADT_X2APIC 9
#define MADT_ENABLED 1u
#define FADT_PM_TMR_OFFSET 76
#define FADT_PM_TMR_LEN_OFFSET 91

uint16_t acpi_pm_timer_port;

static bool checksum_ok(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (n--)
		sum += *b++;
	return sum == 0;
}

static const struct acpi_header *table_at(paddr_t p)
{
	const struct acpi_header *h = paddr_to_virt(p);

	if (!p || p > BOOT_MAP_END - MAX_TABLE_BYTES)
		return NULL;
	if (h->length < sizeof(*h) || h->length > MAX_TABLE_BYTES || !checksum_ok(h, h->length))
		return NULL;
	return h;
}

static const struct acpi_rsdp *rsdp_at(paddr_t p)
{
	const struct acpi_rsdp *r = paddr_to_virt(p);

	if (p > BOOT_MAP_END - sizeof(*r) || memcmp(r->signature, "RSD PTR ", 8) != 0)
		return NULL;
	return checksum_ok(r, RSDP_V1_BYTES) ? r : NULL;
}

static const struct acpi_rsdp *find_rsdp(paddr_t hint)
{
	const struct acpi_rsdp *r = hint ? rsdp_at(hint) : NULL;

	for (paddr_t p = 0xe0000; !r && p < 0x100000; p += 16)
		r = rsdp_at(p);
	return r;
}

static void add_cpu(uint32_t apic_id, uint32_t flags, uint32_t boot_id)
{
	if (!(flags & MADT_ENABLED) || apic_id == boot_id)
		return;
	if (!cpu_features.x2apic && apic_id > 254)
		return;
	if (nr_cpus_possible < NR_CPUS)
		cpu_apic_id[nr_cpus_possible++] = apic_id;
}

static uint32_t read32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void parse_madt(const struct acpi_header *h)
{
	const uint8_t *p = (const uint8_t *)h, *end = p + h->length;
	uint32_t a, b, c, d;

	cpuid_count(1, 0, &a, &b, &c, &d);
	cpu_apic_id[0] = b >> 24;
	for (p += MADT_ENTRIES_OFFSET; end - p >= 2 && p[1] >= 2 && p[1] <= end - p; p += p[1]) {
		if (p[0] == MADT_LAPIC && p[1] >= 8)
			add_cpu(p[3], read32(p + 4), cpu_apic_id[0]);
		else if (p[0] == MADT_X2APIC && p[1] >= 16)
			add_cpu(read32(p + 4), read32(p + 8), cpu_apic_id[0]);
	}
}

static void parse_fadt(const struct acpi_header *h)
{
	const uint8_t *p = (const uint8_t *)h;

	if (h->length > FADT_PM_TMR_LEN_OFFSET && p[FADT_PM_TMR_LEN_OFFSET] == 4)
		acpi_pm_timer_port = (uint16_t)read32(p + FADT_PM_TMR_OFFSET);
}

void acpi_init(paddr_t rsdp)
{
	const struct acpi_rsdp *r = find_rsdp(rsdp);
	const struct acpi_header *root, *t;
	bool wide;
	uint32_t n;

	if (!r) {
		printk("no ACPI tables: one CPU\n");
		return;
	}
	wide = r->revision >= 2 && r->xsdt && r->xsdt < BOOT_MAP_END;
	root = table_at(wide ? r->xsdt : r->rsdt);
	if (!root)
		return;
	n = min((root->length - (uint32_t)sizeof(*root)) / (wide ? 8u : 4u), (uint32_t)MAX_TABLES);
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *e = (const uint8_t *)(root + 1) + i * (wide ? 8 : 4);
		paddr_t p = read32(e) | (wide ? (uint64_t)read32(e + 4) << 32 : 0);

		t = table_at(p);
		if (t && memcmp(t->signature, "APIC", 4) == 0)
			parse_madt(t);
		else if (t && memcmp(t->signature, "FACP", 4) == 0)
			parse_fadt(t);
	}
}
