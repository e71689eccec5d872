/* SPDX-License-Identifier: MIT */
/* The log's ring: written by printk, read by domain 0 in shared RAM or with SYSCTL_readconsole. */
#ifndef X86_CONRING_H
#define X86_CONRING_H
#include "lib/types.h"

#define CONRING_SIZE 65536u /* a power of two */
extern char conring[CONRING_SIZE];
extern volatile uint64_t conring_prod; /* free running byte count */

/* Outputs of the log besides the ring; either may be NULL. Set at boot. */
extern void (*conring_serial)(const char *s, size_t n);
extern void (*conring_notify)(void); /* called under the console lock: must not print or block */
void conring_set_serial(void (*fn)(const char *s, size_t n)); /* while others may be printing */
extern bool conring_always_serial;   /* keep the serial port after boot */

/*
 * Up to n bytes from position *pos on, which moves behind what was read; a
 * position that was overwritten moves to the oldest byte. Returns the count.
 */
size_t conring_read(char *dst, size_t n, uint64_t *pos);
void conring_clear(void);            /* readers from the start see nothing older */
uint64_t conring_oldest(void);
/* Raw bytes to the log (console_io write). */
void conring_write(const char *s, size_t n);
/* From panic: do not wait for a lock that a stopped CPU holds. */
void conring_bust_lock(void);
#endif
