/* SPDX-License-Identifier: MIT */
/* mem-set, mem-max and sysrq: one value for one domain. */
#include <errno.h>
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/term.h"

static int bad_value(struct pvctl_error *err, const char *what, const char *text)
{
	snprintf(err->msg, sizeof(err->msg), "invalid %s: %.100s", what, text);
	return err->code = -EINVAL;
}

enum { MEM_SET_WAIT };
static const struct option_def mem_set_options[] = {
	[MEM_SET_WAIT] = { 'w', "wait", "SECONDS", "wait until it has, and fail when it takes longer" },
	{ 0 }
};

static int mem_set(struct pvctl *ctx, uint32_t domid, const char *text, const uint32_t *wait_ms, struct pvctl_error *err)
{
	uint64_t bytes;
	int rc;

	if (parse_size(text, &bytes))
		return bad_value(err, "memory size", text);
	rc = pvctl_domain_set_memory_target(ctx, domid, bytes, err);
	if (rc || !wait_ms)
		return rc;
	interrupts_say("domain %u was asked, and goes on to that size", domid);
	rc = pvctl_domain_wait_memory(ctx, domid, bytes, *wait_ms, err);
	interrupts_quiet();
	return rc;
}

static int call_mem_set(struct pvctl *ctx, uint32_t domid, const char *text, struct pvctl_error *err)
{
	return mem_set(ctx, domid, text, NULL, err);
}

static uint32_t mem_set_wait_ms;
static int call_mem_set_wait(struct pvctl *ctx, uint32_t domid, const char *text, struct pvctl_error *err)
{
	return mem_set(ctx, domid, text, &mem_set_wait_ms, err);
}

static int mem_set_run(const struct command *cmd, const struct parsed *in)
{
	if (!in->count[MEM_SET_WAIT])
		return on_domain(cmd, in, call_mem_set);
	if (parse_seconds(in->value[MEM_SET_WAIT], &mem_set_wait_ms))
		return command_usage(cmd, "`%s' is no time in seconds", in->value[MEM_SET_WAIT]);
	return on_domain(cmd, in, call_mem_set_wait);
}

static int call_mem_max(struct pvctl *ctx, uint32_t domid, const char *text, struct pvctl_error *err)
{
	uint64_t bytes;

	return parse_size(text, &bytes) ? bad_value(err, "memory size", text)
					: pvctl_domain_set_memory_max(ctx, domid, bytes, err);
}

static int mem_max_run(const struct command *cmd, const struct parsed *in)
{
	return on_domain(cmd, in, call_mem_max);
}

static int call_sysrq(struct pvctl *ctx, uint32_t domid, const char *text, struct pvctl_error *err)
{
	return strlen(text) != 1 ? bad_value(err, "sysrq", text) : pvctl_domain_sysrq(ctx, domid, text[0], err);
}

static int sysrq_run(const struct command *cmd, const struct parsed *in)
{
	return on_domain(cmd, in, call_sysrq);
}

static int debug_keys_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = node_open();
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = pvctl_host_debug_keys(ctx, in->argv[0], &err) ? fail(cmd->name, NULL, &err) : EXIT_OK;
	pvctl_close(ctx);
	/* Xen's key for a reset of the machine: what a cluster's manager has left when nothing else helps. */
	return !rc && strchr(in->argv[0], 'R') ? node_reboot() : rc;
}

const struct command cmd_mem_set = {
	.name = "mem-set", .args = "DOMAIN MEM", .summary = "Have a domain shrink or grow to so much memory (MiB, or with b k m g t)",
	.example = "  pvctl mem-set web1 512\n  pvctl mem-set --wait 10 web1 2g", .options = mem_set_options, .args_min = 2, .args_max = 2, .run = mem_set_run,
};
const struct command cmd_mem_max = {
	.name = "mem-max", .args = "DOMAIN MEM", .summary = "Set the most memory a domain may take now (MiB, or with b k m g t)",
	.example = "  pvctl mem-max web1 1g", .args_min = 2, .args_max = 2, .run = mem_max_run,
};
const struct command cmd_sysrq = {
	.name = "sysrq", .args = "DOMAIN LETTER", .summary = "Send a magic SysRq to a domain's kernel",
	.example = "  pvctl sysrq web1 t", .args_min = 2, .args_max = 2, .run = sysrq_run,
};
const struct command cmd_debug_keys = {
	.name = "debug-keys", .args = "KEYS", .summary = "Have the hypervisor log what it knows; h lists the keys",
	.example = "  pvctl debug-keys q && pvctl dmesg", .args_min = 1, .args_max = 1, .run = debug_keys_run,
};
