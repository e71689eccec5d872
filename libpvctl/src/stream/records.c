/* SPDX-License-Identifier: MIT */
#include "stream/records.h"
#include "util/err.h"
#include <stddef.h>
#include <string.h>
#include <xen/xen.h>

enum { NEEDS_INFO = 1, NEEDS_P2M = 2, ONCE = 4, NOT_YET = 8 /* no policy after the static data */, OURS = 16, PV = 32, HVM = 64 };
struct rule {
	uint32_t type;
	const char *name;
	uint64_t min, max; /* bytes */
	unsigned int flags;
};
#define P2M_MAX (sizeof(struct rec_p2m) + STREAM_MAX_PFNS / 512 * 8ull)
#define VCPU_MAX (sizeof(struct rec_vcpu) + 65536)
static const struct rule rules[] = {
	{ LIBXC_END, "END", 0, 0, NEEDS_INFO },
	{ LIBXC_PAGE_DATA, "PAGE_DATA", sizeof(struct rec_pages), ~0u, NEEDS_INFO | NEEDS_P2M },
	{ LIBXC_PV_INFO, "X86_PV_INFO", sizeof(struct rec_pv_info), sizeof(struct rec_pv_info), ONCE | PV },
	{ LIBXC_PV_P2M_FRAMES, "X86_PV_P2M_FRAMES", sizeof(struct rec_p2m) + 8, P2M_MAX, NEEDS_INFO | PV },
	{ LIBXC_PV_VCPU_BASIC, "X86_PV_VCPU_BASIC", sizeof(struct rec_vcpu) + sizeof(struct vcpu_guest_context),
	  sizeof(struct rec_vcpu) + sizeof(struct vcpu_guest_context), NEEDS_INFO | NEEDS_P2M | PV },
	{ LIBXC_PV_VCPU_EXTENDED, "X86_PV_VCPU_EXTENDED", sizeof(struct rec_vcpu), sizeof(struct rec_vcpu) + 128, NEEDS_INFO | NEEDS_P2M | PV },
	{ LIBXC_PV_VCPU_XSAVE, "X86_PV_VCPU_XSAVE", sizeof(struct rec_vcpu), VCPU_MAX, NEEDS_INFO | NEEDS_P2M | PV },
	{ LIBXC_PV_VCPU_MSRS, "X86_PV_VCPU_MSRS", sizeof(struct rec_vcpu), VCPU_MAX, NEEDS_INFO | NEEDS_P2M | PV },
	{ LIBXC_SHARED_INFO, "SHARED_INFO", STREAM_PAGE, STREAM_PAGE, NEEDS_INFO | ONCE | PV },
	{ LIBXC_TSC_INFO, "X86_TSC_INFO", sizeof(struct rec_tsc), sizeof(struct rec_tsc), ONCE },
	{ LIBXC_VERIFY, "VERIFY", 0, 0, NEEDS_INFO },
	{ LIBXC_STATIC_DATA_END, "STATIC_DATA_END", 0, 0, ONCE },
	{ LIBXC_CPUID_POLICY, "X86_CPUID_POLICY", 24, 24 * 4096, ONCE | NOT_YET },
	{ LIBXC_MSR_POLICY, "X86_MSR_POLICY", 0, 16 * 4096, ONCE | NOT_YET },
	{ PVCTL_RECORD_CONFIG, "PVCTL_CONFIG", 2, STREAM_MAX_CONFIG, ONCE | OURS },
	{ PVCTL_RECORD_STORE, "PVCTL_STORE", 0, STREAM_MAX_CONFIG, ONCE | OURS },
	{ LIBXC_HVM_CONTEXT, "HVM_CONTEXT", 16, STREAM_MAX_CONTEXT, ONCE | HVM },
	{ LIBXC_HVM_PARAMS, "HVM_PARAMS", sizeof(struct rec_hvm_params), sizeof(struct rec_hvm_params) + 16 * STREAM_MAX_PARAMS, ONCE | HVM },
	/* Known, and not of a domain that was saved as a whole. */
	{ LIBXC_TOOLSTACK, "TOOLSTACK", 1, 0, 0 },
	{ LIBXC_CHECKPOINT, "CHECKPOINT", 1, 0, 0 },
	{ LIBXC_CHECKPOINT_DIRTY_PFN_LIST, "CHECKPOINT_DIRTY_PFN_LIST", 1, 0, 0 },
};
#define N_RULES (sizeof(rules) / sizeof(rules[0]))
_Static_assert(N_RULES <= 32, "a bit for each");

static const struct rule *find(uint32_t type)
{
	for (size_t i = 0; i < N_RULES; i++)
		if (rules[i].type == type)
			return &rules[i];
	return NULL;
}

const char *stream_record_name(bool libxl, uint32_t type)
{
	static const char *const outer[] = { "END", "LIBXC_CONTEXT", "EMULATOR_XENSTORE_DATA", "EMULATOR_CONTEXT",
		"CHECKPOINT_END", "CHECKPOINT_STATE" };
	const struct rule *u = find(type);

	if (libxl)
		return type < sizeof(outer) / sizeof(outer[0]) ? outer[type] : "of an unknown type";
	return u ? u->name : "of an unknown type";
}

int stream_check_record(struct stream_reader *r, struct pvctl_error *err)
{
	const struct stream_record *rec = &r->rec;
	const struct rule *u = find(rec->type);
	unsigned int bit = u ? 1u << (u - rules) : 0;

	if (!u && rec->type & RECORD_OPTIONAL)
		return STREAM_PASS_OVER;
	if (!u)
		return stream_fail(r, err, -EPROTO, "type 0x%x is not known here, and cannot be left out", rec->type);
	if (u->min > u->max || u->flags & (r->hvm ? PV : HVM))
		return stream_fail(r, err, -EPROTO, "not of a saved %s domain", r->hvm ? "PVH" : "PV");
	if (rec->len < u->min || rec->len > u->max)
		return stream_fail(r, err, -EPROTO, "%u bytes is no length for it", rec->len);
	if ((u->flags & NEEDS_INFO && !r->info) || (u->flags & NEEDS_P2M && !r->p2m))
		return stream_fail(r, err, -EPROTO, "it comes before %s", r->info ? "X86_PV_P2M_FRAMES" : "X86_PV_INFO");
	if (u->flags & ONCE && r->seen & bit)
		return stream_fail(r, err, -EPROTO, "there was one already");
	if (u->flags & NOT_YET && r->static_end)
		return stream_fail(r, err, -EPROTO, "it comes after STATIC_DATA_END");
	r->seen |= bit;
	return 0;
}

static int check_p2m(struct stream_reader *r, struct pvctl_error *err)
{
	const struct rec_p2m *p = (const void *)r->rec.body;
	uint64_t frames;

	if (p->end < p->start || p->end >= STREAM_MAX_PFNS)
		return stream_fail(r, err, -EPROTO, "pfns 0x%x to 0x%x are no range", p->start, p->end);
	frames = p->end / 512 - p->start / 512 + 1;
	if (r->rec.len != sizeof(*p) + frames * 8)
		return stream_fail(r, err, -EPROTO, "%u bytes are not what pfns 0x%x to 0x%x need", r->rec.len, p->start, p->end);
	r->p2m = true;
	return 0;
}

static int check_params(struct stream_reader *r, struct pvctl_error *err)
{
	const struct rec_hvm_params *p = (const void *)r->rec.body;

	if (p->count > STREAM_MAX_PARAMS || r->rec.len != sizeof(*p) + p->count * sizeof(p->param[0]))
		return stream_fail(r, err, -EPROTO, "%u bytes are not what %u parameters need", r->rec.len, p->count);
	return 0;
}

int stream_check_body(struct stream_reader *r, struct pvctl_error *err)
{
	const struct rec_pv_info *info = (const void *)r->rec.body;
	const struct rec_vcpu *v = (const void *)r->rec.body;

	switch (r->rec.type) {
	case LIBXC_PV_INFO:
		if (info->width != 8 || info->levels != 4)
			return stream_fail(r, err, -EPROTO, "a guest of %u bits with %u levels of page tables", info->width * 8, info->levels);
		r->info = true;
		return 0;
	case LIBXC_PV_P2M_FRAMES:
		return check_p2m(r, err);
	case LIBXC_STATIC_DATA_END:
		r->static_end = true;
		return 0;
	case LIBXC_PV_VCPU_BASIC:
	case LIBXC_PV_VCPU_EXTENDED:
	case LIBXC_PV_VCPU_XSAVE:
	case LIBXC_PV_VCPU_MSRS:
		return v->vcpu < STREAM_MAX_VCPUS ? 0 : stream_fail(r, err, -EPROTO, "vCPU %u", v->vcpu);
	case LIBXC_HVM_PARAMS:
		return check_params(r, err);
	case LIBXC_CPUID_POLICY:
		return r->rec.len % 24 ? stream_fail(r, err, -EPROTO, "not whole leaves") : 0;
	case LIBXC_MSR_POLICY:
		return r->rec.len % 16 ? stream_fail(r, err, -EPROTO, "not whole MSRs") : 0;
	default:
		return 0;
	}
}
