/* SPDX-License-Identifier: MIT */
#include "build/pvh_info.h"
#include "build/layout.h"
#include "util/err.h"
#include <string.h>
#include <xen/xen.h>
#include <xen/arch-x86/hvm/start_info.h>

struct page {
	struct hvm_start_info info;
	struct hvm_modlist_entry module;
	struct hvm_memmap_table_entry map[PVH_MAP_MAX];
	char cmdline[MAX_GUEST_CMDLINE];
};
_Static_assert(sizeof(struct hvm_start_info) == 56 && sizeof(struct hvm_modlist_entry) == 32 &&
               sizeof(struct hvm_memmap_table_entry) == 24, "the public header's layout");
_Static_assert(sizeof(struct page) <= PAGE_SIZE, "it fits");

int pvh_info_make(const struct pvh_layout *l, const char *cmdline, uint8_t *page, struct pvctl_error *err)
{
	struct hv_map_entry map[PVH_MAP_MAX];
	size_t len = cmdline ? strlen(cmdline) : 0;
	struct page p;

	if (len >= sizeof(p.cmdline))
		return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "the kernel's command line has %zu characters; at most %zu fit",
		               len, sizeof(p.cmdline) - 1);
	memset(&p, 0, sizeof(p));
	p.info.magic = XEN_HVM_START_MAGIC_VALUE;
	p.info.version = 1;
	p.info.rsdp_paddr = (uint64_t)PVH_ACPI_GFN << PAGE_SHIFT;
	p.info.memmap_paddr = l->info_paddr + offsetof(struct page, map);
	p.info.memmap_entries = pvh_memory_map(l, map);
	for (unsigned int i = 0; i < p.info.memmap_entries; i++) {
		p.map[i].addr = map[i].addr;
		p.map[i].size = map[i].size;
		p.map[i].type = map[i].type;
	}
	if (l->ramdisk_bytes) {
		p.info.nr_modules = 1;
		p.info.modlist_paddr = l->info_paddr + offsetof(struct page, module);
		p.module.paddr = l->ramdisk_paddr;
		p.module.size = l->ramdisk_bytes;
	}
	if (cmdline) {
		p.info.cmdline_paddr = l->info_paddr + offsetof(struct page, cmdline);
		memcpy(p.cmdline, cmdline, len);
	}
	memset(page, 0, PAGE_SIZE);
	memcpy(page, &p, sizeof(p));
	return 0;
}
