/* SPDX-License-Identifier: MIT */
/*
 * What a saved domain is made of, as Xen's documents have it: xl's header with the configuration, a libxl stream
 * (docs/specs/libxl-migration-stream, version 2), and in it a libxc stream (docs/specs/libxc-migration-stream; version 3
 * is written, 2 and 3 are read). Numbers are little-endian but in the headers that say otherwise. docs/stream.md lists
 * the records that are pvctl's own.
 */
#ifndef STREAM_FORMAT_H
#define STREAM_FORMAT_H

#include <stdint.h>

#define STREAM_PAGE 4096u

/* ---- xl ---- */
#define XL_MAGIC "Xen saved domain, xl format\n \0 \r"
#define XL_MAGIC_LEN 32u
#define XL_BYTE_ORDER 0x01020304u
#define XL_FLAG_JSON 1u      /* of the mandatory flags: the configuration is JSON */
#define XL_FLAG_STREAM_V2 2u
struct xl_head {
	char magic[XL_MAGIC_LEN];
	uint32_t byte_order, mandatory_flags, optional_flags, optional_len; /* then that much: a length, the configuration */
};

/* ---- libxl: the header is big-endian ---- */
#define LIBXL_IDENT 0x4c6962786c466d74ull /* "LibxlFmt" */
#define LIBXL_VERSION 2u
#define LIBXL_OPT_BIG_ENDIAN 1u
#define LIBXL_OPT_LEGACY 2u
struct libxl_head { uint64_t ident; uint32_t version, options; };
enum libxl_type {
	LIBXL_END = 0, LIBXL_LIBXC_CONTEXT = 1, LIBXL_EMULATOR_XENSTORE_DATA = 2, LIBXL_EMULATOR_CONTEXT = 3,
	LIBXL_CHECKPOINT_END = 4, LIBXL_CHECKPOINT_STATE = 5
};

/* ---- libxc: the image header is big-endian ---- */
#define LIBXC_MARKER 0xffffffffffffffffull
#define LIBXC_ID 0x58454e46u /* "XENF" */
#define LIBXC_VERSION 3u
#define LIBXC_OPT_BIG_ENDIAN 1u
struct libxc_image_head { uint64_t marker; uint32_t id, version; uint16_t options, pad1; uint32_t pad2; };
#define LIBXC_DOMAIN_PV 1u
#define LIBXC_DOMAIN_HVM 2u  /* PVH ones */
struct libxc_domain_head { uint32_t type; uint16_t page_shift, pad; uint32_t xen_major, xen_minor; };
enum libxc_type {
	LIBXC_END = 0, LIBXC_PAGE_DATA = 1, LIBXC_PV_INFO = 2, LIBXC_PV_P2M_FRAMES = 3, LIBXC_PV_VCPU_BASIC = 4,
	LIBXC_PV_VCPU_EXTENDED = 5, LIBXC_PV_VCPU_XSAVE = 6, LIBXC_SHARED_INFO = 7, LIBXC_TSC_INFO = 8,
	LIBXC_HVM_CONTEXT = 9, LIBXC_HVM_PARAMS = 10, LIBXC_TOOLSTACK = 11, LIBXC_PV_VCPU_MSRS = 12,
	LIBXC_VERIFY = 13, LIBXC_CHECKPOINT = 14, LIBXC_CHECKPOINT_DIRTY_PFN_LIST = 15,
	LIBXC_STATIC_DATA_END = 16, LIBXC_CPUID_POLICY = 17, LIBXC_MSR_POLICY = 18
};

/* ---- of both ---- */
struct record_head { uint32_t type, len; };
#define RECORD_OPTIONAL 0x80000000u
#define RECORD_PADDED(len) (((uint64_t)(len) + 7) & ~7ull)

/* pvctl's own: optional, so that Xen's readers pass over them. "pvc" and a number. */
#define PVCTL_RECORD_CONFIG (RECORD_OPTIONAL | 0x70766301u) /* the configuration, as pvctl_config_to_json has it */
#define PVCTL_RECORD_STORE (RECORD_OPTIONAL | 0x70766302u)  /* what the guest has in the store: path NUL value NUL ... */

/* ---- bodies ---- */
struct rec_pages { uint32_t count, pad; uint64_t pfn[]; };
#define PFN_TYPE_SHIFT 60u
#define PFN_TYPE(e) ((unsigned int)((e) >> PFN_TYPE_SHIFT))
#define PFN_NUMBER(e) ((e) & ((1ull << 52) - 1))
#define PFN_RESERVED(e) ((e) & (0xffull << 52))
enum pfn_type { PFN_NOTAB = 0, PFN_L1 = 1, PFN_L4 = 4, PFN_PINNED = 8, PFN_BROKEN = 13, PFN_XALLOC = 14, PFN_XTAB = 15 };
struct rec_pv_info { uint8_t width, levels; uint16_t pad1; uint32_t pad2; };
struct rec_p2m { uint32_t start, end; uint64_t pfn[]; };
struct rec_vcpu { uint32_t vcpu, pad; uint8_t state[]; };
struct rec_hvm_params { uint32_t count, pad; struct { uint64_t index, value; } param[]; };
struct rec_tsc { uint32_t mode, khz; uint64_t nsec; uint32_t incarnation, pad; };

/* Is there data of such a page in the stream; and is it a page table? */
static inline int pfn_type_has_data(unsigned int type)
{
	return type < PFN_BROKEN;
}
static inline unsigned int pfn_type_level(unsigned int type)
{
	return type < PFN_BROKEN ? type & 7 : 0;
}
static inline int pfn_type_known(unsigned int type)
{
	return type >= PFN_BROKEN || (type & 7) <= PFN_L4;
}

#define STREAM_MAX_PFNS (1u << 28) /* 1 TiB */
#define STREAM_MAX_PAGES 32768u    /* of one record */
#define STREAM_WRITE_PAGES 1024u   /* in those that are written */
#define STREAM_MAX_VCPUS 4096u
#define STREAM_MAX_CONFIG (1u << 20)
#define STREAM_MAX_CONTEXT (1u << 20)
#define STREAM_MAX_PARAMS 64u

#endif
