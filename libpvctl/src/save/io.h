/* SPDX-License-Identifier: MIT */
/* A stream's bytes to and from a file descriptor, packed by zstd where that is asked for or found. */
#ifndef SAVE_IO_H
#define SAVE_IO_H

#include "ctx/ctx.h"
#include "stream/reader.h"
#include "stream/writer.h"

struct save_io {
	int fd;
	struct pvctl *ctx;         /* its progress function is asked when a signal comes */
	uint64_t bytes;            /* that went through fd */
	void *z;                   /* ZSTD_CCtx or ZSTD_DCtx; NULL: as it is */
	uint8_t *buf;
	size_t pos, len;           /* reading: of buf, what is there yet */
	bool begun;
};
/* level 0: not packed */
int save_io_write_init(struct save_io *io, struct pvctl *ctx, int fd, int level, struct stream_sink *ret, struct pvctl_error *err);
/* What is still held back. */
int save_io_write_end(struct save_io *io);
int save_io_read_init(struct save_io *io, struct pvctl *ctx, int fd, struct stream_source *ret, struct pvctl_error *err);
void save_io_free_writer(struct save_io *io);
void save_io_free_reader(struct save_io *io);

#endif
