/* SPDX-License-Identifier: MIT */
/*
 * A Linux guest that uses its disk, network, store and console at once, checks what comes back, and says how long the
 * longest of each took: pauseprobe DISK ADDRESS. Static: it runs in a ramdisk without a C library.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip_icmp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096u
#define WRITERS 4u
#define BLOCKS 256u /* of each writer */

struct count { const char *name; unsigned long done, bad; uint64_t longest_ns; };
static struct count disk[WRITERS], net = { .name = "ping" }, store = { .name = "store" };
static const char *disk_path, *address;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void did(struct count *c, uint64_t since, int good)
{
	uint64_t took = now() - since;

	c->done++;
	c->bad += !good;
	if (took > c->longest_ns)
		c->longest_ns = took;
}

static void bad(const char *what, int rc)
{
	char line[120];
	int n = snprintf(line, sizeof(line), "PROBE-BAD %s: %s\n", what, rc ? strerror(rc) : "not what was written");

	(void)!write(1, line, (size_t)n);
}

/* ---- disk: what was written is read again, and each block says which it is ---- */

static void fill(uint64_t *p, uint64_t block, uint64_t generation)
{
	for (unsigned int i = 0; i < BLOCK / 8; i++)
		p[i] = block << 32 ^ generation ^ i;
}

static int write_one(int fd, uint64_t *data, uint64_t block, uint64_t generation)
{
	fill(data, block, generation);
	if (pwrite(fd, data, BLOCK, (off_t)(block * BLOCK)) != BLOCK) {
		bad("write", errno);
		return 0;
	}
	if (generation % 4 == 0 && fdatasync(fd)) {
		bad("flush", errno);
		return 0;
	}
	return 1;
}

static int read_one(int fd, uint64_t *data, uint64_t *want, uint64_t block, uint64_t generation)
{
	if (pread(fd, data, BLOCK, (off_t)(block * BLOCK)) != BLOCK) {
		bad("read", errno);
		return 0;
	}
	fill(want, block, generation);
	if (!memcmp(data, want, BLOCK))
		return 1;
	bad("read", 0);
	return 0;
}

static void *use_disk(void *arg)
{
	struct count *c = arg;
	unsigned int me = (unsigned int)(c - disk), seed = me + 1;
	uint64_t *data = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t generation[BLOCKS] = { 0 };
	int fd = open(disk_path, O_RDWR | O_DIRECT);

	if (fd < 0 || data == MAP_FAILED) {
		bad(disk_path, errno);
		return NULL;
	}
	for (;;) {
		unsigned int b = (unsigned int)rand_r(&seed) % BLOCKS;
		uint64_t since = now(), block = me * BLOCKS + b;

		did(c, since, write_one(fd, data, block, ++generation[b]));
		b = (unsigned int)rand_r(&seed) % BLOCKS;
		if (!generation[b])
			continue;
		since = now();
		did(c, since, read_one(fd, data, data + BLOCK / 8, me * BLOCKS + b, generation[b]));
	}
}

/* ---- store ---- */

struct msg { uint32_t type, req_id, tx_id, len; };
enum { XS_READ = 2, XS_TRANSACTION_START = 6, XS_TRANSACTION_END = 7, XS_WRITE = 11, XS_ERROR = 16 };

static int ask(int fd, uint32_t type, uint32_t tx, const char *body, size_t len, char reply[4097])
{
	struct msg m = { type, 1, tx, (uint32_t)len };
	char buf[256];

	memcpy(buf, &m, sizeof(m));
	memcpy(buf + sizeof(m), body, len);
	if (write(fd, buf, sizeof(m) + len) != (ssize_t)(sizeof(m) + len) || read(fd, &m, sizeof(m)) != sizeof(m))
		return -EIO;
	for (size_t at = 0; at < m.len;) {
		ssize_t n = read(fd, reply + at, m.len - at);

		if (n <= 0)
			return -EIO;
		at += (size_t)n;
	}
	reply[m.len] = '\0';
	return m.type == XS_ERROR ? !strcmp(reply, "EAGAIN") ? -EAGAIN : -EPROTO : m.type == type ? 0 : -EPROTO;
}

static int put(int fd, uint32_t tx, const char *node, unsigned long value)
{
	char body[64], reply[4097];
	int n = snprintf(body, sizeof(body), "data/%s", node);

	n += 1 + snprintf(body + n + 1, sizeof(body) - (size_t)n - 1, "%lu", value);
	return ask(fd, XS_WRITE, tx, body, (size_t)n, reply);
}

static int has(int fd, const char *node, unsigned long value)
{
	char body[64], reply[4097];
	int n = snprintf(body, sizeof(body), "data/%s", node) + 1;

	return ask(fd, XS_READ, 0, body, (size_t)n, reply) ? 0 : strtoul(reply, NULL, 10) == value;
}

/* Both or neither. */
static int transaction(int fd, unsigned long value)
{
	char reply[4097];
	int rc;

	do {
		uint32_t tx;

		rc = ask(fd, XS_TRANSACTION_START, 0, "", 1, reply);
		if (rc)
			return rc;
		tx = (uint32_t)strtoul(reply, NULL, 10);
		rc = put(fd, tx, "a", value);
		rc = rc ? rc : put(fd, tx, "b", value);
		rc = rc ? rc : ask(fd, XS_TRANSACTION_END, tx, "T", 2, reply);
	} while (rc == -EAGAIN);
	return rc;
}

static void *use_store(void *arg)
{
	int fd = open("/dev/xen/xenbus", O_RDWR);

	if (fd < 0) {
		bad("/dev/xen/xenbus", errno);
		return NULL;
	}
	for (unsigned long i = 1;; i++) {
		uint64_t since = now();
		int rc = put(fd, 0, "plain", i);
		int good = !rc && has(fd, "plain", i);

		did(&store, since, good);
		if (!good)
			bad("store", -rc);
		since = now();
		rc = transaction(fd, i);
		good = !rc && has(fd, "a", i) && has(fd, "b", i);
		did(&store, since, good);
		if (!good)
			bad("store transaction", -rc);
	}
	return NULL;
}

/* ---- network: a packet that is lost is none; the longest time without an answer is what counts ---- */

static uint16_t checksum(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(b[i] << 8 | b[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void *use_net(void *arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct timeval wait = { .tv_usec = 50000 };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	uint64_t last = now();

	if (fd < 0 || !inet_aton(address, &to.sin_addr)) {
		bad(address, errno);
		return NULL;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	for (uint16_t i = 0;; i++) {
		struct icmphdr h = { .type = ICMP_ECHO, .un.echo = { htons(77), htons(i) } };
		uint8_t in[256];
		ssize_t n;

		h.checksum = checksum(&h, sizeof(h));
		(void)!sendto(fd, &h, sizeof(h), 0, (struct sockaddr *)&to, sizeof(to));
		n = recv(fd, in, sizeof(in), 0);
		if (n < 28 || in[20] != ICMP_ECHOREPLY)
			continue;
		did(&net, last, 1);
		last = now();
		usleep(10000);
	}
}

static void report(unsigned int second)
{
	struct count all = { .name = "disk" };
	char line[300];
	int n;

	for (unsigned int i = 0; i < WRITERS; i++) {
		all.done += disk[i].done;
		all.bad += disk[i].bad;
		if (disk[i].longest_ns > all.longest_ns)
			all.longest_ns = disk[i].longest_ns;
	}
	n = snprintf(line, sizeof(line), "PROBE %u disk %lu %lu %lu store %lu %lu %lu ping %lu %lu %lu\n", second, all.done, all.bad,
		     (unsigned long)(all.longest_ns / 1000000u), store.done, store.bad, (unsigned long)(store.longest_ns / 1000000u),
		     net.done, net.bad, (unsigned long)(net.longest_ns / 1000000u));
	(void)!write(1, line, (size_t)n);
}

int main(int argc, char **argv)
{
	pthread_t t;

	if (argc != 3)
		return 2;
	disk_path = argv[1];
	address = argv[2];
	for (unsigned int i = 0; i < WRITERS; i++)
		pthread_create(&t, NULL, use_disk, &disk[i]);
	pthread_create(&t, NULL, use_store, NULL);
	pthread_create(&t, NULL, use_net, NULL);
	for (unsigned int i = 0;; i++) {
		char line[40];
		int n = snprintf(line, sizeof(line), "TICK %u\n", i);

		(void)!write(1, line, (size_t)n);
		if (i % 20 == 0)
			report(i / 20);
		usleep(50000);
	}
}
