/* SPDX-License-Identifier: MIT */
#include "host/host.h"
#include "drivers/ivshmem.h"
#include "lib/errno.h"
#include "mm/memmap.h"
#include "mm/page_alloc.h"
#include "time/timer.h"
#include "x86/conring.h"
#include "x86/crash.h"
#include "x86/page.h"
#include "x86/printk.h"
#include "x86/smp.h"
#include "x86/softirq.h"

#define ARENA_ORDER 7 /* 512 KiB */
#define ARENA_BYTES (PAGE_SIZE << ARENA_ORDER)
#define LOG_INTERVAL MILLISECS(50)

struct node_shared *node_shared;
static char *arena;

/* The doorbell for the log: at once after a pause, else when the interval is over. */
static struct timer log_timer;
static s_time_t log_last_ring;
static volatile bool log_waiting;

_Static_assert(CONRING_SIZE % PAGE_SIZE == 0, "the host maps whole pages");

void host_ring(unsigned int vector)
{
	ivshmem_ring(vector);
}

void host_ring_if_asleep(unsigned int vector)
{
	/* What the host is to see was written before this look at its flag. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (READ_ONCE(node_shared->host_sleeps))
		ivshmem_ring(vector);
}

void host_cpu_runs(void)
{
	uint64_t bit = 1ULL << smp_cpu();

	if (!(READ_ONCE(node_shared->hv_running) & bit))
		__atomic_fetch_or(&node_shared->hv_running, bit, __ATOMIC_SEQ_CST);
}

/* Locked: either the host sees that we are gone, and rings, or we see what it sent. */
void host_cpu_halts(void)
{
	__atomic_fetch_and(&node_shared->hv_running, ~(1ULL << smp_cpu()), __ATOMIC_SEQ_CST);
}

void *host_arena(uint64_t handle, uint64_t len)
{
	uint64_t off = handle - NODE_ARENA_BASE;

	if (handle < NODE_ARENA_BASE || off > ARENA_BYTES || len > ARENA_BYTES - off)
		return NULL;
	return arena + off;
}

static void mailbox_irq(void)
{
	host_doorbell(HOST_SOFTIRQ);
}

static void send_irq(void)
{
	host_doorbell(EVENT_SEND_SOFTIRQ);
}

/* Vectors the node ABI has no use for yet. */
static void spare_irq(void)
{
}

static void log_timer_fn(void *unused)
{
	log_waiting = false;
	log_last_ring = NOW();
	host_ring(NODE_VEC_LOG); /* a host that is awake watches for events, not for this */
}

static void log_softirq(void)
{
	if (log_waiting)
		timer_set(&log_timer, log_last_ring + LOG_INTERVAL);
}

/* Under the console lock, in any context: no timer is set from here. */
static void log_grew(void)
{
	node_shared->conring_prod = conring_prod;
	if (log_waiting)
		return;
	if (NOW() - log_last_ring >= LOG_INTERVAL) {
		log_last_ring = NOW();
		host_ring(NODE_VEC_LOG);
		return;
	}
	log_waiting = true;
	softirq_raise_cpu(log_timer.cpu, LOG_SOFTIRQ);
}

static int vector_for(irq_handler fn)
{
	int v = irq_register(fn);

	if (v < 0)
		panic("no interrupt vector left for the host's doorbells\n");
	return v;
}

static void init_doorbells(void)
{
	int vectors[NODE_NR_VECTORS] = {
		[NODE_VEC_MAILBOX] = vector_for(mailbox_irq),
		[NODE_VEC_SEND] = vector_for(send_irq),
		[2] = vector_for(spare_irq),
		[3] = vector_for(spare_irq),
	};
	int rc = ivshmem_init(vectors, NODE_NR_VECTORS);

	if (rc)
		printk("no doorbell device (%d): the host has to poll\n", rc);
}

static void tell_crash(void)
{
	node_shared->conring_prod = conring_prod;
	node_shared->panic_cpu = smp_cpu();
	__atomic_store_n(&node_shared->hv_state, NODE_STATE_PANIC, __ATOMIC_RELEASE);
	host_ring(NODE_VEC_DONE);
}

bool host_work_pending(void)
{
	return __atomic_load_n(&node_shared->mailbox.state, __ATOMIC_ACQUIRE) == NODE_MBOX_REQUEST;
}

void host_init(const void *shared_info)
{
	struct page_info *pg = page_alloc(ARENA_ORDER, 0);
	struct node_shared *ns = paddr_to_virt(NODE_SHARED_PADDR);

	if (!pg)
		panic("no memory for the host's arena\n");
	BUG_ON(!mfn_valid(mfn(NODE_SHARED_PADDR >> PAGE_SHIFT)));
	for (unsigned int i = 0; i < 1u << ARENA_ORDER; i++)
		pg[i].count_info = PGC_hv;
	arena = page_to_virt(pg);
	memset(ns, 0, NODE_SHARED_SIZE);
	ns->abi_version = NODE_ABI_VERSION;
	ns->hv_state = NODE_STATE_BOOTING;
	ns->tsc_khz = tsc_khz;
	ns->nr_pages = total_pages;
	ns->arena_paddr = virt_to_paddr(arena);
	ns->arena_size = ARENA_BYTES;
	ns->shared_info_paddr = virt_to_paddr(shared_info);
	ns->conring_paddr = sym_to_paddr(conring);
	ns->conring_size = CONRING_SIZE;
	ns->conring_prod = conring_prod;
	ns->hv_sleeps = 1;
	__atomic_store_n(&ns->magic, NODE_MAGIC, __ATOMIC_RELEASE);
	node_shared = ns;
	crash_tell_host = tell_crash;
	init_doorbells();
	timer_init(&log_timer, log_timer_fn, NULL, 0);
	softirq_register(LOG_SOFTIRQ, log_softirq);
	conring_notify = log_grew;
}

void host_ready(void)
{
	printk("%u CPUs online, up after %lu ms\n", (unsigned int)__builtin_popcountll(cpu_online_map),
	       (unsigned long)(NOW() / 1000000));
	if (!conring_always_serial)
		conring_serial = NULL;
	node_shared->nr_cpus = (uint32_t)__builtin_popcountll(cpu_online_map);
	__atomic_store_n(&node_shared->hv_state, NODE_STATE_READY, __ATOMIC_RELEASE);
	host_ring(NODE_VEC_DONE);
}
