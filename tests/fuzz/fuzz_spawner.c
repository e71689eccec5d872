/* SPDX-License-Identifier: MIT */
/*
 * The spawner's requests from a daemon that sends any bytes, records of any length and descriptors of any number. The
 * first byte of each: how many descriptors, and whether the length is right. One disk, a file of our own, has been named.
 */
#include "pvctld/base/log.h"
#include "pvctld/spawner/spawner.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct daemon d;
static struct spawner s = { .d = &d, .sock = -1, .signals = -1, .listeners = { -1, -1 }, .has_qemu = true };
static char file[] = "/tmp/pvctl-fuzz-disk-XXXXXX";

static void remove_file(void)
{
	(void)unlink(file);
}

static void prepare(void)
{
	char text[100];
	int fd = mkstemp(file);

	if (fd < 0 || log_open("/dev/null"))
		abort();
	close(fd);
	atexit(remove_file);
	d.lock_fd = -1;
	d.opt.node = "n";
	snprintf(text, sizeof(text), "%s,raw,xvda,w", file);
	if (allowed_add("disk", text) || allowed_add("kernel", "/boot/vmlinuz"))
		abort();
}

/* These start or make something outside of this process. */
static bool has_effects(const struct spawn_msg *m)
{
	switch (m->u.h.type) {
	case SPAWN_REBUILD:
	case SPAWN_SOCKETS:
	case SPAWN_UP:
	case SPAWN_BYE:
		return true;
	}
	return false;
}

static void one(const uint8_t *data, size_t size, uint8_t how)
{
	static struct spawn_msg m, a;

	memset(&m, 0, sizeof(m));
	memcpy(m.u.bytes, data, size);
	m.len = size;
	if (m.len < sizeof(m.u.h) || how & 0x80)
		m.len = sizeof(struct spawn_device);
	m.u.h.len = how & 0x40 ? m.u.h.len : (uint32_t)m.len;
	for (m.nr_fds = 0; m.nr_fds < (how & 3u); m.nr_fds++)
		m.fd[m.nr_fds] = memfd_create("fuzz", MFD_CLOEXEC);
	if (!has_effects(&m)) {
		spawner_do(&s, &m, &a);
		if (a.u.h.len > sizeof(a.u.bytes) || a.u.h.len < sizeof(a.u.h) || a.nr_fds > SPAWN_MAX_FDS)
			abort();
		/* What is refused has no descriptors with it. */
		if (a.u.h.rc && a.nr_fds)
			abort();
		spawn_msg_close_fds(&a);
	}
	spawn_msg_close_fds(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;

	if (!ready)
		prepare();
	ready = true;
	while (size > 3) {
		uint8_t how = data[0];
		size_t n = (size_t)data[1] << 8 | data[2];

		data += 3;
		size -= 3;
		n = n < size ? n : size;
		n = n < SPAWN_MAX_BYTES ? n : SPAWN_MAX_BYTES;
		one(data, n, how);
		data += n;
		size -= n;
	}
	return 0;
}
