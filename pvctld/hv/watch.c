/* SPDX-License-Identifier: MIT */
#include "pvctld/hv/watch.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include <sched.h>
#include <unistd.h>
#include <xen/xen.h>

#define WATCH_NS 300000u     /* after the last one was served */
#define WORTH_NS 250000u     /* a sleep so short could have been a watch: waking up takes its part of it */
#define SLICE_NS 8000u       /* then other descriptors and timers are looked at */
#define PREEMPTED_NS 150000u /* a slice that took so long: somebody else wants this CPU */
#define REST_NS 10000000u
#define SERVED_NS 200000     /* of watching, each time that somebody was served: four times what a doorbell costs both sides */
#define CREDIT_MOST_NS 2000000
#define OWED_NS 40000u       /* a doorbell is put off for so long, */
#define OWED_BUSY_NS 10000u  /* or so long before more work is begun, which may take its time */
#define RINGS_MAX 16u

void watch_ring(struct daemon *d)
{
	uint64_t one = 1;

	(void)!write(d->node.hv_efd[NODE_VEC_SEND], &one, sizeof(one));
}

/* Whoever takes the selector sends all of it. */
static void look_owed(struct daemon *d, uint64_t most_ns)
{
	struct watch *w = &d->evtchn.watch;

	if (!w->owed_ns)
		return;
	if (__atomic_load_n(&d->node.shared->host_send_sel, __ATOMIC_SEQ_CST)) {
		if (most_ns && now_ns() < w->owed_ns + most_ns)
			return;
		watch_ring(d);
	}
	w->owed_ns = 0;
	d->loop.owes = NULL;
}

static void before_callback(void *data, bool brief)
{
	look_owed(data, brief ? OWED_BUSY_NS : 0);
}

bool watch_owes(struct daemon *d)
{
	struct watch *w = &d->evtchn.watch;

	if (!d->loop.watch || !__atomic_load_n(&d->node.shared->hv_running, __ATOMIC_SEQ_CST))
		return false;
	if (!w->owed_ns)
		w->owed_ns = now_ns();
	d->loop.owes = before_callback;
	return true;
}

static void set_sleeps(struct daemon *d, uint32_t sleeps)
{
	__atomic_store_n(&d->node.shared->host_sleeps, sleeps, __ATOMIC_SEQ_CST);
	/* Whoever sleeps looks once more behind this: the hypervisor writes, and then reads host_sleeps. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void watch_wait(struct daemon *d)
{
	look_owed(d, 0);
	set_sleeps(d, 1);
}

/* QEMU has a thread for each of its CPUs: one more would take turns with those that run guests. */
static bool cpus_are_short(const struct daemon *d)
{
	return (unsigned int)__builtin_popcountll(d->node.shared->hv_running) >= d->evtchn.watch.host_cpus;
}

static void end(struct daemon *d, uint64_t rest_ns)
{
	struct watch *w = &d->evtchn.watch;

	d->loop.watch = NULL;
	w->rest_until_ns = rest_ns ? now_ns() + rest_ns : 0;
	if (d->node.down)
		return;
	watch_wait(d);
	d->mbox.events_unseen = true;
	while (!list_empty(&w->rings)) {
		struct watched *r = list_entry(w->rings.next, struct watched, link);

		watched_del(d, r);
		if (!r->arm(r))
			loop_task_post(&d->loop, r->task);
	}
}

static bool event_waits(const struct daemon *d)
{
	return __atomic_load_n(&d->evtchn.shared_info->vcpu_info[0].evtchn_pending_sel, __ATOMIC_RELAXED) != 0;
}

/* One that is served comes back when it is empty; one that may not be served must not keep us busy. */
static bool look_at_rings(struct daemon *d)
{
	bool any = false;

	list_for_safe(at, &d->evtchn.watch.rings) {
		struct watched *r = list_entry(at, struct watched, link);

		if (!r->waits(r))
			continue;
		watched_del(d, r);
		loop_task_post(&d->loop, r->task);
		any = true;
	}
	return any;
}

static bool look(struct daemon *d)
{
	for (unsigned int i = 0; i < 8; i++) {
		if (event_waits(d))
			return true;
		__builtin_ia32_pause();
	}
	return look_at_rings(d);
}

static void pay(struct watch *w, uint64_t began, uint64_t now)
{
	w->credit_ns -= (int64_t)(now - began);
	if (w->served) {
		w->until_ns = now + WATCH_NS;
		w->credit_ns += SERVED_NS;
		if (w->credit_ns > CREDIT_MOST_NS)
			w->credit_ns = CREDIT_MOST_NS;
	}
	w->served = false;
}

/*
 * One slice. Ended when nobody was served for a while who waits for it (nothing came, or events that led to nothing),
 * when what came was too rare to be worth the time, and where there are others for this CPU.
 */
static bool slice(void *data)
{
	struct daemon *d = data;
	struct watch *w = &d->evtchn.watch;
	uint64_t began = now_ns(), now;
	bool found;

	if (d->node.down) {
		end(d, 0);
		return false;
	}
	if (d->node.shared->host_sleeps)
		set_sleeps(d, 0);
	do {
		found = look(d);
		now = now_ns();
		look_owed(d, OWED_NS);
	} while (!found && now - began < SLICE_NS);
	pay(w, began, now);
	if (event_waits(d))
		found |= evtchn_scan(d);
	if (now - began > PREEMPTED_NS || w->credit_ns < 0)
		end(d, REST_NS);
	else if (now > w->until_ns || cpus_are_short(d))
		end(d, 0);
	return found;
}

void watch_begin(struct daemon *d)
{
	struct watch *w = &d->evtchn.watch;
	uint64_t now = now_ns();
	cpu_set_t set;

	/* While instructions are counted, a CPU's locked operations are none towards other processes: what it takes may be lost. */
	if (d->loop.watch || d->opt.icount || !w->served || now - w->idle_since > WORTH_NS || now < w->rest_until_ns)
		return;
	w->host_cpus = sched_getaffinity(0, sizeof(set), &set) ? CPU_SETSIZE : (unsigned int)CPU_COUNT(&set);
	if (cpus_are_short(d))
		return;
	if (w->credit_ns < 0)
		w->credit_ns = 0;
	w->until_ns = now + WATCH_NS;
	/* From the first slice on nobody rings, and there may be tasks in each turn. */
	d->mbox.events_unseen = true;
	d->loop.watch = slice;
}

void watch_init(struct daemon *d)
{
	d->evtchn.watch = (struct watch){ 0 };
	list_init(&d->evtchn.watch.rings);
}

void watch_fini(struct daemon *d)
{
	d->loop.watch = NULL;
	d->loop.owes = NULL;
}

void watched_init(struct watched *w, struct loop_task *task, bool (*waits)(struct watched *w), bool (*arm)(struct watched *w))
{
	list_init(&w->link);
	w->task = task;
	w->waits = waits;
	w->arm = arm;
}

bool watched_add(struct daemon *d, struct watched *w)
{
	struct watch *all = &d->evtchn.watch;

	if (!d->loop.watch || all->nr_rings >= RINGS_MAX)
		return false;
	if (list_empty(&w->link)) {
		list_add_tail(&all->rings, &w->link);
		all->nr_rings++;
	}
	return true;
}

void watched_del(struct daemon *d, struct watched *w)
{
	if (!w->link.next || list_empty(&w->link))
		return;
	list_del(&w->link);
	d->evtchn.watch.nr_rings--;
}
