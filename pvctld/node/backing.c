/* SPDX-License-Identifier: MIT */
/*
 * Without overcommit, a domain's memory is its own: the pages that it is built
 * with are allocated in the RAM file before it runs, and what domains may still
 * grow into must be available at the host whenever one is created or allowed
 * more. The promises are read from the hypervisor each time: a limit is raised
 * first and checked then, so that of two who raise theirs at once both may be
 * refused, but never both be granted what is enough for one.
 */
#include "pvctld/node/backing.h"
#include "libpvctl/src/util/hostmem.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/spawn/ask.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB(bytes) ((unsigned long long)(bytes) >> 20)
/* QEMU's translated code and the daemon's own come out of the same pocket. */
#define HOST_MARGIN (64ull << 20)

static uint64_t backed_bytes(const struct node *n)
{
	struct stat st;

	return n->ram_fd >= 0 && !fstat(n->ram_fd, &st) ? (uint64_t)st.st_blocks * 512 : 0;
}

uint64_t backing_resident(pid_t pid)
{
	unsigned long long pages = 0;
	char path[40];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = pid > 0 ? fopen(path, "re") : NULL;
	if (!f)
		return 0;
	if (fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The host's numbers, which the daemon itself cannot see. */
static int host_memory(const struct daemon *d, struct hostmem *m, uint64_t *ret_resident)
{
	struct spawn_started a;
	int rc;

	if (ask_fd() < 0) {
		*ret_resident = backing_resident(d->node.qemu_pid);
		return hostmem_read("", m);
	}
	rc = spawn_ask(SPAWN_HOST, NULL, &a, NULL, 0, NULL);
	if (rc < 0)
		return rc;
	*m = (struct hostmem){ a.n[0], a.n[1], a.n[2] != 0 };
	*ret_resident = a.n[3];
	return a.n[0] ? 0 : -ENODATA;
}

void backing_describe(const struct daemon *d, struct pvctl_node_info *i)
{
	struct hostmem m;

	i->overcommit = d->opt.overcommit;
	i->backed_bytes = backed_bytes(&d->node);
	if (!host_memory(d, &m, &i->qemu_resident_bytes))
		i->host_available_bytes = m.available_bytes;
}

int backing_check_node(const struct daemon *d, struct pvctl_error *err)
{
	uint64_t resident;
	struct hostmem m;

	if (d->opt.overcommit || host_memory(d, &m, &resident) || d->opt.memory_bytes <= m.total_bytes)
		return 0;
	return fail(err, -ENOMEM, "a node of %llu MiB: the host has %llu MiB in all; give --memory a smaller size, or --overcommit",
		    MIB(d->opt.memory_bytes), MIB(m.total_bytes));
}

/* Bytes that all domains may have, domid counted with at least so many. Negative errno: the hypervisor did not say. */
static int64_t promised(struct daemon *d, uint32_t domid, uint64_t bytes)
{
	uint64_t args[6] = { domid, bytes >> 12 };
	int64_t pages = mbox_call_raw(&d->mbox, NODE_OP_PROMISED, args);

	return pages < 0 ? pages : pages << 12;
}

int backing_check(struct daemon *d, uint32_t domid, uint64_t bytes, struct pvctl_error *err)
{
	uint64_t backed = backed_bytes(&d->node), open, have, resident;
	struct hostmem m;
	int64_t all;

	if (d->opt.overcommit)
		return 0;
	if (bytes > d->node.ram_bytes)
		bytes = d->node.ram_bytes; /* the hypervisor refuses that itself */
	all = promised(d, domid, bytes);
	if (all < 0)
		return fail(err, (int)all, "the domains' memory limits cannot be read: %s", strerror((int)-all));
	if (host_memory(d, &m, &resident))
		return 0;
	open = (uint64_t)all > backed ? (uint64_t)all - backed : 0;
	have = m.available_bytes > HOST_MARGIN ? m.available_bytes - HOST_MARGIN : 0;
	if (open <= have)
		return 0;
	return fail(err, -ENOMEM, "the node's domains with this one may take %llu MiB more of the host, which can give %llu MiB%s: "
		    "shrink or end some, free memory on the host, or start the node with --overcommit",
		    MIB(open), MIB(have), m.cgroup ? " (a control group's limit)" : "");
}
