/* SPDX-License-Identifier: MIT */
#include "image/elf.h"
#include "util/err.h"
#include <elf.h>
#include <string.h>
#include <xen/elfnote.h>
#include <xen/features.h>

#define MAX_SECTIONS 4096u

bool elf_probe(const uint8_t *p, size_t len)
{
	return len >= SELFMAG && memcmp(p, ELFMAG, SELFMAG) == 0;
}

static int bad(struct pvctl_error *err, const char *what)
{
	return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "ELF image: %s", what);
}

static bool within(uint64_t off, uint64_t n, uint64_t len)
{
	return off <= len && n <= len - off;
}

static int check_header(const Elf64_Ehdr *h, size_t len, struct pvctl_error *err)
{
	if (h->e_ident[EI_CLASS] == ELFCLASS32)
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_IMAGE, "ELF image: 32-bit kernels are not supported");
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64)
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_IMAGE, "ELF image: not for x86-64 (machine %u)", h->e_machine);
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return bad(err, "not an executable");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 ||
	    !within(h->e_phoff, (uint64_t)h->e_phnum * sizeof(Elf64_Phdr), len))
		return bad(err, "its program headers are outside the file");
	return 0;
}

static int add_segment(struct elf_image *e, const Elf64_Phdr *ph, size_t len, struct pvctl_error *err)
{
	struct elf_segment *s = &e->segment[e->n_segments];
	uint64_t end;

	if (ph->p_memsz == 0)
		return 0;
	if (e->n_segments == ELF_MAX_SEGMENTS)
		return bad(err, "too many segments");
	if (ph->p_filesz > ph->p_memsz || !within(ph->p_offset, ph->p_filesz, len) ||
	    __builtin_add_overflow(ph->p_paddr, ph->p_memsz, &end))
		return bad(err, "a segment is outside the file or the address space");
	s->paddr = ph->p_paddr;
	s->offset = ph->p_offset;
	s->file_bytes = ph->p_filesz;
	s->mem_bytes = ph->p_memsz;
	if (e->n_segments == 0 || s->paddr < e->pstart)
		e->pstart = s->paddr;
	if (e->n_segments == 0 || end > e->pend)
		e->pend = end;
	e->n_segments++;
	return 0;
}

/* What the segments' files say in all must fit their span: overlapping
 * segments could make a small image into endless copying. */
static int check_span(const struct elf_image *e, struct pvctl_error *err)
{
	uint64_t sum = 0;
	unsigned int i;

	if (e->n_segments == 0)
		return bad(err, "nothing to load");
	for (i = 0; i < e->n_segments; i++)
		sum += e->segment[i].file_bytes;
	if (e->pend - e->pstart > ELF_MAX_SPAN || sum > e->pend - e->pstart)
		return bad(err, "its segments overlap, or span more than 1 GiB");
	return 0;
}

static int scan_segments(const uint8_t *p, size_t len, const Elf64_Ehdr *h, struct elf_image *e,
                         struct pvctl_error *err)
{
	Elf64_Phdr ph;
	unsigned int i;
	int rc;

	for (i = 0; i < h->e_phnum; i++) {
		memcpy(&ph, p + h->e_phoff + i * sizeof(ph), sizeof(ph));
		rc = 0;
		if (ph.p_type == PT_LOAD)
			rc = add_segment(e, &ph, len, err);
		else if (ph.p_type == PT_NOTE && within(ph.p_offset, ph.p_filesz, len))
			rc = notes_scan(&e->notes, p + ph.p_offset, ph.p_filesz, ph.p_align, err);
		if (rc)
			return rc;
	}
	return check_span(e, err);
}

static bool named(const uint8_t *p, size_t len, const Elf64_Shdr *names, uint32_t off, const char *want)
{
	size_t n = strlen(want) + 1;

	return names->sh_type == SHT_STRTAB && within(names->sh_offset, names->sh_size, len) &&
	       within(off, n, names->sh_size) && memcmp(p + names->sh_offset + off, want, n) == 0;
}

/* Some kernels keep their notes in sections alone. A broken section table is
 * no reason to refuse an image that its segments describe. */
static int scan_sections(const uint8_t *p, size_t len, const Elf64_Ehdr *h, struct elf_image *e,
                         struct pvctl_error *err)
{
	Elf64_Shdr sh, names = { 0 };
	unsigned int i;
	int rc;

	if (h->e_shentsize != sizeof(sh) || h->e_shnum > MAX_SECTIONS ||
	    !within(h->e_shoff, (uint64_t)h->e_shnum * sizeof(sh), len))
		return 0;
	if (h->e_shstrndx < h->e_shnum)
		memcpy(&names, p + h->e_shoff + h->e_shstrndx * sizeof(sh), sizeof(names));
	for (i = 0; i < h->e_shnum; i++) {
		memcpy(&sh, p + h->e_shoff + i * sizeof(sh), sizeof(sh));
		if (sh.sh_type == SHT_NOBITS || !within(sh.sh_offset, sh.sh_size, len))
			continue;
		rc = 0;
		if (sh.sh_type == SHT_NOTE)
			rc = notes_scan(&e->notes, p + sh.sh_offset, sh.sh_size, sh.sh_addralign, err);
		else if (e->notes.present == 0 && named(p, len, &names, sh.sh_name, "__xen_guest"))
			rc = notes_legacy(&e->notes, (const char *)p + sh.sh_offset, sh.sh_size, err);
		if (rc)
			return rc;
	}
	return 0;
}

int elf_parse(const uint8_t *p, size_t len, struct elf_image *ret, struct pvctl_error *err)
{
	struct elf_image e;
	Elf64_Ehdr h;
	int rc;

	memset(&e, 0, sizeof(e));
	if (!elf_probe(p, len))
		return bad(err, "it has no ELF header");
	if (len < sizeof(h))
		return bad(err, "it is cut off");
	memcpy(&h, p, sizeof(h));
	rc = check_header(&h, len, err);
	if (rc)
		return rc;
	e.entry = h.e_entry;
	rc = scan_segments(p, len, &h, &e, err);
	if (!rc && e.notes.present == 0)
		rc = scan_sections(p, len, &h, &e, err);
	if (!rc)
		*ret = e;
	return rc;
}

int elf_check_pv(const struct elf_image *e, struct pvctl_error *err)
{
	/* What a guest of ours can be given; the rest would be promised in vain. */
	const uint32_t can = 1u << XENFEAT_writable_page_tables | 1u << XENFEAT_pae_pgdir_above_4gb |
	                     1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |
	                     1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_hvm_callback_vector |
	                     1u << XENFEAT_hvm_safe_pvclock | 1u << XENFEAT_not_direct_mapped;
	const struct elf_notes *n = &e->notes;

	if (n->present == 0)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE,
		               "not a Xen PV kernel: it has no Xen notes (Linux needs CONFIG_XEN_PV)");
	if ((n->present & ~(1u << XEN_ELFNOTE_PHYS32_ENTRY | 1u << XEN_ELFNOTE_INFO)) == 0)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE,
		               "not a Xen PV kernel: it can be started with type=\"pvh\" only (Linux needs CONFIG_XEN_PV)");
	if (n->xen_version[0] && strcmp(n->xen_version, "xen-3.0") != 0)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the kernel is for \"%s\", not for xen-3.0", n->xen_version);
	if (n->features_required & ~can)
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_IMAGE,
		               "the kernel requires features that a PV domain does not have (mask 0x%x)",
		               n->features_required & ~can);
	return 0;
}

int elf_check_pvh(const struct elf_image *e, struct pvctl_error *err)
{
	const struct elf_notes *n = &e->notes;

	if (!elf_has_note(n, XEN_ELFNOTE_PHYS32_ENTRY))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE,
		               "not a PVH kernel: it has no PHYS32_ENTRY note (Linux needs CONFIG_PVH)");
	if (n->phys32_entry < e->pstart || n->phys32_entry >= e->pend || n->phys32_entry > UINT32_MAX)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the kernel's PVH entry is outside of its segments, or above 4 GiB");
	return 0;
}

int elf_check_any(const struct elf_image *e, struct pvctl_error *err)
{
	return elf_check_pvh(e, NULL) ? elf_check_pv(e, err) : 0;
}
