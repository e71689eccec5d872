/* SPDX-License-Identifier: MIT */
/* What comes before and after memory for all domains: configuration, CPU features, the clock. */
#include "save/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

int save_wrote(struct saver *s, int rc, struct pvctl_error *err)
{
	if (!rc)
		return 0;
	if (rc == -ECANCELED)
		return err_set(err, rc, PVCTL_ORIGIN_LIB, "canceled");
	return err_os(err, -rc, "domain %u: writing what is saved", s->domid);
}

static int policy_records(struct saver *s, struct pvctl_error *err)
{
	CLEANUP_FREE struct hv_policy *p = malloc(sizeof(*p));
	int rc;

	if (!p)
		return err_nomem(err);
	rc = hv_policy_get(s->t, s->domid, p, err);
	if (rc)
		return rc == -ENOSYS ? 0 : rc;
	rc = stream_write_record(&s->w, LIBXC_CPUID_POLICY, p->leaf, p->n_leaves * sizeof(p->leaf[0]), NULL, 0);
	if (!rc && p->n_msrs)
		rc = stream_write_record(&s->w, LIBXC_MSR_POLICY, p->msr, p->n_msrs * sizeof(p->msr[0]), NULL, 0);
	return save_wrote(s, rc, err);
}

int save_static_records(struct saver *s, const char *config_json, struct pvctl_error *err)
{
	int rc;

	rc = save_wrote(s, stream_write_record(&s->w, PVCTL_RECORD_CONFIG, config_json, strlen(config_json) + 1, NULL, 0), err);
	if (!rc && s->machine->static_records)
		rc = s->machine->static_records(s, err);
	if (!rc)
		rc = policy_records(s, err);
	return rc ? rc : save_wrote(s, stream_write_record(&s->w, LIBXC_STATIC_DATA_END, NULL, 0, NULL, 0), err);
}

int save_tsc_record(struct saver *s, struct pvctl_error *err)
{
	struct xen_domctl_tsc_info i;
	struct rec_tsc r;
	int rc = hv_tsc_get(s->t, s->domid, &i, err);

	if (rc)
		return rc == -ENOSYS ? 0 : rc;
	r = (struct rec_tsc){ i.tsc_mode, i.gtsc_khz, i.elapsed_nsec, i.incarnation, 0 };
	return save_wrote(s, stream_write_record(&s->w, LIBXC_TSC_INFO, &r, sizeof(r), NULL, 0), err);
}
