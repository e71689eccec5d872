/* SPDX-License-Identifier: MIT */
/* Single domctls of a running node, for the end-to-end tests: prints what came back, or the hypervisor's error. */
#include "hv/private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t call(struct transport *t, uint32_t cmd, uint32_t domid, struct xen_domctl *op)
{
	struct pvctl_error err = { 0 };
	bool broken;
	int64_t ret = hv_domctl(t, cmd, domid, op, 0, &broken, &err);

	if (broken) {
		fprintf(stderr, "%s\n", err.msg);
		exit(2);
	}
	return ret;
}

/* Which domain is answered about, and what it did when it ended (- runs on). */
static int64_t info(struct transport *t, uint32_t domid)
{
	struct xen_domctl op = { 0 };
	int64_t ret = call(t, XEN_DOMCTL_getdomaininfo, domid, &op);
	uint32_t flags = op.u.getdomaininfo.flags;

	if (ret)
		return ret;
	printf("%u ", op.domain);
	if (flags & XEN_DOMINF_shutdown)
		printf("%u\n", flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask);
	else
		printf("-\n");
	return op.domain == op.u.getdomaininfo.domain ? 0 : -1;
}

static int64_t vcpu(struct transport *t, uint32_t domid)
{
	struct xen_domctl op = { 0 };
	int64_t ret = call(t, XEN_DOMCTL_getvcpuinfo, domid, &op);

	if (!ret)
		printf("%s %s\n", op.u.getvcpuinfo.online ? "online" : "down", op.u.getvcpuinfo.cpu_time ? "ran" : "never ran");
	return ret;
}

static int64_t weight(struct transport *t, uint32_t domid)
{
	struct xen_domctl op = { .u.scheduler_op = { .sched_id = XEN_SCHEDULER_CREDIT2,
						     .cmd = XEN_DOMCTL_SCHEDOP_getinfo } };
	int64_t ret = call(t, XEN_DOMCTL_scheduler_op, domid, &op);

	if (!ret)
		printf("%u\n", op.u.scheduler_op.u.credit2.weight);
	return ret;
}

static int64_t create(struct transport *t, uint32_t misc_flags)
{
	struct xen_domctl op = { .u.createdomain = { .max_vcpus = 1, .max_evtchn_port = 100, .max_grant_frames = 4,
						     .max_maptrack_frames = 4, .arch.misc_flags = misc_flags } };
	int64_t ret = call(t, XEN_DOMCTL_createdomain, 0, &op);

	if (ret)
		return ret;
	printf("created\n");
	return hv_domain_destroy(t, op.domain, NULL);
}

/* The state of a PVH domain that is paused goes out and in, and is the same then, but for its TSC. */
static int64_t hvmcontext(struct transport *t, uint32_t domid)
{
	struct xen_domctl op = { 0 };
	int64_t ret = call(t, XEN_DOMCTL_gethvmcontext, domid, &op);
	uint32_t size = op.u.hvmcontext.size;
	unsigned char *buf = (unsigned char *)t->arena + HV_TABLE_OFFSET, *first;
	struct pvctl_error err = { 0 };
	bool broken;

	if (ret)
		return ret;
	first = malloc(size);
	if (!first)
		return -12;
	for (unsigned int round = 0; round < 2 && !ret; round++) {
		memset(&op, 0, sizeof(op));
		op.u.hvmcontext.size = size;
		HV_SET_HANDLE(t, op.u.hvmcontext.buffer, buf);
		ret = hv_domctl(t, XEN_DOMCTL_gethvmcontext, domid, &op, size, &broken, &err);
		if (ret)
			break;
		if (round == 0) {
			memcpy(first, buf, size);
			ret = hv_domctl(t, XEN_DOMCTL_sethvmcontext, domid, &op, size, &broken, &err);
		} else {
			unsigned int differ = 0;

			for (uint32_t i = 0; i < size; i++)
				differ += first[i] != buf[i];
			printf("%s\n", differ <= 16 ? "the same" : "not the same");
		}
	}
	free(first);
	return ret;
}

int main(int argc, char **argv)
{
	const char *cmd = argc == 3 ? argv[1] : "";
	uint32_t arg = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
	struct pvctl_error err = { 0 };
	struct xen_domctl op = { 0 };
	struct transport *t;
	int64_t ret = -38;

	if (transport_open_hosted(NULL, &t, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	if (!strcmp(cmd, "info"))
		ret = info(t, arg);
	else if (!strcmp(cmd, "vcpu"))
		ret = vcpu(t, arg);
	else if (!strcmp(cmd, "weight"))
		ret = weight(t, arg);
	else if (!strcmp(cmd, "create"))
		ret = create(t, arg);
	else if (!strcmp(cmd, "hvmcontext"))
		ret = hvmcontext(t, arg);
	else if (!strcmp(cmd, "resume"))
		ret = call(t, XEN_DOMCTL_resumedomain, arg, &op);
	t->ops->close(t);
	if (ret)
		printf("error %lld\n", (long long)-ret);
	return ret != 0;
}
