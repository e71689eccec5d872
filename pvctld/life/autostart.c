/* SPDX-License-Identifier: MIT */
/* The defined domains that start with their node: by a process of its own, as a restart is. stderr is daemon.log. */
#include "pvctld/life/autostart.h"
#include "pvctld/base/log.h"
#include "pvctld/core/children.h"
#include "pvctld/core/daemon.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static void sleep_ms(uint32_t ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* One that cannot start does not keep the others from it. */
static void start_one(struct pvctl *ctx, const char *node, const char *name)
{
	struct pvctl_config *config = NULL;
	struct pvctl_error e = { 0 };
	uint32_t domid;
	int rc = pvctl_defined_get(node, name, &config, &e);

	rc = rc ? rc : pvctl_domain_create(ctx, config, NULL, &domid, &e);
	pvctl_config_free(config);
	if (rc == -EEXIST)
		log_line("autostart: \"%s\" is there already", name);
	else if (rc)
		log_line("autostart: \"%s\": %s", name, e.msg);
	else
		log_line("autostart: \"%s\" is domain %u", name, domid);
}

int autostart_main(const char *node)
{
	struct pvctl_open_opts oo = { .size = sizeof(oo), .node = node };
	const struct pvctl_defined_info *i;
	struct pvctl_defined_list *list;
	struct pvctl_error e = { 0 };
	struct pvctl *ctx = NULL;
	int rc;

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	rc = pvctl_defined_list(node, &list, &e);
	if (!rc) {
		rc = pvctl_open(&oo, &ctx, &e);
		for (size_t n = 0; !rc && (i = pvctl_defined_list_at(list, n)); n++) {
			if (!i->autostart)
				continue;
			start_one(ctx, node, i->name);
			sleep_ms(i->delay_ms);
		}
		pvctl_defined_list_free(list);
	}
	pvctl_close(ctx);
	if (rc)
		log_line("autostart: %s", e.msg);
	return rc ? 1 : 0;
}

static bool some(const char *node)
{
	const struct pvctl_defined_info *i;
	struct pvctl_defined_list *list;
	bool any = false;

	if (pvctl_defined_list(node, &list, NULL))
		return false;
	for (size_t n = 0; (i = pvctl_defined_list_at(list, n)); n++)
		any |= i->autostart != 0;
	pvctl_defined_list_free(list);
	return any;
}

void autostart_begin(struct daemon *d)
{
	sigset_t none;
	pid_t pid;

	if (d->opt.no_autostart || !some(d->opt.node))
		return;
	pid = fork();
	if (!pid) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		(void)dup2(log_fd(), 2);
		execl("/proc/self/exe", "pvctld", "--autostart", d->opt.node, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || child_start(d, pid, NULL, NULL))
		log_line("autostart: fork: %s", strerror(errno));
}
