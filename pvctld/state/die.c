/* SPDX-License-Identifier: MIT */
#include "pvctld/state/die.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool die_armed;
static char where[32];
static unsigned int left;

void die_read(const char *state_dir)
{
	char path[300];
	struct stat st;
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "%s/die-at", state_dir);
	/* What is there may be the work of a daemon before us that was taken over. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return;
	f = !fstat(fd, &st) && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
	if (!f) {
		close(fd);
		return;
	}
	die_armed = fscanf(f, "%31s %u", where, &left) == 2;
	fclose(f);
	(void)unlink(path);
}

void die_here(const char *name)
{
	if (strcmp(name, where) || --left)
		return;
	(void)raise(SIGKILL);
}
