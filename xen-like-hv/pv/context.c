/* SPDX-License-Identifier: MIT */
/* A vCPU's CPU state: between the CPU and struct vcpu, and in the public form. */
#include "lib/errno.h"
#include "mm/heap.h"
#include "pv/bounce.h"
#include "pv/mmu_private.h"
#include "x86/extable.h"
#include "x86/msr.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/smap.h"

#define NR_TRAPS 256u
#define LDT_MAX_ENTRIES 8192u

/* What this CPU's TSC_AUX holds. */
static DEFINE_PER_CPU(uint64_t, tsc_aux_loaded);

/* --- the context switch, interrupts off --- */

static void save_selectors(struct vcpu *v)
{
	__asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
			 : "=m"(v->pv.ds), "=m"(v->pv.es), "=m"(v->pv.fs), "=m"(v->pv.gs));
}

/* Null over null needs no load, and is the usual case. false: the descriptor is not good, null was loaded. */
#define LOAD_SELECTOR(name, sel, ret) do { \
	uint32_t s_ = (sel), now_, bad_ = 0; \
	__asm__ volatile("mov %%" name ", %0" : "=r"(now_)); \
	if ((s_ | now_) & 0xfffc) \
		__asm__ volatile(SMAP_OPEN \
				 "1:	mov %1, %%" name "\n" \
				 "2:	" SMAP_CLOSE "\n" \
				 "	.pushsection .fixup, \"ax\", @progbits\n" \
				 "3:	xor %1, %1\n" \
				 "	inc %0\n" \
				 "	jmp 1b\n" \
				 "	.popsection\n" \
				 EXTABLE(1b, 3b) \
				 : "+r"(bad_), "+r"(s_) :: "memory"); \
	if (bad_) \
		(ret) = false; \
} while (0)

/* Before the bases: a load of fs or gs sets its base. */
static void load_selectors(struct vcpu *v)
{
	bool ok = true;

	LOAD_SELECTOR("ds", v->pv.ds, ok);
	LOAD_SELECTOR("es", v->pv.es, ok);
	LOAD_SELECTOR("fs", v->pv.fs, ok);
	LOAD_SELECTOR("gs", v->pv.gs, ok);
	if (!ok)
		__atomic_or_fetch(&v->pv.nmi_pending, PENDING_FAILSAFE, __ATOMIC_SEQ_CST);
}

static void save_bases(struct vcpu *v)
{
	uint64_t fs, gs, other = rdmsr(MSR_KERNEL_GS_BASE);

	if (likely(cpu_fsgsbase_works())) {
		__asm__ volatile("rdfsbase %0; rdgsbase %1" : "=r"(fs), "=r"(gs));
	} else {
		fs = rdmsr(MSR_FS_BASE);
		gs = rdmsr(MSR_GS_BASE);
	}
	v->pv.fs_base = fs;
	v->pv.gs_base_kernel = v->pv.kernel_mode ? gs : other;
	v->pv.gs_base_user = v->pv.kernel_mode ? other : gs;
}

static void load_bases(const struct vcpu *v)
{
	uint64_t gs = v->pv.kernel_mode ? v->pv.gs_base_kernel : v->pv.gs_base_user;

	if (likely(cpu_fsgsbase_works())) {
		__asm__ volatile("wrfsbase %0; wrgsbase %1" :: "r"(v->pv.fs_base), "r"(gs));
	} else {
		wrmsr(MSR_FS_BASE, v->pv.fs_base);
		wrmsr(MSR_GS_BASE, gs);
	}
	wrmsr(MSR_KERNEL_GS_BASE, v->pv.kernel_mode ? v->pv.gs_base_user : v->pv.gs_base_kernel);
}

void pv_ctxt_switch_from(struct vcpu *v)
{
	if (is_idle_vcpu(v))
		return;
	save_selectors(v);
	save_bases(v);
	pv_mmu_switch_from(v);
	debugreg_switch_from(v);
	fpu_switch_from(v);
}

void cpu_set_tsc_aux(uint64_t val)
{
	if (this_cpu(tsc_aux_loaded) == val)
		return;
	this_cpu(tsc_aux_loaded) = val;
	wrmsr(MSR_TSC_AUX, val);
}

/* v's root and descriptor tables are loaded already. */
void pv_ctxt_switch_to(struct vcpu *v)
{
	if (is_idle_vcpu(v))
		return;
	load_selectors(v);
	cpu_load_cr4(pv_hardware_cr4(v));
	load_bases(v);
	debugreg_switch_to(v);
	fpu_switch_to(v);
	if (cpu_features.rdtscp)
		cpu_set_tsc_aux(v->pv.tsc_aux);
	pv_update_fast_paths();
}

/*
 * A fault of ours on a guest's address. If the kernel runs on the opened user
 * root, the CPU may remember an upper-level entry from before: load its own
 * root and try again, once. Interrupts off.
 */
bool pv_retry_guest_access(void)
{
	struct vcpu *v = current;

	if (!v->pv.root_opened)
		return false;
	root_leave_opened(v);
	return true;
}

/* --- creation --- */

int pv_init_vcpu(struct vcpu *v)
{
	int ret;

	v->pv.traps = xzalloc_array(struct trap_info, NR_TRAPS);
	if (!v->pv.traps)
		return -ENOMEM;
	ret = fpu_init_vcpu(v);
	if (ret != 0)
		goto free_traps;
	ret = pv_root_init_vcpu(v);
	if (ret != 0)
		goto free_fpu;
	v->pv.kernel_mode = 1;
	v->pv.cr0_guest = CR0_GUEST;
	v->pv.cr4_guest = pv_fix_cr4(v, 0);
	v->pv.dr6 = DR6_INIT;
	v->pv.dr7 = DR7_INIT;
	return 0;

free_fpu:
	fpu_destroy_vcpu(v);
free_traps:
	xfree(v->pv.traps);
	v->pv.traps = NULL;
	return ret;
}

void pv_destroy_vcpu(struct vcpu *v)
{
	pv_root_destroy_vcpu(v);
	fpu_destroy_vcpu(v);
	xfree(v->pv.traps);
	v->pv.traps = NULL;
}

/* --- the public form --- */

static int check_context(const struct vcpu_guest_context *c)
{
	const uint64_t addresses[] = {
		c->event_callback_eip, c->failsafe_callback_eip, c->syscall_callback_eip, c->kernel_sp,
		c->fs_base, c->gs_base_kernel, c->gs_base_user, c->user_regs.rip,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(addresses); i++)
		if (!is_canonical(addresses[i]))
			return -EINVAL;
	for (unsigned int i = 0; i < NR_TRAPS; i++)
		if (!is_canonical(c->trap_ctxt[i].address))
			return -EINVAL;
	if (c->gdt_ents > GDT_GUEST_PAGES * 512 || c->ldt_ents > LDT_MAX_ENTRIES)
		return -EINVAL;
	if (c->ldt_ents && (c->ldt_base & ~PAGE_MASK || !guest_range_ok(c->ldt_base, c->ldt_ents * 8)))
		return -EINVAL;
	return 0;
}

static int set_debugregs(struct vcpu *v, const struct vcpu_guest_context *c)
{
	int ret;

	for (unsigned int i = 0; i < 8; i++) {
		if (i == 4 || i == 5)
			continue;
		ret = pv_set_debugreg(v, i, c->debugreg[i]);
		if (ret != 0)
			return -EINVAL;
	}
	return 0;
}

/* Taken over only once everything that can fail is done: a failed call leaves the registers as they were. */
static void set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
	const struct cpu_user_regs *r = &c->user_regs;

	v->regs = *r;
	v->regs.error_code = 0;
	v->regs.entry_vector = 0;
	v->regs.cs = (uint16_t)(r->cs | 3);
	v->regs.ss = (uint16_t)(r->ss | 3);
	v->regs.saved_upcall_mask = 0;
	v->regs.rflags = (r->rflags & FLAGS_GUEST) | FLAGS_IF | 2;
	v->pv.iopl = r->rflags >> 12 & 3;
	v->pv.ds = fix_selector(r->ds);
	v->pv.es = fix_selector(r->es);
	v->pv.fs = fix_selector(r->fs);
	v->pv.gs = fix_selector(r->gs);
	v->pv.fs_base = c->fs_base;
	v->pv.gs_base_kernel = c->gs_base_kernel;
	v->pv.gs_base_user = c->gs_base_user;
	v->pv.kernel_mode = c->flags & VGCF_in_kernel ? 1 : 0;
	v->pv.cr0_guest = CR0_GUEST | (c->ctrlreg[0] & CR0_TS);
	v->pv.cr4_guest = pv_fix_cr4(v, c->ctrlreg[4]);
	v->pv.in_nmi = 0;
	fpu_set_legacy(v, c->flags & VGCF_i387_valid ? &c->fpu_ctxt : NULL);
}

static void set_handlers(struct vcpu *v, const struct vcpu_guest_context *c)
{
	memcpy(v->pv.traps, c->trap_ctxt, sizeof(c->trap_ctxt));
	v->pv.event_cb = c->event_callback_eip;
	v->pv.failsafe_cb = c->failsafe_callback_eip;
	v->pv.failsafe_mask_events = c->flags & VGCF_failsafe_disables_events ? 1 : 0;
	v->pv.syscall_cb = c->syscall_callback_eip;
	v->pv.syscall_mask_events = c->flags & VGCF_syscall_disables_events ? 1 : 0;
	v->pv.kernel_sp = c->kernel_sp & ~15UL;
	v->pv.kernel_ss = fix_selector(c->kernel_ss);
	if (v->vcpu_id == 0)
		vm_assist_set(v->domain, c->vm_assist);
}

/*
 * v is paused or was never started; nobody else sets it at the same time. Each
 * step may be done again: -ERESTART_HC asks for the same call once more.
 */
int pv_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
	int ret = check_context(c);

	if (ret == 0)
		ret = set_debugregs(v, c);
	if (ret == 0)
		ret = pv_set_gdt(v, c->gdt_frames, (unsigned int)c->gdt_ents);
	if (ret == 0)
		ret = pv_set_ldt(v, c->ldt_base, c->ldt_ents);
	if (ret == 0)
		ret = pv_set_base(v, mfn(xen_cr3_to_pfn(c->ctrlreg[3])), false, true);
	if (ret == 0)
		ret = pv_set_base(v, mfn(xen_cr3_to_pfn(c->ctrlreg[1])), true, true);
	if (ret != 0)
		return ret == -ERESTART_HC ? ret : -EINVAL;
	set_handlers(v, c);
	set_registers(v, c);
	/* Another vCPU may be about to bring it up: after all the rest. */
	__atomic_store_n(&v->is_initialised, true, __ATOMIC_RELEASE);
	return 0;
}

static uint64_t base_cr3(const struct page_info *pg)
{
	return pg ? xen_pfn_to_cr3(page_to_mfn(pg).m) : 0;
}

static void get_registers(const struct vcpu *v, struct vcpu_guest_context *c)
{
	struct cpu_user_regs *r = &c->user_regs;

	*r = v->regs;
	r->error_code = 0;
	r->entry_vector = 0;
	if (v->pv.kernel_mode)
		r->cs &= 0xfffc;
	r->saved_upcall_mask = v->vcpu_info->evtchn_upcall_mask;
	r->rflags = (r->rflags & ~(FLAGS_IOPL | FLAGS_IF)) | (uint64_t)v->pv.iopl << 12 |
		    (r->saved_upcall_mask ? 0 : FLAGS_IF);
	r->ds = v->pv.ds;
	r->es = v->pv.es;
	r->fs = v->pv.fs;
	r->gs = v->pv.gs;
	c->fs_base = v->pv.fs_base;
	c->gs_base_kernel = v->pv.gs_base_kernel;
	c->gs_base_user = v->pv.gs_base_user;
	c->ctrlreg[0] = v->pv.cr0_guest;
	c->ctrlreg[1] = base_cr3(v->pv.user_base);
	c->ctrlreg[2] = v->vcpu_info->arch.cr2;
	c->ctrlreg[3] = base_cr3(v->pv.base);
	c->ctrlreg[4] = v->pv.cr4_guest;
	for (unsigned int i = 0; i < 4; i++)
		c->debugreg[i] = v->pv.dr[i];
	c->debugreg[6] = v->pv.dr6;
	c->debugreg[7] = v->pv.dr7;
	fpu_get_legacy(v, &c->fpu_ctxt);
}

void pv_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
	memset(c, 0, sizeof(*c));
	c->flags = VGCF_i387_valid;
	if (v->pv.kernel_mode)
		c->flags |= VGCF_in_kernel;
	if (v->pv.failsafe_mask_events)
		c->flags |= VGCF_failsafe_disables_events;
	if (v->pv.syscall_mask_events)
		c->flags |= VGCF_syscall_disables_events;
	if (!(v->pause_flags & VPF_down))
		c->flags |= VGCF_online;
	get_registers(v, c);
	memcpy(c->trap_ctxt, v->pv.traps, sizeof(c->trap_ctxt));
	c->ldt_base = v->pv.ldt_base;
	c->ldt_ents = v->pv.ldt_entries;
	memcpy(c->gdt_frames, v->pv.gdt_frames, sizeof(v->pv.gdt_frames));
	c->gdt_ents = v->pv.gdt_entries;
	c->kernel_ss = v->pv.kernel_ss;
	c->kernel_sp = v->pv.kernel_sp;
	c->event_callback_eip = v->pv.event_cb;
	c->failsafe_callback_eip = v->pv.failsafe_cb;
	c->syscall_callback_eip = v->pv.syscall_cb;
	c->vm_assist = v->domain->pv.vm_assist;
}
