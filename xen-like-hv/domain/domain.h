/* SPDX-License-Identifier: MIT */
/*
 * Domains and vCPUs: the objects, their references and their lookup. No policy
 * here. A struct domain lives until its last reference is put; a page of its
 * memory, a grant mapping and a bound port each hold one.
 */
#ifndef DOMAIN_DOMAIN_H
#define DOMAIN_DOMAIN_H

#include "domain/pages.h"
#include "domain/vcpu_pv.h"
#include "domain/vcpu_sched.h"
#include "domain/vcpu_time.h"
#include "lib/types.h"
#include "x86/spinlock.h"
#include <xen/xen.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#define MAX_VCPUS 32        /* a domain */
#define HOST_DOMID 0        /* domain 0 of a hosted node: has one vCPU object that never runs */

struct hvm_vcpu;
struct hvm_domain;
struct p2m;

struct vcpu {
	struct pv_vcpu pv;              /* hot part first */
	struct domain *domain;          /* the idle domain for an idle vCPU */
	struct vcpu_info *vcpu_info;    /* in the direct map; never NULL */
	uint32_t vcpu_id;
	uint32_t processor;             /* where it runs, or ran last */
	volatile uint32_t pause_flags;  /* VPF_*, changed atomically */
	volatile uint32_t pause_count;  /* atomically */
	volatile bool is_running;       /* set and cleared by the context switch */
	bool is_initialised;            /* has a context (VCPUOP_initialise, setvcpucontext) */
	bool context_claimed;           /* somebody is giving it a context: control/vcpu_op.c */
	bool defer_shutdown;
	struct cpu_user_regs regs;      /* while not running */
	struct sched_unit sched;
	struct vcpu_vtime vtime;
	/* event/ */
	uint32_t virq_port[24];         /* NR_VIRQS */
	spinlock_t virq_lock;
	volatile int32_t poll_port;     /* 0: not polling; -1: several; else the one port */
	struct page_info *vcpu_info_page; /* VCPUOP_register_vcpu_info, a writable type reference held; else NULL */
	void *evtchn_fifo;              /* event/fifo.c */
	/* control/multicall.c */
	struct { bool active, preempted; struct multicall_entry call; } mc;
	/* pv/: a validation or teardown that was preempted, to be finished before anything else */
	struct page_info *partial_page;
	struct hvm_vcpu *hvm;           /* of a PVH domain; else NULL */
	uint64_t tmp[2];                /* continuation state of the hypercall in progress */
};

/* d->copies: what an address of its hypercalls is (domain/uaccess.c) */
#define COPIES_virtual 0u /* the hardware's: the present address space of a PV guest */
#define COPIES_arena   1u /* domain 0's */
#define COPIES_nested  2u /* virtual in a guest that has tables of its own */

/* d->is_dying */
#define DOMDYING_alive 0u
#define DOMDYING_dying 1u
#define DOMDYING_dead 2u   /* no vCPU, no memory of its own left; references hold it */

struct domain {
	domid_t domid;
	uint8_t is_dying;               /* domain 0's calls alone change it; read freely */
	bool is_idle;
	bool is_shutting_down, is_shut_down; /* shutdown_lock */
	bool crashed_once;
	bool creation_finished;         /* first unpause by the tools */
	uint32_t shutdown_code;         /* SHUTDOWN_* */
	spinlock_t shutdown_lock;
	volatile uint32_t refcnt;       /* get_domain, put_domain */
	volatile uint32_t pause_count;
	uint32_t controller_pause_count;
	uint32_t max_vcpus;
	struct vcpu *vcpu[MAX_VCPUS];
	struct domain *next;            /* domain list, by domid */
	struct domain *hash_next;       /* domain/domain.c: lookup by domid */
	uint32_t suspend_port;          /* DOMCTL_subscribe: an event to it when the domain suspends; 0: none */
	s_time_t retired_run_ns;        /* CPU time of the vCPUs when they were taken apart */
	uint8_t handle[16];             /* uuid */
	uint32_t ssidref;
	uint32_t createflags;
	bool msr_relaxed;               /* an unknown MSR is no #GP */
	bool is_hvm;                    /* a PVH domain: page tables of its own; set before anybody can see it */
	uint8_t copies;                 /* COPIES_* */

	struct shared_info *shared_info; /* hypervisor page, shared writable with the guest */

	spinlock_t page_lock;           /* page list and the counts below */
	uint32_t page_list;             /* first frame, 0: none */
	uint64_t tot_pages, max_pages, xenheap_pages;
	struct page_claim claim;        /* under the heap's lock */
	uint64_t memmap_pages;          /* end of its memory map; 0: max_pages */
	struct memory_map *memory_map;  /* what a domain with a p2m is told, by domain 0's word (pv/reservation_query.c) */
	uint64_t max_gfn;               /* the highest that its p2m ever had, under the p2m's lock */
	uint32_t relinquish_state;      /* control/domain_destroy.c */
	volatile cpumask_t dirty_cpus;  /* CPUs that may hold TLB entries of it */
	struct dirty_log *dirty_log;    /* domain/dirty_log.h; NULL: nobody asks */
	struct dirty_log *dirty_log_memory;

	struct evtchn_table *evtchn;
	spinlock_t event_lock;
	struct grant_table *grant;
	struct pv_domain pv;
	struct hvm_domain *hvm;         /* of a PVH domain; else NULL */
	struct p2m *p2m;                /* p2m/p2m.h; NULL: it knows machine frames */

	uint32_t sched_weight, sched_cap;
	struct sched_dom sched;
	int64_t time_offset_sec;
	uint64_t wc_base_ns;
	s_time_t time_shift_ns;         /* its system time less ours; changes while it is paused */
	uint32_t tsc_incarnation;       /* how often it came from another host */
	spinlock_t hypercall_lock;      /* which vCPUs are up, where vcpu_info is, watchdogs */
	struct { uint64_t window_start; uint32_t lines; char buf[256]; uint32_t len; } console; /* console_io */
	struct sched_share sched_share[]; /* one for each CPU that is possible */
};

/* A moment of d's system time, which may be anything, as one of ours: not before 0, and the last there is for never. */
static inline s_time_t domain_time_here(const struct domain *d, s_time_t t)
{
	s_time_t ret;

	if (t < 0)
		return 0;
	if (__builtin_sub_overflow(t, d->time_shift_ns, &ret))
		return INT64_MAX;
	return ret < 0 ? 0 : ret;
}

extern struct domain *host_domain;   /* domain 0 */
extern struct domain *idle_domain;
DECLARE_PER_CPU(struct vcpu *, idle_vcpu);

/* domain/domain.c */
struct domain *get_domain_by_id(domid_t id); /* takes a reference; NULL: none, or dead. DOMID_SELF is current's */
void put_domain(struct domain *d);
bool get_domain(struct domain *d);           /* a further reference: false when already at 0 */
struct domain *domain_first(void);           /* iterate under domlist_lock */
extern spinlock_t domlist_lock;
static inline bool is_host_domain(const struct domain *d) { return d == host_domain; }
static inline bool is_idle_vcpu(const struct vcpu *v) { return v->domain->is_idle; }
#define for_each_vcpu(d, v, i) \
	for ((i) = 0; (i) < (d)->max_vcpus; (i)++) if (((v) = (d)->vcpu[i]) != NULL)

/*
 * The first with a number from id on, referenced; NULL: none. Also one that is
 * dead but still referenced: only its accounts may be read.
 */
struct domain *get_domain_from(uint32_t id);
/* The next one, referenced in the same way; prev's reference, which kept it in the list, is put. */
struct domain *get_domain_after(struct domain *prev);
/* A domain that a hypercall names for current: a reference is held (release_domain_arg), or -EPERM, -ESRCH. */
int resolve_domain_arg(domid_t id, struct domain **ret);
void release_domain_arg(struct domain *d);
/* domain_create and domain_free alone: -EEXIST. */
int domain_list_add(struct domain *d);
void domain_list_remove(struct domain *d);
bool domid_in_use(domid_t id);

/* Messages that a guest can cause: tagged with current's domain, rate limited (domain/gprintk.c). */
void gprintk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A guest's fault: stops the domain for good, with the reason in the log. Safe
 * for any domain from any context without locks of sched/; the caller goes on. */
void domain_crash(struct domain *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#endif
