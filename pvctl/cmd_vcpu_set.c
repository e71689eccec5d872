/* SPDX-License-Identifier: MIT */
/* vcpu-set and vcpu-pin. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"

static int domain_info(struct pvctl *ctx, const char *arg, struct pvctl_domain_info *ret)
{
	struct pvctl_error err = { 0 };
	uint32_t domid;
	int rc = domain_resolve(ctx, arg, &domid);

	if (rc)
		return rc;
	rc = pvctl_domain_get(ctx, domid, ret, &err);
	if (!rc)
		return 0;
	if (rc != -ESRCH)
		return fail("asking about", arg, &err);
	fprintf(stderr, "Error: Domain '%s' does not exist.\n", arg);
	return EXIT_FAILED;
}

enum { SET_IGNORE };
static const struct option_def set_options[] = {
	[SET_IGNORE] = { 'i', "ignore-host", NULL, "also more virtual CPUs than the node has CPUs" },
	{ 0 }
};

static int set_vcpus(struct pvctl *ctx, const struct parsed *in, uint32_t count)
{
	struct pvctl_error err = { 0 };
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct pvctl_host_info host = { .size = sizeof(host) };
	int rc = domain_info(ctx, in->argv[0], &info);

	if (rc)
		return rc;
	if (!in->count[SET_IGNORE] && count > info.vcpus_online && !pvctl_host_get(ctx, &host, NULL) && count > host.cpus) {
		say_error("vcpu-set %s: the node has %u CPUs, fewer than %u; --ignore-host overcommits them", in->argv[0],
			  host.cpus, count);
		return EXIT_FAILED;
	}
	return pvctl_domain_set_vcpus(ctx, info.domid, count, &err) ? fail("vcpu-set", in->argv[0], &err) : EXIT_OK;
}

static int vcpu_set_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl *ctx;
	uint32_t count;
	int rc;

	if (parse_u32(in->argv[1], 1, UINT32_MAX, &count)) {
		say_error("vcpu-set %s: invalid number of vCPUs: %s", in->argv[0], in->argv[1]);
		return EXIT_FAILED;
	}
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	rc = set_vcpus(ctx, in, count);
	pvctl_close(ctx);
	return rc;
}

enum { PIN_FORCE };
static const struct option_def pin_options[] = {
	[PIN_FORCE] = { 'f', "force", NULL, NULL },
	{ 0 }
};

struct pin {
	uint32_t vcpu;
	bool all;
	bool set_hard, set_soft;
	uint64_t hard, soft;
};

/* `-' leaves it as it is. */
static int parse_mask(const char *text, bool *ret_set, uint64_t *ret)
{
	struct pvctl_error err = { 0 };

	*ret_set = strcmp(text, "-") != 0;
	return *ret_set && pvctl_cpus_parse(text, ret, &err) ? fail("vcpu-pin", NULL, &err) : 0;
}

static int parse_pin(const struct parsed *in, struct pin *ret)
{
	int rc;

	*ret = (struct pin){ .all = !strcmp(in->argv[1], "all") };
	if (!ret->all && parse_u32(in->argv[1], 0, UINT32_MAX, &ret->vcpu)) {
		say_error("vcpu-pin %s: invalid vCPU: %s (a number or `all')", in->argv[0], in->argv[1]);
		return EXIT_FAILED;
	}
	rc = parse_mask(in->argv[2], &ret->set_hard, &ret->hard);
	if (!rc && in->argc > 3)
		rc = parse_mask(in->argv[3], &ret->set_soft, &ret->soft);
	return rc;
}

static int pin_vcpus(struct pvctl *ctx, const char *arg, const struct pin *pin)
{
	struct pvctl_error err = { 0 };
	struct pvctl_domain_info info = { .size = sizeof(info) };
	uint32_t v, end;
	int rc = domain_info(ctx, arg, &info);

	if (rc)
		return rc;
	end = pin->all ? info.vcpus_max : pin->vcpu + 1;
	for (v = pin->all ? 0 : pin->vcpu; v < end; v++) {
		if (pvctl_vcpu_set_affinity(ctx, info.domid, v, pin->set_hard ? &pin->hard : NULL,
					    pin->set_soft ? &pin->soft : NULL, &err))
			return fail("vcpu-pin", arg, &err);
	}
	return EXIT_OK;
}

static int vcpu_pin_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl *ctx;
	struct pin pin;
	int rc = parse_pin(in, &pin);

	if (rc)
		return rc;
	if (globals.dry_run) {
		if (pin.set_hard)
			printf("hard affinity: 0x%" PRIx64 "\n", pin.hard);
		if (pin.set_soft)
			printf("soft affinity: 0x%" PRIx64 "\n", pin.soft);
		return EXIT_OK;
	}
	if (!pin.set_hard && !pin.set_soft)
		return EXIT_OK;
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	rc = pin_vcpus(ctx, in->argv[0], &pin);
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_vcpu_set = {
	.name = "vcpu-set", .args = "DOMAIN VCPUS", .summary = "Have a domain use so many of its virtual CPUs",
	.example = "  pvctl vcpu-set web1 2", .options = set_options, .args_min = 2, .args_max = 2, .run = vcpu_set_run,
};
const struct command cmd_vcpu_pin = {
	.name = "vcpu-pin", .args = "DOMAIN VCPU|all HARD|- [SOFT|-]",
	.summary = "Set where virtual CPUs may run (hard) and should run (soft)",
	.example = "  pvctl vcpu-pin web1 all 0-1\n  pvctl vcpu-pin web1 0 - 3", .options = pin_options, .args_min = 3,
	.args_max = 4, .can_dry_run = true, .run = vcpu_pin_run,
};
