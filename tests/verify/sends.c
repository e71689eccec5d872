/* SPDX-License-Identifier: MIT */
/*
 * Events that domain 0 sends without a doorbell: event/host_send.c and x86/softirq.c as they are, host_cpu_runs and
 * host_cpu_halts of host/host.c. Restated: idle.c's way to HLT, and the daemon (pvctld/hv/evtchn.c, hv/watch.c), which
 * is a thread beside the CPUs.
 */
#include "explore.h"
#include "domain/domain.h"
#include "event/evtchn.h"
#include "host/host.h"
#include "x86/softirq.h"

#define CPUS 2u
#define DAEMON CPUS
#define PORTS 2u

struct cpu_info model_cpu_info[NR_CPUS];
static struct node_shared shared;
struct node_shared *node_shared = &shared;
static struct domain guest = { 0 }, idle = { .is_idle = true };
struct domain *host_domain;
static struct vcpu guest_vcpu = { .domain = &guest }, idle_vcpus = { .domain = &idle };
static uint8_t bell[NR_CPUS];
static bool daemon_sleeps;
static unsigned int turns, sends, watchers;
/* What the daemon wrote for a port, and what was there when it was last sent. */
static uint64_t written[PORTS], heard[PORTS];
static const unsigned int port_of[] = { 0, 1, 0 };

const char *verify_access(uintptr_t addr, size_t size, bool write) { return NULL; }
void verify_settle(void) { }
bool verify_irq_pending(unsigned int cpu) { return cpu < CPUS && bell[cpu]; }
void verify_irq(void)
{
	bell[verify_cpu()] = 0;
	softirq_raise(EVENT_SEND_SOFTIRQ);
}

void bug_at(const char *file, int line, const char *expr) { verify_fail("BUG at %s:%d: %s", file, line, expr); }
void smp_send_event_check(unsigned int cpu) { }
void host_heard(void) { }
int evtchn_send(struct domain *ld, uint32_t port)
{
	verify_atomic_begin();
	heard[port] = written[port];
	verify_atomic_end();
	return 0;
}

/* ---- the daemon ---- */

static void ring(void)
{
	verify_atomic_begin();
	verify_serialize();
	bell[0] = 1; /* MSI-X of the device */
	verify_atomic_end();
}

static void look_owed(bool *owed)
{
	if (!*owed)
		return;
	if (__atomic_load_n(&shared.host_send_sel, __ATOMIC_SEQ_CST))
		ring();
	*owed = false;
}

static void daemon_main(void)
{
	bool owed = false;

	for (unsigned int i = 0; i < sends; i++) {
		unsigned int port = port_of[i];

		written[port]++;
		__atomic_fetch_or(&shared.host_send[0], 1ull << port, __ATOMIC_SEQ_CST);
		__atomic_fetch_or(&shared.host_send_sel, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&shared.hv_sleeps, __ATOMIC_SEQ_CST)) {
			if (__atomic_load_n(&shared.hv_running, __ATOMIC_SEQ_CST))
				owed = true;
			else
				ring();
		}
		/* It is time, or there is more to send before that. */
		if (verify_choose(2))
			look_owed(&owed);
	}
	look_owed(&owed);
	__atomic_store_n(&daemon_sleeps, true, __ATOMIC_SEQ_CST);
}

/* ---- a CPU ---- */

static void exit_to_guest(void)
{
	host_look();
	do_softirq();
}

static void run_guest(void)
{
	model_cpu_info[verify_cpu()].cur = &guest_vcpu;
	host_cpu_runs();
	exit_to_guest();
	model_cpu_info[verify_cpu()].cur = &idle_vcpus;
}

static void watch(int by)
{
	verify_atomic_begin(); /* watch_lock */
	watchers += (unsigned int)by;
	__atomic_store_n(&shared.hv_sleeps, watchers == 0, __ATOMIC_SEQ_CST);
	verify_atomic_end();
}

static void spin(void)
{
	watch(1);
	(void)host_sends();
	watch(-1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	host_look();
}

static bool has_work(void) { return softirqs_pending() || host_sends(); }
static bool rung_or_over(void *cpu) { return bell[(uintptr_t)cpu] || daemon_sleeps; }

/* Interrupts are off. False: nobody ever interrupts it. */
static bool wait_for_bell(void)
{
	unsigned int cpu = verify_cpu();
	bool rung;

	verify_wait(rung_or_over, (void *)(uintptr_t)cpu);
	rung = bell[cpu];
	verify_irq_set(true);
	return rung;
}

static bool halt(void)
{
	verify_irq_set(false);
	host_cpu_halts();
	if (!has_work())
		return wait_for_bell();
	verify_irq_set(true);
	return true;
}

/* In a guest that makes no hypercall. */
static bool compute(void)
{
	run_guest();
	verify_irq_set(false);
	if (!softirqs_pending())
		return wait_for_bell();
	verify_irq_set(true);
	return true;
}

static void cpu_main(unsigned int cpu)
{
	bool woken = true;

	if (cpu == DAEMON) {
		daemon_main();
		return;
	}
	for (unsigned int i = 0; i < turns; i++)
		if (verify_choose(2))
			run_guest();
		else
			spin();
	while (woken) {
		exit_to_guest(); /* the idle loop looks in the same way */
		if (!has_work())
			woken = verify_choose(2) ? halt() : compute();
	}
}

static const char *final(void)
{
	for (unsigned int i = 0; i < PORTS; i++)
		if (heard[i] != written[i])
			return "something was sent, the CPUs halt or compute, and nobody was told";
	return NULL;
}

static void set_up(unsigned int t, unsigned int s)
{
	turns = t;
	sends = s;
	shared.hv_sleeps = 1;
	for (unsigned int i = 0; i < CPUS; i++)
		model_cpu_info[i].cur = &idle_vcpus;
	verify_watch(bell, sizeof(bell));
	verify_watch(&daemon_sleeps, sizeof(daemon_sleeps));
	event_boot();
}
static void setup_two(void) { set_up(1, 2); }
static void setup_three(void) { set_up(0, 3); }

const struct verify_scenario verify_scenarios[] = {
	{ "two", "no event of domain 0's is lost: 2 CPUs that run guests or watch, once, then halt or compute; 2 events", setup_two, 3, cpu_main, NULL, final },
	{ "three", "the same without the turn before; 3 events of 2 ports", setup_three, 3, cpu_main, NULL, final },
	{ NULL, NULL, NULL, 0, NULL, NULL, NULL },
};
