/* SPDX-License-Identifier: MIT */
#ifndef TRANSPORT_MOCK_PRIVATE_H
#define TRANSPORT_MOCK_PRIVATE_H

#include "transport/mock.h"
#include "transport/proto.h"
#include <xen/xen.h>
#include <xen/domctl.h>

#define MOCK_PAGES 131072ull /* 512 MiB, touched as far as written */
#define MOCK_DOMAINS 64u

struct mock_domain {
	bool used, committed, introduced, pinned, has_context, paused, shut_down, pvh;
	uint32_t reason, max_vcpus, ports;
	uint64_t max_pages, tot_pages, claim;
	uint64_t shared_info_mfn, grant_mfn, affinity[32], soft[32], map_bytes;
	uint16_t weight, cap;
	uint8_t handle[16];
	char name[128];
	uint64_t unique_id, created;
	uint64_t params[32];
	uint64_t *gfn_of; /* of each machine frame, where it is PVH */
	uint32_t start_ebx, start_eip;
	char *config;
};
struct mock_node { char path[256]; char *value; size_t len; };
struct mock {
	struct transport t;
	uint8_t *ram;
	uint16_t *owner;           /* of each page: domid + 1 */
	uint64_t free_pages;
	struct mock_domain domain[MOCK_DOMAINS];
	uint32_t next_domid;
	uint64_t next_unique;
	struct mock_node *node;
	unsigned int n_nodes;
	unsigned int calls, fail_at, restarts;
	enum mock_failure how;
	bool fragment, host_full, no_pvh;
};
static inline struct mock *mock_of(struct transport *t)
{
	return (struct mock *)t;
}
bool mock_fails(struct mock *m);
struct mock_domain *mock_domain(struct mock *m, uint32_t domid);
void *mock_arena(struct mock *m, uint64_t handle, size_t len);
uint64_t mock_alloc(struct mock *m, uint32_t domid, unsigned int order); /* 0: none */
/* mock_hv.c */
int64_t mock_domctl(struct mock *m, const uint64_t *args);
int64_t mock_sysctl(struct mock *m, const uint64_t *args);
int64_t mock_memory_op(struct mock *m, const uint64_t *args);
/* mock_services.c */
int mock_request(struct transport *t, uint32_t type, const void *body, size_t len, void **ret_body, size_t *ret_len,
                 int *ret_fd, struct pvctl_error *err);
/* mock_pvh.c */
int64_t mock_hvm_op(struct mock *m, const uint64_t *args);
int64_t mock_hvm_context(struct mock *m, struct mock_domain *d, const struct xen_domctl *op);
int64_t mock_gfns_to_mfns(struct mock *m, const uint64_t *args);
void mock_place(struct mock *m, struct mock_domain *d, uint64_t gfn, uint64_t mfn, uint64_t n);
void mock_forget(struct mock *m, uint32_t domid);

#endif
