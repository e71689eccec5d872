/* SPDX-License-Identifier: MIT */
/*
 * From a kernel image and an empty domain to one that can be unpaused. The
 * domain exists, with its limits and vCPUs; what is made here is undone by
 * destroying it.
 */
#ifndef BUILD_BUILD_H
#define BUILD_BUILD_H

#include "build/dommem.h"
#include "build/layout.h"
#include "build/pvh_layout.h"
#include "image/kernel.h"

struct build_in {
	const struct kernel_image *kernel;
	int ramdisk_fd;            /* -1: none */
	uint64_t ramdisk_bytes;
	const char *cmdline;       /* NULL: none */
	uint64_t nr_pages;
	uint32_t max_vcpus;        /* PVH alone: ACPI tables tell of them */
	uint32_t store_port, console_port;
	uint64_t shared_info_mfn;
	/* 0 to go on; may be NULL */
	int (*progress)(void *data, const char *what, uint64_t done, uint64_t total);
	void *progress_data;
};
struct build_out {
	uint64_t store_gfn, console_gfn; /* as the guest's grant entries have them: of a PV domain these are machine frames */
};

/* Without side effects: would it fit? ret may be NULL. */
int build_layout(const struct build_in *in, struct layout *ret, struct pvctl_error *err);
int build_domain(struct transport *t, uint32_t domid, const struct build_in *in, struct build_out *ret,
                 struct pvctl_error *err);
/* pvh.c: the same for a PVH domain. */
int build_pvh_layout(const struct build_in *in, struct pvh_layout *ret, struct pvctl_error *err);
int build_pvh_domain(struct transport *t, uint32_t domid, const struct build_in *in, struct build_out *ret,
                     struct pvctl_error *err);
int build_grant_rings(struct transport *t, uint32_t domid, const struct build_out *b, struct pvctl_error *err);

/* load.c: segments at their paddr - bias; the ramdisk at addr */
int load_kernel(const struct dommem *m, uint64_t bias, const struct build_in *in, struct pvctl_error *err);
int load_ramdisk(const struct dommem *m, uint64_t addr, const struct build_in *in, struct pvctl_error *err);

/* start_info.c */
/* One page. -E2BIG: the command line is longer than a guest can be given. */
int start_info_make(const struct layout *l, const struct dommem *m, const struct build_in *in, void *page,
                    struct pvctl_error *err);
int start_info_check_cmdline(const char *cmdline, struct pvctl_error *err);

#endif
