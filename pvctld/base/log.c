/* SPDX-License-Identifier: MIT */
#include "pvctld/base/log.h"
#include "libpvctl/src/util/err.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOG_MAX_BYTES (8u << 20)
#define GUEST_LINES_PER_S 10u

static int log_file = STDERR_FILENO;
static char log_path[512];           /* "": it is stderr */
static uint64_t log_size, log_max = LOG_MAX_BYTES;

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t now_unix_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int log_open(const char *path)
{
	struct stat st;
	int fd;

	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	log_file = fd;
	snprintf(log_path, sizeof(log_path), "%s", path);
	log_size = fstat(fd, &st) ? 0 : (uint64_t)st.st_size;
	return 0;
}

void log_limit(uint64_t bytes)
{
	log_max = bytes ? bytes : LOG_MAX_BYTES;
}

static void rotate(void)
{
	char old[sizeof(log_path) + 4];
	int fd;

	snprintf(old, sizeof(old), "%s.1", log_path);
	/* A rename that fails must not let the file grow. */
	fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (rename(log_path, old) ? O_TRUNC : 0), 0600);
	log_size = 0;
	if (fd < 0)
		return;
	/* The number stays: others have noted it, and it must not come to be a disk's. */
	(void)dup3(fd, log_file, O_CLOEXEC);
	close(fd);
}

int log_fd(void)
{
	return log_file;
}

static void log_v(const char *who, const char *fmt, va_list ap)
{
	char line[1200];
	struct timespec ts;
	struct tm tm;
	size_t n;
	int r;

	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	n = strftime(line, sizeof(line), "%Y-%m-%d %H:%M:%S", &tm);
	r = snprintf(line + n, sizeof(line) - n, ".%03ld %s", ts.tv_nsec / 1000000, who);
	n += (size_t)r;
	r = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	n += r < 0 ? 0 : (size_t)r;
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	/* Text of guests and clients passes here: one call is one line. */
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = ' ';
	line[n++] = '\n';
	if (log_path[0] && log_size + n > log_max)
		rotate();
	/* On a full disk the line is lost, and only the line. */
	r = (int)write(log_file, line, n);
	log_size += r > 0 ? (size_t)r : 0;
}

void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_v("", fmt, ap);
	va_end(ap);
}

void log_guest(uint32_t domid, const char *fmt, ...)
{
	static uint64_t window;
	static unsigned int used;
	uint64_t sec = now_ns() / 1000000000u;
	char who[24];
	va_list ap;

	if (sec != window) {
		window = sec;
		used = 0;
	}
	if (used++ >= GUEST_LINES_PER_S)
		return;
	snprintf(who, sizeof(who), "domain %u: ", domid);
	va_start(ap, fmt);
	log_v(who, fmt, ap);
	va_end(ap);
}

int fail(struct pvctl_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	memset(err, 0, sizeof(*err));
	err->code = code;
	err->origin = PVCTL_ORIGIN_DAEMON;
	va_start(ap, fmt);
	err_fit(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return code;
}
