/* SPDX-License-Identifier: MIT */
/*
 * ext2, ext3 and ext4 through libext2fs, over the one open disk. The library
 * trusts sizes it reads to some degree: memory and time are bounded by the
 * sandbox, and all walks here are.
 */
#include "helper.h"
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DIR_ENTRIES 100000u
#define COPY_CHUNK (256u << 10)

/* libext2fs opens by name: there is one disk, and its window is set before. */
static uint64_t window_offset, window_bytes;

struct window { uint64_t offset, bytes; };

static errcode_t io_close(io_channel c)
{
	free(c->private_data);
	free(c->name);
	free(c);
	return 0;
}

static errcode_t io_blksize(io_channel c, int size)
{
	if (size < 512 || size > 65536)
		return EINVAL;
	c->block_size = size;
	return 0;
}

static errcode_t io_read64(io_channel c, unsigned long long block, int count, void *buf)
{
	const struct window *w = c->private_data;
	uint64_t at, len = count < 0 ? (uint64_t)-(int64_t)count : (uint64_t)count * (uint64_t)c->block_size;

	if (__builtin_mul_overflow(block, (uint64_t)c->block_size, &at) || at > w->bytes || len > w->bytes - at)
		return EXT2_ET_SHORT_READ;
	return disk_read(w->offset + at, buf, len) ? EXT2_ET_SHORT_READ : 0;
}

static errcode_t io_read(io_channel c, unsigned long block, int count, void *buf)
{
	return io_read64(c, block, count, buf);
}

static errcode_t io_write(io_channel c, unsigned long block, int count, const void *buf)
{
	return EXT2_ET_RO_FILSYS;
}

static errcode_t io_write64(io_channel c, unsigned long long block, int count, const void *buf)
{
	return EXT2_ET_RO_FILSYS;
}

static errcode_t io_flush(io_channel c)
{
	return 0;
}

static errcode_t io_open(const char *name, int flags, io_channel *ret);
static struct struct_io_manager manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER, .name = "disk", .open = io_open, .close = io_close,
	.set_blksize = io_blksize, .read_blk = io_read, .write_blk = io_write, .flush = io_flush,
	.read_blk64 = io_read64, .write_blk64 = io_write64,
};

static errcode_t io_open(const char *name, int flags, io_channel *ret)
{
	io_channel c = calloc(1, sizeof(*c));
	struct window *w = malloc(sizeof(*w));

	if (!c || !w || !(c->name = strdup(name))) {
		free(c);
		free(w);
		return ENOMEM;
	}
	*w = (struct window){ window_offset, window_bytes };
	c->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	c->manager = &manager;
	c->block_size = 1024;
	c->refcount = 1;
	c->private_data = w;
	*ret = c;
	return 0;
}

static int fold(errcode_t e)
{
	switch (e) {
	case 0: return 0;
	case EXT2_ET_FILE_NOT_FOUND: case EXT2_ET_NO_DIRECTORY: case ENOENT: return -ENOENT;
	case EXT2_ET_NO_MEMORY: case ENOMEM: return -ENOMEM;
	case EXT2_ET_SYMLINK_LOOP: return -ELOOP;
	default: return -EIO;
	}
}

static int lookup(struct fs *fs, const char *path, ext2_ino_t *ret_ino, struct ext2_inode *ret)
{
	ext2_filsys e = fs->data;
	int rc = fold(ext2fs_namei_follow(e, EXT2_ROOT_INO, EXT2_ROOT_INO, path, ret_ino));

	return rc ? rc : fold(ext2fs_read_inode(e, *ret_ino, ret));
}

static int ext_kind(struct fs *fs, const char *path)
{
	struct ext2_inode inode;
	ext2_ino_t ino;

	if (lookup(fs, path, &ino, &inode))
		return 0;
	return LINUX_S_ISREG(inode.i_mode) ? 1 : LINUX_S_ISDIR(inode.i_mode) ? 2 : 0;
}

static int open_file(struct fs *fs, const char *path, uint64_t max, ext2_file_t *ret, uint64_t *ret_size)
{
	struct ext2_inode inode;
	ext2_ino_t ino;
	int rc = lookup(fs, path, &ino, &inode);

	if (rc)
		return rc;
	if (!LINUX_S_ISREG(inode.i_mode))
		return -EINVAL;
	*ret_size = EXT2_I_SIZE(&inode);
	if (*ret_size > max)
		return -E2BIG;
	return fold(ext2fs_file_open2(fs->data, ino, &inode, 0, ret));
}

static int ext_each_piece(struct fs *fs, const char *path, uint64_t max, int (*each)(void *arg, const void *p, size_t len), void *arg)
{
	static char chunk[COPY_CHUNK];
	uint64_t size, done = 0;
	unsigned int got;
	ext2_file_t f;
	int rc = open_file(fs, path, max, &f, &size);

	if (rc)
		return rc;
	while (!rc && done < size) {
		rc = fold(ext2fs_file_read(f, chunk, sizeof(chunk), &got));
		if (!rc)
			rc = got == 0 || got > size - done ? -EIO : each(arg, chunk, got);
		done += got;
	}
	ext2fs_file_close(f);
	return rc;
}

struct listing { int (*each)(void *arg, const char *name); void *arg; unsigned int n; int rc; };

static int each_entry(struct ext2_dir_entry *d, int offset, int blocksize, char *buf, void *data)
{
	struct listing *l = data;
	int len = ext2fs_dirent_name_len(d);
	char name[256];

	if (++l->n > MAX_DIR_ENTRIES)
		l->rc = -E2BIG;
	else if (len > 0 && len < 256 && d->inode) {
		memcpy(name, d->name, (size_t)len);
		name[len] = '\0';
		l->rc = l->each(l->arg, name);
	}
	return l->rc ? DIRENT_ABORT : 0;
}

static int ext_list(struct fs *fs, const char *dir, int (*each)(void *arg, const char *name), void *arg)
{
	struct listing l = { each, arg, 0, 0 };
	struct ext2_inode inode;
	ext2_ino_t ino;
	int rc = lookup(fs, dir, &ino, &inode);

	if (!rc)
		rc = fold(ext2fs_dir_iterate(fs->data, ino, 0, NULL, each_entry, &l));
	return rc ? rc : l.rc;
}

static void ext_close(struct fs *fs)
{
	ext2fs_close_free((ext2_filsys *)&fs->data);
}

static const struct fs_ops ext_ops = { "ext", ext_each_piece, ext_kind, ext_list, ext_close };

int ext_open(uint64_t offset, uint64_t bytes, struct fs *ret)
{
	const int flags = EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES;
	ext2_filsys e;
	const uint8_t *u;
	errcode_t rc;
	unsigned int i;
	char *p;

	window_offset = offset;
	window_bytes = bytes;
	rc = ext2fs_open("disk", flags, 0, 0, &manager, &e);
	if (rc)
		return rc == EXT2_ET_BAD_MAGIC || rc == EXT2_ET_SHORT_READ ? -ENOENT : fold(rc);
	u = e->super->s_uuid;
	for (i = 0, p = ret->uuid; i < 16; i++)
		p += sprintf(p, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
	snprintf(ret->label, sizeof(ret->label), "%.16s", (const char *)e->super->s_volume_name);
	ret->ops = &ext_ops;
	ret->data = e;
	return 0;
}
