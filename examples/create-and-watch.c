/* SPDX-License-Identifier: MIT */
/*
 * create-and-watch [KEY=VALUE...]: a domain from keys of pvctl.cfg(5); a key that is given again makes a list.
 * Prints its console until it is gone, and then why it ended. Ctrl-C, also while it is made, takes it away.
 */
#include <errno.h>
#include <libpvctl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void on_signal(int nr)
{
	(void)nr;
	stop = 1;
}

/* Of the program's own choosing: the library leaves signals alone and asks here whether to go on. */
static int progress(void *data, const char *what, uint64_t done, uint64_t total)
{
	(void)data;
	if (total)
		fprintf(stderr, "\r%s %3u%%", what, (unsigned int)(done * 100 / total));
	return stop;
}

static int failed(const char *what, const struct pvctl_error *err)
{
	fprintf(stderr, "create-and-watch: %s: %s\n", what, err->msg);
	return 1;
}

/* Lists, such as disk, are set as a whole: all values of a key, from the first one on. */
static int set_key(struct pvctl_config *c, char **args, int n, int at, struct pvctl_error *err)
{
	size_t len = strcspn(args[at], "="), count = 0;
	const char **values = calloc((size_t)n, sizeof(*values));
	char *key = strndup(args[at], len);
	int rc = -ENOMEM;

	for (int i = 0; values && key && i < n; i++) {
		if (strncmp(args[i], key, len) || args[i][len] != '=')
			continue;
		if (i < at) { /* it has been set */
			rc = 0;
			goto out;
		}
		values[count++] = args[i] + len + 1;
	}
	if (values && key)
		rc = count == 1 ? pvctl_config_set_str(c, key, values[0], err) : -EINVAL;
	if (rc == -EINVAL && count)
		rc = pvctl_config_set_list(c, key, values, count, err);
out:
	free(key);
	free(values);
	return rc;
}

/* Until end of file, which comes when the domain is gone. */
static void copy_console(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[4096];
	ssize_t n;

	while (!stop) {
		if (poll(&p, 1, -1) < 0)
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
		if (n > 0)
			fwrite(buf, 1, (size_t)n, stdout), fflush(stdout);
	}
}

static int watch(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	static const char *const words[] = { "poweroff", "reboot", "suspend", "crash", "watchdog" };
	struct pvctl_ended ended = { .size = sizeof(ended) };
	int fd, rc = pvctl_console_attach(ctx, domid, UINT64_MAX, &fd, err);

	if (!rc)
		rc = pvctl_domain_unpause(ctx, domid, err);
	if (rc)
		return rc;
	copy_console(fd);
	close(fd);
	if (stop)
		return pvctl_domain_destroy(ctx, domid, NULL, err);
	rc = pvctl_domain_ended(ctx, NULL, domid, &ended, err);
	if (!rc)
		printf("%s ended: %s\n", ended.name,
		       ended.reason >= 0 && ended.reason < 5 ? words[ended.reason] : "destroyed");
	return rc;
}

int main(int argc, char **argv)
{
	struct pvctl_open_opts open = { .size = sizeof(open), .progress = progress };
	struct pvctl_create_opts create = { .size = sizeof(create), .paused = 1 };
	struct sigaction sa = { .sa_handler = on_signal };
	struct pvctl_error err = { 0 };
	struct pvctl_config *c = NULL;
	struct pvctl *ctx = NULL;
	uint32_t domid;
	int rc;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	rc = pvctl_config_new(&c, &err);
	for (int i = 1; !rc && i < argc; i++)
		rc = set_key(c, argv + 1, argc - 1, i - 1, &err);
	/* It ends when its guest does: what restarts domains would only be in the way here. */
	rc = rc ? rc : pvctl_config_set_str(c, "on_reboot", "destroy", &err);
	rc = rc ? rc : pvctl_config_set_str(c, "on_crash", "destroy", &err);
	rc = rc ? rc : pvctl_open(&open, &ctx, &err);
	/* Paused, so that nothing it writes is missed. */
	rc = rc ? rc : pvctl_domain_create(ctx, c, &create, &domid, &err);
	if (rc)
		rc = failed("create", &err);
	else if (watch(ctx, domid, &err))
		rc = failed("watch", &err);
	pvctl_close(ctx);
	pvctl_config_free(c);
	return rc;
}
