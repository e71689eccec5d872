/* SPDX-License-Identifier: MIT */
#include "drivers/pci.h"
#include "lib/errno.h"
#include "x86/printk.h"
#include "x86/processor.h"

/* Between the chipset's MMCONFIG window and the I/O APIC; nothing else is put there by QEMU's machines. */
#define PCI_HOLE_START 0xe0000000u
#define PCI_HOLE_END   0xfe000000u

static uint32_t next_free = PCI_HOLE_START;

static void select(uint32_t devfn, uint32_t reg)
{
	outl(0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc));
}

uint32_t pci_read(uint32_t devfn, uint32_t reg)
{
	select(devfn, reg);
	return inl(0xcfc);
}

void pci_write(uint32_t devfn, uint32_t reg, uint32_t val)
{
	select(devfn, reg);
	outl(0xcfc, val);
}

int pci_find(uint16_t vendor, uint16_t device)
{
	for (uint32_t devfn = 0; devfn < 256; devfn++) {
		uint32_t id = pci_read(devfn, PCI_ID);

		if (id == (vendor | (uint32_t)device << 16))
			return (int)devfn;
		/* Function 0 missing, or a device of one function: on to the next device. */
		if (!(devfn & 7) && (id == ~0u || !(pci_read(devfn, 0x0c) & 0x800000)))
			devfn |= 7;
	}
	return -ENODEV;
}

uint32_t pci_find_cap(uint32_t devfn, uint8_t id)
{
	uint32_t off = pci_read(devfn, PCI_CAP_PTR) & 0xfc;

	for (unsigned int i = 0; off >= 0x40 && i < 48; i++) {
		uint32_t v = pci_read(devfn, off);

		if ((v & 0xff) == id)
			return off;
		off = v >> 8 & 0xfc;
	}
	return 0;
}

static void assign_bar(uint32_t devfn, unsigned int n, bool is64)
{
	uint32_t size, base;

	pci_write(devfn, PCI_BAR(n), ~0u);
	size = ~(pci_read(devfn, PCI_BAR(n)) & ~15u) + 1;
	if (!size || size > PCI_HOLE_END - next_free) {
		/* No room (or more than 4 GiB): out of the way, above the hole of any node's RAM. */
		pci_write(devfn, PCI_BAR(n), 0);
		if (is64)
			pci_write(devfn, PCI_BAR(n + 1), 1u << 7);
		return;
	}
	base = (next_free + size - 1) & ~(size - 1);
	next_free = base + max(size, 4096u);
	pci_write(devfn, PCI_BAR(n), base);
	if (is64)
		pci_write(devfn, PCI_BAR(n + 1), 0);
}

void pci_assign_bars(uint32_t devfn)
{
	uint32_t command = pci_read(devfn, PCI_COMMAND);

	pci_write(devfn, PCI_COMMAND, command & 0xffff & ~PCI_COMMAND_MEM);
	for (unsigned int n = 0; n < 6; n++) {
		uint32_t v = pci_read(devfn, PCI_BAR(n));
		bool is64 = (v & 6) == 4 && n < 5;

		if (v & 1)
			continue; /* I/O ports */
		if (!(v & ~15u) && !(is64 && pci_read(devfn, PCI_BAR(n + 1))))
			assign_bar(devfn, n, is64);
		n += is64;
	}
	pci_write(devfn, PCI_COMMAND,
		  (command & 0xffff) | PCI_COMMAND_MEM | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
}

paddr_t pci_bar(uint32_t devfn, unsigned int n)
{
	uint32_t v = pci_read(devfn, PCI_BAR(n));
	paddr_t p = v & ~15u;

	if (v & 1)
		return 0;
	if ((v & 6) == 4)
		p |= (paddr_t)pci_read(devfn, PCI_BAR(n + 1)) << 32;
	return p;
}
