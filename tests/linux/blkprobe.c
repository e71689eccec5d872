/* SPDX-License-Identifier: MIT */
/* What a Linux guest does to a disk for the block tests. Static: it runs in a ramdisk without a C library. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK 4096u
#define CODES 16u

static void die(const char *what)
{
	printf("PROBE-ERROR %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *page_of(int prot)
{
	void *p = mmap(NULL, BLOCK, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static int open_disk(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		die(path);
	return fd;
}

/* mov $value, %eax; ret */
static void make_code(uint8_t *p, uint32_t value)
{
	memset(p, 0xcc, BLOCK);
	p[0] = 0xb8;
	memcpy(p + 1, &value, 4);
	p[5] = 0xc3;
}

static uint32_t run(const void *code)
{
	uint32_t (*fn)(void);

	memcpy(&fn, &code, sizeof(fn));
	return fn();
}

/* Code is read past the page cache, straight into a page that ran other code a moment ago. */
static int exec_direct(const char *path, unsigned int rounds)
{
	int fd = open_disk(path, O_RDWR | O_DIRECT);
	uint8_t *data = page_of(PROT_READ | PROT_WRITE), *code = page_of(PROT_READ | PROT_WRITE | PROT_EXEC);
	unsigned int stale = 0;

	for (unsigned int k = 0; k < CODES; k++) {
		make_code(data, 1000 + k);
		if (pwrite(fd, data, BLOCK, k * BLOCK) != BLOCK)
			die("write");
	}
	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int k = i * 7 % CODES;

		if (pread(fd, code, BLOCK, k * BLOCK) != BLOCK)
			die("read");
		stale += run(code) != 1000 + k;
		stale += run(code) != 1000 + k;
	}
	printf("PROBE exec-direct rounds %u stale %u\n", rounds, stale);
	return stale != 0;
}

/* A mapped disk is executed; its page goes away and comes again with other code. */
static int exec_mapped(const char *path, unsigned int rounds)
{
	int fd = open_disk(path, O_RDWR), direct = open_disk(path, O_RDWR | O_DIRECT);
	uint8_t *data = page_of(PROT_READ | PROT_WRITE);
	unsigned int stale = 0;
	uint8_t *map;

	for (unsigned int i = 0; i < rounds; i++) {
		int drop;

		make_code(data, i);
		if (pwrite(direct, data, BLOCK, 0) != BLOCK)
			die("write");
		map = mmap(NULL, BLOCK, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			die("mmap of the disk");
		stale += run(map) != i;
		munmap(map, BLOCK);
		if (i % 8)
			continue;
		drop = open_disk("/proc/sys/vm/drop_caches", O_WRONLY);
		(void)!write(drop, "3", 1);
		close(drop);
	}
	printf("PROBE exec-mapped rounds %u stale %u\n", rounds, stale);
	return stale != 0;
}

static int exec_once(const char *path)
{
	int fd = open_disk(path, O_RDONLY);
	void *map = mmap(NULL, BLOCK, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	uint32_t holds, ran;

	if (map == MAP_FAILED)
		die("mmap of the disk");
	memcpy(&holds, (const char *)map + 1, sizeof(holds));
	ran = run(map);
	printf("PROBE ran %u, holds %u\n", ran, holds);
	return ran != holds;
}

/*
 * Blocks that say who they are, each place written once, by several threads at a
 * time. "FLUSHED n" comes after the flush that followed the writes 0 to n-1: what
 * the host finds on the disk later is held against it.
 */
#define WRITERS 4u
#define STRIDE 6151u /* no factor of the number of places */
struct batch {
	int fd;
	uint64_t from, places, discard_from;
	unsigned int id;
	uint32_t seed;
};

static void fill(uint64_t *p, uint64_t n, uint32_t seed)
{
	uint64_t x = n * 0x9e3779b97f4a7c15ull ^ seed;

	p[0] = 0x50524f4245424c4bull;
	p[1] = n;
	p[2] = seed;
	for (unsigned int i = 3; i < BLOCK / 8; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		p[i] = x;
	}
}

static void *write_some(void *arg)
{
	struct batch *b = arg;
	uint64_t *p = page_of(PROT_READ | PROT_WRITE);

	for (uint64_t n = b->from + b->id; n < b->from + 16 && n < b->places; n += WRITERS) {
		uint64_t at = n * STRIDE % b->places;
		uint64_t range[2] = { at * BLOCK, BLOCK }, other[2] = { (b->places + at) * BLOCK, BLOCK };

		/* Its own place first, and one that nobody writes. */
		if (n >= b->discard_from && (ioctl(b->fd, BLKDISCARD, range) || ioctl(b->fd, BLKDISCARD, other)))
			die("discard");
		fill(p, n, b->seed);
		if (pwrite(b->fd, p, BLOCK, (off_t)(at * BLOCK)) != BLOCK)
			die("write");
	}
	munmap(p, BLOCK);
	return NULL;
}

static int durable(const char *path, uint32_t seed, bool discard)
{
	int fd = open_disk(path, O_RDWR | O_DIRECT);
	uint64_t size, places;

	if (ioctl(fd, BLKGETSIZE64, &size))
		die("size");
	places = size / BLOCK / 2;
	for (uint64_t from = 0; from < places; from += 16) {
		pthread_t t[WRITERS];
		struct batch b[WRITERS];

		for (unsigned int i = 0; i < WRITERS; i++) {
			b[i] = (struct batch){ fd, from, places, discard ? 0 : UINT64_MAX, i, seed };
			if (pthread_create(&t[i], NULL, write_some, &b[i]))
				die("thread");
		}
		for (unsigned int i = 0; i < WRITERS; i++)
			pthread_join(t[i], NULL);
		if (fdatasync(fd))
			die("fdatasync");
		printf("FLUSHED %u %llu\n", seed, (unsigned long long)(from + 16));
		fflush(stdout);
	}
	printf("PROBE durable end\n");
	return 0;
}

/* On the host: each block below n is there. */
static int verify(const char *path, uint32_t seed, uint64_t n)
{
	int fd = open_disk(path, O_RDONLY);
	uint64_t want[BLOCK / 8], have[BLOCK / 8], places, lost = 0;

	places = (uint64_t)lseek(fd, 0, SEEK_END) / BLOCK / 2;
	for (uint64_t i = 0; i < n && i < places; i++) {
		fill(want, i, seed);
		if (pread(fd, have, BLOCK, (off_t)(i * STRIDE % places * BLOCK)) != BLOCK || memcmp(want, have, BLOCK)) {
			if (!lost++)
				printf("block %llu, flushed, is not there\n", (unsigned long long)i);
		}
	}
	printf("%llu of %llu flushed blocks lost\n", (unsigned long long)lost, (unsigned long long)n);
	if (!n)
		printf("none was flushed: nothing is proved\n");
	return lost || !n;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	unsigned int n = argc > 3 ? (unsigned int)strtoul(argv[3], NULL, 10) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "exec-direct"))
		return exec_direct(argv[2], n);
	if (!strcmp(what, "exec-mapped"))
		return exec_mapped(argv[2], n);
	if (!strcmp(what, "exec-once"))
		return exec_once(argv[2]);
	if (!strcmp(what, "durable"))
		return durable(argv[2], n, argc > 4 && !strcmp(argv[4], "discard"));
	if (!strcmp(what, "verify") && argc > 4)
		return verify(argv[2], n, strtoull(argv[4], NULL, 10));
	fprintf(stderr, "blkprobe exec-direct|exec-mapped DISK ROUNDS, exec-once DISK, durable DISK SEED [discard], verify FILE SEED N\n");
	return 2;
}
