/* SPDX-License-Identifier: MIT */
/* How a vCPU waits for events (SCHEDOP_block and _poll); v is current. */
#ifndef EVENT_POLL_H
#define EVENT_POLL_H
#include "domain/domain.h"

int vcpu_block(struct vcpu *v);
int vcpu_poll(struct vcpu *v, const struct sched_poll *p);
void poll_forget(struct vcpu *v); /* it is not polling any more */
/* event/vcpu_info.c; -EINVAL unless v is current or down */
int vcpu_info_register(struct vcpu *v, uint64_t frame, uint32_t offset);
#endif
