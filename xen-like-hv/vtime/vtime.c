/* SPDX-License-Identifier: MIT */
/*
 * A guest's clock and timers. The TSC is the same on all CPUs, so every vCPU
 * gets the same factors and the same base once, and reads the time itself
 * from then on, in its vdso too.
 */
#include "vtime/vtime.h"
#include "event/evtchn.h"
#include "lib/errno.h"
#include "sched/sched.h"
#include "x86/printk.h"

/* One base for all vCPUs: the rounding of two could make time step back by 1 ns. */
static struct {
	spinlock_t lock;
	uint32_t generation;      /* 0: not taken yet */
	uint64_t tsc;
	s_time_t ns;
	struct tsc_scale scale;
} base;

/* A new base when the factors changed (a better calibration). Returns its generation. */
static uint32_t refresh_base(void)
{
	unsigned long flags;
	uint32_t gen;

	if (likely(READ_ONCE(base.generation) && base.scale.mul_frac == tsc_scale.mul_frac &&
		   base.scale.shift == tsc_scale.shift))
		return READ_ONCE(base.generation);
	flags = spin_lock_irqsave(&base.lock);
	if (!base.generation || base.scale.mul_frac != tsc_scale.mul_frac || base.scale.shift != tsc_scale.shift) {
		base.scale = tsc_scale;
		base.tsc = tsc_read();
		base.ns = tsc_to_ns(base.tsc);
		WRITE_ONCE(base.generation, base.generation + 1);
	}
	gen = base.generation;
	spin_unlock_irqrestore(&base.lock, flags);
	return gen;
}

/* Odd version: being written. */
static void write_time(const struct domain *d, struct vcpu_time_info *t)
{
	uint32_t version = (READ_ONCE(t->version) | 1u) + 2u;

	WRITE_ONCE(t->version, version);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	t->tsc_timestamp = base.tsc;
	t->system_time = (uint64_t)(base.ns + d->time_shift_ns);
	t->tsc_to_system_mul = base.scale.mul_frac;
	t->tsc_shift = base.scale.shift;
	/* the last byte but two: "flags", which the header at our level calls padding */
	((uint8_t *)t)[offsetof(struct vcpu_time_info, tsc_shift) + 1] = XEN_PVCLOCK_TSC_STABLE_BIT;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	WRITE_ONCE(t->version, version + 1u);
}

/*
 * The second copy may lie across a page boundary, so it is written as bytes:
 * an odd version first, the true one last.
 */
static void write_time_area(const struct guest_area *a, const struct vcpu_time_info *t)
{
	struct vcpu_time_info copy = *t;
	uint32_t odd = copy.version - 1u;

	guest_area_write(a, 0, &odd, sizeof(odd));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	guest_area_write(a, sizeof(odd), (const char *)&copy + sizeof(odd), sizeof(copy) - sizeof(odd));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	guest_area_write(a, 0, &copy.version, sizeof(copy.version));
}

void vtime_update(struct vcpu *v, bool force)
{
	uint32_t gen = refresh_base();
	unsigned long flags;
	struct vcpu_time_info t;

	if (likely(v->vtime.time_generation == gen && !force))
		return;
	flags = spin_lock_irqsave(&v->vtime.area_lock);
	write_time(v->domain, &v->vcpu_info->time);
	v->vtime.time_generation = gen;
	if (v->vtime.time_area.first) {
		/* Not what the guest may have made of vcpu_info meanwhile. */
		memset(&t, 0, sizeof(t));
		t.version = 1u;
		write_time(v->domain, &t);
		t.version = v->vcpu_info->time.version & ~1u;
		write_time_area(&v->vtime.time_area, &t);
	}
	spin_unlock_irqrestore(&v->vtime.area_lock, flags);
}

void vtime_shift(struct domain *d, s_time_t shift)
{
	struct vcpu *v;
	unsigned int i;

	d->time_shift_ns = shift;
	for_each_vcpu(d, v, i) {
		vtime_update(v, true);
		/* And once more when it runs: the tools may write vcpu_info until then. */
		v->vtime.time_generation = 0;
	}
	wallclock_update(d);
}

int vtime_register_time(struct vcpu *v, uint64_t addr)
{
	int rc = guest_area_register(v, &v->vtime.time_area, &v->vtime.time_area_guest, addr, sizeof(struct vcpu_time_info));

	if (rc)
		return rc;
	vtime_update(v, true);
	return 0;
}

void vtime_release_areas(struct vcpu *v)
{
	struct guest_area runstate, time;
	unsigned long flags = spin_lock_irqsave(&v->vtime.area_lock);

	runstate = v->vtime.runstate_area;
	time = v->vtime.time_area;
	v->vtime.runstate_area.first = v->vtime.time_area.first = 0;
	memset(v->vtime.runstate_area.page, 0, sizeof(v->vtime.runstate_area.page));
	memset(v->vtime.time_area.page, 0, sizeof(v->vtime.time_area.page));
	v->vtime.runstate_guest = v->vtime.time_area_guest = 0;
	spin_unlock_irqrestore(&v->vtime.area_lock, flags);
	guest_area_unmap(&runstate);
	guest_area_unmap(&time);
}

/* --- timers --- */

/* These interrupt whoever runs here; the domain whose timer it is pays, heard or not. */
static void singleshot_fired(void *data)
{
	s_time_t start = NOW();

	send_guest_vcpu_virq(data, VIRQ_TIMER);
	sched_charge_work(data, start);
}

static void periodic_fired(void *data)
{
	struct vcpu *v = data;
	s_time_t period = READ_ONCE(v->vtime.period_ns), now = NOW(), next;

	if (!period)
		return;
	send_guest_vcpu_virq(v, VIRQ_TIMER);
	/* Ticks that were missed are not made up for. */
	next = v->vtime.periodic.expires + period;
	if (next <= now)
		next = now + period;
	timer_set(&v->vtime.periodic, next);
	sched_charge_work(v, now);
}

static void poll_timed_out(void *data)
{
	struct vcpu *v = data;
	s_time_t start = NOW();

	if (v->poll_port != 0)
		vcpu_unblock(v);
	sched_charge_work(v, start);
}

/* The hypercall comes from where v runs: a local timer needs no IPI to be armed. */
static void set_on_this_cpu(struct timer *t, s_time_t expires)
{
	timer_migrate(t, smp_cpu());
	timer_set(t, expires);
}

int vtime_set_periodic(struct vcpu *v, uint64_t period_ns)
{
	if (period_ns && (period_ns < (uint64_t)MILLISECS(1) || period_ns > (uint64_t)MILLISECS(1000) * 86400))
		return -EINVAL;
	WRITE_ONCE(v->vtime.period_ns, (s_time_t)period_ns);
	if (period_ns)
		set_on_this_cpu(&v->vtime.periodic, NOW() + (s_time_t)period_ns);
	else
		timer_stop(&v->vtime.periodic);
	return 0;
}

void vtime_set_singleshot(struct vcpu *v, s_time_t expires)
{
	set_on_this_cpu(&v->vtime.singleshot, expires);
}

void vtime_stop_singleshot(struct vcpu *v)
{
	timer_stop(&v->vtime.singleshot);
}

/* 0 stops the timer. A negative time is a guest's wrapped sum: it has work to do now. */
long do_set_timer_op(unsigned long timeout_ns)
{
	struct vcpu *v = current;

	if (is_host_domain(v->domain))
		return -ENOSYS;
	if (timeout_ns == 0)
		vtime_stop_singleshot(v);
	else
		vtime_set_singleshot(v, domain_time_here(v->domain, (s_time_t)timeout_ns));
	return 0;
}

void vtime_init_vcpu(struct vcpu *v)
{
	unsigned int cpu = v->processor;

	spin_lock_init(&v->vtime.area_lock);
	timer_init(&v->vtime.periodic, periodic_fired, v, cpu);
	timer_init(&v->vtime.singleshot, singleshot_fired, v, cpu);
	timer_init(&v->vtime.poll, poll_timed_out, v, cpu);
}

void vtime_destroy_vcpu(struct vcpu *v)
{
	WRITE_ONCE(v->vtime.period_ns, 0);
	timer_kill(&v->vtime.periodic);
	timer_kill(&v->vtime.singleshot);
	timer_kill(&v->vtime.poll);
	vtime_release_areas(v);
}
