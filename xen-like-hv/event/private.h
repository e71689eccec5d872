/* SPDX-License-Identifier: MIT */
/*
 * What the files of event/ share.
 *
 * d->event_lock guards a domain's ports: their state and the bindings. Two
 * domains' locks are taken in the order of their addresses. An interdomain
 * channel changes only under both, so the sender, who holds its own, may set the
 * remote end pending without the other lock: the peer's port, arrays and queues
 * cannot go away before the channel is taken apart.
 * For a VIRQ the vCPU's virq_lock does the same (irqsave: domain 0 is told of
 * things from interrupt handlers).
 */
#ifndef EVENT_PRIVATE_H
#define EVENT_PRIVATE_H
#include "domain/domain.h"
#include "event/evtchn.h"

#define PORTS_PER_BUCKET 128u

enum { ECS_FREE, ECS_UNBOUND, ECS_INTERDOMAIN, ECS_VIRQ, ECS_IPI };

struct evtchn {
	uint32_t port;
	uint8_t state;             /* ECS_* */
	uint8_t priority;          /* FIFO: the queue that it shall go to */
	uint8_t queue_prio;        /* FIFO: the queue it was linked into last, */
	bool lost;                 /* FIFO: raised before the array had a word for it */
	uint16_t queue_vcpu;       /* of this vCPU */
	uint16_t notify_vcpu;
	union {
		domid_t allowed;   /* unbound: who may bind */
		uint32_t virq;
		uint32_t remote_port;
		uint32_t next_free; /* free, but used before: the next such port */
	};
	struct domain *remote;     /* interdomain: a reference is held */
};

struct evtchn_table {
	uint32_t nr_ports;         /* ports are below it, whatever the ABI could do */
	uint32_t used;             /* no port from here on was ever allocated */
	uint32_t free_head, free_tail; /* ports below `used` that are free, the oldest first; 0: none */
	uint32_t nr_bound;         /* ports that are not free */
	uint32_t reset_next;       /* closing all goes on here */
	bool closing;              /* the domain dies: no new ports */
	volatile uint32_t pollers; /* a bit for each vCPU that did SCHEDOP_poll (may be stale) */
	struct evtchn_fifo *fifo;  /* NULL: 2-level */
	struct evtchn **bucket;
};

#define BITS_PER_WORD 64u
static inline bool test_bit(unsigned int nr, const volatile void *p)
{
	return (((const volatile uint64_t *)p)[nr / BITS_PER_WORD] >> (nr % BITS_PER_WORD)) & 1;
}
static inline bool test_and_set_bit(unsigned int nr, volatile void *p)
{
	uint64_t bit = 1ULL << (nr % BITS_PER_WORD);

	return __atomic_fetch_or((volatile uint64_t *)p + nr / BITS_PER_WORD, bit, __ATOMIC_SEQ_CST) & bit;
}
static inline bool test_and_clear_bit(unsigned int nr, volatile void *p)
{
	uint64_t bit = 1ULL << (nr % BITS_PER_WORD);

	return __atomic_fetch_and((volatile uint64_t *)p + nr / BITS_PER_WORD, ~bit, __ATOMIC_SEQ_CST) & bit;
}

/* ports.c */
struct evtchn *port_lookup(const struct domain *d, uint32_t port); /* NULL: no such port, or never used */
struct evtchn *port_alloc(struct domain *d, int *err);             /* event_lock held; still ECS_FREE */
void port_free(struct domain *d, struct evtchn *chn);
uint32_t ports_of_abi(const struct domain *d);
/* None is bound: the ABI may change, and with it how many there are. */
void ports_forget(struct evtchn_table *t);
/* The domain is dying and none is bound: 0, or -ERESTART_HC. */
int ports_free_buckets(struct domain *d);
/* evtchn.c */
void lock_two(struct domain *a, struct domain *b);
void unlock_two(struct domain *a, struct domain *b);
int evtchn_close(struct domain *d, uint32_t port);
bool virq_is_global(uint32_t virq);

/* bind.c: the operations; they copy nothing from or to the guest */
int evtchn_alloc_unbound(struct domain *d, domid_t remote, uint32_t *ret_port);
int evtchn_bind_interdomain(struct domain *ld, struct domain *rd, uint32_t rport, uint32_t *ret_port);
int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *ret_port);
int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu);
int evtchn_status(struct domain *d, struct evtchn_status *s);
/* virq.c */
int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *ret_port);
void virq_unbind(struct domain *d, struct evtchn *chn);

/* send.c: dispatch on the ABI in use */
void port_set_pending(struct domain *d, struct evtchn *chn);
void port_clear_pending(struct domain *d, struct evtchn *chn);
void port_unmask(struct domain *d, struct evtchn *chn);
bool port_is_pending(struct domain *d, const struct evtchn *chn);
bool port_is_busy(struct domain *d, const struct evtchn *chn); /* the guest's queue still has it */

/* bitmap_2l.c */
void l2_set_pending(struct domain *d, struct evtchn *chn);
void l2_clear_pending(struct domain *d, uint32_t port);
void l2_unmask(struct domain *d, struct evtchn *chn);
bool l2_is_pending(struct domain *d, uint32_t port);
void l2_reset(struct domain *d);

/* fifo.c; the two destroyers leave the 2-level ABI in force */
void fifo_set_pending(struct domain *d, struct evtchn *chn);
void fifo_clear_pending(struct domain *d, struct evtchn *chn);
void fifo_unmask(struct domain *d, struct evtchn *chn);
bool fifo_is_pending(struct domain *d, const struct evtchn *chn);
bool fifo_is_busy(struct domain *d, const struct evtchn *chn);
int fifo_init_control(struct domain *d, struct evtchn_init_control *c);
int fifo_expand_array(struct domain *d, uint64_t array_mfn);
void fifo_destroy(struct domain *d);

/* poll.c */
void wake_pollers(struct domain *d, uint32_t port);
#endif
