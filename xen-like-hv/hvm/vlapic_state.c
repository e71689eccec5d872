/* SPDX-License-Identifier: MIT */
/* The local APIC in the public form (hvm/save.h). */
#include "hvm/private.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "x86/msr.h"
#include <xen/hvm/save.h>

#define APIC_BASE_ADDR 0xfee00000UL
#define APIC_BASE_BSP (1UL << 8)
#define REG_ID 0x020
#define REG_TPR 0x080
#define REG_SVR 0x0f0
#define REG_ISR 0x100
#define REG_IRR 0x200
#define REG_ESR 0x280
#define REG_ICR_LOW 0x300
#define REG_ICR_HIGH 0x310
#define REG_LVT 0x320
#define REG_TIMER_INIT 0x380
#define REG_TIMER_DIVIDE 0x3e0
#define STEP 0x10u

static void put(struct hvm_hw_lapic_regs *r, uint32_t reg, uint32_t val)
{
	memcpy(r->data + reg, &val, sizeof(val));
}

static uint32_t get(const struct hvm_hw_lapic_regs *r, uint32_t reg)
{
	uint32_t val;

	memcpy(&val, r->data + reg, sizeof(val));
	return val;
}

/* The vCPU does not run. An interrupt that it was about to be given is still requested. */
void hvm_get_lapic(const struct vcpu *v, struct hvm_hw_lapic *l, struct hvm_hw_lapic_regs *r)
{
	const struct vlapic *a = &v->hvm->apic;
	uint64_t base = APIC_BASE_ADDR | APIC_BASE_ENABLE | APIC_BASE_X2APIC | (v->vcpu_id == 0 ? APIC_BASE_BSP : 0);

	memset(r, 0, sizeof(*r));
	*l = (struct hvm_hw_lapic){ .apic_base_msr = base, .timer_divisor = vlapic_divisor(v) };
	put(r, REG_ID, v->vcpu_id);
	put(r, REG_TPR, a->tpr);
	put(r, REG_SVR, a->svr);
	put(r, REG_ESR, a->esr);
	put(r, REG_ICR_LOW, (uint32_t)a->icr);
	put(r, REG_ICR_HIGH, (uint32_t)(a->icr >> 32));
	put(r, REG_TIMER_INIT, a->initial);
	put(r, REG_TIMER_DIVIDE, a->divide);
	for (uint32_t i = 0; i < 8; i++) {
		put(r, REG_ISR + i * STEP, a->isr[i]);
		put(r, REG_IRR + i * STEP, a->irr[i]);
	}
	for (uint32_t i = 0; i < LVT_NR; i++)
		put(r, REG_LVT + i * STEP, a->lvt[i]);
}

/* By way of the writes that a guest can make, which check; then what it cannot write. */
int hvm_set_lapic(struct vcpu *v, const struct hvm_hw_lapic_regs *r)
{
	static const uint32_t plain[] = { REG_TPR, REG_SVR, REG_TIMER_DIVIDE };
	struct vlapic *a = &v->hvm->apic;

	if (get(r, REG_ISR) & 0xffff || get(r, REG_IRR) & 0xffff)
		return -EINVAL;
	vlapic_reset(v);
	for (unsigned int i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (vlapic_write(v, plain[i] / STEP, get(r, plain[i])) != 0)
			return -EINVAL;
	for (uint32_t i = 0; i < LVT_NR; i++)
		if (vlapic_write(v, REG_LVT / STEP + i, get(r, REG_LVT + i * STEP)) != 0)
			return -EINVAL;
	for (uint32_t i = 0; i < 8; i++) {
		a->isr[i] = get(r, REG_ISR + i * STEP);
		a->irr[i] = get(r, REG_IRR + i * STEP);
	}
	a->esr = get(r, REG_ESR) & 0xff;
	return vlapic_write(v, REG_TIMER_INIT / STEP, get(r, REG_TIMER_INIT)) != 0 ? -EINVAL : 0;
}
