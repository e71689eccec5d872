/* SPDX-License-Identifier: MIT */
#include "boot/boot.h"
#include "lib/cmdline.h"
#include "mm/memmap.h"
#include "x86/page.h"
#include "x86/printk.h"
#include <xen/xen.h>
#include <xen/arch-x86/hvm/start_info.h>

paddr_t boot_rsdp;

#define BOOT_MAP_END (1ULL << 32)
#define MAX_ENTRIES 256u

static void copy_cmdline(paddr_t p)
{
	const char *s = paddr_to_virt(p);
	size_t n = 0;

	if (!p || p > BOOT_MAP_END - sizeof(boot_cmdline))
		return;
	while (n < sizeof(boot_cmdline) - 1 && s[n])
		n++;
	memcpy(boot_cmdline, s, n);
}

void start_info_read(uint32_t paddr)
{
	const struct hvm_start_info *si = paddr_to_virt(paddr);
	const struct hvm_memmap_table_entry *e;

	if (si->magic != XEN_HVM_START_MAGIC_VALUE)
		panic("not booted by the PVH protocol\n");
	copy_cmdline(si->cmdline_paddr);
	boot_rsdp = si->rsdp_paddr;
	if (si->version < 1 || !si->memmap_paddr || si->memmap_paddr > BOOT_MAP_END - MAX_ENTRIES * sizeof(*e))
		panic("no memory map from the firmware\n");
	e = paddr_to_virt(si->memmap_paddr);
	/* Unsorted, and all-zero entries occur. */
	for (uint32_t i = 0; i < min(si->memmap_entries, MAX_ENTRIES); i++)
		if (e[i].type == XEN_HVM_MEMMAP_TYPE_RAM && e[i].size)
			memmap_add_ram(e[i].addr, e[i].size);
}
