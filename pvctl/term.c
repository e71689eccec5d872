/* SPDX-License-Identifier: MIT */
#include "pvctl/term.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "pvctl/cmd.h"

#define APPEARS_AFTER_NS UINT64_C(1000000000)
#define REFRESH_MS 200
#define BAR 20

static volatile sig_atomic_t got_signal;

static void remember(int sig)
{
	got_signal = sig;
}

void interrupts_catch(void)
{
	/* No SA_RESTART: poll and read must return. */
	struct sigaction sa = { .sa_handler = remember };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

bool interrupted(void)
{
	return got_signal != 0;
}

static char last_words[200];

/* Only calls that are allowed in a signal handler. */
static void say_and_die(int sig)
{
	if (write(STDERR_FILENO, last_words, strlen(last_words)) < 0)
		_exit(EXIT_FAILED);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void on_deadly(void (*handler)(int sig))
{
	signal(SIGINT, handler);
	signal(SIGTERM, handler);
}

void interrupts_say(const char *fmt, ...)
{
	size_t n;
	va_list ap;

	/* Behind the terminal's ^C. */
	n = (size_t)snprintf(last_words, sizeof(last_words), "%spvctl: interrupted; ", isatty(STDERR_FILENO) ? "\n" : "");
	va_start(ap, fmt);
	vsnprintf(last_words + n, sizeof(last_words) - n - 1, fmt, ap);
	va_end(ap);
	strcat(last_words, "\n");
	on_deadly(say_and_die);
}

void interrupts_quiet(void)
{
	on_deadly(SIG_DFL);
}

/*
 * The library blocks (starting a node, waiting) without calling back all the
 * time, so a thread draws. It takes no signals, and touches nothing but this.
 */
static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running, stop, drawn;
	char what[80];
	uint64_t done, total, since;
	uint64_t unit, began; /* bytes that one of done is; 0: none. When the first came */
} progress = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

/* How fast, and how long still, by what there was so far. */
static int draw_rate(char *line, size_t size)
{
	uint64_t ns = now_ns() - progress.began, left;
	double rate;

	if (!progress.unit || !progress.done || ns < APPEARS_AFTER_NS)
		return 0;
	rate = (double)progress.done * (double)progress.unit * 1e9 / (double)ns;
	left = progress.done >= progress.total ? 0 : progress.total - progress.done;
	return snprintf(line, size, "%" PRIu64 " MiB left, %.0f MB/s, %.0f s ", left * progress.unit >> 20, rate / 1e6,
			(double)left * (double)progress.unit / rate);
}

static int draw_bar(char *line, size_t size)
{
	double share = progress.done >= progress.total ? 1 : (double)progress.done / (double)progress.total;
	int n = (int)(share * BAR);

	return snprintf(line, size, "[%.*s%*s] %d%% ", n, "####################", BAR - n, "", (int)(100 * share));
}

static void draw(void)
{
	uint64_t elapsed = now_ns() - progress.since;
	char line[256];
	int n;

	if (elapsed < APPEARS_AFTER_NS)
		return;
	n = snprintf(line, sizeof(line), "\r%s ... ", progress.what);
	if (progress.total)
		n += draw_bar(line + n, sizeof(line) - (size_t)n);
	if (progress.total)
		n += draw_rate(line + n, sizeof(line) - (size_t)n);
	n += snprintf(line + n, sizeof(line) - (size_t)n, "%" PRIu64 " s\x1b[K", elapsed / UINT64_C(1000000000));
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
	progress.drawn = true;
}

static void *draw_thread(void *unused)
{
	pthread_mutex_lock(&progress.lock);
	while (!progress.stop) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += REFRESH_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&progress.wake, &progress.lock, &until);
		if (!progress.stop)
			draw();
	}
	pthread_mutex_unlock(&progress.lock);
	return NULL;
}

void progress_begin(const char *what)
{
	sigset_t all, old;

	if (progress.running || (!isatty(STDERR_FILENO) && !globals.carriage))
		return;
	snprintf(progress.what, sizeof(progress.what), "%s", what);
	progress.since = now_ns();
	progress.done = progress.total = progress.unit = progress.began = 0;
	progress.stop = progress.drawn = false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	progress.running = !pthread_create(&progress.thread, NULL, draw_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void progress_end(void)
{
	static const char clear[] = "\r\x1b[K";

	if (!progress.running)
		return;
	pthread_mutex_lock(&progress.lock);
	progress.stop = true;
	pthread_cond_signal(&progress.wake);
	pthread_mutex_unlock(&progress.lock);
	pthread_join(progress.thread, NULL);
	progress.running = false;
	if (progress.drawn && write(STDERR_FILENO, clear, sizeof(clear) - 1) < 0)
		return;
}

void progress_unit(unsigned int bytes)
{
	pthread_mutex_lock(&progress.lock);
	progress.unit = bytes;
	pthread_mutex_unlock(&progress.lock);
}

int progress_step(void *data, const char *what, uint64_t done, uint64_t total)
{
	pthread_mutex_lock(&progress.lock);
	if (what && what[0])
		snprintf(progress.what, sizeof(progress.what), "%s", what);
	/* A new beginning, as the next round is. */
	if (done < progress.done || !progress.began)
		progress.began = now_ns();
	progress.done = done;
	progress.total = total;
	pthread_mutex_unlock(&progress.lock);
	return interrupted();
}

static struct termios saved;
static volatile sig_atomic_t raw_fd = -1;

void term_raw_leave(void)
{
	int fd = raw_fd;

	raw_fd = -1;
	if (fd >= 0)
		tcsetattr(fd, TCSADRAIN, &saved);
}

/* Only calls that are allowed in a signal handler; then the signal does what it would have done. */
static void leave_and_die(int sig)
{
	int fd = raw_fd;

	if (fd >= 0)
		tcsetattr(fd, TCSANOW, &saved);
	signal(sig, SIG_DFL);
	raise(sig);
}

static int make_raw(void)
{
	struct termios raw = saved;

	cfmakeraw(&raw);
	return tcsetattr(raw_fd, TCSADRAIN, &raw) ? -errno : 0;
}

/* Somebody stopped us from outside: the shell changed the terminal meanwhile. */
static void continued(int sig)
{
	int err = errno;

	if (raw_fd >= 0)
		make_raw();
	errno = err;
}

int term_raw_enter(int fd)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGQUIT, SIGALRM };
	static bool once;
	int rc;

	if (tcgetattr(fd, &saved))
		return -errno;
	raw_fd = fd;
	rc = make_raw();
	if (rc) {
		raw_fd = -1;
		return rc;
	}
	if (!once) {
		atexit(term_raw_leave);
		for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
			sigaction(deadly[i], &(struct sigaction){ .sa_handler = leave_and_die }, NULL);
		sigaction(SIGCONT, &(struct sigaction){ .sa_handler = continued, .sa_flags = SA_RESTART }, NULL);
		once = true;
	}
	return 0;
}
