/* SPDX-License-Identifier: MIT */
/* What the stream brought becomes a domain that could run. */
#include "save/restore.h"
#include "util/err.h"
#include <xen/grant_table.h>

static int complete(const struct restorer *s, struct pvctl_error *err)
{
	const char *what = s->made ? s->machine->missing(s) : "PAGE_DATA";

	return what ? err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "the stream ends at offset 0x%llx without a record %s",
	                      (unsigned long long)s->r.offset, what) : 0;
}

static int grant_rings(struct restorer *s, struct pvctl_error *err)
{
	struct grant_entry_v1 *table;
	uint64_t mfn;
	int rc = hv_grant_frame(s->t, s->domid, &mfn, err);

	if (rc)
		return rc;
	table = s->t->ops->map(s->t, mfn, 1);
	if (!table)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "the domain's grant table is outside the node's memory");
	table[GNTTAB_RESERVED_CONSOLE].domid = table[GNTTAB_RESERVED_XENSTORE].domid = 0;
	table[GNTTAB_RESERVED_CONSOLE].frame = (uint32_t)s->rings.console_gfn;
	table[GNTTAB_RESERVED_XENSTORE].frame = (uint32_t)s->rings.store_gfn;
	__atomic_store_n(&table[GNTTAB_RESERVED_CONSOLE].flags, GTF_permit_access, __ATOMIC_RELEASE);
	__atomic_store_n(&table[GNTTAB_RESERVED_XENSTORE].flags, GTF_permit_access, __ATOMIC_RELEASE);
	return 0;
}

static int set_clock(struct restorer *s, struct pvctl_error *err)
{
	struct xen_domctl_tsc_info i = { .tsc_mode = s->tsc.mode, .gtsc_khz = s->tsc.khz, .incarnation = s->tsc.incarnation,
	                                 .elapsed_nsec = s->tsc.nsec };
	int rc = s->has_tsc ? hv_tsc_set(s->t, s->domid, &i, err) : 0;

	return rc == -ENOSYS ? 0 : rc;
}

int restore_finish(struct restorer *s, struct pvctl_error *err)
{
	int rc = complete(s, err);

	if (!rc)
		rc = restore_pages_end(s, err);
	if (!rc)
		rc = s->machine->finish_memory(s, err);
	if (!rc)
		rc = grant_rings(s, err);
	if (!rc)
		rc = set_clock(s, err);
	return rc ? rc : s->machine->finish_vcpus(s, err);
}
