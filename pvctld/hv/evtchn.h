/* SPDX-License-Identifier: MIT */
/* Domain 0's event channels: two-level bitmaps in its shared_info page. */
#ifndef PVCTLD_EVTCHN_H
#define PVCTLD_EVTCHN_H

#include "pvctld/base/list.h"
#include "pvctld/base/loop.h"
#include "pvctld/hv/watch.h"
#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct shared_info;
struct pvctl_error;

#define EVTCHN_MAX_PORTS 4096u /* of the 2-level ABI, and of node_shared.host_send */

struct evtchn_port {
	void (*fn)(void *data);
	void *data;
	bool guest;        /* the other end is one's */
	unsigned int vain; /* its events in a row that led to nothing */
	struct list muted;
};

struct evtchn {
	struct shared_info *shared_info;
	struct evtchn_port ports[EVTCHN_MAX_PORTS];
	struct loop_fd doorbell;
	struct watch watch;
	struct list muted; /* struct evtchn_port: masked until the timer fires */
	struct loop_timer unmute;
};

int evtchn_init(struct daemon *d, struct pvctl_error *err);
void evtchn_fini(struct daemon *d);
/* Takes every pending event and calls its handler; true when there was one. */
bool evtchn_scan(struct daemon *d);
void evtchn_send(struct daemon *d, uint32_t port);
/*
 * An event of this port led to something. A guest whose events do not, many in a row, is heard once in a while only
 * until one does: who rings for nothing must not keep the daemon busy.
 */
void evtchn_useful(struct daemon *d, uint32_t port);
/* Nothing is heard of it for the moment: its doorbells cost both sides, and what it has will be looked at. */
void evtchn_rest(struct daemon *d, uint32_t port);
/* evtchn_useful; and the next one may follow so soon that it is worth to stay awake for it. */
void evtchn_expect(struct daemon *d, uint32_t port);
/* fn is called at once after binding, too: the other side may have sent before. */
int evtchn_bind_interdomain(struct daemon *d, uint32_t domid, uint32_t remote_port, void (*fn)(void *data), void *data,
			    uint32_t *ret_port);
int evtchn_bind_virq(struct daemon *d, uint32_t virq, void (*fn)(void *data), void *data, uint32_t *ret_port);
void evtchn_close(struct daemon *d, uint32_t port);

#endif
