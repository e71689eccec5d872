/* SPDX-License-Identifier: MIT */
/* xen_version: what guests and tools want to know of the hypervisor. */
#include "control/hypercall.h"
#include "domain/uaccess.h"
#include "lib/cmdline.h"
#include "lib/errno.h"
#include "x86/page.h"
#include "x86/printk.h"
#include <xen/version.h>

/* The ABI that is spoken, which guests make decisions on; the rest says who speaks it. */
#define ABI_MAJOR 4u
#define ABI_MINOR 17u
#define EXTRAVERSION ".0-pvctl"
#define CAPABILITIES "xen-3.0-x86_64 "

/* Fixed-size strings on the wire, zeroes to the end. */
static void set_string(char *field, size_t size, const char *s)
{
	size_t n = min(strlen(s), size - 1);

	memset(field, 0, size);
	memcpy(field, s, n);
}

static long put_extraversion(unsigned long arg)
{
	xen_extraversion_t s;

	set_string(s, sizeof(s), EXTRAVERSION);
	return copy_to_guest(arg, &s, 1);
}

static long put_compile_info(unsigned long arg)
{
	struct xen_compile_info info;

	set_string(info.compiler, sizeof(info.compiler), "gcc " __VERSION__);
	set_string(info.compile_by, sizeof(info.compile_by), "xen-like-hv");
	set_string(info.compile_domain, sizeof(info.compile_domain), "");
	set_string(info.compile_date, sizeof(info.compile_date), HV_VERSION);
	return copy_to_guest(arg, &info, 1);
}

static long put_changeset(unsigned long arg)
{
	xen_changeset_info_t s;

	set_string(s, sizeof(s), "xen-like-hv " HV_VERSION);
	return copy_to_guest(arg, &s, 1);
}

/* 1 KiB each, most of it zeroes: not on the stack. */
static long put_long_string(unsigned long arg, const char *s)
{
	const size_t size = sizeof(xen_capabilities_info_t), n = strlen(s);

	_Static_assert(sizeof(xen_capabilities_info_t) == sizeof(xen_commandline_t), "one size");
	if (n >= size)
		return -E2BIG;
	if (copy_to_guest_raw(arg, s, n) || clear_guest_raw(arg + n, size - n))
		return -EFAULT;
	return 0;
}

static long put_platform_parameters(unsigned long arg)
{
	struct xen_platform_parameters p = { .virt_start = HV_VIRT_START };

	return copy_to_guest(arg, &p, 1);
}

static uint32_t features_of(const struct domain *d)
{
	uint32_t f = 1u << XENFEAT_pae_pgdir_above_4gb | 1u << XENFEAT_mmu_pt_update_preserve_ad |
		     1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_not_direct_mapped;

	if (d->is_hvm)
		f = 1u << XENFEAT_writable_page_tables | 1u << XENFEAT_writable_descriptor_tables | 1u << XENFEAT_auto_translated_physmap |
		    1u << XENFEAT_supervisor_mode_kernel | 1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_hvm_callback_vector |
		    1u << XENFEAT_hvm_safe_pvclock | 1u << XENFEAT_memory_op_vnode_supported | 1u << XENFEAT_not_direct_mapped;
	if (is_host_domain(d))
		f |= 1u << XENFEAT_dom0;
	return f;
}

static long put_features(unsigned long arg)
{
	struct xen_feature_info fi;

	if (copy_from_guest(&fi, arg, 1))
		return -EFAULT;
	if (fi.submap_idx >= XENFEAT_NR_SUBMAPS)
		return -EINVAL;
	fi.submap = features_of(current->domain);
	return copy_to_guest(arg, &fi, 1);
}

static long put_guest_handle(unsigned long arg)
{
	return copy_to_guest_raw(arg, current->domain->handle, sizeof(xen_domain_handle_t)) ? -EFAULT : 0;
}

long do_xen_version(unsigned long cmd, unsigned long arg)
{
	switch ((uint32_t)cmd) {
	case XENVER_version:
		return ABI_MAJOR << 16 | ABI_MINOR;
	case XENVER_extraversion:
		return put_extraversion(arg);
	case XENVER_compile_info:
		return put_compile_info(arg);
	case XENVER_capabilities:
		return put_long_string(arg, CAPABILITIES);
	case XENVER_changeset:
		return put_changeset(arg);
	case XENVER_platform_parameters:
		return put_platform_parameters(arg);
	case XENVER_get_features:
		return put_features(arg);
	case XENVER_pagesize:
		return PAGE_SIZE;
	case XENVER_guest_handle:
		return put_guest_handle(arg);
	case XENVER_commandline:
		return is_host_domain(current->domain) ? put_long_string(arg, boot_cmdline) : -EPERM;
	case XENVER_build_id:
		return -ENODATA;
	}
	return -ENOSYS;
}
