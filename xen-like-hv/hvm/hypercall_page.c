/* SPDX-License-Identifier: MIT */
#include "domain/dirty_log.h"
#include "hvm/private.h"
#include "lib/errno.h"
#include "p2m/p2m.h"
#include "pv/mmu.h"
#include "x86/page.h"
#include "x86/printk.h"

#define ENTRY_SIZE 32u

static void fill(uint8_t *page)
{
	static const uint8_t stub[] = {
		0xb8, 0, 0, 0, 0, /* mov $number, %eax */
		0x0f, 0x01, 0xd9, /* vmmcall */
		0xc3,             /* ret */
	};

	memset(page, 0xcc, PAGE_SIZE);
	for (unsigned int nr = 0; nr < PAGE_SIZE / ENTRY_SIZE; nr++) {
		memcpy(page + nr * ENTRY_SIZE, stub, sizeof(stub));
		page[nr * ENTRY_SIZE + 1] = (uint8_t)nr;
	}
	/* There is no such call here. */
	page[__HYPERVISOR_iret * ENTRY_SIZE] = 0x0f;
	page[__HYPERVISOR_iret * ENTRY_SIZE + 1] = 0x0b;
}

/* The guest's frame number in the upper bits, which page of one in the lower 12. */
int hvm_write_hypercall_page(struct vcpu *v, uint64_t val)
{
	struct page_info *pg;

	if (val & ~PAGE_MASK)
		return -EPERM;
	pg = p2m_get_page(v->domain, val >> PAGE_SHIFT, true);
	if (pg == NULL)
		return -EPERM;
	fill(page_to_virt(pg));
	page_written(v->domain, pg);
	put_page_and_type(pg);
	return 0;
}
