/* SPDX-License-Identifier: MIT */
/*
 * 64-bit ELF kernels with Xen notes. Pure: every byte of the image is hostile,
 * nothing is written but *ret, and what it gives has been bounds-checked:
 * segments lie within the file and within [pstart, pend).
 */
#ifndef IMAGE_ELF_H
#define IMAGE_ELF_H

#include "libpvctl.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_MAX_SEGMENTS 64u
#define ELF_MAX_SPAN (1ull << 30) /* of physical addresses, from the lowest to the highest */

struct elf_segment {
	uint64_t paddr;   /* as the file has it; elf_image.pstart is the lowest */
	uint64_t offset, file_bytes, mem_bytes;
};

struct elf_notes {
	uint32_t present;      /* a bit for each XEN_ELFNOTE_* found, up to XEN_ELFNOTE_MAX */
	bool legacy;           /* from a __xen_guest section */
	uint64_t entry, hypercall_page, virt_base, paddr_offset, init_p2m, hv_start_low, phys32_entry;
	uint32_t features_required, features_supported; /* bits XENFEAT_*, submap 0 */
	bool mod_start_pfn, suspend_cancel;
	uint64_t l1_mfn_valid_mask, l1_mfn_valid_value;
	char guest_os[32], guest_version[32], xen_version[32], loader[32], pae_mode[32];
};

struct elf_image {
	unsigned int n_segments;
	struct elf_segment segment[ELF_MAX_SEGMENTS];
	uint64_t entry;            /* e_entry */
	uint64_t pstart, pend;     /* of all segments */
	struct elf_notes notes;
};

static inline bool elf_has_note(const struct elf_notes *n, unsigned int type)
{
	return n->present >> type & 1;
}
bool elf_probe(const uint8_t *p, size_t len); /* the magic only */
/* -EINVAL: malformed, or not for Xen; -ENOSYS: 32 bits, another machine. */
int elf_parse(const uint8_t *p, size_t len, struct elf_image *ret, struct pvctl_error *err);
/* Is it a PV kernel this builder can start? Uses the notes alone. */
int elf_check_pv(const struct elf_image *e, struct pvctl_error *err);
/* And as PVH: it has an entry for 32-bit flat mode. */
int elf_check_pvh(const struct elf_image *e, struct pvctl_error *err);
/* Either; the error is why it is no PV kernel. */
int elf_check_any(const struct elf_image *e, struct pvctl_error *err);

/* image/notes.c */
int notes_add(struct elf_notes *n, uint32_t type, const uint8_t *desc, size_t len, struct pvctl_error *err);
/* A PT_NOTE segment or SHT_NOTE section. */
int notes_scan(struct elf_notes *n, const uint8_t *p, size_t len, size_t align, struct pvctl_error *err);
/* The old "GUEST_OS=linux,XEN_VER=xen-3.0,..." string. */
int notes_legacy(struct elf_notes *n, const char *text, size_t len, struct pvctl_error *err);

#endif
