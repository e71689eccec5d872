/* SPDX-License-Identifier: MIT */
/*
 * Xen's dump-core format, as its documents have it: an ELF64 core without program headers, whose sections have names. Debuggers
 * find a pseudo-physical page by .xen_p2m, whose n-th entry is about the n-th page of .xen_pages; of a domain that has page
 * tables of its own by .xen_pfn, which has guest frame numbers alone.
 */
#ifndef DUMP_FORMAT_H
#define DUMP_FORMAT_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/version.h>

#define CORE_PAGE 4096u
#define CORE_MAGIC 0xf00febedull /* a paravirtualized guest */
#define CORE_MAGIC_HVM 0xf00febeeull
#define CORE_FORMAT_VERSION 1u

struct core_header { uint64_t magic, nr_vcpus, nr_pages, page_size; };
struct core_version {
	uint64_t major, minor;
	xen_extraversion_t extra;
	xen_compile_info_t compile;
	xen_capabilities_info_t capabilities;
	xen_changeset_info_t changeset;
	xen_platform_parameters_t platform;
	uint64_t page_size;
};
struct core_p2m { uint64_t pfn, gmfn; };
#define CORE_NO_PFN (~0ull)

/* Where everything is. */
struct core_layout {
	uint64_t nr_vcpus, nr_pages;
	bool by_gfn;
	uint64_t entry;            /* bytes of one of its table of pages */
	uint64_t prstatus, shared_info, p2m, pages, end;
};
/* by_gfn: .xen_pfn. */
void core_layout(struct core_layout *l, uint64_t nr_vcpus, uint64_t nr_pages, bool by_gfn);
/* All before prstatus: as many bytes as that says, malloc'd; NULL: no memory. */
void *core_head(const struct core_layout *l, const struct core_version *v);

#endif
