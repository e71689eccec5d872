/* SPDX-License-Identifier: MIT */
#include "save/restore.h"
#include "util/err.h"
#include "util/grow.h"
#include <stdlib.h>
#include <string.h>

static int own_config(struct restorer *s, struct pvctl_error *err)
{
	const char *text = (const char *)s->r.rec.body;
	int rc;

	if (text[s->r.rec.len - 1])
		return stream_fail(&s->r, err, -EPROTO, "it does not end");
	rc = pvctl_config_from_json(text, &s->own, err);
	return rc ? stream_wrap(&s->r, err, rc == -ENOMEM ? rc : -EPROTO) : 0;
}

static int chosen_config(struct restorer *s, struct pvctl_config **ret, struct pvctl_error *err)
{
	int rc;

	if (s->override || s->own)
		rc = config_copy(s->override ? s->override : s->own, ret, err);
	else if (s->r.config[0])
		rc = libxl_json_parse(s->r.config, ret, err);
	else
		return err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "the stream has no configuration: one has to be given");
	if (rc || !s->o->name)
		return rc;
	rc = pvctl_config_set_str(*ret, "name", s->o->name, err);
	if (rc)
		pvctl_config_free(*ret);
	return rc;
}

static int make_ports(struct restorer *s, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo info;
	int rc;

	s->rings.domid = s->domid;
	rc = hv_evtchn_alloc_unbound(s->t, s->domid, 0, &s->rings.store_port, err);
	if (!rc)
		rc = hv_evtchn_alloc_unbound(s->t, s->domid, 0, &s->rings.console_port, err);
	if (!rc)
		rc = hv_domain_info(s->t, s->domid, &info, err);
	if (!rc)
		s->shared_info_mfn = info.shared_info_frame;
	return rc;
}

/* Its CPU's features first: a host that lacks one refuses before any memory moves. */
static int set_policy(struct restorer *s, struct pvctl_error *err)
{
	int rc;

	if (!s->policy || !s->policy->n_leaves)
		return 0;
	rc = hv_policy_set(s->t, s->domid, s->policy, err);
	return rc == -ENOSYS ? 0 : rc;
}

/* With the first record that is about memory: by then it is known what it is to be. */
static int make(struct restorer *s, struct pvctl_error *err)
{
	struct pvctl_config *c;
	int rc = chosen_config(s, &c, err);

	if (rc)
		return rc;
	rc = plan_make_restored(s->ctx, c, s->machine->pvh, &s->plan, err);
	pvctl_config_free(c);
	if (rc)
		return rc;
	s->planned = true;
	s->plan.domid = s->override ? 0 : libxl_json_domid(s->r.config);
	s->vcpu = calloc(s->plan.maxvcpus, sizeof(*s->vcpu));
	if (!s->vcpu)
		return err_nomem(err);
	rc = create_domain(s->ctx, &s->plan, &s->domid, err);
	if (rc)
		return rc;
	s->made = true;
	rc = create_set_limits(s->ctx, s->domid, &s->plan, err);
	/* What it has is known at the end only; its balloon may stand above what it is to have. */
	if (!rc)
		rc = hv_domain_max_mem(s->t, s->domid, s->plan.maxmem_mib << 10, err);
	if (!rc)
		rc = set_policy(s, err);
	return rc ? rc : make_ports(s, err);
}

static int policy_record(struct restorer *s, struct pvctl_error *err)
{
	bool msrs = s->r.rec.type == LIBXC_MSR_POLICY;
	uint32_t n = s->r.rec.len / (msrs ? sizeof(xen_msr_entry_t) : sizeof(xen_cpuid_leaf_t));

	if (n > (msrs ? HV_POLICY_MSRS : HV_POLICY_LEAVES))
		return stream_fail(&s->r, err, -EPROTO, "%u of them are too many", n);
	if (!s->policy)
		s->policy = calloc(1, sizeof(*s->policy));
	if (!s->policy)
		return err_nomem(err);
	if (msrs) {
		memcpy(s->policy->msr, s->r.rec.body, s->r.rec.len);
		s->policy->n_msrs = n;
	} else {
		memcpy(s->policy->leaf, s->r.rec.body, s->r.rec.len);
		s->policy->n_leaves = n;
	}
	return 0;
}

static int shared_info_record(struct restorer *s, struct pvctl_error *err)
{
	s->shared_info = malloc(STREAM_PAGE);
	if (!s->shared_info)
		return err_nomem(err);
	memcpy(s->shared_info, s->r.rec.body, STREAM_PAGE);
	return 0;
}

static int record(struct restorer *s, struct pvctl_error *err)
{
	int rc;

	switch (s->r.rec.type) {
	case PVCTL_RECORD_CONFIG:
		return own_config(s, err);
	case LIBXC_CPUID_POLICY:
	case LIBXC_MSR_POLICY:
		return policy_record(s, err);
	case LIBXC_PV_P2M_FRAMES:
		rc = s->made ? 0 : make(s, err);
		return rc ? rc : restore_p2m_record(s, err);
	case LIBXC_PAGE_DATA:
		rc = s->made ? 0 : make(s, err);
		return rc ? rc : restore_page_record(s, err);
	case LIBXC_HVM_PARAMS:
	case LIBXC_HVM_CONTEXT:
		return restore_hvm_record(s, err);
	case LIBXC_PV_VCPU_BASIC:
	case LIBXC_PV_VCPU_EXTENDED:
	case LIBXC_PV_VCPU_XSAVE:
	case LIBXC_PV_VCPU_MSRS:
		return restore_vcpu_record(s, err);
	case LIBXC_SHARED_INFO:
		return shared_info_record(s, err);
	case LIBXC_TSC_INFO:
		memcpy(&s->tsc, s->r.rec.body, sizeof(s->tsc));
		s->has_tsc = true;
		return 0;
	default:
		return 0;
	}
}

static int read_all(struct restorer *s, const struct stream_source *src, struct pvctl_error *err)
{
	int rc = stream_reader_open(&s->r, src, err);

	s->machine = s->r.hvm ? &restore_pvh : &restore_pv;
	while (!rc) {
		rc = stream_reader_next(&s->r, err);
		if (rc <= 0)
			return rc;
		rc = record(s, err);
		if (!rc && ctx_progress(s->ctx, "restore", s->populated, s->planned ? s->plan.nr_pages : 0))
			rc = err_set(err, -ECANCELED, PVCTL_ORIGIN_LIB, "canceled");
	}
	return rc;
}

/* From here on the daemon and others see it. */
static int publish(struct restorer *s, struct pvctl_error *err)
{
	uint64_t kib = s->plan.memory_mib << 10;
	int rc;

	if (kib < s->populated << 2)
		kib = s->populated << 2;
	rc = hv_domain_max_mem(s->t, s->domid, kib, err);
	if (!rc)
		rc = create_end_claim(s->ctx, s->domid, err);
	if (!rc)
		rc = nodes_make(s->ctx, s->domid, &s->plan, err);
	if (!rc)
		rc = nodes_rings(s->ctx, s->domid, s->rings.store_gfn, s->rings.store_port, s->rings.console_gfn,
		                 s->rings.console_port, err);
	if (!rc && s->o->ready)
		rc = s->o->ready(s->o->ready_data, s->domid, err);
	if (!rc)
		rc = ctx_request(s->ctx, PROTO_INTRODUCE, &s->rings, sizeof(s->rings), err);
	if (!rc)
		rc = create_devices(s->ctx, s->domid, &s->plan, err);
	return rc ? rc : create_commit(s->ctx, s->domid, &s->plan, s->o->paused, err);
}

static void restorer_free(struct restorer *s)
{
	uint32_t v, i;

	for (v = 0; s->vcpu && v < s->plan.maxvcpus; v++) {
		free(s->vcpu[v].basic);
		for (i = 0; i < HV_VCPU_BLOBS; i++)
			free(s->vcpu[v].blob[i]);
	}
	free(s->vcpu);
	free(s->shared_info);
	free(s->params);
	free(s->context);
	free(s->p2m);
	free(s->type);
	free(s->origin);
	free(s->reserve);
	free(s->taken);
	free(s->frame);
	free(s->piece);
	free(s->policy);
	pvctl_config_free(s->own);
	if (s->planned)
		plan_free(&s->plan);
	stream_reader_close(&s->r);
}

int pvctl_domain_restore(struct pvctl *ctx, int fd, const struct pvctl_config *override, const struct pvctl_restore_opts *opts,
                         uint32_t *ret_domid, struct pvctl_restore_stats *ret, struct pvctl_error *err)
{
	struct pvctl_restore_stats stats = { 0 };
	uint64_t start = ctx_now_ns();
	struct pvctl_restore_opts o;
	struct stream_source src;
	struct restorer s;
	struct save_io io;
	int rc;

	rc = opts_load(&o, sizeof(o), opts, err);
	if (!rc && ret)
		rc = grow_check(ret, err);
	if (!rc)
		rc = save_io_read_init(&io, ctx, fd, &src, err);
	if (rc)
		return rc;
	memset(&s, 0, sizeof(s));
	s.ctx = ctx;
	s.t = ctx->t;
	s.o = &o;
	s.override = override;
	rc = read_all(&s, &src, err);
	if (!rc)
		rc = restore_finish(&s, err);
	if (!rc)
		rc = publish(&s, err);
	if (rc && s.made)
		create_undo(ctx, s.domid, &s.plan, rc);
	stats.bytes = io.bytes;
	stats.pages = s.populated;
	stats.total_ns = ctx_now_ns() - start;
	if (!rc)
		*ret_domid = s.domid;
	if (!rc && ret)
		grow_out(ret, &stats, sizeof(stats));
	restorer_free(&s);
	save_io_free_reader(&io);
	return rc;
}
