/* SPDX-License-Identifier: MIT */
/* The local APIC in the public form (hvm/save.h). */
#include "hvm/private.h"
#include "lib/errno.h"
#include "lib/string.h"
#include <xen/hvm/save.h>

#define STEP 0x10u /* between registers, where they are mapped */

static void put(struct hvm_hw_lapic_regs *r, uint32_t reg, uint32_t val)
{
	memcpy(r->data + reg * STEP, &val, sizeof(val));
}

static uint32_t get(const struct hvm_hw_lapic_regs *r, uint32_t reg)
{
	uint32_t val;

	memcpy(&val, r->data + reg * STEP, sizeof(val));
	return val;
}

/* The vCPU does not run. An interrupt that it was about to be given is still requested. */
void hvm_get_lapic(const struct vcpu *v, struct hvm_hw_lapic *l, struct hvm_hw_lapic_regs *r)
{
	const struct vlapic *a = &v->hvm->apic;
	uint64_t left = 0;

	memset(r, 0, sizeof(*r));
	*l = (struct hvm_hw_lapic){ .apic_base_msr = vlapic_base(v), .timer_divisor = vlapic_divisor(v) };
	put(r, APIC_ID, v->vcpu_id);
	put(r, APIC_TPR, a->tpr);
	put(r, APIC_SVR, a->svr);
	put(r, APIC_ESR, a->esr);
	put(r, APIC_ICR, (uint32_t)a->icr);
	put(r, APIC_ICR_HIGH, (uint32_t)(a->icr >> 32));
	(void)vlapic_read(v, APIC_TIMER_NOW, &left);
	put(r, APIC_TIMER_INIT, a->initial);
	put(r, APIC_TIMER_NOW, (uint32_t)left);
	put(r, APIC_TIMER_DIVIDE, a->divide);
	for (uint32_t i = 0; i < 8; i++) {
		put(r, APIC_ISR + i, a->isr[i]);
		put(r, APIC_IRR + i, a->irr[i]);
	}
	for (uint32_t i = 0; i < LVT_NR; i++)
		put(r, APIC_LVT + i, a->lvt[i]);
}

/* By way of the writes that a guest can make, which check; then what it cannot write. */
int hvm_set_lapic(struct vcpu *v, const struct hvm_hw_lapic_regs *r)
{
	static const uint32_t plain[] = { APIC_TPR, APIC_SVR, APIC_TIMER_DIVIDE };
	struct vlapic *a = &v->hvm->apic;

	if (get(r, APIC_ISR) & 0xffff || get(r, APIC_IRR) & 0xffff)
		return -EINVAL;
	vlapic_reset(v);
	for (unsigned int i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (vlapic_write(v, plain[i], get(r, plain[i])) != 0)
			return -EINVAL;
	for (uint32_t i = 0; i < LVT_NR; i++)
		if (vlapic_write(v, APIC_LVT + i, get(r, APIC_LVT + i)) != 0)
			return -EINVAL;
	for (uint32_t i = 0; i < 8; i++) {
		a->isr[i] = get(r, APIC_ISR + i);
		a->irr[i] = get(r, APIC_IRR + i);
	}
	a->esr = get(r, APIC_ESR) & 0xff;
	a->icr = (get(r, APIC_ICR) | (uint64_t)get(r, APIC_ICR_HIGH) << 32) & ICR_VALID;
	vlapic_set_timer(v, get(r, APIC_TIMER_INIT), get(r, APIC_TIMER_NOW));
	return 0;
}

int hvm_check_lapic(const struct vcpu *v, const struct hvm_hw_lapic *l)
{
	return l->apic_base_msr == vlapic_base(v) && l->disabled == 0 && l->tdt_msr == 0 ? 0 : -EINVAL;
}
