/* SPDX-License-Identifier: MIT */
/* PCI configuration space through ports 0xcf8 and 0xcfc; bus 0 is enough for a node. */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H
#include "lib/types.h"

#define PCI_ID          0x00
#define PCI_COMMAND     0x04
#define PCI_CAP_PTR     0x34
#define PCI_BAR(n)      (0x10u + 4u * (n))
#define PCI_COMMAND_MEM    2u
#define PCI_COMMAND_MASTER 4u
#define PCI_COMMAND_INTX_OFF 0x400u
#define PCI_CAP_MSIX    0x11

uint32_t pci_read(uint32_t devfn, uint32_t reg);
void pci_write(uint32_t devfn, uint32_t reg, uint32_t val);
int pci_find(uint16_t vendor, uint16_t device);     /* devfn, or -ENODEV */
uint32_t pci_find_cap(uint32_t devfn, uint8_t id);  /* its offset; 0: none */
/* Memory BARs the firmware left at 0 get an address in the hole below 4 GiB. */
void pci_assign_bars(uint32_t devfn);
paddr_t pci_bar(uint32_t devfn, unsigned int n);    /* 0: none */
#endif
