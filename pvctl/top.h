/* SPDX-License-Identifier: MIT */
/* What the domains use, between two looks: for pvctl top, on a terminal or in lines. */
#ifndef PVCTL_TOP_H
#define PVCTL_TOP_H

#include <libpvctl.h>
#include <stdbool.h>

#define TOP_HISTORY 16u

struct top_row {
	struct pvctl_domain_info info;
	double cpu_percent;                /* of one CPU, since the last look; 0 at the first */
	uint8_t history[TOP_HISTORY];      /* percent of all its vCPUs, the latest last */
	uint32_t nets, disks;
	uint64_t net_tx, net_rx;           /* bytes, as the guest sees it */
	uint64_t reads, writes, read_sectors, write_sectors, errors;
	struct pvctl_vif_list *vifs;       /* may be NULL */
	struct pvctl_disk_list *vbds;
	struct pvctl_vcpu_list *vcpus;
};

enum top_sort { TOP_ID, TOP_NAME, TOP_CPU, TOP_TIME, TOP_MEM, TOP_NET, TOP_DISK, TOP_SORTS };
extern const char *const top_sort_names[TOP_SORTS];

struct top {
	struct pvctl *ctx;
	struct pvctl_host_info host;
	struct top_row *row;
	size_t n;
	uint64_t at_ns;
	enum top_sort sort;
	bool full_name, networks, vbds, vcpus;
};

/* Looks anew; 0, or an exit code. */
int top_look(struct top *t);
void top_fini(struct top *t);
/* A row of xentop's, and what it shows below it. */
void top_header(char *buf, size_t size);
void top_line(const struct top *t, const struct top_row *r, char *buf, size_t size);
/* The i-th line of details; false: there is none. */
bool top_detail(const struct top *t, const struct top_row *r, unsigned int i, char *buf, size_t size);
/* On the terminal, until the user ends it; an exit code. */
int top_screen(struct top *t, uint32_t delay_ms, uint32_t iterations);

#endif
