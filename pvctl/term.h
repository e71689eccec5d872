/* SPDX-License-Identifier: MIT */
#ifndef PVCTL_TERM_H
#define PVCTL_TERM_H

#include <stdbool.h>
#include <stdint.h>

/* ---- progress on stderr: appears after one second, disappears at the end ---- */
void progress_begin(const char *what);
void progress_end(void);
/* After progress_begin: what is counted are things of so many bytes, so that there is a rate. */
void progress_unit(unsigned int bytes);
/* For pvctl_open_opts.progress: cancels after SIGINT. */
int progress_step(void *data, const char *what, uint64_t done, uint64_t total);

/* ---- interrupts ---- */
/* SIGINT, SIGTERM and SIGHUP are remembered instead of killing, so that things are put back. */
void interrupts_catch(void);
bool interrupted(void);
/* Until interrupts_quiet: a signal that ends us is told of first, with what goes on without us. */
void interrupts_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void interrupts_quiet(void);

/* ---- terminal ---- */
/* The terminal is put back at exit and on deadly signals, too. 0 or -errno. */
int term_raw_enter(int fd);
void term_raw_leave(void);

#endif
