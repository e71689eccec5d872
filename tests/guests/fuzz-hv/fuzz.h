/* SPDX-License-Identifier: MIT */
/*
 * The hypercall fuzzer. Several vCPUs make random sequences of calls, each on
 * frames of three kinds:
 *
 *   its own     no other vCPU touches them, so a model (model.c) knows their
 *               types, counts and contents, and what every call must answer
 *   watched     shared by all; whoever got a use that excludes others says so,
 *               and whoever gets an excluded one meanwhile has found a fault
 *   wild        shared by all, nothing is said about results
 *
 * What the hypervisor makes of it is looked at from outside: debug key t.
 *
 * Step N of vCPU V draws its numbers from seed, V and N alone: a seed repeats
 * each vCPU's sequence, whatever the others do meanwhile.
 */
#ifndef FUZZ_H
#define FUZZ_H
#include "guest.h"

#define FUZZERS 3u          /* they go through the steps together */
#define VCPUS 8u            /* the others come up, do a little, and go down */
#define ROUND 512u         /* steps between two meetings */
#define STACK_SIZE 32768ul

#define OWN 16u             /* frames of a fuzzer's own; the first two can be its root */
#define WINDOWS 8u          /* pages at which it maps them */
#define WATCHED 8u
#define WATCH_WINDOWS 4u
#define WILD 24u
#define WILD_WINDOWS 8u
#define LOOSE 6u            /* frames that come and go */
#define REFS 8u             /* grants of its own */
#define HANDLES 12u
#define FIRST_REF 16u       /* those below are the tools' */
#define REFS_EACH 16u
#define WILD_REF (FIRST_REF + FUZZERS * REFS_EACH)

enum { T_NONE, T_L1, T_L2, T_L3, T_L4, T_DESC, T_WRITABLE = 7 };

#define PTE_AD (PTE_A | PTE_D)
#define PTE_NX (1ul << 63)
#define L1_KNOWN (0xffful | PTE_FRAME | 0x7ful << 52 | PTE_NX)
#define L1_STRIP 0x198ul     /* PWT, PCD, PAT, G */
#define LN_KNOWN (L1_KNOWN & ~PTE_PSE)
#define LN_STRIP 0x118ul

/* A frame of a fuzzer's own, as the model has it. */
struct frame {
	uint64_t mfn;
	const volatile uint64_t *ro; /* a read-only mapping that is always there */
	uint32_t type, count;
	bool pinned;
	uint64_t word[512];          /* what it holds; of present entries all but A and D */
};

struct window { struct frame *f; bool w; }; /* f NULL: nothing there */
struct ref { struct frame *f; bool ro; uint32_t users; };
struct handle { bool used, host, device, ro, pte; uint32_t nr, ref; };

struct kind { const char *what; uint64_t good, bad; };
#define KINDS 64u
struct wild_handle { bool used, ro, pte; uint32_t nr; uint64_t mfn; };

struct fuzzer {
	uint32_t id;
	uint64_t rng, step, calls, events;
	const char *what;
	/* traps */
	volatile bool catching;
	struct jmpbuf jmp;
	volatile int vector;
	uint64_t cr2;
	/* the model */
	struct frame own[OWN], kernel_l3;
	struct window win[WINDOWS];
	struct frame *base, *user_base;  /* NULL: the initial one; none */
	struct frame *gdt[14];
	uint32_t gdt_pages;
	struct frame *ldt;               /* mapped */
	int ldt_window;                  /* -1: no LDT */
	struct ref ref[REFS];
	struct handle handle[HANDLES];
	struct wild_handle wild_handle[HANDLES];
	/* watched frames: what the windows map, which pins are its own */
	int watch_win[WATCH_WINDOWS];    /* -1 */
	bool watch_pin[WATCHED];
	uint64_t watch_copy[WATCHED][512];
	/* frames that come and go: 0 is gone */
	uint64_t loose[LOOSE], tag[LOOSE];
	struct kind kinds[KINDS];
	/* arguments */
	uint64_t arg[64], list[64];
	struct multicall_entry mc[4];
};
extern struct fuzzer fuzzers[VCPUS];
extern uint64_t seed, kernel_l4_entry;
extern uint16_t self_id, peer_id;
extern volatile bool fuzz_stop;

/* main.c */
uint64_t rnd(struct fuzzer *z);
static inline uint64_t below(struct fuzzer *z, uint64_t n) { return rnd(z) % n; }
static inline bool one_in(struct fuzzer *z, uint64_t n) { return rnd(z) % n == 0; }
void finding(struct fuzzer *z, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The hypercall, now and then as one of a multicall. */
long call(struct fuzzer *z, unsigned long nr, unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4);
#define CALL(name, a1, a2, a3, a4) \
	call(z, __HYPERVISOR_##name, (unsigned long)(a1), (unsigned long)(a2), (unsigned long)(a3), (unsigned long)(a4))
long mmuext(struct fuzzer *z, unsigned int cmd, uint64_t a1, uint64_t a2);
long set_va(struct fuzzer *z, const volatile void *va, uint64_t pte, unsigned long flags);
unsigned long any_flush(struct fuzzer *z); /* of the address, on this CPU at least */
/* Did it do what the model says? */
void expect(struct fuzzer *z, long rc, bool good);
/* One extent, of the number in z->list[0]; in z->arg, as the first half of an exchange as well. */
struct xen_memory_reservation *reservation(struct fuzzer *z, uint64_t frame);
static inline struct vcpu_info *info_of(const struct fuzzer *z) { return &shared.info.vcpu_info[z->id]; }
uint64_t now_ns(void);
/* An address of the image whose own frame is not mapped any more: a place to map at, or the frame alone. */
uint64_t detach(const void *page);

/* Step after step; each has its numbers. */
void next_step(struct fuzzer *z, void (*step)(struct fuzzer *));

/* entry.c */
extern uint8_t stacks[VCPUS][STACK_SIZE];
void traps_init_vcpu(struct fuzzer *z); /* called on it */
void run_on(void *stack_top, void (*fn)(struct fuzzer *), struct fuzzer *z) __attribute__((noreturn));
void vcpu_context(struct vcpu_guest_context *c, struct fuzzer *z, void (*fn)(struct fuzzer *));
/* False: it faulted with #PF at that address. */
bool try_store(struct fuzzer *z, volatile uint64_t *p, uint64_t val);
bool try_load(struct fuzzer *z, const volatile uint64_t *p, uint64_t *val);
/* One instruction that reads, and writes what rmw_makes() says. *got: what it read, where it tells; else unchanged. */
#define RMW_KINDS 7u
uint64_t rmw_makes(unsigned int kind, uint64_t old, uint64_t val);
bool try_rmw(struct fuzzer *z, unsigned int kind, volatile uint64_t *p, uint64_t val, uint64_t *got);
/* Loads the attributes of a selector: false: a trap. */
bool try_lar(struct fuzzer *z, uint16_t sel);
/* n stores by user mode, of val, val + 2...; it comes back by a system call, or by the fault. */
bool try_user_stores(struct fuzzer *z, volatile uint64_t *p, uint64_t val, unsigned int n);

/* model.c */
struct frame *frame_of(struct fuzzer *z, uint64_t mfn); /* NULL: none of its own */
bool model_get(struct fuzzer *z, struct frame *f, uint32_t type);
void model_put(struct fuzzer *z, struct frame *f);
bool model_write(struct fuzzer *z, struct frame *f, unsigned int slot, uint64_t val);
bool model_map(struct fuzzer *z, struct window *w, uint64_t pte);
bool fix_descriptor(uint64_t *d);
void check_frame(struct fuzzer *z, const struct frame *f);

/* The steps. own.c: frames, the slots of them that are ever used for entries, windows. */
#define OWN_SLOTS 7u
extern const uint16_t own_slots[OWN_SLOTS];
static inline unsigned int own_slot(struct fuzzer *z) { return own_slots[below(z, OWN_SLOTS)]; }
static inline struct frame *own_frame(struct fuzzer *z) { return &z->own[below(z, OWN)]; }
/* Neither a present entry nor a present descriptor. */
static inline uint64_t plain_word(struct fuzzer *z) { return rnd(z) & ~(1ul | 1ul << 47); }
void own_init(struct fuzzer *z);
void own_step(struct fuzzer *z);
volatile uint64_t *own_window(struct fuzzer *z, unsigned int w);
void own_check(struct fuzzer *z);
void descriptor_step(struct fuzzer *z);
void walk_step(struct fuzzer *z);
void grant_init(void);
void grant_step(struct fuzzer *z);
void grant_drop_all(struct fuzzer *z);
void grant_next_version(struct fuzzer *z); /* nobody else runs, no handle is left */
void grant_peer_step(struct fuzzer *z);
/* Entry ref offers the frame: to be called for refs that nobody uses. */
void grant_offer(uint32_t ref, uint16_t to, uint64_t mfn, uint16_t flags);
void watch_init(void);
void watch_init_fuzzer(struct fuzzer *z);
void watch_step(struct fuzzer *z);
void watch_check(struct fuzzer *z); /* nobody else runs */
void root_init(void);
void root_step(struct fuzzer *z);
void wild_init(void);
void wild_step(struct fuzzer *z);
uint64_t wild_frame(struct fuzzer *z);
void wild_drop_all(struct fuzzer *z);
/* Runs are of two kinds, see wild.c. */
static inline bool wild_renews(void) { return seed & 1; }
void loose_init(struct fuzzer *z);
void loose_step(struct fuzzer *z);
void events_init(void);
void misc_step(struct fuzzer *z);
void vcpu_step(struct fuzzer *z);
void rest_step(struct fuzzer *z);
/* neighbour.c */
#define NEIGHBOUR_WORD 0x6e65696768626f75ul
void neighbour(unsigned long seconds) __attribute__((noreturn));
#endif
