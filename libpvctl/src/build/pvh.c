/* SPDX-License-Identifier: MIT */
/* A PVH domain built: as build.c, by guest frame numbers, without page tables. */
#include "build/acpi.h"
#include "build/build.h"
#include "build/pvh_info.h"
#include "hv/hvm.h"
#include "hv/hv.h"
#include "util/err.h"
#include <string.h>
#include <xen/hvm/params.h>

int build_pvh_layout(const struct build_in *in, struct pvh_layout *ret, struct pvctl_error *err)
{
	const struct elf_image *e = &in->kernel->elf;
	struct pvh_layout_in li = {
		.kernel_start = e->pstart, .kernel_end = e->pend, .entry = e->notes.phys32_entry,
		.nr_pages = in->nr_pages, .ramdisk_bytes = in->ramdisk_bytes,
	};
	struct pvh_layout l;
	int rc = pvh_layout_make(&li, &l, err);

	if (!rc && ret)
		*ret = l;
	return rc;
}

static int fill(const struct dommem *m, const struct pvh_layout *l, const struct build_in *in, struct pvctl_error *err)
{
	uint8_t page[PAGE_SIZE];
	int rc = load_kernel(m, 0, in, err);

	if (!rc)
		rc = load_ramdisk(m, l->ramdisk_paddr, in, err);
	if (!rc)
		rc = pvh_info_make(l, in->cmdline, page, err);
	if (!rc)
		rc = dommem_write(m, l->info_paddr, page, sizeof(page), err);
	if (rc)
		return rc;
	memset(page, 0, sizeof(page));
	if (!acpi_tables_make(page, sizeof(page), (uint64_t)PVH_ACPI_GFN << PAGE_SHIFT, in->max_vcpus))
		return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "%u vCPUs are more than a PVH domain can have", in->max_vcpus);
	return dommem_write(m, l->region[PVH_ACPI].index * PAGE_SIZE, page, sizeof(page), err);
}

static int set_params(struct transport *t, uint32_t domid, const struct build_in *in, struct pvctl_error *err)
{
	const struct { uint32_t index; uint64_t value; } params[] = {
		{ HVM_PARAM_STORE_PFN, PVH_STORE_GFN }, { HVM_PARAM_STORE_EVTCHN, in->store_port },
		{ HVM_PARAM_CONSOLE_PFN, PVH_CONSOLE_GFN }, { HVM_PARAM_CONSOLE_EVTCHN, in->console_port },
	};
	int rc = 0;

	for (unsigned int i = 0; i < sizeof(params) / sizeof(params[0]) && !rc; i++)
		rc = hv_hvm_param_set(t, domid, params[i].index, params[i].value, err);
	return rc;
}

static int set_memory_map(struct transport *t, uint32_t domid, const struct pvh_layout *l, struct pvctl_error *err)
{
	struct hv_map_entry map[PVH_MAP_MAX];
	unsigned int n = pvh_memory_map(l, map);

	return hv_memory_map_set(t, domid, map, n, err);
}

int build_pvh_domain(struct transport *t, uint32_t domid, const struct build_in *in, struct build_out *ret,
                     struct pvctl_error *err)
{
	const struct build_out out = { .store_gfn = PVH_STORE_GFN, .console_gfn = PVH_CONSOLE_GFN };
	struct pvh_layout l;
	struct dommem m;
	int rc;

	rc = build_pvh_layout(in, &l, err);
	if (!rc)
		rc = dommem_populate_pvh(t, domid, &l, &m, err);
	if (rc)
		return rc;
	rc = dommem_back(&m, err);
	if (!rc)
		rc = fill(&m, &l, in, err);
	if (!rc)
		rc = set_memory_map(t, domid, &l, err);
	if (!rc)
		rc = set_params(t, domid, in, err);
	if (!rc)
		rc = build_grant_rings(t, domid, &out, err);
	if (!rc)
		rc = hv_hvm_start(t, domid, l.entry, l.info_paddr, err);
	dommem_free(&m);
	if (!rc)
		*ret = out;
	return rc;
}
