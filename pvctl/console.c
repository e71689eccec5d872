/* SPDX-License-Identifier: MIT */
#include "pvctl/console.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/term.h"

#define TYPED_MAX 16384
#define ACTIONS 5 /* those of soft resets are never asked for */
/* A domain that is kept goes on writing for a moment after it has shut down. */
#define KEPT_AFTER_MS 1000
#define RESTART_WITHIN_MS 30000 /* with the pauses that restart_limit makes by default */

enum end { END_NONE, END_LEFT, END_GONE, END_KEPT, END_NODE, END_ERROR };

struct session {
	struct pvctl *ctx;
	const struct console_opts *opts;
	uint32_t domid;
	char name[128];
	struct pvctl_events *events; /* NULL: how it ends is not known */
	bool events_broken;
	int fd;
	bool raw, input_open;
	bool was_shut_down, node_down;
	int32_t reason;
	uint64_t shut_down_at;
	char action[ACTIONS][24];    /* by reason */
	bool kept, restarts;         /* what the one for its reason does */
	uint32_t restarted_as;       /* 0: not */
	char typed[TYPED_MAX];
	size_t n_typed;
};

int console_parse_escape(const char *text, int *ret)
{
	if (!strcmp(text, "none")) {
		*ret = CONSOLE_NO_ESCAPE;
		return 0;
	}
	if (text[0] && !text[1]) {
		*ret = (unsigned char)text[0];
		return 0;
	}
	if (text[0] == '^' && text[1] && !text[2]) {
		int c = toupper((unsigned char)text[1]);

		if (c >= '@' && c <= '_') {
			*ret = c & 0x1f;
			return 0;
		}
	}
	return -EINVAL;
}

/* In raw mode a line feed alone would not go back to the first column. */
static void say(const struct session *s, const char *fmt, const char *subject, uint32_t domid)
{
	const char *nl = s->raw ? "\r\n" : "\n";

	if (s->raw || !s->opts->quiet)
		fputs(nl, stderr);
	if (s->opts->quiet)
		return;
	fprintf(stderr, fmt, subject, domid);
	fputs(nl, stderr);
}

static int write_all(const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n < 0 && errno == EINTR && !interrupted())
			continue;
		/* Whoever does not read must not keep a signal from ending us. */
		if (n < 0 && errno == EAGAIN && !interrupted()) {
			struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

			poll(&p, 1, 500);
			continue;
		}
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static enum end from_domain(struct session *s)
{
	char buf[8192];
	ssize_t n = read(s->fd, buf, sizeof(buf));

	if (n > 0)
		return write_all(buf, (size_t)n) ? END_ERROR : END_NONE;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return END_NONE;
	return END_GONE;
}

static void to_domain(struct session *s)
{
	ssize_t n = write(s->fd, s->typed, s->n_typed);

	if (n <= 0)
		return;
	s->n_typed -= (size_t)n;
	memmove(s->typed, s->typed + n, s->n_typed);
}

/* The keyboard is read even when the guest takes nothing, or the escape would not be seen. */
static enum end from_keyboard(struct session *s)
{
	char buf[1024];
	size_t room = sizeof(s->typed) - s->n_typed, len;
	ssize_t n = read(STDIN_FILENO, buf, s->raw || room > sizeof(buf) ? sizeof(buf) : room);
	char *escape = NULL;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return END_NONE;
	if (n <= 0) {
		s->input_open = false;
		/* A terminal that hung up will not come back. */
		return s->raw ? END_LEFT : END_NONE;
	}
	len = (size_t)n;
	if (s->raw && s->opts->escape >= 0)
		escape = memchr(buf, s->opts->escape, len);
	if (escape)
		len = (size_t)(escape - buf);
	if (len > room)
		len = room;
	memcpy(s->typed + s->n_typed, buf, len);
	s->n_typed += len;
	to_domain(s);
	return escape ? END_LEFT : END_NONE;
}

/* While it is there: one that is restarted at once is gone when its end is heard of. */
static void learn_actions(struct session *s)
{
	static const char *const keys[ACTIONS] = { "on_poweroff", "on_reboot", NULL, "on_crash", "on_watchdog" };
	struct pvctl_config *config;

	if (pvctl_domain_config(s->ctx, s->domid, &config, NULL))
		return;
	for (int i = 0; i < ACTIONS; i++) {
		const char *action = keys[i] ? pvctl_config_get_str(config, keys[i]) : NULL;

		snprintf(s->action[i], sizeof(s->action[i]), "%s", action ? action : i == PVCTL_REASON_REBOOT ? "restart" : "destroy");
	}
	pvctl_config_free(config);
}

static void expect(struct session *s)
{
	const char *action = s->reason >= 0 && s->reason < ACTIONS ? s->action[s->reason] : "";

	s->restarts = strstr(action, "restart");
	s->kept = !strcmp(action, "preserve") || !strcmp(action, "rename-restart");
}

static void take_events(struct session *s)
{
	struct pvctl_event ev = { .size = sizeof(ev) };

	int rc = 0;

	/* What follows its return is about the domain that it is then: that may have ended by now. */
	while (s->events && !s->events_broken && !s->restarted_as && (rc = pvctl_events_next(s->events, &ev, NULL)) == 1) {
		if (ev.type == PVCTL_EVENT_SHUTDOWN && ev.domid == s->domid) {
			s->was_shut_down = true;
			s->reason = ev.reason;
			s->shut_down_at = now_ns();
			expect(s);
		} else if (ev.type == PVCTL_EVENT_KEPT && ev.domid == s->domid) {
			s->restarts = false;
			s->kept = true;
		} else if (ev.type == PVCTL_EVENT_NODE_DOWN) {
			s->node_down = true;
		} else if (ev.type == PVCTL_EVENT_CREATED && ev.domid != s->domid && s->name[0] &&
			   !strcmp(ev.name, s->name)) {
			s->restarted_as = ev.domid;
		}
	}
	/* It would be readable for ever. */
	s->events_broken = s->events_broken || rc < 0;
}

static uint64_t ms_since(uint64_t then)
{
	return (now_ns() - then) / 1000000;
}

static enum end pump(struct session *s)
{
	for (;;) {
		struct pollfd p[3] = {
			{ .fd = s->fd, .events = (short)(POLLIN | (s->n_typed ? POLLOUT : 0)) },
			/* Not a terminal: what does not fit yet waits in the pipe. */
			{ .fd = s->input_open && (s->raw || s->n_typed < TYPED_MAX) ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = s->events && !s->events_broken && !s->restarted_as ? pvctl_events_fd(s->events) : -1, .events = POLLIN },
		};
		enum end end = END_NONE;

		if (poll(p, 3, s->kept ? 200 : -1) < 0 && errno != EINTR)
			return END_ERROR;
		if (interrupted())
			return END_LEFT;
		if (p[2].revents)
			take_events(s);
		if (p[1].revents)
			end = from_keyboard(s);
		if (end == END_NONE && p[0].revents & POLLOUT)
			to_domain(s);
		if (end == END_NONE && p[0].revents & (POLLIN | POLLHUP | POLLERR))
			end = from_domain(s);
		if (end == END_NONE && s->kept && ms_since(s->shut_down_at) > KEPT_AFTER_MS)
			end = END_KEPT;
		if (end != END_NONE)
			return end;
	}
}

/* The console may end before the event that says why has come. */
static enum end wait_event(struct session *s, uint64_t ms, bool (*enough)(const struct session *))
{
	uint64_t since = now_ns();

	take_events(s);
	while (s->events && !s->events_broken && !enough(s) && !interrupted() && ms_since(since) < ms) {
		struct pollfd p[2] = {
			{ .fd = pvctl_events_fd(s->events), .events = POLLIN },
			{ .fd = s->raw ? STDIN_FILENO : -1, .events = POLLIN },
		};

		poll(p, 2, 100);
		take_events(s);
		if (p[1].revents && from_keyboard(s) == END_LEFT)
			return END_LEFT;
	}
	return END_NONE;
}

static bool knows_reason(const struct session *s) { return s->was_shut_down || s->node_down; }
static bool is_restarted(const struct session *s) { return s->restarted_as || s->node_down; }

static int attach(struct session *s, uint64_t replay)
{
	struct pvctl_error err = { 0 };
	int rc = pvctl_console_attach(s->ctx, s->domid, replay, &s->fd, &err);

	if (!rc && fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK) < 0)
		rc = -errno;
	if (rc)
		fail("console", s->name, &err);
	return rc;
}

static int exit_code(const struct console_opts *opts, int32_t reason)
{
	if (reason != PVCTL_REASON_CRASH && reason != PVCTL_REASON_WATCHDOG)
		return EXIT_OK;
	return opts->on_crash == CONSOLE_CRASH_REASON ? reason : opts->on_crash == CONSOLE_CRASH_OK ? EXIT_OK : EXIT_FAILED;
}

static int say_end(const struct session *s, enum end end)
{
	static const char *const texts[] = {
		"%s (%u) powered off.", "%s (%u) rebooted.", "%s (%u) was suspended.", "%s (%u) crashed.",
		"%s (%u) was ended by its watchdog.", "%s (%u) was reset."
	};
	bool known = s->was_shut_down && s->reason >= 0 && s->reason < (int32_t)(sizeof(texts) / sizeof(texts[0]));

	if (end == END_LEFT) {
		if (s->raw)
			fputs("\r\n", stderr);
		/* Keys send no signals in raw mode: somebody wants us gone. */
		return interrupted() ? EXIT_FAILED : EXIT_OK;
	}
	if (end == END_ERROR) {
		say(s, "The console of %s (%u) cannot be shown any longer.", s->name, s->domid);
		return EXIT_FAILED;
	}
	if (end == END_NODE) {
		say(s, "The node of %s (%u) does not run any longer.", s->name, s->domid);
		return EXIT_FAILED;
	}
	say(s, known ? texts[s->reason] : "%s (%u) has ended.", s->name, s->domid);
	if (end == END_KEPT && !s->opts->quiet)
		say(s, "It is kept; `pvctl destroy %s' (%u) removes it.", s->name, s->domid);
	return exit_code(s->opts, known ? s->reason : PVCTL_REASON_NONE);
}

static bool node_lost(struct session *s)
{
	struct pvctl_domain_info info = { .size = sizeof(info) };
	int rc;

	if (s->node_down || s->was_shut_down)
		return s->node_down;
	rc = pvctl_domain_get(s->ctx, s->domid, &info, NULL);
	return rc && rc != -ESRCH;
}

/* One life of the domain; true: it goes on under another number. */
static bool one_life(struct session *s, uint64_t replay, int *ret_code)
{
	enum end end;

	s->was_shut_down = s->kept = s->restarts = false;
	s->restarted_as = 0;
	s->n_typed = 0;
	learn_actions(s);
	end = pump(s);
	close(s->fd);
	s->fd = -1;
	if (end == END_GONE)
		wait_event(s, 500, knows_reason);
	if (end == END_GONE && node_lost(s))
		end = END_NODE;
	if ((end == END_GONE || end == END_KEPT) && s->was_shut_down && s->restarts) {
		say(s, "%s (%u) is started again.", s->name, s->domid);
		if (wait_event(s, RESTART_WITHIN_MS, is_restarted) == END_LEFT)
			end = END_LEFT;
		else if (s->restarted_as) {
			s->domid = s->restarted_as;
			*ret_code = attach(s, CONSOLE_REPLAY_ALL) ? EXIT_FAILED : EXIT_OK;
			return *ret_code == EXIT_OK;
		} else {
			say(s, "%s (%u) has not come back; the daemon's log may say why.", s->name, s->domid);
		}
	}
	*ret_code = say_end(s, end);
	return false;
}

static int start(struct session *s)
{
	struct pvctl_error err = { 0 };
	bool is_tty = isatty(STDIN_FILENO);

	if (is_tty && !s->opts->quiet && s->opts->escape >= 0) {
		if (s->opts->escape < 0x20)
			fprintf(stderr, "Console of %s (%u). ^%c leaves.\n", s->name, s->domid, s->opts->escape | 0x40);
		else
			fprintf(stderr, "Console of %s (%u). %c leaves.\n", s->name, s->domid, s->opts->escape);
	}
	interrupts_catch();
	s->raw = is_tty && !term_raw_enter(STDIN_FILENO);
	s->input_open = true;
	if (!s->opts->unpause || !pvctl_domain_unpause(s->ctx, s->domid, &err))
		return 0;
	term_raw_leave();
	return fail("unpause", s->name, &err);
}

int console_show_ended(struct pvctl *ctx, const struct pvctl_ended *ended, const struct console_opts *opts)
{
	struct session s = { .ctx = ctx, .opts = opts, .domid = ended->domid, .reason = ended->reason };
	enum end end;

	memcpy(s.name, ended->name, sizeof(s.name));
	s.was_shut_down = ended->reason != PVCTL_REASON_NONE;
	if (attach(&s, opts->replay))
		return EXIT_FAILED;
	do {
		struct pollfd p = { .fd = s.fd, .events = POLLIN };

		poll(&p, 1, -1);
		end = from_domain(&s);
	} while (end == END_NONE);
	close(s.fd);
	return say_end(&s, end);
}

int console_session(struct pvctl *ctx, uint32_t domid, const struct console_opts *opts)
{
	struct session *s = calloc(1, sizeof(*s));
	struct pvctl_domain_info info = { .size = sizeof(info) };
	int code = EXIT_FAILED;

	if (!s) {
		say_error("out of memory");
		return EXIT_FAILED;
	}
	s->ctx = ctx;
	s->opts = opts;
	s->domid = domid;
	snprintf(s->name, sizeof(s->name), "domain");
	if (!pvctl_domain_get(ctx, domid, &info, NULL) && info.name[0])
		memcpy(s->name, info.name, sizeof(s->name));
	s->name[sizeof(s->name) - 1] = '\0';
	/* Before anything runs, so that its end is not missed. A console without is still a console. */
	if (pvctl_events_open(ctx, PVCTL_EVENT_SHUTDOWN | PVCTL_EVENT_CREATED | PVCTL_EVENT_KEPT | PVCTL_EVENT_NODE_DOWN,
			      &s->events, NULL))
		s->events = NULL;
	if (!attach(s, opts->replay)) {
		learn_actions(s);
		code = start(s);
		if (code == EXIT_OK)
			while (one_life(s, opts->replay, &code))
				;
		else
			close(s->fd);
	}
	term_raw_leave();
	if (s->events)
		pvctl_events_close(s->events);
	free(s);
	return code;
}
