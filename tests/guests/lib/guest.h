/* SPDX-License-Identifier: MIT */
/*
 * A small kernel for tests: one file main.c a guest, with test_name and
 * test_main(). CHECK() tells what broke; the library prints the verdict as the
 * last line, the worst outcome first: FAILURE (the hypervisor is wrong), ERROR
 * (the test could not do its work), SKIP, SUCCESS.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define XEN_ERRNO(name, value) name = value,
enum {
#include <xen/errno.h>
};

#define PAGE_SIZE 4096ul
#define PAGE_SHIFT 12
#define VIRT_BASE 0xffffffff80000000ul
#define HV_START 0xffff800000000000ul /* the hypervisor's hole */
#define HV_END 0xffff880000000000ul
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define barrier() __asm__ volatile("" ::: "memory")
#define mb() __asm__ volatile("mfence" ::: "memory")
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define page_aligned __attribute__((aligned(4096)))

#define PTE_P 1ul
#define PTE_W 2ul
#define PTE_U 4ul
#define PTE_A 0x20ul
#define PTE_D 0x40ul
#define PTE_PSE 0x80ul
#define PTE_FRAME 0x000ffffffffff000ul
#define PTE_RO (PTE_P | PTE_U | PTE_A)
#define PTE_RW (PTE_RO | PTE_W | PTE_D)

/* The test's side. */
extern const char test_name[];
void test_main(void);
void test_failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void test_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void test_end(void) __attribute__((noreturn)); /* the verdict, now */
#define CHECK(cond, ...) do { if (!(cond)) test_failed(__VA_ARGS__); } while (0)
/* A hypercall that must give this result. */
#define EXPECT(call, want) do { \
	long got_ = (call), want_ = (want); \
	if (got_ != want_) \
		test_failed("line %d: %s gave %ld, not %ld", __LINE__, #call, got_, want_); \
} while (0)
#define EXPECT_ERROR(call) do { \
	long got_ = (call); \
	if (got_ >= 0) \
		test_failed("line %d: %s gave %ld, not an error", __LINE__, #call, got_); \
} while (0)
void printk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *buf, size_t size, const char *fmt, __builtin_va_list ap);

extern struct start_info *start_info;
/* A page of ours that the real one is mapped over. */
extern union shared_page { struct shared_info info; uint8_t bytes[PAGE_SIZE]; } shared;
static inline struct vcpu_info *my_vcpu_info(void) { return &shared.info.vcpu_info[0]; }

/* Traps. */
struct regs {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error_code, rip, cs, rflags, rsp, ss;
};
#define VEC_EVENT 0x100
#define VEC_FAILSAFE 0x101
#define VEC_SYSCALL 0x102
#define NO_TRAP (-1)
struct jmpbuf { uint64_t r[8]; };
int guest_setjmp(struct jmpbuf *) __attribute__((returns_twice));
void guest_longjmp(struct jmpbuf *) __attribute__((noreturn));
struct caught { int vector; uint64_t error_code, rip, cs, cr2; struct regs regs; };
extern struct caught caught;
extern struct jmpbuf trap_jmp;
extern volatile bool trap_catching;
extern volatile uint32_t event_count;
extern void (*event_hook)(void);
/* Runs a statement; then caught.vector is the trap it took, or NO_TRAP. */
#define CATCH(...) do { \
	caught.vector = NO_TRAP; \
	trap_catching = true; \
	barrier(); \
	if (guest_setjmp(&trap_jmp) == 0) { __VA_ARGS__; } \
	barrier(); \
	trap_catching = false; \
} while (0)
/* The statement must take this trap. */
#define EXPECT_TRAP(vec, ...) do { \
	CATCH(__VA_ARGS__); \
	if (caught.vector != (vec)) \
		test_failed("line %d: %s: trap %d, not %d", __LINE__, #__VA_ARGS__, caught.vector, (vec)); \
} while (0)
void trap_setup(uint8_t int80_dpl);
extern char trap_stubs[], event_callback[], failsafe_callback[], syscall_callback[], secondary_start[], hypercall_page[];
void enter_user(uint64_t rip, uint64_t rsp);

/*
 * The second vCPU. A guest that uses it defines secondary_main, which ends in
 * secondary_end. start_secondary: -ENOENT where there is one vCPU alone.
 */
void secondary_main(uint64_t arg);
void secondary_end(void) __attribute__((noreturn));
void secondary_context(struct vcpu_guest_context *c, uint64_t arg);
long start_secondary(uint64_t arg);
void stop_secondary(void); /* waits until it is down */
extern volatile bool secondary_stop; /* secondary_main looks at it */
/* On the second vCPU: a store that may fault and is then left out. */
void secondary_store(volatile uint64_t *p, uint64_t v);
extern volatile uint64_t secondary_fixup;
/*
 * In a loop that waits for the other vCPU: once it has taken long, asleep for a moment.
 * On a host with fewer CPUs than the node the other one has no CPU while we spin.
 */
void spin_or_nap(unsigned int *spins);
extern uint64_t secondary_stack[1024];

/* Memory. A virtual address of the image or the initial mapping as machine frame, and back. */
uint64_t va_to_mfn(const void *va);
static inline uint64_t va_to_ma(const void *va) { return va_to_mfn(va) << PAGE_SHIFT | ((uint64_t)va & 4095); }
void *mfn_to_va(uint64_t mfn);
uint64_t mfn_to_pfn(uint64_t mfn); /* by the machine-to-physical table */
/* The entry that maps va at a level (1: the page's own), in the initial tables. NULL: a level above is absent. */
uint64_t *pte_of(const void *va, int level);
uint64_t l4_mfn(void);
long map_page(void *va, uint64_t pte);      /* update_va_mapping, with INVLPG */
domid_t own_domid(void);                    /* a port of its own says whose it is; it stays allocated */
long set_pte(uint64_t *entry, uint64_t val); /* one mmu_update */

/* Hypercalls, made with the instruction itself. */
#ifdef PVH_GUEST
#define HYPERCALL_INSN "vmmcall"
#else
#define HYPERCALL_INSN "syscall"
#endif
static inline long hypercall(unsigned long nr, unsigned long a1, unsigned long a2, unsigned long a3,
			     unsigned long a4, unsigned long a5)
{
	register unsigned long r10 __asm__("r10") = a4;
	register unsigned long r8 __asm__("r8") = a5;
	long ret;

	__asm__ volatile(HYPERCALL_INSN
			 : "=a"(ret), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
			 : "0"(nr)
			 : "rcx", "r11", "memory");
	return ret;
}
#define HC(name, a1, a2, a3, a4, a5) \
	hypercall(__HYPERVISOR_##name, (unsigned long)(a1), (unsigned long)(a2), (unsigned long)(a3), \
		  (unsigned long)(a4), (unsigned long)(a5))
#define hc_set_trap_table(t) HC(set_trap_table, t, 0, 0, 0, 0)
#define hc_mmu_update(u, n, done, dom) HC(mmu_update, u, n, done, dom, 0)
#define hc_mmuext_op(u, n, done, dom) HC(mmuext_op, u, n, done, dom, 0)
#define hc_update_va_mapping(va, pte, fl) HC(update_va_mapping, va, pte, fl, 0, 0)
#define hc_set_gdt(frames, n) HC(set_gdt, frames, n, 0, 0, 0)
#define hc_update_descriptor(ma, d) HC(update_descriptor, ma, d, 0, 0, 0)
#define hc_stack_switch(ss, sp) HC(stack_switch, ss, sp, 0, 0, 0)
#define hc_memory_op(cmd, a) HC(memory_op, cmd, a, 0, 0, 0)
#define hc_multicall(c, n) HC(multicall, c, n, 0, 0, 0)
#define hc_set_timer(t) HC(set_timer_op, t, 0, 0, 0, 0)
#define hc_version(cmd, a) HC(xen_version, cmd, a, 0, 0, 0)
#define hc_console_io(cmd, n, b) HC(console_io, cmd, n, b, 0, 0)
#define hc_grant_table_op(cmd, a, n) HC(grant_table_op, cmd, a, n, 0, 0)
#define hc_vcpu_op(cmd, v, a) HC(vcpu_op, cmd, v, a, 0, 0)
#define hc_sched_op(cmd, a) HC(sched_op, cmd, a, 0, 0, 0)
#define hc_callback_op(cmd, a) HC(callback_op, cmd, a, 0, 0, 0)
#define hc_event_channel_op(cmd, a) HC(event_channel_op, cmd, a, 0, 0, 0)
#define hc_vm_assist(cmd, t) HC(vm_assist, cmd, t, 0, 0, 0)
#define hc_set_segment_base(w, b) HC(set_segment_base, w, b, 0, 0, 0)
#define hc_set_debugreg(r, v) HC(set_debugreg, r, v, 0, 0, 0)
#define hc_get_debugreg(r) HC(get_debugreg, r, 0, 0, 0, 0)
#define hc_fpu_taskswitch(s) HC(fpu_taskswitch, s, 0, 0, 0, 0)

void console_write(const char *s, size_t n);
void *memcpy(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
size_t strlen(const char *);
int strncmp(const char *, const char *, size_t);

#endif
