/* SPDX-License-Identifier: MIT */
#include "clean.h"
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGE 4096ul

/* Relocations in what is read only: its pages are not those of the file. */
static bool has_text_relocations(const struct dl_phdr_info *info, const ElfW(Phdr) *p)
{
	const ElfW(Dyn) *d = (const ElfW(Dyn) *)(uintptr_t)(info->dlpi_addr + p->p_vaddr);

	for (; d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_TEXTREL || (d->d_tag == DT_FLAGS && d->d_un.d_val & DF_TEXTREL))
			return true;
	return false;
}

/* A segment that was never writable cannot have been changed: what becomes read only after relocation is of one that is. */
static int unmap_one(struct dl_phdr_info *info, size_t size, void *data)
{
	for (unsigned int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC && has_text_relocations(info, &info->dlpi_phdr[i]))
			return 0;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t start = (info->dlpi_addr + p->p_vaddr + PAGE - 1) & -PAGE;
		uintptr_t end = (info->dlpi_addr + p->p_vaddr + p->p_filesz) & -PAGE;

		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && start < end)
			(void)madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void clean_unmap(void)
{
	(void)dl_iterate_phdr(unmap_one, NULL);
}
