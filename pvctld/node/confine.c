/* SPDX-License-Identifier: MIT */
/* QEMU in its jail sees no file of the host: firmware and modules are found here, and named to pvctl-jail. */
#include "pvctld/node/confine.h"
#include "libpvctl/src/util/paths.h"
#include "pvctld/base/log.h"
#include "pvctld/core/program.h"
#include "pvctld/jail/jail.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Below the prefix that the program is in: PREFIX/bin/PROGRAM. */
static bool find_beside(const char *program, const char *const *names, char *ret, size_t size)
{
	char path[1024];
	const char *slash = strrchr(program, '/');

	for (; *names; names++) {
		snprintf(path, sizeof(path), "%.*s/../%s", (int)(slash - program), program, *names);
		if (program_real(path, ret, size))
			return true;
	}
	ret[0] = '\0';
	return false;
}

/* A script, say, that runs the program: it would be in the jail itself, and could run nothing. */
static bool is_script(const char *program)
{
	char magic[4] = "";
	int fd = open(program, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!read(fd, magic, sizeof(magic));
		close(fd);
	}
	return memcmp(magic, "\177ELF", sizeof(magic)) != 0;
}

static const char *missing(struct confine *c, const char *hv, bool kvm)
{
	static const char *const roms[] = { "share/qemu/qboot.rom", "share/qboot/qboot.rom", NULL };
	static const char *const option_roms[] = { "share/qemu/pvh.bin", NULL }; /* asked for, though qboot needs none */
	static const char *const modules[] = { "lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so", "lib64/qemu/accel-tcg-x86_64.so",
					       "lib/qemu/accel-tcg-x86_64.so", NULL };

	if (paths_find_tool(JAIL_TOOL, c->tool, sizeof(c->tool)))
		return JAIL_TOOL " is not installed";
	if (is_script(c->program))
		return "the program is a script";
	if (!program_real(hv, c->hv, sizeof(c->hv)))
		return "the hypervisor's file cannot be read";
	if (!find_beside(c->program, roms, c->rom, sizeof(c->rom)))
		return "qboot.rom is not where QEMU's files are";
	(void)find_beside(c->program, option_roms, c->option_rom, sizeof(c->option_rom));
	if (!kvm)
		(void)find_beside(c->program, modules, c->module, sizeof(c->module));
	else if ((c->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC)) < 0)
		return "/dev/kvm cannot be opened";
	if (pipe2(c->said, O_CLOEXEC))
		return "no pipe";
	return NULL;
}

int confine_find(struct confine *c, const char *qemu, const char *hv, bool kvm, struct pvctl_error *err)
{
	const char *why;
	bool found;

	memset(c, 0, sizeof(*c));
	c->kvm_fd = c->said[0] = c->said[1] = -1;
	found = strchr(qemu, '/') ? program_real(qemu, c->program, sizeof(c->program)) && !access(c->program, X_OK)
				  : program_find(qemu, c->program, sizeof(c->program));
	if (!found)
		return fail(err, -ENOENT, "%.150s not found: install QEMU for x86 (Debian: apt install qemu-system-x86)", qemu);
	why = missing(c, hv, kvm);
	c->on = !why;
	if (why)
		log_line("QEMU is not confined: %s", why);
	return 0;
}

void confine_close(struct confine *c)
{
	int *fds[] = { &c->kvm_fd, &c->said[0], &c->said[1] };

	for (unsigned int i = 0; i < 3; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

unsigned int confine_state(int fd)
{
	unsigned char byte;

	return fd >= 0 && !fcntl(fd, F_SETFL, O_NONBLOCK) && read(fd, &byte, 1) == 1 ? byte : 0;
}

void confine_describe(unsigned int state, char *buf, size_t size)
{
	static const struct { unsigned int flag; const char *text; } parts[] = {
		{ JAIL_USER, "own user" }, { JAIL_ROOT, "empty root" }, { JAIL_NET, "no network" }, { JAIL_IPC, "own ipc" },
		{ JAIL_FILTER, "no capabilities, system call list" }, { JAIL_LANDLOCK, "landlock" },
	};
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned int i = 0; i < sizeof(parts) / sizeof(parts[0]) && at < size; i++)
		if (state & parts[i].flag)
			at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? ", " : "", parts[i].text);
	if (!state)
		snprintf(buf, size, "QEMU's own sandbox only");
}
