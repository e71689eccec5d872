/* SPDX-License-Identifier: MIT */
/* Event channels: 2-level and FIFO, VIRQs, IPIs, interdomain. */
#ifndef EVENT_EVTCHN_H
#define EVENT_EVTCHN_H
#include "lib/types.h"
#include <xen/event_channel.h>

struct domain;
struct vcpu;
struct page_info;
struct evtchn_table; /* event/private.h */

void event_boot(void);                                 /* EVENT_SEND_SOFTIRQ drains node_shared.host_send */
int evtchn_init(struct domain *d, uint32_t max_port);  /* d->evtchn */
int evtchn_destroy(struct domain *d);                  /* closes all ports: 0, or -ERESTART_HC to be called again */
void evtchn_free(struct domain *d);                    /* last reference gone */
int evtchn_reset_host(struct domain *d);               /* NODE_OP_RESET_HOST; likewise */
int evtchn_send(struct domain *ld, uint32_t port);
void send_guest_vcpu_virq(struct vcpu *v, uint32_t virq);
void send_guest_global_virq(struct domain *d, uint32_t virq);
void send_host_virq(uint32_t virq);                    /* to domain 0: VIRQ_DOM_EXC and the like */
bool vcpu_event_pending(const struct vcpu *v);         /* upcall pending and not masked */
bool evtchn_port_pending(struct domain *d, uint32_t port);
/* Sets vcpu_info.evtchn_upcall_pending and wakes or kicks v (the host: its doorbell). */
void vcpu_mark_events_pending(struct vcpu *v);
/* VCPUOP_register_vcpu_info moved v's vcpu_info: all pending bits must be looked at again. */
void evtchn_vcpu_info_moved(struct vcpu *v);
/* The pages of d that its FIFO arrays hold; nothing of d runs. */
void evtchn_each_page(struct domain *d, void (*fn)(struct page_info *pg, void *arg), void *arg);
long do_event_channel_op(unsigned long cmd, unsigned long arg);
#endif
