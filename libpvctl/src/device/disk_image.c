/* SPDX-License-Identifier: MIT */
/*
 * Images come from strangers. One that names its base may name any file of the
 * user's, whose contents its guest would read: a base must be a file of a format
 * that is told, since a guest can write a header of any format into a raw one.
 */
#include "device/disk_image.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/json.h"
#include "util/paths.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CHAIN 32
#define MAX_TEXT (1u << 18)
#define TIME_MS 20000
#define MEMORY_LIMIT (2ull << 30)

static int bad(const char *path, struct pvctl_error *err, const char *what)
{
	return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "disk \"%.600s\": %s", path, what);
}

static void limit(int what, rlim_t value)
{
	const struct rlimit l = { value, value };

	(void)setrlimit((__rlimit_resource_t)what, &l);
}

/* How qemu-img is run: in the jail that is qemu-nbd's as well, where it has this image and no other file. */
struct command {
	char jail[400];    /* pvctl-jail, or "": not installed, and qemu-img runs as the caller */
	char program[400];
	char image[DISK_TARGET_MAX + 16]; /* "FD=PATH" */
	int fd;
};
#define IMAGE_FD 5

static int prepare(struct command *c, const char *path, const char *driver, struct pvctl_error *err)
{
	if (paths_find_program("qemu-img", c->program, sizeof(c->program)))
		return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "qemu-img is not installed (Debian: apt install qemu-utils), which "
		               "disks of format %s need", driver);
	if (paths_find_tool("pvctl-jail", c->jail, sizeof(c->jail)))
		c->jail[0] = '\0';
	snprintf(c->image, sizeof(c->image), "%d=%s", IMAGE_FD, path);
	/* O_NONBLOCK: a FIFO must not hold it up. */
	c->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return c->fd < 0 ? err_os(err, errno, "disk \"%.100s\"", path) : 0;
}

/* Only async-signal-safe calls: the caller may have threads. */
static void __attribute__((noreturn)) run(const struct command *c, const char *path, const char *driver, int out, int errors)
{
	const char *argv[] = { "pvctl-jail", "nbd", "--open", "0=/dev/null", "--open", c->image, "--", c->program, "info",
			       "--force-share", "--output=json", "--format", driver, "--", path, NULL };
	const char *const *own = c->jail[0] ? argv : argv + 7;
	int null = open("/dev/null", O_RDWR), image = fcntl(c->fd, F_DUPFD, 10);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	out = fcntl(out, F_DUPFD, 10);
	errors = fcntl(errors, F_DUPFD, 10);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(errors, 2) < 0 || dup2(image, IMAGE_FD) < 0)
		_exit(127);
	(void)close_range(3, IMAGE_FD - 1, 0);
	(void)close_range(IMAGE_FD + 1, ~0u, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, TIME_MS / 1000);
	limit(RLIMIT_AS, MEMORY_LIMIT);
	limit(RLIMIT_FSIZE, 0);
	execv(c->jail[0] ? c->jail : c->program, (char *const *)(uintptr_t)own);
	_exit(127);
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* Both ends of its output, until it ends: false where it takes too long or says too much. */
static bool collect(const int fd[2], char *const text[2], const size_t max[2])
{
	struct pollfd p[2] = { { .fd = fd[0], .events = POLLIN }, { .fd = fd[1], .events = POLLIN } };
	long long until = now_ms() + TIME_MS;
	size_t len[2] = { 0, 0 };

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		long long left = until - now_ms();

		if (left <= 0 || (poll(p, 2, (int)left) < 0 && errno != EINTR))
			return false;
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (p[i].fd < 0 || !p[i].revents)
				continue;
			n = read(p[i].fd, text[i] + len[i], max[i] - len[i]);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				p[i].fd = -1;
				continue;
			}
			len[i] += (size_t)n;
			text[i][len[i]] = '\0';
			if (len[i] == max[i] && !i)
				return false;
			/* Of complaints the first are enough. */
			if (len[i] == max[i])
				p[i].fd = -1;
		}
	}
	return true;
}

static int describe(const char *path, const char *driver, char *text, struct pvctl_error *err)
{
	char said[200] = "", *texts[2] = { text, said };
	const size_t max[2] = { MAX_TEXT, sizeof(said) - 1 };
	int out[2], errors[2], status = 0, rc;
	struct command c;
	pid_t pid;
	bool done;

	rc = prepare(&c, path, driver, err);
	if (rc)
		return rc;
	if (pipe2(out, O_CLOEXEC)) {
		close(c.fd);
		return err_os(err, errno, "pipe");
	}
	if (pipe2(errors, O_CLOEXEC)) {
		close(c.fd);
		close(out[0]);
		close(out[1]);
		return err_os(err, errno, "pipe");
	}
	pid = fork();
	if (!pid)
		run(&c, path, driver, out[1], errors[1]);
	close(c.fd);
	close(out[1]);
	close(errors[1]);
	text[0] = '\0';
	done = pid > 0 && collect((const int[2]){ out[0], errors[0] }, texts, max);
	if (pid > 0 && !done)
		kill(pid, SIGKILL);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(out[0]);
	close(errors[0]);
	if (pid < 0)
		return err_os(err, EAGAIN, "fork");
	if (!done || WIFSIGNALED(status))
		return bad(path, err, "qemu-img did not come to an end with it within its limits");
	for (char *p = said; *p; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = ' ';
	for (size_t n = strlen(said); n && said[n - 1] == ' '; n--)
		said[n - 1] = '\0';
	return WEXITSTATUS(status) ? bad(path, err, said) : 0;
}

static bool known_format(const char *name)
{
	for (int f = DISK_RAW; f <= DISK_QED; f++)
		if (!strcmp(name, disk_format_driver((enum disk_format)f)))
			return true;
	return false;
}

/* What is told of its base. */
static int judge_base(const char *path, yajl_val v, char *ret_base, char *ret_format, struct pvctl_error *err)
{
	const char *base = json_str(v, "full-backing-filename"), *format = json_str(v, "backing-filename-format");

	if (!base)
		base = json_str(v, "backing-filename");
	ret_base[0] = ret_format[0] = '\0';
	if (!base)
		return 0;
	if (base[0] != '/' || strlen(base) > DISK_TARGET_MAX)
		return bad(path, err, "what it is based on is no file of this machine");
	if (!format)
		return bad(path, err, "it does not say the format of the image it is based on: qemu-img rebase -u -F FORMAT -b BASE would");
	if (!known_format(format))
		return bad(path, err, "the image it is based on is of a format that is not known");
	strcpy(ret_base, base);
	strcpy(ret_format, format);
	return 0;
}

int disk_image_judge(const char *path, const char *json, char *ret_base, char *ret_format, struct pvctl_error *err)
{
	static const char *const data[] = { "format-specific", "data", "data-file", NULL };
	long long size;
	yajl_val v = NULL;
	int rc = json_parse_object(json, &v, err);

	if (rc)
		return rc;
	if (json_int(v, "virtual-size", &size) || size <= 0 || size % 512)
		rc = bad(path, err, "its virtual size is not a multiple of 512");
	else if (yajl_tree_get(v, (const char **)(uintptr_t)data, yajl_t_any))
		rc = bad(path, err, "its data is in another file, which is not supported");
	else
		rc = judge_base(path, v, ret_base, ret_format, err);
	yajl_tree_free(v);
	return rc;
}

int disk_image_check(const char *image, enum disk_format format, struct pvctl_error *err)
{
	char path[DISK_TARGET_MAX + 1], base[DISK_TARGET_MAX + 1], base_format[16];
	CLEANUP_FREE char *text = malloc(MAX_TEXT + 1);
	const char *driver = disk_format_driver(format);
	char driver_copy[16];
	struct stat st;
	int rc;

	if (!text)
		return err_nomem(err);
	if (strlen(image) > DISK_TARGET_MAX)
		return bad(image, err, "the path is too long");
	strcpy(path, image);
	for (int i = 0; i < MAX_CHAIN; i++) {
		if (stat(path, &st))
			return err_os(err, errno, "disk \"%.600s\", on which \"%.80s\" is based", path, image);
		if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
			return bad(path, err, "it is neither a file nor a block device");
		rc = describe(path, driver, text, err);
		rc = rc ? rc : disk_image_judge(path, text, base, base_format, err);
		if (rc || !base[0])
			return rc;
		strcpy(path, base);
		driver = strcpy(driver_copy, base_format);
	}
	return bad(image, err, "it is based on images without an end");
}
