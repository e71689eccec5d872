/* SPDX-License-Identifier: MIT */
#include "dump/format.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <xen/elfnote.h>

enum { S_NULL, S_NAMES, S_NOTES, S_PRSTATUS, S_SHARED_INFO, S_P2M, S_PAGES, SECTIONS };
static const char names[] = "\0.shstrtab\0.note.Xen\0.xen_prstatus\0.xen_shared_info\0.xen_p2m\0.xen_pages";
static const char names_by_gfn[] = "\0.shstrtab\0.note.Xen\0.xen_prstatus\0.xen_shared_info\0.xen_pfn\0.xen_pages";
_Static_assert(sizeof(names) == sizeof(names_by_gfn), "in one place");

struct note { uint32_t name_len, len, type; char name[4]; };
#define NOTE_BYTES (4 * sizeof(struct note) + sizeof(struct core_header) + sizeof(struct core_version) + sizeof(uint64_t))

#define NAMES_AT (sizeof(Elf64_Ehdr) + SECTIONS * sizeof(Elf64_Shdr))
#define NOTES_AT ((NAMES_AT + sizeof(names) + 7) & ~(size_t)7)

static uint64_t pages_up(uint64_t n)
{
	return (n + CORE_PAGE - 1) & ~(uint64_t)(CORE_PAGE - 1);
}

void core_layout(struct core_layout *l, uint64_t nr_vcpus, uint64_t nr_pages, bool by_gfn)
{
	*l = (struct core_layout){ .nr_vcpus = nr_vcpus, .nr_pages = nr_pages, .by_gfn = by_gfn };
	l->entry = by_gfn ? sizeof(uint64_t) : sizeof(struct core_p2m);
	l->prstatus = NOTES_AT + NOTE_BYTES;
	l->shared_info = l->prstatus + nr_vcpus * sizeof(vcpu_guest_context_t);
	l->p2m = l->shared_info + CORE_PAGE;
	l->pages = pages_up(l->p2m + nr_pages * l->entry);
	l->end = l->pages + nr_pages * CORE_PAGE;
}

static uint8_t *put_note(uint8_t *p, uint32_t type, const void *what, size_t len)
{
	struct note n = { .name_len = 4, .len = (uint32_t)len, .type = type, .name = "Xen" };

	memcpy(p, &n, sizeof(n));
	if (len)
		memcpy(p + sizeof(n), what, len);
	return p + sizeof(n) + len;
}

static void put_notes(uint8_t *p, const struct core_layout *l, const struct core_version *v)
{
	const struct core_header h = { l->by_gfn ? CORE_MAGIC_HVM : CORE_MAGIC, l->nr_vcpus, l->nr_pages, CORE_PAGE };
	const uint64_t format = CORE_FORMAT_VERSION;

	p = put_note(p, XEN_ELFNOTE_DUMPCORE_NONE, NULL, 0);
	p = put_note(p, XEN_ELFNOTE_DUMPCORE_HEADER, &h, sizeof(h));
	p = put_note(p, XEN_ELFNOTE_DUMPCORE_XEN_VERSION, v, sizeof(*v));
	put_note(p, XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION, &format, sizeof(format));
}

static Elf64_Shdr section(uint32_t type, uint64_t at, uint64_t end, uint64_t align, uint64_t each)
{
	return (Elf64_Shdr){ .sh_type = type, .sh_offset = at, .sh_size = end - at, .sh_addralign = align, .sh_entsize = each };
}

void *core_head(const struct core_layout *l, const struct core_version *v)
{
	Elf64_Ehdr eh = { .e_type = ET_CORE, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_shoff = sizeof(eh),
			  .e_ehsize = sizeof(eh), .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = SECTIONS, .e_shstrndx = S_NAMES };
	Elf64_Shdr s[SECTIONS] = {
		[S_NAMES] = section(SHT_STRTAB, NAMES_AT, NAMES_AT + sizeof(names), 1, 0),
		[S_NOTES] = section(SHT_NOTE, NOTES_AT, l->prstatus, 1, 0),
		[S_PRSTATUS] = section(SHT_PROGBITS, l->prstatus, l->shared_info, 8, sizeof(vcpu_guest_context_t)),
		[S_SHARED_INFO] = section(SHT_PROGBITS, l->shared_info, l->p2m, 8, CORE_PAGE),
		[S_P2M] = section(SHT_PROGBITS, l->p2m, l->p2m + l->nr_pages * l->entry, 8, l->entry),
		[S_PAGES] = section(SHT_PROGBITS, l->pages, l->end, CORE_PAGE, CORE_PAGE),
	};
	uint8_t *head = calloc(1, l->prstatus);
	const char *text = l->by_gfn ? names_by_gfn : names, *name = text;

	if (!head)
		return NULL;
	for (int i = 0; i < SECTIONS; i++) {
		s[i].sh_name = (uint32_t)(name - text);
		name += strlen(name) + 1;
	}
	memcpy(eh.e_ident, ELFMAG "\2\1\1", SELFMAG + 3);
	memcpy(head, &eh, sizeof(eh));
	memcpy(head + sizeof(eh), s, sizeof(s));
	memcpy(head + NAMES_AT, text, sizeof(names));
	put_notes(head + NOTES_AT, l, v);
	return head;
}
