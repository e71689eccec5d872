/* SPDX-License-Identifier: MIT */
/* The node's machine goes from a daemon that died to the next: its descriptors, which the spawner has, and what is known of it. */
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/node/node.h"
#include "pvctld/spawn/keep.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct kept_node {
	uint64_t ram_bytes, started_ns, started_unix_ns;
	uint32_t cpus, qemu_pid, qemu_version, confined;
	char accel[8];
};

static int put(const char *name, int fd, int rc)
{
	return rc ? rc : keep_put(name, fd);
}

static int put_doorbells(const struct node *n, int rc)
{
	char name[32];

	for (unsigned int i = 0; i < NODE_NR_VECTORS && !rc; i++) {
		snprintf(name, sizeof(name), "host-bell-%u", i);
		rc = put(name, n->host_efd[i], rc);
		snprintf(name, sizeof(name), "hv-bell-%u", i);
		rc = put(name, n->hv_efd[i], rc);
	}
	return rc;
}

int node_keep(struct daemon *d, struct pvctl_error *err)
{
	const struct node *n = &d->node;
	struct kept_node k;
	int rc = put("ram", n->ram_fd, 0);

	rc = put("shm", n->shm_fd, rc);
	rc = put("ivshmem", n->iv_sock, rc);
	rc = put("qemu", n->qemu_pidfd, rc);
	rc = put("qemu-status", n->status_fd, rc);
	rc = put_doorbells(n, rc);
	if (rc)
		return fail(err, rc, "the node cannot be kept for a later daemon: %s", strerror(-rc));
	memset(&k, 0, sizeof(k));
	k.ram_bytes = n->ram_bytes;
	k.cpus = n->cpus;
	k.qemu_pid = (uint32_t)n->qemu_pid;
	k.qemu_version = n->qemu_version;
	k.confined = n->confined;
	k.started_ns = d->started_ns;
	k.started_unix_ns = d->started_unix_ns;
	memcpy(k.accel, n->accel, sizeof(k.accel));
	state_set(&d->state, "node", &k, sizeof(k));
	return 0;
}

static int take(const char *name, int *ret)
{
	*ret = keep_take(name);
	return *ret < 0 ? *ret : 0;
}

static int take_doorbells(struct node *n)
{
	char name[32];
	int rc = 0;

	for (unsigned int i = 0; i < NODE_NR_VECTORS && !rc; i++) {
		snprintf(name, sizeof(name), "host-bell-%u", i);
		rc = take(name, &n->host_efd[i]);
		snprintf(name, sizeof(name), "hv-bell-%u", i);
		rc = rc ? rc : take(name, &n->hv_efd[i]);
	}
	return rc;
}

static int map_ram(struct node *n)
{
	struct stat st;

	if (fstat(n->ram_fd, &st) || (uint64_t)st.st_size != n->ram_bytes)
		return -EPROTO;
	n->ram = mmap(NULL, n->ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, n->ram_fd, 0);
	if (n->ram == MAP_FAILED) {
		n->ram = NULL;
		return -ENOMEM;
	}
	(void)madvise(n->ram, n->ram_bytes, MADV_DONTDUMP);
	n->shared = (volatile struct node_shared *)(n->ram + NODE_SHARED_PADDR);
	return n->shared->magic == NODE_MAGIC && n->shared->abi_version == NODE_ABI_VERSION ? 0 : -EPROTO;
}

int node_adopt(struct daemon *d, struct pvctl_error *err)
{
	struct node *n = &d->node;
	const struct kept_node *k;
	size_t len;
	int rc = take("ram", &n->ram_fd);

	rc = rc ? rc : take("shm", &n->shm_fd);
	rc = rc ? rc : take("ivshmem", &n->iv_sock);
	rc = rc ? rc : take("qemu", &n->qemu_pidfd);
	rc = rc ? rc : take("qemu-status", &n->status_fd);
	rc = rc ? rc : take_doorbells(n);
	k = state_get(&d->state, "node", &len);
	if (!rc && (!k || len != sizeof(*k)))
		rc = -EPROTO;
	if (rc)
		return fail(err, rc, "the node's machine cannot be taken over: %s", strerror(-rc));
	n->ram_bytes = k->ram_bytes;
	n->cpus = k->cpus;
	n->qemu_pid = (pid_t)k->qemu_pid;
	n->qemu_version = k->qemu_version;
	n->confined = k->confined;
	memcpy(n->accel, k->accel, sizeof(n->accel));
	d->started_ns = k->started_ns;
	d->started_unix_ns = k->started_unix_ns;
	rc = map_ram(n);
	return rc ? fail(err, rc, "the node's memory cannot be taken over: %s", strerror(-rc)) : 0;
}
