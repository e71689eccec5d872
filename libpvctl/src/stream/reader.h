/* SPDX-License-Identifier: MIT */
/*
 * Reads a saved domain, record by record, from whatever gives bytes. What it hands out has the form that the documents
 * ask for: lengths, order, reserved bits. What the numbers mean is its caller's to check. Memory is bounded.
 */
#ifndef STREAM_READER_H
#define STREAM_READER_H

#include "libpvctl.h"
#include "stream/format.h"
#include <stdbool.h>
#include <sys/uio.h>

struct stream_source {
	/* All the bytes of n pieces, or a negative errno; -ENODATA: the stream ends before. v may be changed. */
	int (*read)(void *data, struct iovec *v, int n);
	void *data;
};
struct stream_record {
	uint32_t type, len;      /* of the libxc stream; PAGE_DATA's len without its pages */
	uint64_t offset;         /* of its head */
	const uint8_t *body;     /* 8-aligned, until the next record is read; NULL: an optional one that was passed over */
	uint32_t pages;          /* of PAGE_DATA: that have data, to be read with stream_reader_pages */
};
struct stream_reader {
	struct stream_source src;
	struct stream_record rec;
	uint64_t offset;
	char *config;            /* xl's JSON, "" where there is none */
	uint8_t *buf;
	size_t cap;
	uint32_t version;        /* of the libxc stream */
	uint32_t pages_left;
	uint32_t max_pages;      /* data pages in one record; STREAM_MAX_PAGES */
	bool libxl;              /* the current record is of the libxl layer */
	bool hvm;                /* a PVH domain's; else PV */
	bool info, p2m, ended;
	bool static_end;
	unsigned int seen;       /* bits: records that may come once */
};

/* Reads all headers. After a failure only stream_reader_close may be called. */
int stream_reader_open(struct stream_reader *r, const struct stream_source *src, struct pvctl_error *err);
/* 1: r->rec is the next; 0: the stream has come to its end, as it should. */
int stream_reader_next(struct stream_reader *r, struct pvctl_error *err);
/* The next data pages of a PAGE_DATA record, in its order; v's lengths are whole pages. What is not read is passed over. */
int stream_reader_pages(struct stream_reader *r, struct iovec *v, int n, struct pvctl_error *err);
/* err_set with the record's name and offset before the text. */
int stream_fail(const struct stream_reader *r, struct pvctl_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same before what is in err already. */
int stream_wrap(const struct stream_reader *r, struct pvctl_error *err, int code);
void stream_reader_close(struct stream_reader *r);

const char *stream_record_name(bool libxl, uint32_t type);

#endif
