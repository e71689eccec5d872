/* SPDX-License-Identifier: MIT */
/* The node's memory and doorbells. */
#include "pvctld/base/log.h"
#include "pvctld/base/loop.h"
#include "pvctld/core/node.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define SHM_BYTES 65536 /* ivshmem wants some; nothing is in it */

void node_init(struct node *n)
{
	n->ram_fd = n->shm_fd = n->iv_sock = n->qemu_pidfd = n->status_fd = n->jail_fd = -1;
	n->death.fd = n->done.fd = n->log.fd = -1;
	for (unsigned int i = 0; i < NODE_NR_VECTORS; i++)
		n->host_efd[i] = n->hv_efd[i] = -1;
}

void *node_map(const struct node *n, uint64_t paddr, uint64_t len)
{
	uint64_t low = node_low_bytes(n);

	if (paddr < low)
		return len <= low - paddr ? n->ram + paddr : NULL;
	if (paddr < NODE_HIGH_PADDR || n->ram_bytes <= NODE_LOW_BYTES)
		return NULL;
	paddr -= NODE_HIGH_PADDR;
	if (paddr > n->ram_bytes - low || len > n->ram_bytes - low - paddr)
		return NULL;
	return n->ram + low + paddr;
}

int node_make_memory(struct node *n, struct pvctl_error *err)
{
	n->ram_fd = memfd_create("pvctl-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	n->shm_fd = memfd_create("pvctl-doorbells", MFD_CLOEXEC);
	if (n->ram_fd < 0 || n->shm_fd < 0)
		return fail(err, -EIO, "memfd_create: %s", strerror(errno));
	if (ftruncate(n->ram_fd, (off_t)n->ram_bytes) || ftruncate(n->shm_fd, SHM_BYTES))
		return fail(err, -ENOMEM, "node memory of %llu MiB: %s", (unsigned long long)n->ram_bytes >> 20,
			    strerror(errno));
	/* Clients get this descriptor: one that shrank it would kill us with SIGBUS. */
	(void)fcntl(n->ram_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	n->ram = mmap(NULL, n->ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, n->ram_fd, 0);
	if (n->ram == MAP_FAILED) {
		n->ram = NULL;
		return fail(err, -ENOMEM, "mapping %llu MiB of node memory: %s", (unsigned long long)n->ram_bytes >> 20,
			    strerror(errno));
	}
	/* Not in our own core dumps. */
	(void)madvise(n->ram, n->ram_bytes, MADV_DONTDUMP);
	n->shared = (volatile struct node_shared *)(n->ram + NODE_SHARED_PADDR);
	for (unsigned int i = 0; i < NODE_NR_VECTORS; i++) {
		n->host_efd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		n->hv_efd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (n->host_efd[i] < 0 || n->hv_efd[i] < 0)
			return fail(err, -EIO, "eventfd: %s", strerror(errno));
	}
	return 0;
}
