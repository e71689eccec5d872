/* SPDX-License-Identifier: MIT */
#include "hv/hvm.h"
#include "hv/private.h"
#include "util/err.h"
#include "public/node.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/hvm/save.h>

uint32_t hv_gfns_max(const struct transport *t)
{
	return hv_populate_max(t);
}

int hv_gfns_to_mfns(struct transport *t, uint32_t domid, uint64_t *frames, uint32_t n, struct pvctl_error *err)
{
	uint64_t *table = hv_arena(t, HV_TABLE_OFFSET, n, sizeof(*table));
	uint64_t args[6] = { domid, 0, n };
	bool broken;
	int64_t ret;

	if (!table)
		return err_nomem(err);
	args[1] = arena_handle(t, table);
	memcpy(table, frames, n * sizeof(*table));
	ret = hv_call(t, NODE_OP_GFNS_TO_MFNS, args, HV_TABLE_OFFSET + n * sizeof(*table), &broken, err);
	if (broken)
		return err_fold(ret);
	if (ret < 0)
		return err_hv(err, ret, "domain %u: asking where its frames are", domid);
	memcpy(frames, table, n * sizeof(*table));
	return 0;
}

int hv_ram_runs(struct transport *t, uint32_t domid, uint64_t *gfn, struct hv_run *runs, struct pvctl_error *err)
{
	struct node_run *table = hv_arena(t, HV_TABLE_OFFSET, HV_RUNS_MAX, sizeof(*table));
	uint64_t args[6] = { domid, 0, HV_RUNS_MAX, *gfn };
	bool broken;
	int64_t ret;

	_Static_assert(sizeof(*runs) == sizeof(*table), "the same");
	if (!table)
		return err_nomem(err);
	args[1] = arena_handle(t, table);
	ret = hv_call(t, NODE_OP_RAM_RUNS, args, HV_TABLE_OFFSET + HV_RUNS_MAX * sizeof(*table), &broken, err);
	if (broken)
		return err_fold(ret);
	if (ret < 0)
		return err_hv(err, ret, "domain %u: asking what memory it has", domid);
	if (ret > HV_RUNS_MAX)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "domain %u: more memory was told than was asked for", domid);
	memcpy(runs, table, (size_t)ret * sizeof(*runs));
	if (ret)
		*gfn = runs[ret - 1].gfn + runs[ret - 1].nr_pages;
	return (int)ret;
}

static int param(struct transport *t, uint32_t domid, unsigned long cmd, struct xen_hvm_param *op, struct pvctl_error *err)
{
	uint64_t args[6] = { cmd, arena_handle(t, t->arena) };
	bool broken;
	int64_t ret;

	memcpy(t->arena, op, sizeof(*op));
	ret = hv_call(t, __HYPERVISOR_hvm_op, args, HV_TABLE_OFFSET, &broken, err);
	if (broken)
		return err_fold(ret);
	memcpy(op, t->arena, sizeof(*op));
	return ret < 0 ? err_hv(err, ret, "domain %u: %s its parameter %u", domid, cmd == HVMOP_set_param ? "setting" : "asking for", op->index) : 0;
}

int hv_hvm_param_set(struct transport *t, uint32_t domid, uint32_t index, uint64_t value, struct pvctl_error *err)
{
	struct xen_hvm_param op = { .domid = (domid_t)domid, .index = index, .value = value };

	return param(t, domid, HVMOP_set_param, &op, err);
}

int hv_hvm_param_get(struct transport *t, uint32_t domid, uint32_t index, uint64_t *ret, struct pvctl_error *err)
{
	struct xen_hvm_param op = { .domid = (domid_t)domid, .index = index };
	int rc = param(t, domid, HVMOP_get_param, &op, err);

	if (!rc)
		*ret = op.value;
	return rc;
}

static int no_room(uint32_t domid, uint32_t len, struct pvctl_error *err)
{
	return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "domain %u: %u bytes of vCPUs' state are too many", domid, len);
}

int hv_hvm_context_get(struct transport *t, uint32_t domid, void **ret, uint32_t *ret_len, struct pvctl_error *err)
{
	struct xen_domctl op = { 0 };
	int rc = hv_domctl_simple(t, XEN_DOMCTL_gethvmcontext, domid, &op, 0, "asking how large its vCPUs' state is", err);
	uint32_t len = op.u.hvmcontext.size;
	void *table = hv_arena(t, HV_TABLE_OFFSET, 1, len);

	if (rc)
		return rc;
	if (!table || !len)
		return no_room(domid, len, err);
	HV_SET_HANDLE(t, op.u.hvmcontext.buffer, table);
	rc = hv_domctl_simple(t, XEN_DOMCTL_gethvmcontext, domid, &op, len, "reading its vCPUs' state", err);
	if (rc)
		return rc;
	if (op.u.hvmcontext.size > len)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "domain %u: its vCPUs' state grew meanwhile", domid);
	*ret = malloc(len);
	if (!*ret)
		return err_nomem(err);
	memcpy(*ret, table, len);
	*ret_len = op.u.hvmcontext.size;
	return 0;
}

int hv_hvm_context_set(struct transport *t, uint32_t domid, const void *context, uint32_t len, struct pvctl_error *err)
{
	struct xen_domctl op = { .u.hvmcontext.size = len };
	void *table = hv_arena(t, HV_TABLE_OFFSET, 1, len);

	if (!table)
		return no_room(domid, len, err);
	memcpy(table, context, len);
	HV_SET_HANDLE(t, op.u.hvmcontext.buffer, table);
	return hv_domctl_simple(t, XEN_DOMCTL_sethvmcontext, domid, &op, len, "setting its vCPUs' state", err);
}

/* Attributes as a VMCB has them: type, present, 32 bits, in units of pages. */
#define ATTR_CODE 0xc9bu
#define ATTR_DATA 0xc93u
#define ATTR_TSS 0x8bu
#define TSS_LIMIT 0x67u
#define CR0_PE 0x01u
#define CR0_ET 0x10u

static void start_state(struct hvm_hw_cpu *c, uint32_t entry, uint64_t start_info)
{
	memset(c, 0, sizeof(*c));
	c->rip = entry;
	c->rbx = start_info;
	c->rflags = 2;
	c->cr0 = CR0_PE | CR0_ET;
	c->dr6 = 0xffff0ff0;
	c->dr7 = 0x400;
	c->cs_limit = c->ds_limit = c->es_limit = c->ss_limit = ~0u;
	c->cs_arbytes = ATTR_CODE;
	c->ds_arbytes = c->es_arbytes = c->ss_arbytes = ATTR_DATA;
	c->tr_limit = TSS_LIMIT;
	c->tr_arbytes = ATTR_TSS;
}

int hv_hvm_start(struct transport *t, uint32_t domid, uint32_t entry, uint64_t start_info, struct pvctl_error *err)
{
	struct {
		struct hvm_save_descriptor h;
		HVM_SAVE_TYPE(HEADER) header;
		struct hvm_save_descriptor c;
		HVM_SAVE_TYPE(CPU) cpu;
		struct hvm_save_descriptor end;
	} s = {
		.h = { .typecode = HVM_SAVE_CODE(HEADER), .length = HVM_SAVE_LENGTH(HEADER) },
		.header = { .magic = HVM_FILE_MAGIC, .version = HVM_FILE_VERSION },
		.c = { .typecode = HVM_SAVE_CODE(CPU), .length = HVM_SAVE_LENGTH(CPU) },
		.end = { .typecode = HVM_SAVE_CODE(END) },
	};

	_Static_assert(offsetof(__typeof__(s), cpu) == 2 * sizeof(s.h) + sizeof(s.header) &&
	               offsetof(__typeof__(s), end) + sizeof(s.end) == sizeof(s), "records follow each other");
	start_state(&s.cpu, entry, start_info);
	return hv_hvm_context_set(t, domid, &s, sizeof(s), err);
}
