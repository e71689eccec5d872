/* SPDX-License-Identifier: MIT */
/* v->pv.fast_paths: what entry/bounce.S may do without asking C (pv_update_fast_paths). */
#ifndef PV_FAST_PATHS_H
#define PV_FAST_PATHS_H
#define PV_FAST_SYSCALL 1 /* user's system call: callback and stack known, masks events */
#define PV_FAST_IRET 2    /* no IOPL in the frames, no NMI being handled */
#endif
