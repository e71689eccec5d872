/* SPDX-License-Identifier: MIT */
#include "pv/trap.h"
#include "x86/printk.h"

#define ENTRY_SIZE 32

/*
 * 128 stubs: call page + number * 32. The one for iret builds the head of
 * struct iret_context, and never returns.
 */
void pv_fill_hypercall_page(void *page)
{
	static const uint8_t plain[] = {
		0x51,             /* push %rcx */
		0x41, 0x53,       /* push %r11 */
		0xb8, 0, 0, 0, 0, /* mov $number, %eax */
		0x0f, 0x05,       /* syscall */
		0x41, 0x5b,       /* pop %r11 */
		0x59,             /* pop %rcx */
		0xc3,             /* ret */
	};
	static const uint8_t iret[] = {
		0x51,                                /* push %rcx */
		0x41, 0x53,                          /* push %r11 */
		0x50,                                /* push %rax */
		0xb8, __HYPERVISOR_iret, 0, 0, 0,    /* mov $number, %eax */
		0x0f, 0x05,                          /* syscall */
	};
	uint8_t *p = page;

	memset(page, 0xcc, PAGE_SIZE);
	for (unsigned int nr = 0; nr < PAGE_SIZE / ENTRY_SIZE; nr++, p += ENTRY_SIZE) {
		memcpy(p, plain, sizeof(plain));
		p[4] = (uint8_t)nr;
	}
	p = (uint8_t *)page + __HYPERVISOR_iret * ENTRY_SIZE;
	memset(p, 0xcc, ENTRY_SIZE);
	memcpy(p, iret, sizeof(iret));
}
