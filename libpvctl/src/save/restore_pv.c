/* SPDX-License-Identifier: MIT */
/* A PV domain that was read: its numbers become frames in page tables, its own list and the start info, and tables are validated. */
#include "save/restore.h"
#include "stream/table.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

static int populate(struct restorer *s, unsigned int order, const uint64_t *pfns, uint64_t *ret_mfns, uint32_t n, struct pvctl_error *err)
{
	return hv_populate(s->t, s->domid, order, pfns, ret_mfns, n, err);
}

static int release(struct restorer *s, uint64_t pfn, struct pvctl_error *err)
{
	return hv_release(s->t, s->domid, &s->p2m[pfn], 1, err);
}

static int beyond(struct restorer *s, uint64_t pfn, struct pvctl_error *err)
{
	return stream_fail(&s->r, err, -EPROTO, "pfn 0x%llx is beyond 0x%llx", (unsigned long long)pfn, (unsigned long long)s->n - 1);
}

static const char *missing(const struct restorer *s)
{
	return !s->p2m ? "X86_PV_P2M_FRAMES" : !s->shared_info ? "SHARED_INFO" : !s->vcpu[0].basic ? "X86_PV_VCPU_BASIC of vCPU 0" : NULL;
}

static int page_fail(const struct restorer *s, struct pvctl_error *err, uint64_t pfn, const char *what, unsigned int i)
{
	return err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "record PAGE_DATA at offset 0x%llx: entry %u of page table 0x%llx %s",
	               (unsigned long long)s->origin[pfn], i, (unsigned long long)pfn, what);
}

static uint64_t frame_of(void *data, uint64_t pfn)
{
	const struct restorer *s = data;

	return pfn < s->n ? s->p2m[pfn] : NO_FRAME;
}

static int localise_tables(struct restorer *s, struct pvctl_error *err)
{
	unsigned int level, i;
	uint64_t pfn, *table;

	for (pfn = 0; pfn < s->n; pfn++) {
		level = pfn_type_level(s->type[pfn]);
		if (!level || s->p2m[pfn] == NO_FRAME)
			continue;
		table = s->t->ops->map(s->t, s->p2m[pfn], 1);
		i = table_translate(table, table, level, frame_of, s);
		if (i < TABLE_ENTRIES)
			return page_fail(s, err, pfn, "names a page that the stream does not have", i);
	}
	return 0;
}

/* The guest's own table: new frames; what it has for holes stays, as far as it names no frame. */
static int write_p2m(struct restorer *s, struct pvctl_error *err)
{
	uint64_t i, j, mfn, pfn, *table;

	for (i = 0; i < s->n_frames; i++) {
		mfn = restore_plain_frame(s, s->frame[i]);
		if (mfn == NO_FRAME)
			return err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE,
			               "record X86_PV_P2M_FRAMES at offset 0x%llx: pfn 0x%llx is not a page of memory in the stream",
			               (unsigned long long)s->p2m_offset, (unsigned long long)s->frame[i]);
		table = s->t->ops->map(s->t, mfn, 1);
		for (j = 0; j < 512 && i * 512 + j < s->n; j++) {
			pfn = i * 512 + j;
			if (s->p2m[pfn] != NO_FRAME)
				table[j] = s->p2m[pfn];
			else if (table[j] >> 62 != 1) /* not Linux's mark for what is mapped at its own number */
				table[j] = NO_FRAME;
		}
	}
	return 0;
}

static int start_info_fail(const struct restorer *s, struct pvctl_error *err, const char *what, uint64_t pfn)
{
	return err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE,
	               "record X86_PV_VCPU_BASIC at offset 0x%llx: %s, pfn 0x%llx, is not a page of memory in the stream",
	               (unsigned long long)s->vcpu[0].offset, what, (unsigned long long)pfn);
}

static int write_start_info(struct restorer *s, struct pvctl_error *err)
{
	uint64_t pfn = (uint32_t)s->vcpu[0].basic->user_regs.rdx, mfn = restore_plain_frame(s, pfn), store, console;
	struct start_info *si;

	if (mfn == NO_FRAME)
		return start_info_fail(s, err, "its start info", pfn);
	s->start_info_pfn = pfn;
	si = s->t->ops->map(s->t, mfn, 1);
	store = restore_plain_frame(s, si->store_mfn);
	if (store == NO_FRAME || store == mfn)
		return start_info_fail(s, err, "its store page", si->store_mfn);
	console = restore_plain_frame(s, si->console.domU.mfn);
	if (console == NO_FRAME || console == mfn || console == store)
		return start_info_fail(s, err, "its console page", si->console.domU.mfn);
	s->rings.store_gfn = store;
	s->rings.console_gfn = console;
	si->shared_info = s->shared_info_mfn << 12;
	si->flags = 0;
	si->store_mfn = store;
	si->store_evtchn = s->rings.store_port;
	si->console.domU.mfn = console;
	si->console.domU.evtchn = s->rings.console_port;
	return 0;
}

static int pin(struct restorer *s, const uint64_t *pfns, uint32_t n, struct pvctl_error *err)
{
	uint64_t mfn[HV_PIN_MAX] = { 0 };
	uint8_t level[HV_PIN_MAX] = { 0 };
	uint32_t i;
	int rc;

	for (i = 0; i < n; i++) {
		mfn[i] = s->p2m[pfns[i]];
		level[i] = (uint8_t)pfn_type_level(s->type[pfns[i]]);
	}
	rc = hv_pin_tables(s->t, s->domid, mfn, level, n, err);
	if (!rc || n == 1)
		return rc ? err_wrap(err, rc, "record PAGE_DATA at offset 0x%llx: page table 0x%llx", (unsigned long long)s->origin[pfns[0]],
		                     (unsigned long long)pfns[0]) : 0;
	/* Which one it is: those before it are pinned already, and refused for that with another code. */
	for (i = 0; i < n; i++)
		if (hv_frame_types(s->t, s->domid, &mfn[i], 1, NULL) || !(mfn[i] & XEN_DOMCTL_PFINFO_LPINTAB))
			break;
	return err_wrap(err, rc, "record PAGE_DATA at offset 0x%llx: page table 0x%llx",
	                (unsigned long long)s->origin[pfns[i < n ? i : 0]], (unsigned long long)pfns[i < n ? i : 0]);
}

/* The hypervisor looks at each entry now. Nothing of the domain's memory is written by us from here on. */
static int pin_tables(struct restorer *s, struct pvctl_error *err)
{
	uint64_t list[HV_PIN_MAX], pfn;
	uint32_t n = 0;
	int rc = 0;

	for (pfn = 0; pfn < s->n && !rc; pfn++) {
		if (!pfn_type_level(s->type[pfn]) || !(s->type[pfn] & PFN_PINNED) || s->p2m[pfn] == NO_FRAME)
			continue;
		list[n++] = pfn;
		if (n == HV_PIN_MAX) {
			rc = pin(s, list, n, err);
			n = 0;
		}
	}
	return rc || !n ? rc : pin(s, list, n, err);
}

/* The page is the hypervisor's: only what a guest may have there is taken over. Event channels are new, and masked. */
static int write_shared_info(struct restorer *s, struct pvctl_error *err)
{
	struct shared_info *to = s->t->ops->map(s->t, s->shared_info_mfn, 1);
	const struct shared_info *from = s->shared_info;
	unsigned int i;

	if (!to)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "the domain's shared info is outside the node's memory");
	for (i = 0; i < XEN_LEGACY_MAX_VCPUS; i++) {
		to->vcpu_info[i].evtchn_upcall_mask = from->vcpu_info[i].evtchn_upcall_mask != 0;
		to->vcpu_info[i].arch.cr2 = from->vcpu_info[i].arch.cr2;
	}
	memset(to->evtchn_mask, 0xff, sizeof(to->evtchn_mask));
	to->arch.max_pfn = from->arch.max_pfn;
	to->arch.p2m_generation = from->arch.p2m_generation;
	return 0;
}

static int finish_memory(struct restorer *s, struct pvctl_error *err)
{
	int rc = localise_tables(s, err);

	if (!rc)
		rc = write_p2m(s, err);
	if (!rc)
		rc = write_start_info(s, err);
	if (!rc)
		rc = pin_tables(s, err);
	return rc ? rc : write_shared_info(s, err);
}

const struct restore_machine restore_pv = {
	.populate = populate, .release = release, .make_room = beyond, .missing = missing, .finish_memory = finish_memory,
	.finish_vcpus = restore_vcpus,
};
