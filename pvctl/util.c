/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "pvctl/cmd.h"

int parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	char *end;
	unsigned long long n;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	/* Zeros in front, as `seq -w' prints them, do not make it octal. */
	n = strtoull(text, &end, 10);
	if (errno || *end || n < min || n > max)
		return -EINVAL;
	*ret = (uint32_t)n;
	return 0;
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
	static const struct { char suffix; unsigned int shift; } units[] = {
		{ '\0', 20 }, { 'b', 0 }, { 'k', 10 }, { 'm', 20 }, { 'g', 30 }, { 't', 40 },
	};
	char *end, suffix;
	unsigned long long n;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	suffix = *end;
	if (suffix >= 'A' && suffix <= 'Z')
		suffix += 'a' - 'A';
	if (errno || (*end && end[1]))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].suffix != suffix)
			continue;
		if (n > UINT64_MAX >> units[i].shift)
			return -EINVAL;
		*ret_bytes = (uint64_t)n << units[i].shift;
		return 0;
	}
	return -EINVAL;
}

int parse_seconds(const char *text, uint32_t *ret_ms)
{
	char *end;
	double s;

	if ((text[0] < '0' || text[0] > '9') && text[0] != '.')
		return -EINVAL;
	errno = 0;
	s = strtod(text, &end);
	if (errno || *end || !(s > 0) || s > 4000000)
		return -EINVAL;
	*ret_ms = s < 0.001 ? 1 : (uint32_t)(s * 1000);
	return 0;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

void uuid_text(const uint8_t uuid[16], char ret[37])
{
	char *p = ret;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		p += sprintf(p, "%02x", uuid[i]);
	}
}

void print_clean(FILE *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		fputc((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : c, out);
	}
}

void say_error(const char *fmt, ...)
{
	va_list ap;

	fputs("pvctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int put_quoted(const char *text)
{
	char *quoted = cfg_quote(text);

	if (!quoted) {
		say_error("out of memory");
		return EXIT_FAILED;
	}
	fputs(quoted, stdout);
	free(quoted);
	return EXIT_OK;
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int fail(const char *what, const char *subject, const struct pvctl_error *err)
{
	fprintf(stderr, "pvctl: %s%s%s: ", what, subject && subject[0] ? " " : "", subject ? subject : "");
	print_clean(stderr, err->msg[0] ? err->msg : strerror(-err->code));
	fputc('\n', stderr);
	if (globals.verbose && err->hv_rc)
		fprintf(stderr, "pvctl: the hypervisor returned %lld\n", (long long)err->hv_rc);
	return EXIT_FAILED;
}

const char *reason_name(int32_t reason)
{
	static const char *const names[] = { "poweroff", "reboot", "suspend", "crash", "watchdog", "soft-reset" };

	if (reason == PVCTL_REASON_NONE)
		return NULL;
	return reason >= 0 && reason < (int32_t)(sizeof(names) / sizeof(names[0])) ? names[reason] : "unknown";
}

const char *state_name(uint32_t state)
{
	static const char *const names[] = { "running", "blocked", "paused", "shutdown", "dying" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

int create_exit_code(int rc)
{
	switch (rc) {
	case -EINVAL:
	case -EEXIST: return 6;
	case -ENOMEM:
	case -ENOSPC: return 5;
	case -ENOSYS: return 4;
	case -ETIMEDOUT: return 9;
	default: return 3;
	}
}

void test_hook(const char *variable, const char *step)
{
	const char *hook = getenv(variable);
	pid_t pid = hook ? fork() : -1;

	if (!pid) {
		execl(hook, hook, step, (char *)NULL);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* A guest can write such a beginning to its raw disk: whose format it is, is for a person to say. */
int format_needed(const char *what, const char *path, const char *format)
{
	static const struct { const char *format, *magic; size_t n; } known[] = { { "qcow2", "QFI\xfb", 4 }, { "qed", "QED", 4 }, { "vhd", "conectix", 8 } };
	char head[8] = "";
	int fd = format ? -1 : open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : pread(fd, head, sizeof(head), 0);

	if (fd >= 0)
		close(fd);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (n < (ssize_t)known[i].n || memcmp(head, known[i].magic, known[i].n))
			continue;
		say_error("%s: %s begins like an image of format %s: --format %s, or --format raw if a guest wrote that", what, path, known[i].format,
			  known[i].format);
		return EXIT_FAILED;
	}
	return 0;
}
