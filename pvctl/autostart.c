/* SPDX-License-Identifier: MIT */
/*
 * The defined domains that start with their node: by whoever starts it. The daemon itself may not read what belongs to
 * its user, and has no environment of his.
 */
#include <errno.h>
#include <time.h>

#include "pvctl/cmd.h"
#include "pvctl/term.h"

static void pause_ms(uint32_t ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL); /* an interrupt ends it */
}

/* One that cannot start does not keep the others from it. */
static int start_one(struct pvctl *ctx, const char *node, const char *name)
{
	struct pvctl_config *config = NULL;
	struct pvctl_error err = { 0 };
	uint32_t domid;
	int rc = pvctl_defined_get(node, name, &config, &err);

	rc = rc ? rc : pvctl_domain_create(ctx, config, NULL, &domid, &err);
	pvctl_config_free(config);
	if (!rc)
		note("Started %s (%u)", name, domid);
	return rc && rc != -EEXIST ? fail("autostart", name, &err) : EXIT_OK;
}

int autostart_all(const char *node)
{
	struct pvctl_open_opts opts = { .size = sizeof(opts), .node = node, .log = node_log, .progress = progress_step };
	const struct pvctl_defined_info *i;
	struct pvctl_defined_list *list;
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = NULL;
	int rc = EXIT_OK;

	if (pvctl_defined_list(node, &list, &err))
		return fail("autostart", NULL, &err);
	for (size_t n = 0; (i = pvctl_defined_list_at(list, n)) && !interrupted(); n++) {
		if (!i->autostart)
			continue;
		interrupts_catch();
		if (!ctx && pvctl_open(&opts, &ctx, &err)) {
			rc = fail("autostart", NULL, &err);
			break;
		}
		if (start_one(ctx, node, i->name))
			rc = EXIT_FAILED;
		if (i->delay_ms)
			pause_ms(i->delay_ms);
	}
	pvctl_close(ctx);
	pvctl_defined_list_free(list);
	return rc;
}
