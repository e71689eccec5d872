/* SPDX-License-Identifier: MIT */
/* Scalar types that must not be mixed up, and small helpers used everywhere. */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t;
typedef int64_t s_time_t; /* nanoseconds since boot */
typedef uint16_t domid_t_;

/* A machine frame number and a guest-pseudo-physical frame number. */
typedef struct { uint64_t m; } mfn_t;
typedef struct { uint64_t g; } gfn_t;
static inline mfn_t mfn(uint64_t m) { return (mfn_t){ m }; }
static inline gfn_t gfn(uint64_t g) { return (gfn_t){ g }; }
#define INVALID_MFN mfn(~0ULL)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, t, m) ((t *)((char *)(p) - offsetof(t, m)))
#define min(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define max(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ > b_ ? a_ : b_; })
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define barrier() __asm__ volatile("" ::: "memory")
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define __must_check __attribute__((warn_unused_result))
#define __noreturn __attribute__((noreturn))
#define __aligned(n) __attribute__((aligned(n)))
#define __section(s) __attribute__((section(s)))

#define MICROSECS(us) ((s_time_t)(us) * 1000)
#define MILLISECS(ms) ((s_time_t)(ms) * 1000000)

#include "lib/delay.h"
#endif
