/* SPDX-License-Identifier: MIT */
/* What a test may ask of the mock transport, and do to it. */
#ifndef TRANSPORT_MOCK_H
#define TRANSPORT_MOCK_H

#include "transport/transport.h"
#include <stdbool.h>

enum mock_failure {
	MOCK_FAIL_HV,        /* a hypercall gives -ENOMEM; the rest as below */
	MOCK_FAIL_TRANSPORT  /* it does not reach the hypervisor: -EIO */
};
/* The nth call from now on (1: the next) fails, once. 0: none. */
void mock_fail_at(struct transport *t, unsigned int nth, enum mock_failure how);
unsigned int mock_calls(const struct transport *t);      /* so far */
unsigned int mock_domains(const struct transport *t);    /* alive, domain 0 not counted */
unsigned int mock_store_nodes(const struct transport *t);
uint64_t mock_free_pages(const struct transport *t);
bool mock_committed(const struct transport *t, uint32_t domid);
/* The guest changes a node, or shuts down. */
void mock_store_set(struct transport *t, const char *path, const char *value);
void mock_shutdown(struct transport *t, uint32_t domid, uint32_t reason);
/* Nothing is available in 2 MiB pieces, or at every odd frame only. */
void mock_fragment(struct transport *t, bool on);

/* A node whose CPUs have no SVM. */
void mock_no_pvh(struct transport *t);
/* The byte at a guest's physical address; -1: there is no memory. */
int mock_guest_byte(const struct transport *t, uint32_t domid, uint64_t paddr);
/* Where its first vCPU starts, and with what in ebx. */
void mock_pvh_start(const struct transport *t, uint32_t domid, uint32_t *ret_eip, uint32_t *ret_ebx);

#endif
