/* SPDX-License-Identifier: MIT */
#include "build/build.h"
#include "build/pagetables.h"
#include "hv/hv.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <string.h>
#include <xen/elfnote.h>
#include <xen/grant_table.h>

int build_layout(const struct build_in *in, struct layout *ret, struct pvctl_error *err)
{
	const struct elf_image *e = &in->kernel->elf;
	const struct elf_notes *n = &e->notes;
	struct layout l;
	struct layout_in li = {
		.virt_base = n->virt_base,
		.nr_pages = in->nr_pages,
		.ramdisk_bytes = in->ramdisk_bytes,
		.ramdisk_unmapped = n->mod_start_pfn,
		.has_p2m_base = elf_has_note(n, XEN_ELFNOTE_INIT_P2M),
		.p2m_base = n->init_p2m,
		.entry = elf_has_note(n, XEN_ELFNOTE_ENTRY) ? n->entry : e->entry,
	};
	int rc;

	if (e->pstart < n->paddr_offset)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the kernel's PADDR_OFFSET is above its segments");
	/* Wrapping round is layout_make's to notice: its end would be below its start. */
	li.kernel_start = e->pstart - n->paddr_offset + n->virt_base;
	li.kernel_end = e->pend - n->paddr_offset + n->virt_base;
	rc = layout_make(&li, &l, err);
	if (rc)
		return rc;
	if (elf_has_note(n, XEN_ELFNOTE_HYPERCALL_PAGE) &&
	    (n->hypercall_page & (PAGE_SIZE - 1) || n->hypercall_page < (li.kernel_start & -PAGE_SIZE) ||
	     n->hypercall_page >= li.kernel_end))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the kernel's hypercall page is outside of it");
	if (ret)
		*ret = l;
	return 0;
}

static int write_tables(const struct dommem *m, const struct layout *l, struct pvctl_error *err)
{
	CLEANUP_FREE uint64_t *main = calloc(table_range_count(&l->main), PAGE_SIZE);
	CLEANUP_FREE uint64_t *p2m = NULL;
	uint64_t n_p2m = l->p2m_apart ? table_range_count(&l->p2m_tables) : 0;
	int rc;

	if (n_p2m)
		p2m = calloc(n_p2m, PAGE_SIZE);
	if (!main || (n_p2m && !p2m))
		return err_nomem(err);
	pagetables_make(l, m->p2m, main, p2m);
	rc = dommem_write(m, l->main.pfn * PAGE_SIZE, main, table_range_count(&l->main) * PAGE_SIZE, err);
	if (!rc && n_p2m)
		rc = dommem_write(m, l->p2m_tables.pfn * PAGE_SIZE, p2m, n_p2m * PAGE_SIZE, err);
	return rc;
}

/* No vCPU takes events before it says so. The rest of the page is the
 * hypervisor's to fill, so only these bytes are touched. */
static int mask_upcalls(struct transport *t, uint64_t mfn, struct pvctl_error *err)
{
	struct shared_info *si = t->ops->map(t, mfn, 1);
	unsigned int i;

	if (!si)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "the domain's shared_info is outside the node's memory");
	for (i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
		si->vcpu_info[i].evtchn_upcall_mask = 1;
	return 0;
}

/* Domain 0 may map both rings through the reserved entries, as any backend does. */
int build_grant_rings(struct transport *t, uint32_t domid, const struct build_out *b, struct pvctl_error *err)
{
	struct grant_entry_v1 *table;
	uint64_t mfn;
	int rc = hv_grant_frame(t, domid, &mfn, err);

	if (rc)
		return rc;
	table = t->ops->map(t, mfn, 1);
	if (!table)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "the domain's grant table is outside the node's memory");
	table[GNTTAB_RESERVED_CONSOLE].domid = 0;
	table[GNTTAB_RESERVED_CONSOLE].frame = (uint32_t)b->console_gfn;
	table[GNTTAB_RESERVED_XENSTORE].domid = 0;
	table[GNTTAB_RESERVED_XENSTORE].frame = (uint32_t)b->store_gfn;
	__atomic_store_n(&table[GNTTAB_RESERVED_CONSOLE].flags, GTF_permit_access, __ATOMIC_RELEASE);
	__atomic_store_n(&table[GNTTAB_RESERVED_XENSTORE].flags, GTF_permit_access, __ATOMIC_RELEASE);
	return 0;
}

/* The state in which the public ABI promises to start a kernel. */
static int start_context(struct transport *t, uint32_t domid, const struct layout *l, const struct dommem *m,
                         struct pvctl_error *err)
{
	vcpu_guest_context_t c;

	memset(&c, 0, sizeof(c));
	c.flags = VGCF_in_kernel | VGCF_online;
	c.user_regs.rip = l->entry;
	c.user_regs.rsp = layout_va(l, l->stack_pfn + 1);
	c.user_regs.rsi = layout_va(l, l->start_info_pfn);
	c.user_regs.rflags = 1u << 9;
	c.user_regs.cs = FLAT_KERNEL_CS;
	c.user_regs.ss = FLAT_KERNEL_SS;
	c.user_regs.ds = c.user_regs.es = c.user_regs.fs = c.user_regs.gs = FLAT_KERNEL_DS;
	c.kernel_ss = c.user_regs.ss;
	c.kernel_sp = c.user_regs.rsp;
	c.debugreg[6] = 0xffff0ff0;
	c.debugreg[7] = 0x400;
	c.ctrlreg[3] = xen_pfn_to_cr3(m->p2m[l->main.pfn]);
	return hv_vcpu_set_context(t, domid, 0, &c, err);
}

static int fill(struct transport *t, const struct dommem *m, const struct layout *l, const struct build_in *in,
                struct pvctl_error *err)
{
	const struct elf_notes *n = &in->kernel->elf.notes;
	uint8_t page[PAGE_SIZE];
	int rc;

	rc = load_kernel(m, n->paddr_offset, in, err);
	if (!rc)
		rc = load_ramdisk(m, l->ramdisk_pfn * PAGE_SIZE, in, err);
	if (!rc)
		rc = dommem_write(m, l->p2m_pfn * PAGE_SIZE, m->p2m, l->nr_pages * sizeof(*m->p2m), err);
	if (!rc)
		rc = start_info_make(l, m, in, page, err);
	if (!rc)
		rc = dommem_write(m, l->start_info_pfn * PAGE_SIZE, page, sizeof(page), err);
	if (!rc)
		rc = write_tables(m, l, err);
	if (!rc && elf_has_note(n, XEN_ELFNOTE_HYPERCALL_PAGE))
		rc = hv_hypercall_page(t, m->domid, m->p2m[(n->hypercall_page - n->virt_base) >> PAGE_SHIFT], err);
	return rc;
}

int build_domain(struct transport *t, uint32_t domid, const struct build_in *in, struct build_out *ret,
                 struct pvctl_error *err)
{
	struct build_out out;
	struct dommem m;
	struct layout l;
	int rc;

	rc = build_layout(in, &l, err);
	if (!rc)
		rc = dommem_populate(t, domid, l.nr_pages, &m, err);
	if (rc)
		return rc;
	out.store_gfn = m.p2m[l.store_pfn];
	out.console_gfn = m.p2m[l.console_pfn];
	rc = dommem_back(&m, err);
	if (!rc)
		rc = fill(t, &m, &l, in, err);
	if (!rc)
		rc = mask_upcalls(t, in->shared_info_mfn, err);
	if (!rc)
		rc = build_grant_rings(t, domid, &out, err);
	if (!rc)
		rc = hv_pin_l4(t, domid, m.p2m[l.main.pfn], err);
	if (!rc)
		rc = start_context(t, domid, &l, &m, err);
	dommem_free(&m);
	if (!rc)
		*ret = out;
	return rc;
}
