/* SPDX-License-Identifier: MIT */
/* Writes a saved domain to whatever takes bytes. The order of the records is the caller's. */
#ifndef STREAM_WRITER_H
#define STREAM_WRITER_H

#include "libpvctl.h"
#include "stream/format.h"
#include <sys/uio.h>

struct stream_sink {
	/* All the bytes of n pieces, or a negative errno. v may be changed. */
	int (*write)(void *data, struct iovec *v, int n);
	void *data;
};
struct stream_writer {
	struct stream_sink sink;
	uint64_t offset;
};
/* All headers, with xl's JSON and LIBXC_DOMAIN_PV or _HVM; then come records of libxc's. */
int stream_write_start(struct stream_writer *w, uint32_t type, const char *json, uint32_t xen_major, uint32_t xen_minor);
/* A body of two pieces; n bytes of b may be 0. */
int stream_write_record(struct stream_writer *w, uint32_t type, const void *a, size_t a_len, const void *b, size_t b_len);
/* count pfns with their types; data: the pages of those that have any, as n pieces. data[0] is left to this function. */
int stream_write_pages(struct stream_writer *w, const uint64_t *pfns, uint32_t count, struct iovec *data, int n);
/* The ends of both streams. */
int stream_write_end(struct stream_writer *w);

#endif
