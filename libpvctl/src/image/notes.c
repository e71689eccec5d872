/* SPDX-License-Identifier: MIT */
/* Xen's ELF notes, and the string they replaced. */
#include "image/elf.h"
#include "util/err.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <xen/elfnote.h>
#include <xen/features.h>

static int bad(struct pvctl_error *err, const char *what)
{
	return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "Xen ELF notes: %s", what);
}

static uint64_t number(const uint8_t *p, size_t len)
{
	uint64_t v = 0;

	memcpy(&v, p, len); /* little-endian, as the image */
	return v;
}

static void text(char *to, size_t room, const uint8_t *p, size_t len)
{
	size_t n = strnlen((const char *)p, len);

	if (n >= room)
		n = room - 1;
	memcpy(to, p, n);
	to[n] = '\0';
}

static const struct { const char *name; unsigned int bit; } feature_names[] = {
	{ "writable_page_tables", XENFEAT_writable_page_tables },
	{ "writable_descriptor_tables", XENFEAT_writable_descriptor_tables },
	{ "auto_translated_physmap", XENFEAT_auto_translated_physmap },
	{ "supervisor_mode_kernel", XENFEAT_supervisor_mode_kernel },
	{ "pae_pgdir_above_4gb", XENFEAT_pae_pgdir_above_4gb },
	{ "hvm_callback_vector", XENFEAT_hvm_callback_vector },
	{ "hvm_safe_pvclock", XENFEAT_hvm_safe_pvclock },
	{ "hvm_pirqs", XENFEAT_hvm_pirqs },
	{ "dom0", XENFEAT_dom0 },
};

/* "!a|b|c": a is required. Unknown names do not matter unless required. */
static int features(struct elf_notes *n, const char *p, size_t len, struct pvctl_error *err)
{
	const char *end = p + strnlen(p, len), *bar;
	unsigned int i;
	bool required;
	size_t w;

	for (; p < end; p = bar < end ? bar + 1 : end) {
		bar = memchr(p, '|', (size_t)(end - p));
		if (!bar)
			bar = end;
		required = *p == '!';
		p += required;
		w = (size_t)(bar - p);
		for (i = 0; i < sizeof(feature_names) / sizeof(feature_names[0]); i++)
			if (strlen(feature_names[i].name) == w && memcmp(p, feature_names[i].name, w) == 0)
				break;
		if (i < sizeof(feature_names) / sizeof(feature_names[0])) {
			n->features_supported |= 1u << feature_names[i].bit;
			if (required)
				n->features_required |= 1u << feature_names[i].bit;
		} else if (required) {
			return err_set(err, -ENOSYS, PVCTL_ORIGIN_IMAGE, "the kernel requires the unknown feature \"%.*s\"",
			               w < 64 ? (int)w : 64, p);
		}
	}
	return 0;
}

static uint64_t *numeric_field(struct elf_notes *n, uint32_t type)
{
	switch (type) {
	case XEN_ELFNOTE_ENTRY: return &n->entry;
	case XEN_ELFNOTE_HYPERCALL_PAGE: return &n->hypercall_page;
	case XEN_ELFNOTE_VIRT_BASE: return &n->virt_base;
	case XEN_ELFNOTE_PADDR_OFFSET: return &n->paddr_offset;
	case XEN_ELFNOTE_INIT_P2M: return &n->init_p2m;
	case XEN_ELFNOTE_HV_START_LOW: return &n->hv_start_low;
	case XEN_ELFNOTE_PHYS32_ENTRY: return &n->phys32_entry;
	default: return NULL;
	}
}

static char *text_field(struct elf_notes *n, uint32_t type)
{
	switch (type) {
	case XEN_ELFNOTE_GUEST_OS: return n->guest_os;
	case XEN_ELFNOTE_GUEST_VERSION: return n->guest_version;
	case XEN_ELFNOTE_XEN_VERSION: return n->xen_version;
	case XEN_ELFNOTE_LOADER: return n->loader;
	case XEN_ELFNOTE_PAE_MODE: return n->pae_mode;
	default: return NULL;
	}
}

int notes_add(struct elf_notes *n, uint32_t type, const uint8_t *desc, size_t len, struct pvctl_error *err)
{
	uint64_t *field = numeric_field(n, type);
	char *str = text_field(n, type);
	bool is_number = len == 1 || len == 2 || len == 4 || len == 8;

	if (type > XEN_ELFNOTE_MAX)
		return 0;
	if (field) {
		if (!is_number)
			return bad(err, "a number has an odd size");
		*field = number(desc, len);
	} else if (str) {
		text(str, sizeof(n->guest_os), desc, len);
	} else if (type == XEN_ELFNOTE_FEATURES) {
		int rc = features(n, (const char *)desc, len, err);

		if (rc)
			return rc;
	} else if (type == XEN_ELFNOTE_SUPPORTED_FEATURES && is_number) {
		n->features_supported |= (uint32_t)number(desc, len);
	} else if (type == XEN_ELFNOTE_MOD_START_PFN && is_number) {
		n->mod_start_pfn = number(desc, len) != 0;
	} else if (type == XEN_ELFNOTE_SUSPEND_CANCEL && is_number) {
		n->suspend_cancel = number(desc, len) != 0;
	} else if (type == XEN_ELFNOTE_L1_MFN_VALID && len >= 16) {
		n->l1_mfn_valid_mask = number(desc, 8);
		n->l1_mfn_valid_value = number(desc + 8, 8);
	}
	n->present |= 1u << type;
	return 0;
}

int notes_scan(struct elf_notes *n, const uint8_t *p, size_t len, size_t align, struct pvctl_error *err)
{
	size_t at = 0, name_end, desc_at;
	Elf64_Nhdr h;
	int rc;

	/* Xen's notes are aligned to 4; 8 only where the header says so (as GNU property notes do). */
	align = align == 8 ? 8 : 4;
	while (len - at >= sizeof(h)) {
		memcpy(&h, p + at, sizeof(h));
		at += sizeof(h);
		if (h.n_namesz > len - at)
			return 0;
		name_end = at + h.n_namesz;
		desc_at = (name_end + align - 1) & -align;
		if (desc_at > len || h.n_descsz > len - desc_at)
			return 0;
		if (h.n_namesz == 4 && memcmp(p + at, "Xen", 4) == 0) {
			rc = notes_add(n, h.n_type, p + desc_at, h.n_descsz, err);
			if (rc)
				return rc;
		}
		at = (desc_at + h.n_descsz + align - 1) & -align;
		if (at > len)
			return 0;
	}
	return 0;
}

static const struct { const char *key; uint32_t type; } legacy_keys[] = {
	{ "VIRT_ENTRY", XEN_ELFNOTE_ENTRY }, { "HYPERCALL_PAGE", XEN_ELFNOTE_HYPERCALL_PAGE },
	{ "VIRT_BASE", XEN_ELFNOTE_VIRT_BASE }, { "ELF_PADDR_OFFSET", XEN_ELFNOTE_PADDR_OFFSET },
	{ "XEN_VER", XEN_ELFNOTE_XEN_VERSION }, { "GUEST_OS", XEN_ELFNOTE_GUEST_OS },
	{ "GUEST_VER", XEN_ELFNOTE_GUEST_VERSION }, { "LOADER", XEN_ELFNOTE_LOADER },
	{ "PAE", XEN_ELFNOTE_PAE_MODE }, { "FEATURES", XEN_ELFNOTE_FEATURES },
};

static int legacy_item(struct elf_notes *n, const char *item, struct pvctl_error *err)
{
	size_t key_len = strcspn(item, "=");
	const char *value = item[key_len] ? item + key_len + 1 : "";
	unsigned int i;
	uint64_t v;
	char *end;

	for (i = 0; i < sizeof(legacy_keys) / sizeof(legacy_keys[0]); i++)
		if (strlen(legacy_keys[i].key) == key_len && memcmp(item, legacy_keys[i].key, key_len) == 0)
			break;
	if (i == sizeof(legacy_keys) / sizeof(legacy_keys[0]))
		return 0;
	if (!numeric_field(n, legacy_keys[i].type))
		return notes_add(n, legacy_keys[i].type, (const uint8_t *)value, strlen(value), err);
	v = strtoull(value, &end, 0);
	if (end == value || *end)
		return bad(err, "__xen_guest has a malformed number");
	return notes_add(n, legacy_keys[i].type, (const uint8_t *)&v, sizeof(v), err);
}

int notes_legacy(struct elf_notes *n, const char *str, size_t len, struct pvctl_error *err)
{
	char copy[1024], *item, *rest = copy;
	size_t w = strnlen(str, len);
	int rc;

	if (w >= sizeof(copy))
		return bad(err, "__xen_guest is too long");
	memcpy(copy, str, w);
	copy[w] = '\0';
	while ((item = strsep(&rest, ","))) {
		rc = legacy_item(n, item, err);
		if (rc)
			return rc;
	}
	/* The old rules: a hypercall page by its frame number, and a paddr offset that follows the base. */
	n->legacy = n->present != 0;
	if (elf_has_note(n, XEN_ELFNOTE_HYPERCALL_PAGE))
		n->hypercall_page = n->virt_base + (n->hypercall_page << 12);
	if (!elf_has_note(n, XEN_ELFNOTE_PADDR_OFFSET))
		n->paddr_offset = n->virt_base;
	return 0;
}
