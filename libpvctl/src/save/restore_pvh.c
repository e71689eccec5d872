/* SPDX-License-Identifier: MIT */
/*
 * A PVH domain that is read: its memory is put where its numbers say, and what is in it is its own business. The hypervisor looks at
 * parameters and at what its vCPUs are to hold.
 */
#include "build/pvh_layout.h"
#include "hv/hvm.h"
#include "save/restore.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>
#include <xen/hvm/params.h>

static int populate(struct restorer *s, unsigned int order, const uint64_t *pfns, uint64_t *ret_mfns, uint32_t n, struct pvctl_error *err)
{
	int got = hv_populate(s->t, s->domid, order, pfns, ret_mfns, n, err), rc;

	if (got <= 0)
		return got;
	memcpy(ret_mfns, pfns, (size_t)got * sizeof(*pfns));
	rc = hv_gfns_to_mfns(s->t, s->domid, ret_mfns, (uint32_t)got, err);
	for (int i = 0; i < got && !rc; i++)
		if (ret_mfns[i] == HV_GFN_HOLE)
			rc = err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "domain %u: there is nothing at its frame 0x%llx", s->domid, (unsigned long long)pfns[i]);
	return rc ? rc : got;
}

static int release(struct restorer *s, uint64_t pfn, struct pvctl_error *err)
{
	return hv_release(s->t, s->domid, &pfn, 1, err);
}

static int make_room(struct restorer *s, uint64_t pfn, struct pvctl_error *err)
{
	uint64_t most, n = pvh_layout_gfns(s->plan.maxmem_mib << 8);
	int rc = restore_most(s, &most, err);

	if (rc)
		return rc;
	if (pfn >= most)
		return stream_fail(&s->r, err, -EPROTO, "pfn 0x%llx is too far for the domain's memory", (unsigned long long)pfn);
	/* Those beyond the usual ones by doubling. */
	while (n <= pfn)
		n *= 2;
	return restore_grow(s, n < most ? n : most, err);
}

static int keep(struct restorer *s, void **to, uint64_t *offset, struct pvctl_error *err)
{
	*to = malloc(s->r.rec.len);
	if (!*to)
		return err_nomem(err);
	memcpy(*to, s->r.rec.body, s->r.rec.len);
	*offset = s->r.rec.offset;
	return 0;
}

int restore_hvm_record(struct restorer *s, struct pvctl_error *err)
{
	void *p = NULL;
	int rc;

	if (s->r.rec.type == LIBXC_HVM_CONTEXT) {
		s->context_len = s->r.rec.len;
		return keep(s, &s->context, &s->context_offset, err);
	}
	rc = keep(s, &p, &s->params_offset, err);
	s->params = p;
	return rc;
}

static const char *missing(const struct restorer *s)
{
	return !s->params ? "HVM_PARAMS" : !s->context ? "HVM_CONTEXT" : NULL;
}

static int params_fail(const struct restorer *s, struct pvctl_error *err, const char *what, uint64_t value)
{
	return err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "record HVM_PARAMS at offset 0x%llx: %s, 0x%llx", (unsigned long long)s->params_offset,
	               what, (unsigned long long)value);
}

static int set_one(struct restorer *s, uint64_t index, uint64_t value, struct pvctl_error *err)
{
	switch (index) {
	case HVM_PARAM_STORE_PFN:
		s->rings.store_gfn = value;
		break;
	case HVM_PARAM_CONSOLE_PFN:
		s->rings.console_gfn = value;
		break;
	case HVM_PARAM_PAE_ENABLED:
	case HVM_PARAM_IDENT_PT:
	case HVM_PARAM_VM_GENERATION_ID_ADDR:
	case HVM_PARAM_TIMER_MODE:
	case HVM_PARAM_TRIPLE_FAULT_REASON:
		break;
	case HVM_PARAM_VIRIDIAN:
		return value ? params_fail(s, err, "another hypervisor's interface is not there", value) : 0;
	default:
		/* Of device models, monitors and channels of where it was; of none that could be are there so many. */
		return index < HVM_NR_PARAMS ? 0 : params_fail(s, err, "there is no such parameter", index);
	}
	return hv_hvm_param_set(s->t, s->domid, (uint32_t)index, value, err);
}

static int set_params(struct restorer *s, struct pvctl_error *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < s->params->count && !rc; i++)
		rc = set_one(s, s->params->param[i].index, s->params->param[i].value, err);
	if (rc && err->origin == PVCTL_ORIGIN_HV)
		return err_wrap(err, rc, "record HVM_PARAMS at offset 0x%llx", (unsigned long long)s->params_offset);
	if (!rc && (!s->rings.store_gfn || restore_plain_frame(s, s->rings.store_gfn) == NO_FRAME))
		return params_fail(s, err, "its store page is not in the stream", s->rings.store_gfn);
	if (!rc && (s->rings.console_gfn == s->rings.store_gfn || !s->rings.console_gfn ||
	            restore_plain_frame(s, s->rings.console_gfn) == NO_FRAME))
		return params_fail(s, err, "its console page is not in the stream", s->rings.console_gfn);
	if (!rc)
		rc = hv_hvm_param_set(s->t, s->domid, HVM_PARAM_STORE_EVTCHN, s->rings.store_port, err);
	return rc ? rc : hv_hvm_param_set(s->t, s->domid, HVM_PARAM_CONSOLE_EVTCHN, s->rings.console_port, err);
}

/* As it was told when it was started: with all that it may have. */
static int set_memory_map(struct restorer *s, struct pvctl_error *err)
{
	struct hv_map_entry map[PVH_MAP_MAX];
	struct pvh_layout l;

	pvh_layout_memory(s->plan.maxmem_mib << 8, &l);
	return hv_memory_map_set(s->t, s->domid, map, pvh_memory_map(&l, map), err);
}

/* Until it starts anew, which is with all of its memory. */
static int finish_memory(struct restorer *s, struct pvctl_error *err)
{
	int rc = set_memory_map(s, err);

	if (!rc)
		rc = set_params(s, err);
	return rc ? rc : pvctl_config_set_int(s->plan.config, "memory", (int64_t)s->plan.maxmem_mib, err);
}

static int finish_vcpus(struct restorer *s, struct pvctl_error *err)
{
	int rc = hv_hvm_context_set(s->t, s->domid, s->context, s->context_len, err);

	return rc ? err_wrap(err, rc, "record HVM_CONTEXT at offset 0x%llx", (unsigned long long)s->context_offset) : 0;
}

const struct restore_machine restore_pvh = {
	.pvh = true, .populate = populate, .release = release, .make_room = make_room, .missing = missing,
	.finish_memory = finish_memory, .finish_vcpus = finish_vcpus,
};
