/* SPDX-License-Identifier: MIT */
/* Small PV kernels for the tests, made on the spot. */
#ifndef ELF_MAKER_H
#define ELF_MAKER_H

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xen/elfnote.h>

struct maker {
	uint64_t paddr, vaddr_entry, virt_base, p2m;
	int with_base, with_p2m, with_entry, mod_pfn, notes_in_section;
	uint64_t file_bytes, mem_bytes;
	const char *features;
	uint32_t pvh_entry; /* 0: none */
	int pvh_only;
};

static inline size_t put_note(uint8_t *p, uint32_t type, const void *desc, uint32_t len)
{
	Elf64_Nhdr h = { 4, len, type };

	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), "Xen", 4);
	memcpy(p + sizeof(h) + 4, desc, len);
	return sizeof(h) + 4 + ((len + 3u) & ~3u);
}

/* One PT_LOAD, the notes behind it in a PT_NOTE or an SHT_NOTE. malloc'd. */
static inline uint8_t *make_elf(const struct maker *m, size_t *ret_len)
{
	size_t data = 0x1000, notes = data + m->file_bytes, shdr, n = notes, len = notes + 4096;
	uint8_t *p = calloc(1, len);
	Elf64_Ehdr *h = (Elf64_Ehdr *)(void *)p;
	Elf64_Phdr *ph = (Elf64_Phdr *)(void *)(p + sizeof(*h));
	uint64_t one = 1;

	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_machine = EM_X86_64;
	h->e_type = ET_EXEC;
	h->e_phoff = sizeof(*h);
	h->e_phentsize = sizeof(*ph);
	h->e_phnum = m->notes_in_section ? 1 : 2;
	h->e_entry = m->vaddr_entry;
	ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = data, .p_paddr = m->paddr, .p_filesz = m->file_bytes,
	                      .p_memsz = m->mem_bytes };
	for (size_t i = 0; i < m->file_bytes; i++)
		p[data + i] = (uint8_t)(i * 7 + i / 4096 + 1);
	if (!m->pvh_only)
		n += put_note(p + n, XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 8);
	if (!m->pvh_only)
		n += put_note(p + n, XEN_ELFNOTE_GUEST_OS, "test", 5);
	if (m->pvh_entry)
		n += put_note(p + n, XEN_ELFNOTE_PHYS32_ENTRY, &m->pvh_entry, 4);
	if (m->with_entry)
		n += put_note(p + n, XEN_ELFNOTE_ENTRY, &m->vaddr_entry, 8);
	if (m->with_base)
		n += put_note(p + n, XEN_ELFNOTE_VIRT_BASE, &m->virt_base, 8);
	if (m->with_p2m)
		n += put_note(p + n, XEN_ELFNOTE_INIT_P2M, &m->p2m, 8);
	if (m->mod_pfn)
		n += put_note(p + n, XEN_ELFNOTE_MOD_START_PFN, &one, 8);
	if (m->features)
		n += put_note(p + n, XEN_ELFNOTE_FEATURES, m->features, (uint32_t)strlen(m->features) + 1);
	if (m->notes_in_section) {
		Elf64_Shdr sh = { .sh_type = SHT_NOTE, .sh_offset = notes, .sh_size = n - notes, .sh_addralign = 4 };

		shdr = (n + 7) & ~7ul;
		memcpy(p + shdr, &sh, sizeof(sh));
		h->e_shoff = shdr;
		h->e_shnum = 1;
		h->e_shentsize = sizeof(sh);
	} else {
		ph[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = notes, .p_filesz = n - notes, .p_align = 4 };
	}
	*ret_len = len;
	return p;
}

static const struct maker linux_like = {
	.paddr = 0x1000000, .vaddr_entry = 0xffffffff81000100, .virt_base = 0xffffffff80000000, .p2m = 0x8000000000,
	.with_base = 1, .with_p2m = 1, .with_entry = 1, .mod_pfn = 1, .file_bytes = 300000, .mem_bytes = 500000,
	.features = "!writable_page_tables|pae_pgdir_above_4gb",
};
/* One that starts either way, as Debian's; and one without PV. */
static const struct maker linux_both __attribute__((unused)) = {
	.paddr = 0x1000000, .vaddr_entry = 0xffffffff81000100, .virt_base = 0xffffffff80000000, .p2m = 0x8000000000,
	.with_base = 1, .with_p2m = 1, .with_entry = 1, .mod_pfn = 1, .file_bytes = 300000, .mem_bytes = 500000,
	.features = "!writable_page_tables|pae_pgdir_above_4gb", .pvh_entry = 0x1000200,
};
static const struct maker linux_pvh __attribute__((unused)) = {
	.paddr = 0x1000000, .vaddr_entry = 0x1000100, .file_bytes = 300000, .mem_bytes = 500000, .pvh_entry = 0x1000200, .pvh_only = 1,
};

#endif
