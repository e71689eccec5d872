/* SPDX-License-Identifier: MIT */
#include "drivers/ivshmem.h"
#include "drivers/pci.h"
#include "lib/errno.h"
#include "mm/hv_pagetable.h"
#include "x86/page.h"
#include "x86/printk.h"
#include "x86/smp.h"

#define IVSHMEM_VENDOR 0x1af4
#define IVSHMEM_DEVICE 0x1110
#define REG_DOORBELL   0x0c
#define REG_BAR_BYTES  0x100
#define HOST_PEER      0u /* the daemon is peer 0, this node peer 1 */

#define MSIX_ENABLE    0x80000000u
#define MSIX_MASK_ALL  0x40000000u
#define MSI_ADDRESS    0xfee00000u

static volatile uint32_t *doorbell;

static int map_msix(uint32_t devfn, const int *vectors, unsigned int n)
{
	uint32_t cap = pci_find_cap(devfn, PCI_CAP_MSIX), ctrl, where;
	volatile uint32_t *table;
	paddr_t bar;

	if (!cap)
		return -EINVAL;
	ctrl = pci_read(devfn, cap);
	where = pci_read(devfn, cap + 4);
	if ((ctrl >> 16 & 0x7ff) + 1 < n)
		return -EINVAL;
	bar = pci_bar(devfn, where & 7);
	table = bar ? hv_iomap(bar + (where & ~7u), n * 16) : NULL;
	if (!table)
		return -EINVAL;
	/* Enabled and masked as a whole while entries are written. */
	pci_write(devfn, cap, (ctrl & 0xffff) | MSIX_ENABLE | MSIX_MASK_ALL);
	for (unsigned int i = 0; i < n; i++) {
		table[i * 4] = MSI_ADDRESS | cpu_apic_id[0] << 12;
		table[i * 4 + 1] = 0;
		table[i * 4 + 2] = (uint32_t)vectors[i];
		table[i * 4 + 3] = 0;
	}
	pci_write(devfn, cap, (ctrl & 0xffff) | MSIX_ENABLE);
	return 0;
}

int ivshmem_init(const int *vectors, unsigned int n)
{
	int devfn = pci_find(IVSHMEM_VENDOR, IVSHMEM_DEVICE);
	volatile uint32_t *regs;
	paddr_t bar;

	if (devfn < 0)
		return devfn;
	pci_assign_bars((uint32_t)devfn);
	bar = pci_bar((uint32_t)devfn, 0);
	regs = bar ? hv_iomap(bar, REG_BAR_BYTES) : NULL;
	if (!regs)
		return -EINVAL;
	doorbell = regs + REG_DOORBELL / 4;
	return map_msix((uint32_t)devfn, vectors, n);
}

void ivshmem_ring(unsigned int vector)
{
	if (doorbell)
		*doorbell = HOST_PEER << 16 | vector;
}
