/* SPDX-License-Identifier: MIT */
/* Headers of qcow2 images: which are plain enough to be judged without qemu-img, and new ones, as qemu-img has them. */
#include "device/qcow2.h"
#include <check.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE "/a/base, with: all.img"
#define FILE_BYTES (1u << 20)

static struct qcow2_new made;
static struct qcow2_plain plain;
static uint8_t head[4096];

static void put32(size_t at, uint32_t v)
{
	v = htobe32(v);
	memcpy(head + at, &v, sizeof(v));
}

static uint32_t get32(size_t at)
{
	uint32_t v;

	memcpy(&v, head + at, sizeof(v));
	return be32toh(v);
}

static void make(const char *base, enum disk_format format, uint64_t bytes)
{
	ck_assert_int_eq(qcow2_overlay_of(base, format, bytes, &made), 0);
	memset(head, 0, sizeof(head));
	memcpy(head, made.head, sizeof(made.head));
}

static int look(void)
{
	return qcow2_plain_of(head, sizeof(head), FILE_BYTES, "/d/x.qcow2", &plain);
}

START_TEST(there_and_back)
{
	static const uint64_t sizes[] = { 512, 64 << 20, (64 << 20) + 512, 5ull << 40, 1ull << 50 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make(BASE, i % 2 ? DISK_QCOW2 : DISK_RAW, sizes[i]);
		ck_assert_int_eq(qcow2_plain_of(head, sizeof(head), made.bytes, "/d/x", &plain), 0);
		ck_assert_uint_eq(plain.bytes, sizes[i]);
		ck_assert_str_eq(plain.base, BASE);
		ck_assert_int_eq(plain.base_format, i % 2 ? DISK_QCOW2 : DISK_RAW);
		/* A byte less, and a table is not all there. */
		ck_assert_int_lt(qcow2_plain_of(head, sizeof(head), 3 * QCOW2_NEW_CLUSTER + 7, "/d/x", &plain), 0);
	}
}
END_TEST

START_TEST(not_made)
{
	char name[1026] = "/";

	memset(name + 1, 'a', 1023);
	ck_assert_int_lt(qcow2_overlay_of(name, DISK_RAW, 512, &made), 0);
	name[1023] = '\0';
	ck_assert_int_eq(qcow2_overlay_of(name, DISK_RAW, 512, &made), 0);
	ck_assert_int_lt(qcow2_overlay_of("base", DISK_RAW, 512, &made), 0);
	ck_assert_int_lt(qcow2_overlay_of("", DISK_RAW, 512, &made), 0);
	ck_assert_int_lt(qcow2_overlay_of(BASE, DISK_RAW, 0, &made), 0);
	ck_assert_int_lt(qcow2_overlay_of(BASE, DISK_RAW, 513, &made), 0);
	ck_assert_int_lt(qcow2_overlay_of(BASE, DISK_RAW, 1ull << 62, &made), 0);
}
END_TEST

/* Of these qemu-img has more to say. */
START_TEST(not_plain)
{
	static const struct { size_t at; uint32_t value; } other[] = {
		{ 0, 0x51464900 }, { 4, 1 }, { 4, 4 }, { 8, 1 }, { 12, 1 }, { 12, 4096 }, { 16, 0 }, { 16, 1024 }, { 20, 8 }, { 20, 22 }, { 24, 1u << 31 },
		{ 28, 0 }, { 28, 513 }, { 32, 1 }, { 36, 0 }, { 36, 1u << 30 }, { 44, 0 }, { 44, 512 }, { 40, 1 }, { 52, 0 }, { 52, 7 }, { 56, 99 },
		{ 76, 1 }, { 76, 2 }, { 76, 4 }, { 72, 1 }, { 96, 7 }, { 100, 96 }, { 100, 105 }, { 100, UINT32_MAX },
		/* extensions: of an unknown type, of another file for the data, of encryption; too long */
		{ 104, 7 }, { 104, 0x44415441 }, { 104, 0x0537be77 }, { 108, UINT32_MAX }, { 108, 4000 }, { 120, 0xe2792aca },
	};

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		make(BASE, DISK_RAW, 64 << 20);
		ck_assert_int_eq(look(), 0);
		put32(other[i].at, other[i].value);
		ck_assert_msg(look() < 0, "%zu: at %zu", i, other[i].at);
	}
}
END_TEST

static void set_base(const char *name)
{
	memset(head + get32(12), 0, get32(16));
	memcpy(head + get32(12), name, strlen(name));
	put32(16, (uint32_t)strlen(name));
}

START_TEST(names)
{
	static const char *const odd[] = { "nbd:unix:/s", "json:{}", "file:/a", "a:b", "ssh://h/x" };

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		make(BASE, DISK_RAW, 64 << 20);
		set_base(odd[i]);
		ck_assert_msg(look() < 0, "%s", odd[i]);
	}
	/* Beside the image, as QEMU has it. */
	make(BASE, DISK_QCOW2, 64 << 20);
	set_base("sub/b:c");
	ck_assert_int_eq(look(), 0);
	ck_assert_str_eq(plain.base, "/d/sub/b:c");
	ck_assert_int_lt(qcow2_plain_of(head, sizeof(head), FILE_BYTES, "x.qcow2", &plain), 0);
	/* A format that is not told, and one that nobody knows. */
	make(BASE, DISK_RAW, 64 << 20);
	put32(104, 0);
	ck_assert_int_lt(look(), 0);
	make(BASE, DISK_RAW, 64 << 20);
	memcpy(head + 112, "xyz", 3);
	ck_assert_int_lt(look(), 0);
	/* None at all. */
	make(BASE, DISK_RAW, 64 << 20);
	put32(12, 0);
	ck_assert_int_eq(look(), 0);
	ck_assert_str_eq(plain.base, "");
}
END_TEST

START_TEST(beginnings)
{
	make(BASE, DISK_RAW, 64 << 20);
	for (size_t n = 0; n < get32(12) + get32(16); n++) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, head, n);
		ck_assert_int_lt(qcow2_plain_of(copy, n, FILE_BYTES, "/x", &plain), 0);
		free(copy);
	}
}
END_TEST

static bool qemu_img(const char *args, const char *path, const char *expect)
{
	char command[400], text[8192];
	size_t n;
	FILE *f;

	snprintf(command, sizeof(command), "qemu-img %s %s 2>&1", args, path);
	f = popen(command, "r");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	if (!f || pclose(f) || (expect && !strstr(text, expect))) {
		fprintf(stderr, "%s: %s\n", command, text);
		return false;
	}
	return true;
}

/* What is made here is whole to qemu-img, and what qemu-img makes is plain. */
START_TEST(as_qemu_img)
{
	static const uint64_t sizes[] = { 512, 64 << 20, 6ull << 40 };
	char dir[] = "/tmp/test-qcow2.XXXXXX", base[64], path[64], args[300], expect[64];
	int fd;

	if (system("qemu-img --version >/dev/null 2>&1"))
		return;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(base, sizeof(base), "%s/base", dir);
	snprintf(path, sizeof(path), "%s/new", dir);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(args, sizeof(args), "create -q -f qcow2 -o size=%llu", (unsigned long long)sizes[i]);
		ck_assert(qemu_img(args, base, NULL));
		ck_assert_int_eq(qcow2_plain(base, &plain), 0);
		ck_assert_uint_eq(plain.bytes, sizes[i]);
		fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(qcow2_overlay(fd, base, DISK_QCOW2, sizes[i]), 0);
		close(fd);
		ck_assert_int_eq(qcow2_plain(path, &plain), 0);
		ck_assert(qemu_img("check -f qcow2", path, "No errors were found"));
		ck_assert(qemu_img("info -f qcow2 --output=json", path, "\"backing-filename-format\": \"qcow2\""));
		snprintf(expect, sizeof(expect), "\"virtual-size\": %llu,", (unsigned long long)sizes[i]);
		ck_assert(qemu_img("info -f qcow2 --output=json", path, expect));
		unlink(path);
		snprintf(args, sizeof(args), "create -q -f qcow2 -F qcow2 -b %s", base);
		ck_assert(qemu_img(args, path, NULL));
		ck_assert_int_eq(qcow2_plain(path, &plain), 0);
		ck_assert_str_eq(plain.base, base);
		unlink(path);
		unlink(base);
	}
	rmdir(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("qcow2");
	TCase *t = tcase_create("headers");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, there_and_back);
	tcase_add_test(t, not_made);
	tcase_add_test(t, not_plain);
	tcase_add_test(t, names);
	tcase_add_test(t, beginnings);
	tcase_add_test(t, as_qemu_img);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
