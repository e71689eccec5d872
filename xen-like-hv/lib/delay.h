/* SPDX-License-Identifier: MIT */
/*
 * The delay build (make hv-delays): random delays before and after every atomic
 * operation and every READ_ONCE and WRITE_ONCE, so at locks, at TLB stamps and
 * flushes, too, and at the points that the code marks between the two halves of
 * a protocol. Windows of a few instructions become microseconds wide. In other
 * builds nothing of this is left.
 *
 * Command line: delays=SEED (0: none; missing: from the time, see the log), delay_scale=PERCENT.
 */
#ifndef LIB_DELAY_H
#define LIB_DELAY_H

#ifdef __ASSEMBLER__
#ifdef HV_DELAYS
/* Keeps all registers; rsp must have room below. */
#define HV_DELAY_POINT call hv_delay_asm
#else
#define HV_DELAY_POINT
#endif

#elif !defined(HV_DELAYS)
#define hv_delay_point(what) ((void)0)
#define hv_delay_point_long(what) ((void)0)
static inline void hv_delay_init(void) { }
static inline void hv_delay_stop(void) { }

#else

void hv_delay_init(void); /* the command line is there */
void hv_delay_stop(void); /* a crash is under way */
/* Safe anywhere: no lock, no per-CPU data, any stack. */
void hv_delay(void);
/* Between two halves: more often. */
void hv_delay_marked(void);
#define hv_delay_point(what) hv_delay_marked()
/* Where the other side takes milliseconds, as the end of a domain does. */
void hv_delay_long(void);
#define hv_delay_point_long(what) hv_delay_long()

#undef READ_ONCE
#undef WRITE_ONCE
#define READ_ONCE(x) ({ \
	hv_delay(); \
	__typeof__(x) read_ = *(const volatile __typeof__(x) *)&(x); \
	hv_delay(); \
	read_; })
/* The value comes first: what it was made from may change before the store. */
#define WRITE_ONCE(x, v) ({ \
	__typeof__(x) value_ = (v); \
	hv_delay(); \
	*(volatile __typeof__(x) *)&(x) = value_; \
	hv_delay(); })

#define HV_DELAYED(op) ({ \
	hv_delay(); \
	__auto_type result_ = op; \
	hv_delay(); \
	result_; })
#define HV_DELAYED_VOID(op) ({ \
	hv_delay(); \
	op; \
	hv_delay(); })
#define __atomic_load_n(...) HV_DELAYED(__atomic_load_n(__VA_ARGS__))
#define __atomic_store_n(...) HV_DELAYED_VOID(__atomic_store_n(__VA_ARGS__))
#define __atomic_exchange_n(...) HV_DELAYED(__atomic_exchange_n(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) HV_DELAYED(__atomic_compare_exchange_n(__VA_ARGS__))
#define __atomic_add_fetch(...) HV_DELAYED(__atomic_add_fetch(__VA_ARGS__))
#define __atomic_sub_fetch(...) HV_DELAYED(__atomic_sub_fetch(__VA_ARGS__))
#define __atomic_and_fetch(...) HV_DELAYED(__atomic_and_fetch(__VA_ARGS__))
#define __atomic_or_fetch(...) HV_DELAYED(__atomic_or_fetch(__VA_ARGS__))
#define __atomic_fetch_add(...) HV_DELAYED(__atomic_fetch_add(__VA_ARGS__))
#define __atomic_fetch_sub(...) HV_DELAYED(__atomic_fetch_sub(__VA_ARGS__))
#define __atomic_fetch_and(...) HV_DELAYED(__atomic_fetch_and(__VA_ARGS__))
#define __atomic_fetch_or(...) HV_DELAYED(__atomic_fetch_or(__VA_ARGS__))
#define __atomic_thread_fence(...) HV_DELAYED_VOID(__atomic_thread_fence(__VA_ARGS__))
#endif
#endif
