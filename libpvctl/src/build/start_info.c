/* SPDX-License-Identifier: MIT */
#include "build/build.h"
#include "util/err.h"
#include <string.h>
#include <xen/xen.h>

_Static_assert(sizeof(struct start_info) <= PAGE_SIZE, "start_info fits its page");

int start_info_check_cmdline(const char *cmdline, struct pvctl_error *err)
{
	size_t n = cmdline ? strlen(cmdline) : 0;

	if (n >= MAX_GUEST_CMDLINE)
		return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "the kernel's command line has %zu characters; at most %d fit",
		               n, MAX_GUEST_CMDLINE - 1);
	return 0;
}

int start_info_make(const struct layout *l, const struct dommem *m, const struct build_in *in, void *page,
                    struct pvctl_error *err)
{
	struct start_info si;
	int rc = start_info_check_cmdline(in->cmdline, err);

	if (rc)
		return rc;
	memset(&si, 0, sizeof(si));
	strcpy(si.magic, "xen-3.0-x86_64");
	si.nr_pages = l->nr_pages;
	si.shared_info = in->shared_info_mfn << PAGE_SHIFT;
	/* Nobody needs the old three-level p2m tree: a saver would use the linear list. */
	si.flags = SIF_VIRT_P2M_4TOOLS;
	si.store_mfn = m->p2m[l->store_pfn];
	si.store_evtchn = in->store_port;
	si.console.domU.mfn = m->p2m[l->console_pfn];
	si.console.domU.evtchn = in->console_port;
	si.pt_base = layout_va(l, l->main.pfn);
	si.nr_pt_frames = table_range_count(&l->main);
	si.mfn_list = l->p2m_va;
	if (l->ramdisk_bytes) {
		si.mod_len = l->ramdisk_bytes;
		si.mod_start = l->ramdisk_va ? l->ramdisk_va : l->ramdisk_pfn;
		if (!l->ramdisk_va)
			si.flags |= SIF_MOD_START_PFN;
	}
	if (l->p2m_apart) {
		si.first_p2m_pfn = l->p2m_pfn;
		si.nr_p2m_frames = l->p2m_pages + table_range_count(&l->p2m_tables);
	}
	if (in->cmdline)
		memcpy(si.cmd_line, in->cmdline, strlen(in->cmdline));
	memset(page, 0, PAGE_SIZE);
	memcpy(page, &si, sizeof(si));
	return 0;
}
