/* SPDX-License-Identifier: MIT */
/*
 * The FPU. A vCPU's state is saved whenever it leaves its CPU, so it can run
 * elsewhere at once; the registers keep it, and need not be loaded again if
 * nobody else used them. All of XCR0's components are switched, whatever the
 * guest's own XCR0 says, so that no register keeps another domain's data.
 */
#include "lib/errno.h"
#include "mm/heap.h"
#include "pv/bounce.h"
#include "x86/printk.h"
#include "x86/processor.h"

struct xsave_area {
	uint16_t fcw, fsw;
	uint8_t ftw, pad0;
	uint16_t fop;
	uint64_t fip, fdp;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t regs[480];
	uint64_t xstate_bv, xcomp_bv, header[6]; /* only with XSAVE */
};
_Static_assert(offsetof(struct xsave_area, xstate_bv) == 512, "XSAVE format");

#define FCW_INIT 0x37f
#define MXCSR_INIT 0x1f80

/* Whose state the CPU's registers hold, if that vCPU says so too (fpu_cpu). */
static DEFINE_PER_CPU(const struct vcpu *, fpu_owner);

static void stts(void) { write_cr0(read_cr0() | CR0_TS); }
static void clts(void) { __asm__ volatile("clts" ::: "memory"); }

static void save(struct xsave_area *x)
{
	uint64_t m = cpu_features.xcr0;

	if (m)
		__asm__ volatile("xsave64 (%0)" :: "r"(x), "a"((uint32_t)m), "d"((uint32_t)(m >> 32)) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" :: "r"(x) : "memory");
}

/*
 * AMD's CPUs load the x87 error pointers only with an exception pending: make
 * them ours first, or a guest could read where another one computed.
 */
static void forget_error_pointers(void)
{
	static const uint32_t zero;

	if (cpu_features.vendor[0] == 'A' || cpu_features.vendor[0] == 'H')
		__asm__ volatile("fnclex; ffree %%st(7); fildl %0" :: "m"(zero));
}

static void restore(const struct xsave_area *x)
{
	uint64_t m = cpu_features.xcr0;

	forget_error_pointers();
	if (m)
		__asm__ volatile("xrstor64 (%0)" :: "r"(x), "a"((uint32_t)m), "d"((uint32_t)(m >> 32)) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" :: "r"(x) : "memory");
}

/* MXCSR bits that the CPU takes; others fault. */
static uint32_t mxcsr_valid(void)
{
	static uint32_t mask;
	static struct xsave_area probe __aligned(64);

	if (mask == 0) {
		unsigned long cr0 = read_cr0();

		clts();
		__asm__ volatile("fxsave64 (%0)" :: "r"(&probe) : "memory");
		if (cr0 & CR0_TS)
			stts();
		mask = probe.mxcsr_mask ? probe.mxcsr_mask : 0xffbf;
	}
	return mask;
}

static void set_initial(struct xsave_area *x)
{
	memset(x, 0, max(cpu_features.xsave_bytes, 512u));
	x->fcw = FCW_INIT;
	x->mxcsr = MXCSR_INIT;
}

int fpu_init_vcpu(struct vcpu *v)
{
	v->pv.xsave = xzalloc_bytes(max(cpu_features.xsave_bytes, (uint32_t)sizeof(struct xsave_area)), 64);
	if (!v->pv.xsave)
		return -ENOMEM;
	set_initial(v->pv.xsave);
	v->pv.xcr0 = cpu_features.xcr0 ? XSTATE_FP : 0;
	v->pv.fpu_cpu = 0;
	return 0;
}

void fpu_destroy_vcpu(struct vcpu *v)
{
	xfree(v->pv.xsave);
	v->pv.xsave = NULL;
}

void fpu_switch_from(struct vcpu *v)
{
	if (v->pv.cr0_guest & CR0_TS)
		clts();
	if (v->pv.xcr0 != cpu_features.xcr0)
		xsetbv(0, cpu_features.xcr0);
	save(v->pv.xsave);
}

void fpu_switch_to(struct vcpu *v)
{
	unsigned int cpu = smp_cpu();

	if (fpu_owner[cpu] != v || v->pv.fpu_cpu != cpu + 1) {
		restore(v->pv.xsave);
		fpu_owner[cpu] = v;
		v->pv.fpu_cpu = cpu + 1;
	}
	if (v->pv.xcr0 != cpu_features.xcr0)
		xsetbv(0, v->pv.xcr0);
	if (v->pv.cr0_guest & CR0_TS)
		stts();
}

void fpu_set_ts(struct vcpu *v, bool ts)
{
	if (ts) {
		v->pv.cr0_guest |= CR0_TS;
		stts();
	} else {
		v->pv.cr0_guest &= ~CR0_TS;
		clts();
	}
}

void fpu_set_legacy(struct vcpu *v, const void *fx)
{
	struct xsave_area *x = v->pv.xsave;

	set_initial(x);
	v->pv.fpu_cpu = 0;
	if (!fx)
		return;
	memcpy(x, fx, 512);
	x->mxcsr &= mxcsr_valid();
	x->mxcsr_mask = 0;
	if (cpu_features.xcr0)
		x->xstate_bv = XSTATE_FP | XSTATE_SSE;
}

/* A component that XSAVE found in its initial state is not in the area. */
void fpu_get_legacy(const struct vcpu *v, void *fx)
{
	const struct xsave_area *x = v->pv.xsave;
	struct xsave_area *o = fx;

	memset(o, 0, 512);
	o->mxcsr = x->mxcsr;
	o->fcw = FCW_INIT;
	if (!cpu_features.xcr0 || (x->xstate_bv & XSTATE_FP))
		memcpy(o, x, offsetof(struct xsave_area, mxcsr));
	if (!cpu_features.xcr0 || (x->xstate_bv & XSTATE_FP))
		memcpy(o->regs, x->regs, 128);
	if (!cpu_features.xcr0 || (x->xstate_bv & XSTATE_SSE))
		memcpy(o->regs + 128, x->regs + 128, 256);
}

static bool xcr0_valid(uint64_t xcr0)
{
	return (xcr0 & XSTATE_FP) && !(xcr0 & ~cpu_features.xcr0) && (!(xcr0 & XSTATE_AVX) || (xcr0 & XSTATE_SSE));
}

int fpu_set_xcr0(struct vcpu *v, uint64_t xcr0)
{
	if (!xcr0_valid(xcr0))
		return -EINVAL;
	v->pv.xcr0 = xcr0;
	xsetbv(0, xcr0);
	return 0;
}

/* --- the public form: XCR0, all that was ever in it, and an area as XSAVE writes it --- */

#define XSTATE_HEADER_END (512u + 64u)
#define XCOMP_COMPACTED (1ULL << 63)

/* Standard form has AVX at an offset that CPUID names; compacted has it behind the header. */
static void avx_place(uint32_t *offset, uint32_t *bytes)
{
	uint32_t c, d;

	cpuid_count(0xd, 2, bytes, offset, &c, &d);
}

uint32_t fpu_xstate_bytes(uint64_t xcr0)
{
	uint32_t offset, bytes;

	if (!(xcr0 & XSTATE_AVX))
		return XSTATE_HEADER_END;
	avx_place(&offset, &bytes);
	return offset + bytes;
}

uint64_t fpu_get_xcr0_accum(const struct vcpu *v)
{
	/* What a register's initial state says nothing of was in XCR0 for nothing. */
	return v->pv.xcr0 ? v->pv.xcr0 | (v->pv.xsave->xstate_bv & cpu_features.xcr0) : 0;
}

void fpu_get_xstate(const struct vcpu *v, void *buf)
{
	uint32_t bytes = fpu_xstate_bytes(fpu_get_xcr0_accum(v));
	struct xsave_area *o = buf;

	memcpy(o, v->pv.xsave, bytes);
	/* What is in its initial state is not in the area, which may have older contents there, or another domain's. */
	fpu_get_legacy(v, o);
	o->mxcsr_mask = mxcsr_valid();
	if (bytes > XSTATE_HEADER_END && !(o->xstate_bv & XSTATE_AVX))
		memset((char *)o + XSTATE_HEADER_END, 0, bytes - XSTATE_HEADER_END);
}

/* As XRSTOR would fault on it, and then more: in standard form, too, the rest of the header must be 0. */
static int check_area(const struct xsave_area *x, uint64_t accum)
{
	if (x->xstate_bv & ~accum)
		return -EINVAL;
	if (x->xcomp_bv && (!(x->xcomp_bv & XCOMP_COMPACTED) || (x->xcomp_bv & ~(XCOMP_COMPACTED | accum)) ||
			    (x->xstate_bv & ~x->xcomp_bv)))
		return -EINVAL;
	for (unsigned int i = 0; i < ARRAY_SIZE(x->header); i++)
		if (x->header[i])
			return -EINVAL;
	return x->mxcsr & ~mxcsr_valid() ? -EINVAL : 0;
}

static uint32_t area_bytes(const struct xsave_area *x, uint64_t accum)
{
	uint32_t offset, bytes;

	if (!(x->xcomp_bv & XCOMP_COMPACTED))
		return fpu_xstate_bytes(accum);
	if (!(x->xcomp_bv & XSTATE_AVX))
		return XSTATE_HEADER_END;
	avx_place(&offset, &bytes);
	return XSTATE_HEADER_END + bytes;
}

int fpu_set_xstate(struct vcpu *v, uint64_t xcr0, uint64_t accum, const void *area, uint64_t bytes)
{
	const struct xsave_area *x = area;
	uint32_t offset, avx_bytes;
	int ret;

	if (!cpu_features.xcr0 || !xcr0_valid(xcr0) || !xcr0_valid(accum) || (xcr0 & ~accum))
		return -EINVAL;
	if (bytes != 0) {
		if (bytes < XSTATE_HEADER_END)
			return -EINVAL;
		ret = check_area(x, accum);
		if (ret != 0)
			return ret;
		if (bytes < area_bytes(x, accum) || bytes > fpu_xstate_bytes(cpu_features.xcr0))
			return -EINVAL;
	}
	set_initial(v->pv.xsave);
	v->pv.fpu_cpu = 0;
	v->pv.xcr0 = xcr0;
	if (bytes == 0)
		return 0;
	memcpy(v->pv.xsave, x, XSTATE_HEADER_END);
	v->pv.xsave->mxcsr_mask = 0;
	v->pv.xsave->xcomp_bv = 0;
	if (x->xstate_bv & XSTATE_AVX) {
		avx_place(&offset, &avx_bytes);
		memcpy((char *)v->pv.xsave + offset,
		       (const char *)x + (x->xcomp_bv ? XSTATE_HEADER_END : offset), avx_bytes);
	}
	return 0;
}

long do_fpu_taskswitch(unsigned long set)
{
	if (is_host_domain(current->domain))
		return -EPERM;
	fpu_set_ts(current, set != 0);
	return 0;
}
