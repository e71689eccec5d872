/* SPDX-License-Identifier: MIT */
/* What every PVH guest begins with: version and features, parameters, CPUID, MSRs, ports, shared_info, a shutdown. */
#include "pvh.h"

const char test_name[] = "pvh-basic";

static void check_version(void)
{
	struct xen_feature_info fi = { 0 };

	EXPECT(hc_version(XENVER_version, NULL), 4 << 16 | 17);
	EXPECT(hc_version(XENVER_get_features, &fi), 0);
	CHECK(fi.submap & 1u << XENFEAT_auto_translated_physmap, "features %#x", fi.submap);
	CHECK(fi.submap & 1u << XENFEAT_hvm_callback_vector, "features %#x", fi.submap);
	EXPECT(HC(mmu_update, 0, 0, 0, 0, 0), -ENOSYS);
	EXPECT(HC(iret, 0, 0, 0, 0, 0), -ENOSYS);
	EXPECT(hypercall(~0ul, 0, 0, 0, 0, 0), -ENOSYS);
	EXPECT(hc_version(XENVER_get_features, 0x7fffffffffff), -EFAULT);
	EXPECT(hc_version(XENVER_get_features, 0x8000000000000000), -EFAULT);
	EXPECT(hc_version(XENVER_get_features, 0xffffffffffffffff), -EFAULT);
}

static void check_cpuid(void)
{
	uint32_t r[4];

	cpuid(0x40000000, 0, r);
	CHECK(r[1] == 0x566e6558 && r[0] >= 0x40000004, "no Xen: %#x %#x", r[0], r[1]);
	cpuid(0x40000004, 0, r);
	CHECK(r[0] & 8 && r[1] == 0, "leaf 4: %#x %u", r[0], r[1]);
	cpuid(1, 0, r);
	CHECK(r[2] >> 21 & 1 && r[2] >> 31, "leaf 1: %#x", r[2]);
	cpuid(0x80000001, 0, r);
	CHECK(!(r[2] & 4), "SVM is told");
	/* Prefixes do not confuse it. */
	__asm__ volatile("mov $0x40000000, %%eax; xor %%ecx, %%ecx; .byte 0x66, 0x48, 0x0f, 0xa2" : "=a"(r[0]), "=b"(r[1]) :: "rcx", "rdx");
	CHECK(r[1] == 0x566e6558, "with prefixes: %#x", r[1]);
}

static void check_msrs(void)
{
	CHECK(!(rdmsr(0xc0000080) >> 12 & 1), "EFER.SVME is seen");
	EXPECT_TRAP(13, wrmsr(0xc0000080, rdmsr(0xc0000080) | 1ul << 12));
	EXPECT_TRAP(13, (void)rdmsr(0xdeadbeef));
	EXPECT_TRAP(13, wrmsr(0xdeadbeef, 1));
	EXPECT_TRAP(13, (void)rdmsr(0xc0010117));
	CHECK(rdmsr(0x1b) == 0xfee00d00, "APIC base %#lx", rdmsr(0x1b));
	CHECK(rdmsr(X2APIC(2)) == 0, "APIC id");
	EXPECT_TRAP(13, wrmsr(X2APIC(2), 1));
	wrmsr(0xc0000102, 0x1234567890);
	CHECK(rdmsr(0xc0000102) == 0x1234567890, "KERNEL_GS_BASE");
}

static void check_ports(void)
{
	uint32_t v = 0;

	__asm__ volatile("inl %w1, %0" : "=a"(v) : "d"(0x3f8), "0"(0));
	CHECK(v == ~0u, "inl gives %#x", v);
	__asm__ volatile("inb %w1, %b0" : "=a"(v) : "d"(0x64), "0"(0x1200));
	CHECK(v == 0x12ff, "inb gives %#x", v);
	__asm__ volatile("outb %b0, %w1" :: "a"(1), "d"(0xf4));
	EXPECT_TRAP(13, __asm__ volatile("rep insb" :: "D"(&v), "c"(4), "d"(0x60) : "memory"));
}

static void check_refused(void)
{
	EXPECT_TRAP(6, __asm__ volatile("vmrun" :: "a"(0)));
	EXPECT_TRAP(6, __asm__ volatile("vmload" :: "a"(0)));
	EXPECT_TRAP(6, __asm__ volatile("vmsave" :: "a"(0)));
	EXPECT_TRAP(6, __asm__ volatile("stgi"));
	EXPECT_TRAP(6, __asm__ volatile("clgi"));
	EXPECT_TRAP(6, __asm__ volatile("mwait" :: "a"(0), "c"(0)));
	EXPECT_TRAP(13, __asm__ volatile("rdpmc" :: "c"(0) : "eax", "edx"));
	__asm__ volatile("wbinvd");
}

static uint8_t hypercall_stubs[4096] page_aligned;

static void check_hypercall_page(void)
{
	long ret;

	wrmsr(0x40000000, (uint64_t)hypercall_stubs);
	__asm__ volatile("call *%1" : "=a"(ret) : "r"(hypercall_stubs + 17 * 32), "D"(0ul), "S"(0ul) : "memory");
	CHECK(ret == (4 << 16 | 17), "the page's version call gives %ld", ret);
	EXPECT_TRAP(13, wrmsr(0x40000000, 1));
	EXPECT_TRAP(13, wrmsr(0x40000000, 0xfffffff000));
}

static void check_params(void)
{
	struct xen_hvm_param beyond = { .domid = DOMID_SELF, .index = 1000 }, others = { .domid = 0, .index = 1 };

	CHECK(hvm_param(HVM_PARAM_STORE_PFN) != ~0ul && hvm_param(HVM_PARAM_STORE_PFN), "no store");
	EXPECT(set_hvm_param(HVM_PARAM_STORE_PFN, 1), -EPERM);
	EXPECT(set_hvm_param(HVM_PARAM_CALLBACK_IRQ, 2ul << 56 | 3), -EINVAL);
	EXPECT(hc_hvm_op(HVMOP_get_param, &beyond), -EINVAL);
	EXPECT(hc_hvm_op(HVMOP_get_param, &others), -EPERM);
}

void test_main(void)
{
	check_version();
	check_cpuid();
	check_msrs();
	check_ports();
	check_refused();
	check_hypercall_page();
	check_params();
}
