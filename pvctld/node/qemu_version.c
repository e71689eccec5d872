/* SPDX-License-Identifier: MIT */
/* Which QEMU it is. */
#include "pvctld/core/daemon.h"
#include "pvctld/node/node.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 5000

extern char **environ;

const char *qemu_program(const struct daemon *d)
{
	return d->opt.qemu_path ? d->opt.qemu_path : "qemu-system-x86_64";
}

/* Its first words; a program that says nothing, or never ends, is killed. */
static void ask(const char *program, char *buf, size_t size)
{
	char *const argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)"--version", NULL };
	posix_spawn_file_actions_t files;
	struct pollfd p;
	int out[2];
	ssize_t n;
	pid_t pid;

	buf[0] = '\0';
	if (pipe2(out, O_CLOEXEC))
		return;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, out[1], 1);
	if (!posix_spawnp(&pid, program, &files, NULL, argv, environ)) {
		p = (struct pollfd){ .fd = out[0], .events = POLLIN };
		n = poll(&p, 1, PATIENCE_MS) > 0 ? read(out[0], buf, size - 1) : 0;
		buf[n > 0 ? n : 0] = '\0';
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	posix_spawn_file_actions_destroy(&files);
	close(out[0]);
	close(out[1]);
}

unsigned int qemu_version(const struct daemon *d)
{
	unsigned int major, minor;
	char text[200];

	ask(qemu_program(d), text, sizeof(text));
	return sscanf(text, "QEMU emulator version %u.%u", &major, &minor) == 2 ? QEMU_VERSION(major, minor % 100) : 0;
}
