/* SPDX-License-Identifier: MIT */
/* "pvctld --rebuild NODE FILE": builds a domain again, from the configuration it was built from. stderr is daemon.log. */
#include "libpvctl/src/util/fd.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define MAX_JSON (1u << 20)
#define TRIES 5u
#define TAKEN_TRIES 30u
#define TAKEN_WAIT_NS 100000000

static int build(const char *node, const struct pvctl_config *config, struct pvctl_error *err)
{
	struct pvctl_open_opts oo = { .size = sizeof(oo), .node = node };
	struct pvctl *ctx = NULL;
	uint32_t domid;
	int rc = pvctl_open(&oo, &ctx, err);

	rc = rc ? rc : pvctl_domain_create(ctx, config, NULL, &domid, err);
	pvctl_close(ctx);
	return rc;
}

/* What was being built of it when a daemon died is not gone yet, maybe: then its uuid is taken for that long. */
static int build_once_free(const char *node, const struct pvctl_config *config, struct pvctl_error *err)
{
	const struct timespec wait = { .tv_nsec = TAKEN_WAIT_NS };
	int rc = build(node, config, err);

	for (unsigned int tries = 1; rc == -EEXIST && tries < TAKEN_TRIES; tries++) {
		nanosleep(&wait, NULL);
		rc = build(node, config, err);
	}
	return rc;
}

/* A hypervisor that is silent for a while does not cost a domain its restart. */
static int build_patiently(const char *node, const struct pvctl_config *config, struct pvctl_error *err)
{
	struct pvctl_node_info i = { .size = sizeof(i) };
	int rc = build_once_free(node, config, err);

	for (unsigned int tries = 1; rc == -ETIMEDOUT && tries < TRIES; tries++) {
		log_line("restart: %s", err->msg);
		while (!pvctl_node_get(node, &i, err) && i.silent_ns)
			sleep(1);
		rc = build_once_free(node, config, err);
	}
	return rc;
}

int rebuild_run(const char *node, const struct pvctl_config *config)
{
	struct pvctl_error e = { 0 };
	int rc;

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	rc = build_patiently(node, config, &e);
	if (rc)
		log_line("restart: %s", e.msg);
	return rc ? 1 : 0;
}

int rebuild_main(const char *node, const char *config_file)
{
	struct pvctl_config *config = NULL;
	struct pvctl_error e = { 0 };
	char *json = NULL;
	int rc;

	rc = strcmp(config_file, "-") ? fd_read_text(config_file, MAX_JSON, &json) : fd_read_rest(STDIN_FILENO, MAX_JSON, &json);
	if (rc) {
		log_line("restart: %s cannot be read", config_file);
		return 1;
	}
	rc = pvctl_config_from_json(json, &config, &e);
	if (rc)
		log_line("restart: %s", e.msg);
	else
		rc = rebuild_run(node, config);
	pvctl_config_free(config);
	free(json);
	return rc ? 1 : 0;
}
