/* SPDX-License-Identifier: MIT */
/*
 * The local APIC in x2APIC mode, by its MSRs alone. Interrupts come from other vCPUs and from its
 * timer; all are edges, so that an EOI tells nobody anything. Identifiers are vCPU numbers, as the builder's ACPI tables have them.
 */
#include "hvm/private.h"
#include "lib/errno.h"
#include "sched/sched.h"
#include "x86/printk.h"
#include "x86/smp.h"

#define VERSION 0x50014u /* six LVT entries */
#define SVR_ENABLE 0x100u
#define LVT_MASKED 0x10000u
#define LVT_PERIODIC 0x20000u
#define ESR_ILLEGAL_SEND (1u << 5)
#define ESR_ILLEGAL_RECEIVE (1u << 6)
#define FIRST_VECTOR 16u

#define ICR_MODE(icr) ((icr) >> 8 & 7)
#define MODE_FIXED 0u
#define MODE_LOWEST 1u
#define MODE_NMI 4u
#define MODE_INIT 5u
#define MODE_SIPI 6u
#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)
#define ICR_SHORTHAND(icr) ((icr) >> 18 & 3)
#define BROADCAST 0xffffffffu

#define TICK_NS 10u                    /* the timer's bus runs at 100 MHz */
#define PERIOD_MIN MILLISECS(1)            /* as a PV timer: these fire for a domain that is paused or asleep, too */

#define BASE_ADDR 0xfee00000UL
#define BASE_BSP (1UL << 8)

uint64_t vlapic_base(const struct vcpu *v)
{
	return BASE_ADDR | APIC_BASE_ENABLE | APIC_BASE_X2APIC | (v->vcpu_id == 0 ? BASE_BSP : 0);
}

static uint32_t lvt_valid(unsigned int i)
{
	return i == LVT_TIMER ? 0x300ffu : i >= 3 && i <= 4 ? 0x1a7ffu : i == 5 ? 0x100ffu : 0x107ffu;
}

static int highest(const uint32_t set[8])
{
	for (int i = 7; i >= 0; i--) {
		uint32_t w = READ_ONCE(set[i]);

		if (w)
			return i * 32 + 31 - __builtin_clz(w);
	}
	return -1;
}

static uint32_t ppr(const struct vlapic *a)
{
	int isr = highest(a->isr);
	uint32_t busy = isr < 0 ? 0 : (uint32_t)isr & 0xf0;

	return (a->tpr & 0xf0) >= busy ? a->tpr : busy;
}

int vlapic_deliverable(const struct vcpu *v)
{
	const struct vlapic *a = &v->hvm->apic;
	int irr = highest(a->irr);

	return irr >= 0 && ((uint32_t)irr & 0xf0) > (ppr(a) & 0xf0) ? irr : -1;
}

bool vlapic_has(const struct vcpu *v, uint8_t vector)
{
	const struct vlapic *a = &v->hvm->apic;

	return ((READ_ONCE(a->irr[vector / 32]) | a->isr[vector / 32]) >> vector % 32) & 1;
}

/*
 * From here until the turn ends it is not requested: its handler may be at work all that time, and who asks for another one
 * then is to have it.
 */
void vlapic_offer(struct vcpu *v, uint8_t vector)
{
	struct vlapic *a = &v->hvm->apic;

	__atomic_fetch_and(&a->irr[vector / 32], ~(1u << vector % 32), __ATOMIC_SEQ_CST);
}

void vlapic_offered(struct vcpu *v, uint8_t vector, bool taken)
{
	struct vlapic *a = &v->hvm->apic;

	if (taken)
		a->isr[vector / 32] |= 1u << vector % 32;
	else
		__atomic_fetch_or(&a->irr[vector / 32], 1u << vector % 32, __ATOMIC_SEQ_CST);
}

void vlapic_post(struct vcpu *v, uint8_t vector)
{
	struct vlapic *a = &v->hvm->apic;

	if (!(READ_ONCE(a->svr) & SVR_ENABLE))
		return;
	if (vector < FIRST_VECTOR) {
		__atomic_fetch_or(&a->esr, ESR_ILLEGAL_RECEIVE, __ATOMIC_RELAXED);
		return;
	}
	if (!(__atomic_fetch_or(&a->irr[vector / 32], 1u << vector % 32, __ATOMIC_SEQ_CST) >> vector % 32 & 1))
		vcpu_kick(v);
}

/* --- the timer --- */

static uint32_t divisor(const struct vlapic *a)
{
	uint32_t code = (a->divide & 3) | (a->divide >> 1 & 4);

	return code == 7 ? 1 : 2u << code;
}

uint32_t vlapic_divisor(const struct vcpu *v)
{
	return divisor(&v->hvm->apic);
}

static s_time_t period(const struct vlapic *a)
{
	return (s_time_t)((uint64_t)a->initial * divisor(a) * TICK_NS);
}

static void timer_fired(void *data)
{
	struct vcpu *v = data;
	struct vlapic *a = &v->hvm->apic;
	uint32_t lvt = READ_ONCE(a->lvt[LVT_TIMER]);
	s_time_t now = NOW(), p = max(period(a), PERIOD_MIN);

	if (!(lvt & LVT_MASKED))
		vlapic_post(v, (uint8_t)lvt);
	if ((lvt & LVT_PERIODIC) && READ_ONCE(a->initial)) {
		a->timer_start = now;
		timer_set(&a->timer, now + p);
	}
	sched_charge_work(v, now);
}

static void timer_start(struct vcpu *v)
{
	struct vlapic *a = &v->hvm->apic;

	if (a->initial == 0) {
		timer_stop(&a->timer);
		return;
	}
	a->timer_start = NOW();
	timer_migrate(&a->timer, smp_cpu());
	timer_set(&a->timer, a->timer_start + period(a));
}

void vlapic_set_timer(struct vcpu *v, uint32_t initial, uint32_t left)
{
	struct vlapic *a = &v->hvm->apic;

	left = min(left, initial);
	WRITE_ONCE(a->initial, initial);
	timer_start(v);
	a->timer_start -= (s_time_t)((uint64_t)(initial - left) * divisor(a) * TICK_NS);
	if (left != 0)
		timer_set(&a->timer, a->timer_start + period(a));
	else if (!(a->lvt[LVT_TIMER] & LVT_PERIODIC))
		timer_stop(&a->timer); /* it has fired */
}

static uint32_t timer_now(const struct vlapic *a)
{
	s_time_t gone = NOW() - a->timer_start, p = period(a);

	if (a->initial == 0 || p == 0)
		return 0;
	if (a->lvt[LVT_TIMER] & LVT_PERIODIC)
		gone %= p;
	return gone >= p ? 0 : (uint32_t)((uint64_t)(p - gone) / (divisor(a) * TICK_NS));
}

/* --- messages --- */

static uint32_t logical_id(const struct vcpu *v)
{
	return (v->vcpu_id >> 4) << 16 | 1u << (v->vcpu_id & 15);
}

static bool is_meant(const struct vcpu *from, const struct vcpu *to, uint64_t icr)
{
	uint32_t dest = (uint32_t)(icr >> 32);

	switch (ICR_SHORTHAND(icr)) {
	case 1:
		return to == from;
	case 2:
		return true;
	case 3:
		return to != from;
	}
	if (dest == BROADCAST)
		return true;
	if (icr & ICR_LOGICAL)
		return dest >> 16 == logical_id(to) >> 16 && (dest & logical_id(to) & 0xffff);
	return dest == to->vcpu_id;
}

/* The vCPU does it to itself. What was sent before is of no interest any more. */
static void send_init(struct vcpu *to)
{
	uint32_t old = READ_ONCE(to->hvm->pending);

	while (!__atomic_compare_exchange_n(&to->hvm->pending, &old, PENDING_INIT, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
	vcpu_kick(to);
}

static void send_sipi(struct vcpu *to, uint8_t vector)
{
	if (!READ_ONCE(to->hvm->wait_sipi) && !(READ_ONCE(to->hvm->pending) & PENDING_INIT))
		return;
	to->hvm->sipi_vector = vector;
	__atomic_store_n(&to->is_initialised, true, __ATOMIC_RELEASE);
	__atomic_fetch_or(&to->hvm->pending, PENDING_SIPI, __ATOMIC_SEQ_CST);
	if (__atomic_fetch_and(&to->pause_flags, ~VPF_down, __ATOMIC_SEQ_CST) & VPF_down)
		vcpu_wake(to);
}

static void send_one(struct vcpu *to, uint64_t icr)
{
	switch (ICR_MODE(icr)) {
	case MODE_FIXED:
	case MODE_LOWEST:
		vlapic_post(to, (uint8_t)icr);
		return;
	case MODE_NMI:
		hvm_send_nmi(to);
		return;
	case MODE_INIT:
		/* A level that goes away says nothing. */
		if (!(icr & ICR_LEVEL) || (icr & ICR_ASSERT))
			send_init(to);
		return;
	case MODE_SIPI:
		send_sipi(to, (uint8_t)icr);
		return;
	}
}

static int write_icr(struct vcpu *v, uint64_t icr)
{
	struct domain *d = v->domain;
	struct vcpu *to;
	unsigned int i, mode = ICR_MODE(icr);

	if (icr & ~ICR_VALID || mode == 2 || mode == 3 || mode == 7)
		return -EPERM;
	v->hvm->apic.icr = icr;
	if (mode <= MODE_LOWEST && (uint8_t)icr < FIRST_VECTOR) {
		v->hvm->apic.esr |= ESR_ILLEGAL_SEND;
		return 0;
	}
	for_each_vcpu(d, to, i) {
		if (!is_meant(v, to, icr))
			continue;
		send_one(to, icr);
		if (mode == MODE_LOWEST)
			break;
	}
	return 0;
}

/* --- the registers --- */

static void end_of_interrupt(struct vlapic *a)
{
	int vector = highest(a->isr);

	if (vector >= 0)
		a->isr[vector / 32] &= ~(1u << vector % 32);
}

int vlapic_read(const struct vcpu *v, uint32_t reg, uint64_t *val)
{
	const struct vlapic *a = &v->hvm->apic;

	*val = 0;
	switch (reg) {
	case APIC_ID:
		*val = v->vcpu_id;
		return 0;
	case APIC_VERSION:
		*val = VERSION;
		return 0;
	case APIC_TPR:
		*val = a->tpr;
		return 0;
	case APIC_PPR:
		*val = ppr(a);
		return 0;
	case APIC_LDR:
		*val = logical_id(v);
		return 0;
	case APIC_SVR:
		*val = a->svr;
		return 0;
	case APIC_ESR:
		*val = a->esr;
		return 0;
	case APIC_ICR:
		*val = a->icr;
		return 0;
	case APIC_TIMER_INIT:
		*val = a->initial;
		return 0;
	case APIC_TIMER_NOW:
		*val = timer_now(a);
		return 0;
	case APIC_TIMER_DIVIDE:
		*val = a->divide;
		return 0;
	}
	if (reg >= APIC_ISR && reg < APIC_ISR + 8)
		*val = a->isr[reg - APIC_ISR];
	else if (reg >= APIC_IRR && reg < APIC_IRR + 8)
		*val = READ_ONCE(a->irr[reg - APIC_IRR]);
	else if (reg >= APIC_LVT && reg <= APIC_LVT_LAST)
		*val = a->lvt[reg - APIC_LVT];
	else if (!(reg >= APIC_TMR && reg < APIC_TMR + 8))
		return -EPERM;
	return 0;
}

static int write_lvt(struct vcpu *v, unsigned int i, uint64_t val)
{
	struct vlapic *a = &v->hvm->apic;

	if (val & ~(uint64_t)(lvt_valid(i) | 1u << 12))
		return -EPERM;
	WRITE_ONCE(a->lvt[i], (uint32_t)val & lvt_valid(i));
	return 0;
}

static int write_svr(struct vlapic *a, uint64_t val)
{
	if (val & ~0x3ffUL)
		return -EPERM;
	WRITE_ONCE(a->svr, (uint32_t)val);
	if (!(val & SVR_ENABLE))
		for (unsigned int i = 0; i < LVT_NR; i++)
			a->lvt[i] |= LVT_MASKED;
	return 0;
}

int vlapic_write(struct vcpu *v, uint32_t reg, uint64_t val)
{
	struct vlapic *a = &v->hvm->apic;

	if (reg == APIC_ICR)
		return write_icr(v, val);
	if (val >> 32)
		return -EPERM;
	switch (reg) {
	case APIC_EOI:
		if (val != 0)
			return -EPERM;
		end_of_interrupt(a);
		return 0;
	case APIC_TPR:
		if (val & ~0xffUL)
			return -EPERM;
		a->tpr = (uint32_t)val;
		return 0;
	case APIC_SVR:
		return write_svr(a, val);
	case APIC_ESR:
		if (val != 0)
			return -EPERM;
		a->esr = 0;
		return 0;
	case APIC_TIMER_INIT:
		WRITE_ONCE(a->initial, (uint32_t)val);
		timer_start(v);
		return 0;
	case APIC_TIMER_DIVIDE:
		if (val & ~0xbUL)
			return -EPERM;
		a->divide = (uint32_t)val;
		return 0;
	case APIC_SELF_IPI:
		if (val & ~0xffUL)
			return -EPERM;
		return write_icr(v, 1u << 18 | val);
	}
	return reg >= APIC_LVT && reg <= APIC_LVT_LAST ? write_lvt(v, reg - APIC_LVT, val) : -EPERM;
}

void vlapic_reset(struct vcpu *v)
{
	struct vlapic *a = &v->hvm->apic;

	timer_stop(&a->timer);
	for (unsigned int i = 0; i < 8; i++) {
		__atomic_store_n(&a->irr[i], 0, __ATOMIC_SEQ_CST);
		a->isr[i] = 0;
	}
	a->tpr = a->esr = a->initial = a->divide = 0;
	a->icr = 0;
	a->svr = 0xff;
	for (unsigned int i = 0; i < LVT_NR; i++)
		a->lvt[i] = LVT_MASKED;
}

void vlapic_init_vcpu(struct vcpu *v)
{
	timer_init(&v->hvm->apic.timer, timer_fired, v, v->processor);
}
