/* SPDX-License-Identifier: MIT */
/* SVM on this machine's CPUs: is it there, and what each CPU keeps for it. */
#include "hvm/private.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "x86/desc.h"
#include "x86/msr.h"
#include "x86/page.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/traps.h"

#define CPUID_SVM_LEAF 0x8000000au
#define SVM_NPT (1u << 0)
#define SVM_NRIP (1u << 3)
#define VM_CR_SVMDIS (1UL << 4)

/* All ports and MSRs end a guest's turn, but for the registers that VMLOAD and VMSAVE switch. */
uint8_t svm_iopm[3 * 4096] __aligned(4096);
uint8_t svm_msrpm[2 * 4096] __aligned(4096);

static bool usable[NR_CPUS], nrip;
static paddr_t host_vmcb[NR_CPUS];
static struct desc_ptr host_idtr;
static uint64_t own_idt[256][2] __aligned(16);

bool svm_has_nrip(void)
{
	return nrip;
}

paddr_t svm_host_vmcb(void)
{
	return this_cpu(host_vmcb);
}

static bool probe(void)
{
	uint32_t a, b, c, d;
	uint64_t vm_cr = 0;

	if (cpu_features.max_ext_leaf < CPUID_SVM_LEAF)
		return false;
	cpuid_count(0x80000001u, 0, &a, &b, &c, &d);
	if (!(c & 4))
		return false;
	cpuid_count(CPUID_SVM_LEAF, 0, &a, &b, &c, &d);
	if (!(d & SVM_NPT) || b < 2)
		return false;
	nrip = d & SVM_NRIP;
	return rdmsr_safe(MSR_VM_CR, &vm_cr) != 0 || !(vm_cr & VM_CR_SVMDIS);
}

/*
 * Right behind VMRUN the task register is the guest's, and so would be every stack that an interrupt stack table
 * names. All that can come there is a debug exception: QEMU raises one late, for a watchpoint that the guest's last instruction hit before
 * it faulted. It stays on the stack that is in use, which VMRUN brings back: with such a vCPU in the CPU it is always ours.
 */
static void fill_idt(void)
{
	__asm__ volatile("sidt %0" : "=m"(host_idtr));
	memcpy(own_idt, (const void *)host_idtr.base, sizeof(own_idt));
	own_idt[TRAP_debug][0] &= ~(7UL << 32);
}

void svm_idt_load(bool own)
{
	struct desc_ptr p = { sizeof(own_idt) - 1, own ? (uint64_t)own_idt : host_idtr.base };

	__asm__ volatile("lidt %0" :: "m"(p) : "memory");
}

static void msr_passes(uint32_t msr)
{
	uint32_t bit = msr < 0x2000 ? msr * 2 : (0x2000 + (msr & 0x1fff)) * 2;

	svm_msrpm[bit / 8] &= (uint8_t)~(3u << bit % 8);
}

static void fill_maps(void)
{
	static const uint32_t own[] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR, MSR_LSTAR, MSR_CSTAR,
					MSR_SFMASK, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE };

	memset(svm_iopm, 0xff, sizeof(svm_iopm));
	memset(svm_msrpm, 0xff, sizeof(svm_msrpm));
	for (unsigned int i = 0; i < ARRAY_SIZE(own); i++)
		msr_passes(own[i]);
}

/*
 * What VMSAVE finds now is what the hypervisor needs while it runs: its TR, no LDT,
 * flat FS and GS, and where system calls of PV guests go.
 */
static void save_host_state(paddr_t vmcb)
{
	uint64_t efer = rdmsr(MSR_EFER);

	wrmsr(MSR_EFER, efer | EFER_SVME);
	__asm__ volatile("vmsave %0" :: "a"(vmcb) : "memory");
	wrmsr(MSR_EFER, efer);
}

void hvm_init_cpu(void)
{
	void *hsave, *host;

	if (!probe())
		return;
	hsave = alloc_hv_page();
	host = alloc_hv_page();
	if (!hsave || !host)
		return;
	if (smp_cpu() == 0) {
		fill_maps();
		fill_idt();
	}
	if (wrmsr_safe(MSR_VM_HSAVE_PA, virt_to_paddr(hsave)) != 0)
		return;
	this_cpu(host_vmcb) = virt_to_paddr(host);
	save_host_state(virt_to_paddr(host));
	usable[smp_cpu()] = true;
}

bool hvm_available(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (!usable[cpu])
			return false;
	return true;
}
