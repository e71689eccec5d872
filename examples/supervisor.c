/* SPDX-License-Identifier: MIT */
/*
 * supervisor PREFIX COUNT KEY=VALUE...: keeps the domains PREFIX0 to PREFIX<COUNT - 1> alive. Who ends is made anew, whatever it
 * ended of; who ends FAILURES times within WINDOW seconds is given up. Those that run already are taken over, so the supervisor
 * may be restarted while its domains run; they outlive it. With none left to keep it ends.
 */
#include <errno.h>
#include <libpvctl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX = 64, FAILURES = 5, WINDOW = 60, RETRY_MS = 1000 };

struct kept {
	char name[128];
	struct pvctl_config *config;
	int up, given_up;
	time_t ended[FAILURES]; /* a ring */
	unsigned int ends;
};
static struct kept kept[MAX];
static unsigned int count;
static volatile sig_atomic_t stop;

static void on_signal(int nr)
{
	(void)nr;
	stop = 1;
}

static int configure(struct kept *k, char **args, int n, struct pvctl_error *err)
{
	/* Ends are the supervisor's: what the node would do by itself must not compete with it. */
	static const char *const ends[] = { "on_poweroff", "on_reboot", "on_crash" };
	int rc = pvctl_config_new(&k->config, err);

	rc = rc ? rc : pvctl_config_set_str(k->config, "name", k->name, err);
	for (int i = 0; !rc && i < 3; i++)
		rc = pvctl_config_set_str(k->config, ends[i], "destroy", err);
	for (int i = 0; !rc && i < n; i++) {
		char *value = strchr(args[i], '=');

		if (!value) {
			snprintf(err->msg, sizeof(err->msg), "`%s' is no KEY=VALUE", args[i]);
			return -EINVAL;
		}
		*value = '\0';
		rc = pvctl_config_set_str(k->config, args[i], value + 1, err);
		*value = '=';
	}
	/* Before anything is started: what can never be is told now. */
	return rc ? rc : pvctl_config_check(NULL, k->config, err);
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void on_end(struct kept *k)
{
	time_t *oldest = &k->ended[k->ends++ % FAILURES];

	k->up = 0;
	if (k->ends > FAILURES && now() - *oldest < WINDOW)
		k->given_up = 1;
	*oldest = now();
	printf("%s %s\n", k->name, k->given_up ? "ends too often: given up" : "ended");
}

/* By name: a domain that was made by another supervisor is as good. -EIO: what has happened must be looked at anew. */
static int on_events(struct pvctl_events *events, struct pvctl_error *err)
{
	struct pvctl_event e = { .size = sizeof(e) };
	int rc;

	while ((rc = pvctl_events_next(events, &e, err)) == 1) {
		if (e.type == PVCTL_EVENT_LOST)
			return -EIO;
		for (unsigned int i = 0; i < count; i++) {
			if (strcmp(kept[i].name, e.name))
				continue;
			if (e.type == PVCTL_EVENT_PRESENT || e.type == PVCTL_EVENT_CREATED)
				kept[i].up = 1;
			else if (e.type == PVCTL_EVENT_DESTROYED && kept[i].up)
				on_end(&kept[i]);
		}
	}
	return rc;
}

/* What is missing; 0: nothing is to be kept any more. What there was no room for, say, is tried again; -EIO: with another context. */
static int start_missing(struct pvctl *ctx, struct pvctl_error *err)
{
	uint32_t domid;
	int rc, any = 0;

	for (unsigned int i = 0; i < count && !stop; i++) {
		struct kept *k = &kept[i];

		if (k->given_up)
			continue;
		any = 1;
		if (k->up)
			continue;
		rc = pvctl_domain_create(ctx, k->config, NULL, &domid, err);
		if (rc == 0) {
			printf("%s is domain %u\n", k->name, domid);
			k->up = 1;
		} else {
			fprintf(stderr, "supervisor: %s: %s\n", k->name, err->msg);
			if (rc == -EIO)
				return rc;
		}
	}
	fflush(stdout);
	return any;
}

static int supervise(struct pvctl *ctx, struct pvctl_error *err)
{
	uint32_t mask = PVCTL_EVENT_PRESENT | PVCTL_EVENT_CREATED | PVCTL_EVENT_DESTROYED | PVCTL_EVENT_LOST;
	struct pvctl_events *events;
	struct pollfd p = { .events = POLLIN };
	int rc = pvctl_events_open(ctx, mask, &events, err);

	if (rc)
		return rc;
	/* Who is there yet is in the snapshot, which comes first. */
	for (unsigned int i = 0; i < count; i++)
		kept[i].up = 0;
	p.fd = pvctl_events_fd(events);
	while (!stop && !(rc = on_events(events, err)) && (rc = start_missing(ctx, err)) > 0)
		(void)poll(&p, 1, RETRY_MS);
	pvctl_events_close(events);
	return rc < 0 ? rc : 0;
}

/* A context ends with the node, but also when another daemon takes over from the node's: then the domains are there yet. */
static int supervise_node(struct pvctl_error *err)
{
	struct pvctl *ctx;
	int rc;

	do {
		rc = pvctl_open(NULL, &ctx, err);
		if (rc)
			break;
		rc = supervise(ctx, err);
		pvctl_close(ctx);
	} while (rc == -EIO && !stop);
	return stop ? 0 : rc;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct pvctl_error err = { 0 };
	int rc = 0;

	count = argc > 2 ? (unsigned int)atoi(argv[2]) : 0;
	if (count < 1 || count > MAX) {
		fprintf(stderr, "usage: supervisor PREFIX COUNT KEY=VALUE... (COUNT: 1 to %d)\n", MAX);
		return 2;
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	for (unsigned int i = 0; i < count && !rc; i++) {
		snprintf(kept[i].name, sizeof(kept[i].name), "%s%u", argv[1], i);
		rc = configure(&kept[i], argv + 3, argc - 3, &err);
	}
	rc = rc ? rc : supervise_node(&err);
	if (rc)
		fprintf(stderr, "supervisor: %s\n", err.msg);
	for (unsigned int i = 0; i < count; i++)
		pvctl_config_free(kept[i].config);
	return rc != 0;
}
