/* SPDX-License-Identifier: MIT */
#include "pvctl/top.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pvctl/cmd.h"

#define KIB 1024

const char *const top_sort_names[TOP_SORTS] = { "id", "name", "cpu", "time", "mem", "net", "disk" };
static enum top_sort sorting;

static void row_fini(struct top_row *r)
{
	pvctl_vif_list_free(r->vifs);
	pvctl_disk_list_free(r->vbds);
	pvctl_vcpu_list_free(r->vcpus);
}

static void rows_free(struct top_row *row, size_t n)
{
	for (size_t i = 0; i < n; i++)
		row_fini(&row[i]);
	free(row);
}

void top_fini(struct top *t)
{
	rows_free(t->row, t->n);
	t->row = NULL;
	t->n = 0;
}

static const struct top_row *before(const struct top *t, const struct pvctl_domain_info *d)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->row[i].info.domid == d->domid && t->row[i].info.unique_id == d->unique_id)
			return &t->row[i];
	return NULL;
}

/* A domain that goes while it is looked at has no devices, or no more. */
static void count_devices(const struct top *t, struct top_row *r)
{
	const struct pvctl_disk_info *d;
	const struct pvctl_vif_info *v;

	if (r->info.domid && pvctl_vif_list(t->ctx, r->info.domid, &r->vifs, NULL))
		r->vifs = NULL;
	if (r->info.domid && pvctl_disk_list(t->ctx, r->info.domid, &r->vbds, NULL))
		r->vbds = NULL;
	if (t->vcpus && pvctl_vcpu_list(t->ctx, r->info.domid, &r->vcpus, NULL))
		r->vcpus = NULL;
	for (size_t i = 0; r->vifs && (v = pvctl_vif_list_at(r->vifs, i)); i++) {
		r->nets++;
		r->net_tx += v->tx_bytes;
		r->net_rx += v->rx_bytes;
	}
	for (size_t i = 0; r->vbds && (d = pvctl_disk_list_at(r->vbds, i)); i++) {
		r->disks++;
		r->reads += d->reads;
		r->writes += d->writes;
		r->read_sectors += d->read_sectors;
		r->write_sectors += d->write_sectors;
		r->errors += d->errors;
	}
}

static void compare(struct top_row *r, const struct top_row *was, uint64_t elapsed_ns)
{
	double share;

	if (!was || !elapsed_ns)
		return;
	memcpy(r->history, was->history + 1, TOP_HISTORY - 1);
	if (r->info.cpu_ns > was->info.cpu_ns)
		r->cpu_percent = 100.0 * (double)(r->info.cpu_ns - was->info.cpu_ns) / (double)elapsed_ns;
	share = r->cpu_percent / (r->info.vcpus_online ? r->info.vcpus_online : 1);
	r->history[TOP_HISTORY - 1] = share > 100 ? 100 : (uint8_t)share;
}

static int descending(double x, double y)
{
	return (x < y) - (x > y);
}

static int by_sort(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	int c = 0;

	switch (sorting) {
	case TOP_NAME: c = strcmp(x->info.name, y->info.name); break;
	case TOP_CPU: c = descending(x->cpu_percent, y->cpu_percent); break;
	case TOP_TIME: c = descending((double)x->info.cpu_ns, (double)y->info.cpu_ns); break;
	case TOP_MEM: c = descending((double)x->info.memory_bytes, (double)y->info.memory_bytes); break;
	case TOP_NET: c = descending((double)(x->net_tx + x->net_rx), (double)(y->net_tx + y->net_rx)); break;
	case TOP_DISK: c = descending((double)(x->reads + x->writes), (double)(y->reads + y->writes)); break;
	default: break;
	}
	return c ? c : (x->info.domid > y->info.domid) - (x->info.domid < y->info.domid);
}

int top_look(struct top *t)
{
	uint64_t now = now_ns(), elapsed = t->at_ns ? now - t->at_ns : 0;
	const struct pvctl_domain_info *d;
	struct pvctl_domain_list *list;
	struct pvctl_error err = { 0 };
	struct top_row *row;
	size_t n;

	t->host.size = sizeof(t->host);
	if (pvctl_host_get(t->ctx, &t->host, &err) || pvctl_domain_list(t->ctx, &list, &err))
		return fail("top", NULL, &err);
	n = pvctl_domain_list_count(list);
	row = calloc(n + 1, sizeof(*row));
	if (!row) {
		pvctl_domain_list_free(list);
		say_error("out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < n && (d = pvctl_domain_list_at(list, i)); i++) {
		row[i].info = *d;
		count_devices(t, &row[i]);
		compare(&row[i], before(t, d), elapsed);
	}
	pvctl_domain_list_free(list);
	rows_free(t->row, t->n);
	t->row = row;
	t->n = n;
	t->at_ns = now;
	sorting = t->sort;
	qsort(row, n, sizeof(*row), by_sort);
	return 0;
}

void top_header(char *buf, size_t size)
{
	snprintf(buf, size, "%10s %6s %10s %6s %10s %6s %10s %9s %5s %4s %8s %8s %4s %8s %8s %8s %10s %10s %4s", "NAME", "STATE", "CPU(sec)",
		 "CPU(%)", "MEM(k)", "MEM(%)", "MAXMEM(k)", "MAXMEM(%)", "VCPUS", "NETS", "NETTX(k)", "NETRX(k)", "VBDS", "VBD_OO",
		 "VBD_RD", "VBD_WR", "VBD_RSECT", "VBD_WSECT", "SSID");
}

static double percent_of(uint64_t bytes, const struct top *t)
{
	return t->host.total_bytes ? 100.0 * (double)bytes / (double)t->host.total_bytes : 0;
}

/* The letters stand in another order than in list: those are xentop's. */
static void state_letters(const struct pvctl_domain_info *d, char ret[7])
{
	bool crashed = d->flags & 32;

	snprintf(ret, 7, "%c%c%c%c%c%c", d->flags & 16 ? 'd' : '-', d->flags & 8 && !crashed ? 's' : '-', d->flags & 2 ? 'b' : '-',
		 crashed ? 'c' : '-', d->flags & 4 ? 'p' : '-', d->flags & 1 ? 'r' : '-');
}

void top_line(const struct top *t, const struct top_row *r, char *buf, size_t size)
{
	char state[7], max[24] = "no limit", max_percent[16] = "n/a";

	state_letters(&r->info, state);
	if (r->info.domid) {
		snprintf(max, sizeof(max), "%" PRIu64, r->info.max_memory_bytes / KIB);
		snprintf(max_percent, sizeof(max_percent), "%.1f", percent_of(r->info.max_memory_bytes, t));
	}
	snprintf(buf, size,
		 "%10.*s %6s %10" PRIu64 " %6.1f %10" PRIu64 " %6.1f %10s %9s %5u %4u %8" PRIu64 " %8" PRIu64 " %4u %8u %8" PRIu64
		 " %8" PRIu64 " %10" PRIu64 " %10" PRIu64 " %4u",
		 t->full_name ? 127 : 10, r->info.name[0] ? r->info.name : "(null)", state, r->info.cpu_ns / UINT64_C(1000000000),
		 r->cpu_percent, r->info.memory_bytes / KIB, percent_of(r->info.memory_bytes, t), max, max_percent, r->info.vcpus_online,
		 r->nets, r->net_tx / KIB, r->net_rx / KIB, r->disks, 0u, r->reads, r->writes, r->read_sectors, r->write_sectors, 0u);
}

static void net_line(const struct pvctl_vif_info *v, char *buf, size_t size)
{
	snprintf(buf, size, "Net%u RX: %8" PRIu64 "bytes %8" PRIu64 "pkts %8uerr %8" PRIu64 "drop  TX: %8" PRIu64 "bytes %8" PRIu64
		 "pkts %8uerr %8" PRIu64 "drop", v->devid, v->rx_bytes, v->rx_packets, 0u, v->rx_drops, v->tx_bytes, v->tx_packets, 0u,
		 v->tx_drops);
}

static void vbd_line(const struct pvctl_disk_info *d, char *buf, size_t size)
{
	snprintf(buf, size, "VBD BlkBack %5u [%2x:%2x]  OO: %8u   RD: %8" PRIu64 "   WR: %8" PRIu64 "  RSECT: %10" PRIu64 "  WSECT: %10"
		 PRIu64, d->vdev, d->vdev >> 8 & 0xff, d->vdev & 0xff, 0u, d->reads, d->writes, d->read_sectors, d->write_sectors);
}

static void vcpus_line(const struct top_row *r, char *buf, size_t size)
{
	const struct pvctl_vcpu_info *v;
	size_t at = (size_t)snprintf(buf, size, "VCPUs(sec): ");

	for (size_t i = 0; at < size && (v = pvctl_vcpu_list_at(r->vcpus, i)); i++)
		at += (size_t)snprintf(buf + at, size - at, " %3u: %10" PRIu64 "s", v->vcpu, v->cpu_ns / UINT64_C(1000000000));
}

bool top_detail(const struct top *t, const struct top_row *r, unsigned int i, char *buf, size_t size)
{
	const struct pvctl_disk_info *d;
	const struct pvctl_vif_info *v;

	if (t->vcpus && r->vcpus && !i--) {
		vcpus_line(r, buf, size);
		return true;
	}
	if (t->networks && r->vifs) {
		v = pvctl_vif_list_at(r->vifs, i);
		if (v) {
			net_line(v, buf, size);
			return true;
		}
		i -= (unsigned int)pvctl_vif_list_count(r->vifs);
	}
	d = t->vbds && r->vbds ? pvctl_disk_list_at(r->vbds, i) : NULL;
	if (d)
		vbd_line(d, buf, size);
	return d;
}
