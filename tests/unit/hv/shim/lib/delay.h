/* SPDX-License-Identifier: MIT */
/* Where the delay build waits, a test may do what another CPU would. */
#ifndef LIB_DELAY_H
#define LIB_DELAY_H
extern void (*shim_hook)(const char *what);
#define hv_delay_point(what) do { if (shim_hook) shim_hook(what); } while (0)
#define hv_delay_point_long(what) hv_delay_point(what)
#endif
