/* SPDX-License-Identifier: MIT */
/* "pvctld --rebuild NODE FILE": builds a domain again, from the configuration it was built from. stderr is daemon.log. */
#include "libpvctl/src/util/fd.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MAX_JSON (1u << 20)

int rebuild_main(const char *node, const char *config_file)
{
	struct pvctl_open_opts oo = { .size = sizeof(oo), .node = node };
	struct pvctl_config *config = NULL;
	struct pvctl *ctx = NULL;
	struct pvctl_error e = { 0 };
	uint32_t domid;
	char *json = NULL;
	int rc;

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	rc = strcmp(config_file, "-") ? fd_read_text(config_file, MAX_JSON, &json) : fd_read_rest(STDIN_FILENO, MAX_JSON, &json);
	if (rc) {
		log_line("restart: %s cannot be read", config_file);
		return 1;
	}
	rc = pvctl_config_from_json(json, &config, &e);
	rc = rc ? rc : pvctl_open(&oo, &ctx, &e);
	rc = rc ? rc : pvctl_domain_create(ctx, config, NULL, &domid, &e);
	if (rc)
		log_line("restart: %s", e.msg);
	pvctl_close(ctx);
	pvctl_config_free(config);
	free(json);
	return rc ? 1 : 0;
}
