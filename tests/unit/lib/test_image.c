/* SPDX-License-Identifier: MIT */
/* Kernel images: ELF with notes, bzImage, every packing; cut off, damaged, hostile. */
#include "elf_maker.h"
#include "image/bzimage.h"
#include "image/cache.h"
#include "image/decompress.h"
#include "image/kernel.h"
#include "util/fd.h"
#include <bzlib.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <lz4hc.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

static struct pvctl_error err;

static void append(struct buf *b, const void *p, size_t n)
{
	ck_assert_int_eq(buf_add(b, p, n), 0);
}

static void append_be(struct buf *b, uint32_t v, int n)
{
	while (n--) {
		uint8_t byte = (uint8_t)(v >> (8 * n));

		append(b, &byte, 1);
	}
}

static void pack_gzip(const uint8_t *p, size_t n, struct buf *b)
{
	z_stream z = { 0 };

	buf_reserve(b, n + 1000);
	deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, 0);
	z.next_in = (Bytef *)(uintptr_t)p;
	z.avail_in = (uInt)n;
	z.next_out = b->data;
	z.avail_out = (uInt)b->cap;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	b->len = z.total_out;
	deflateEnd(&z);
}

static void pack_lz4(const uint8_t *p, size_t n, struct buf *b)
{
	uint32_t magic = 0x184c2102;

	append(b, &magic, 4);
	while (n) {
		size_t part = n < 8u << 20 ? n : 8u << 20;
		int bound = LZ4_compressBound((int)part);
		uint32_t got;
		size_t at = b->len;

		ck_assert_int_eq(buf_reserve(b, 4 + (size_t)bound), 0);
		got = (uint32_t)LZ4_compress_HC((const char *)p, (char *)b->data + at + 4, (int)part, bound, 3);
		memcpy(b->data + at, &got, 4);
		b->len += 4 + got;
		p += part;
		n -= part;
	}
}

static void pack_lzo(const uint8_t *p, size_t n, struct buf *b)
{
	static const uint8_t magic[9] = { 0x89, 'L', 'Z', 'O', 0, '\r', '\n', 0x1a, '\n' };
	void *work = malloc(LZO1X_1_MEM_COMPRESS);

	append(b, magic, 9);
	append_be(b, 0x1030, 2);
	append_be(b, 0x2080, 2);
	append_be(b, 0x0940, 2);
	append_be(b, 1, 1);
	append_be(b, 5, 1);
	append_be(b, 1, 4); /* adler32 of the data */
	append_be(b, 0, 4);
	append_be(b, 0, 4);
	append_be(b, 0, 4);
	append_be(b, 0, 1);
	append_be(b, 0, 4);
	while (n) {
		size_t part = n < 256u << 10 ? n : 256u << 10;
		lzo_uint got = part + part / 16 + 64;
		uint8_t *out = malloc(got);

		ck_assert_int_eq(lzo1x_1_compress(p, part, out, &got, work), LZO_E_OK);
		append_be(b, (uint32_t)part, 4);
		append_be(b, got < part ? (uint32_t)got : (uint32_t)part, 4);
		append_be(b, 0, 4);
		append(b, got < part ? out : p, got < part ? got : part);
		free(out);
		p += part;
		n -= part;
	}
	append_be(b, 0, 4);
	free(work);
}

static void pack(enum compression c, const uint8_t *p, size_t n, struct buf *b)
{
	lzma_options_lzma o;
	lzma_stream z = LZMA_STREAM_INIT;
	unsigned int len = (unsigned int)n + 10000;

	switch (c) {
	case COMPRESSION_GZIP: pack_gzip(p, n, b); return;
	case COMPRESSION_LZ4: pack_lz4(p, n, b); return;
	case COMPRESSION_LZO: pack_lzo(p, n, b); return;
	case COMPRESSION_ZSTD:
		buf_reserve(b, ZSTD_compressBound(n));
		b->len = ZSTD_compress(b->data, b->cap, p, n, 3);
		return;
	case COMPRESSION_BZIP2:
		buf_reserve(b, len);
		ck_assert_int_eq(BZ2_bzBuffToBuffCompress((char *)b->data, &len, (char *)(uintptr_t)p, (unsigned int)n, 9, 0, 0),
		                 BZ_OK);
		b->len = len;
		return;
	default:
		lzma_lzma_preset(&o, 1);
		buf_reserve(b, len);
		ck_assert_int_eq(c == COMPRESSION_XZ ? lzma_easy_encoder(&z, 1, LZMA_CHECK_CRC32) : lzma_alone_encoder(&z, &o),
		                 LZMA_OK);
		z.next_in = p;
		z.avail_in = n;
		z.next_out = b->data;
		z.avail_out = b->cap;
		ck_assert_int_eq(lzma_code(&z, LZMA_FINISH), LZMA_STREAM_END);
		b->len = z.total_out;
		lzma_end(&z);
	}
}

static const enum compression all[] = { COMPRESSION_GZIP, COMPRESSION_BZIP2, COMPRESSION_LZMA, COMPRESSION_XZ,
	COMPRESSION_LZO, COMPRESSION_LZ4, COMPRESSION_ZSTD };
#define N_ALL ((int)(sizeof(all) / sizeof(all[0])))

/* A bzImage around a payload. */
static void make_bzimage(const struct buf *payload, enum compression c, uint32_t size, struct buf *b)
{
	uint8_t setup[1024] = { 0 };
	uint32_t v = 16, n = (uint32_t)payload->len + (c == COMPRESSION_GZIP ? 0 : 4);

	setup[0x1f1] = 1;
	setup[0x1fe] = 0x55;
	setup[0x1ff] = 0xaa;
	memcpy(setup + 0x202, "HdrS", 4);
	setup[0x206] = 0x0f;
	setup[0x207] = 0x02;
	setup[0x211] = 1;
	memcpy(setup + 0x248, &v, 4);
	memcpy(setup + 0x24c, &n, 4);
	append(b, setup, sizeof(setup));
	append(b, "0123456789abcdef", 16);
	append(b, payload->data, payload->len);
	if (c != COMPRESSION_GZIP)
		append(b, &size, 4);
}

START_TEST(test_packings)
{
	enum compression c = all[_i];
	struct buf payload = { 0 }, image = { 0 };
	struct kernel_image k;
	size_t len;
	uint8_t *elf = make_elf(&linux_like, &len);

	pack(c, elf, len, &payload);
	ck_assert_int_eq(decompress_detect(payload.data, payload.len), c);
	make_bzimage(&payload, c, (uint32_t)len, &image);
	ck_assert_msg(kernel_unpack(image.data, image.len, &k, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(k.len, len);
	ck_assert_int_eq(memcmp(k.data, elf, len), 0);
	ck_assert_uint_eq(k.elf.notes.init_p2m, 0x8000000000);
	kernel_close(&k);
	/* Without the wrapping, as vmlinux.xz. */
	ck_assert_int_eq(kernel_unpack(payload.data, payload.len, &k, &err), 0);
	kernel_close(&k);
	buf_free(&payload);
	buf_free(&image);
	free(elf);
}
END_TEST

/* Nothing but an error may come of a cut or damaged file; the sanitizers watch. */
START_TEST(test_damaged)
{
	enum compression c = all[_i];
	struct buf payload = { 0 }, image = { 0 };
	struct kernel_image k;
	size_t len, at;
	uint8_t *elf = make_elf(&linux_like, &len), *copy;
	unsigned int seed = 1;
	int i;

	pack(c, elf, len, &payload);
	make_bzimage(&payload, c, (uint32_t)len, &image);
	for (at = 0; at < image.len; at += at < 1200 ? 7 : 997) {
		copy = malloc(at + 1);
		memcpy(copy, image.data, at);
		ck_assert_int_lt(kernel_unpack(copy, at, &k, &err), 0);
		free(copy);
	}
	for (i = 0; i < 300; i++) {
		copy = malloc(image.len);
		memcpy(copy, image.data, image.len);
		copy[(size_t)rand_r(&seed) % image.len] ^= (uint8_t)(1 + rand_r(&seed) % 255);
		if (!kernel_unpack(copy, image.len, &k, &err))
			kernel_close(&k);
		free(copy);
	}
	buf_free(&payload);
	buf_free(&image);
	free(elf);
}
END_TEST

START_TEST(test_bomb)
{
	enum compression c = all[_i];
	struct buf payload = { 0 }, out = { .limit = 1u << 20 };
	size_t n = 8u << 20;
	uint8_t *zero = calloc(1, n);

	pack(c, zero, n, &payload);
	ck_assert_int_eq(decompress(c, payload.data, payload.len, 0, &out, &err), -E2BIG);
	ck_assert_uint_le(out.cap, 1u << 20);
	buf_free(&payload);
	buf_free(&out);
	free(zero);
}
END_TEST

START_TEST(test_wrong_size)
{
	struct buf payload = { 0 }, image = { 0 };
	struct kernel_image k;
	size_t len;
	uint8_t *elf = make_elf(&linux_like, &len);

	pack(COMPRESSION_LZ4, elf, len, &payload);
	make_bzimage(&payload, COMPRESSION_LZ4, (uint32_t)len + 1, &image);
	ck_assert_int_eq(kernel_unpack(image.data, image.len, &k, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "announced"));
	buf_free(&payload);
	buf_free(&image);
	free(elf);
}
END_TEST

static int parse(const struct maker *m, struct elf_image *e)
{
	size_t len;
	uint8_t *p = make_elf(m, &len);
	int rc = elf_parse(p, len, e, &err);

	if (!rc)
		rc = elf_check_pv(e, &err);
	free(p);
	return rc;
}

START_TEST(test_notes)
{
	struct maker m = linux_like;
	struct elf_image e;

	ck_assert_int_eq(parse(&m, &e), 0);
	ck_assert_uint_eq(e.notes.entry, 0xffffffff81000100);
	ck_assert_uint_eq(e.notes.virt_base, 0xffffffff80000000);
	ck_assert_str_eq(e.notes.guest_os, "test");
	ck_assert_int_eq(e.notes.mod_start_pfn, 1);
	ck_assert_uint_eq(e.notes.features_required, 1);
	ck_assert_uint_eq(e.notes.features_supported, 1 | 1 << 4);
	ck_assert_uint_eq(e.pstart, 0x1000000);
	ck_assert_uint_eq(e.pend, 0x1000000 + 500000);
	/* Notes in a section alone, a low kernel. */
	m.notes_in_section = 1;
	m.with_base = 0;
	m.paddr = 0x100000;
	ck_assert_int_eq(parse(&m, &e), 0);
	ck_assert_int_eq(elf_has_note(&e.notes, XEN_ELFNOTE_VIRT_BASE), 0);
	m.features = "!auto_translated_physmap";
	ck_assert_int_eq(parse(&m, &e), -ENOSYS);
	m.features = "!no_such_thing";
	ck_assert_int_eq(parse(&m, &e), -ENOSYS);
	m.features = "no_such_thing|";
	ck_assert_int_eq(parse(&m, &e), 0);
}
END_TEST

START_TEST(test_legacy)
{
	static const char text[] = "GUEST_OS=netbsd,XEN_VER=xen-3.0,VIRT_BASE=0xffffffff80000000,HYPERCALL_PAGE=0x101,"
	                           "LOADER=generic,UNKNOWN,PAE=yes";
	struct elf_notes n = { 0 };

	ck_assert_int_eq(notes_legacy(&n, text, sizeof(text), &err), 0);
	ck_assert_str_eq(n.guest_os, "netbsd");
	ck_assert_uint_eq(n.paddr_offset, 0xffffffff80000000);
	ck_assert_uint_eq(n.hypercall_page, 0xffffffff80101000);
	ck_assert_int_eq(notes_legacy(&n, "VIRT_BASE=zz", 12, &err), -EINVAL);
}
END_TEST

START_TEST(test_not_for_us)
{
	struct elf_image e;
	struct kernel_image k;
	uint8_t junk[8192];
	size_t len;
	uint8_t *p = make_elf(&linux_like, &len);
	Elf64_Phdr *ph = (Elf64_Phdr *)(void *)(p + sizeof(Elf64_Ehdr));

	memset(junk, 'a', sizeof(junk));
	ck_assert_int_eq(kernel_unpack(junk, sizeof(junk), &k, &err), -EINVAL);
	ph[0].p_filesz = 1ull << 40;
	ph[0].p_memsz = 1ull << 41;
	ck_assert_int_eq(elf_parse(p, len, &e, &err), -EINVAL);
	ph[0].p_filesz = 4;
	ck_assert_int_eq(elf_parse(p, len, &e, &err), -EINVAL);
	ph[0].p_memsz = 4096;
	ph[0].p_paddr = ~0ull - 100;
	ck_assert_int_eq(elf_parse(p, len, &e, &err), -EINVAL);
	ph[0].p_paddr = 0;
	ck_assert_int_eq(elf_parse(p, len, &e, &err), 0);
	ph[1].p_type = PT_NULL;
	ck_assert_int_eq(elf_parse(p, len, &e, &err), 0);
	ck_assert_int_eq(elf_check_pv(&e, &err), -EINVAL);
	p[EI_CLASS] = ELFCLASS32;
	ck_assert_int_eq(elf_parse(p, len, &e, &err), -ENOSYS);
	free(p);
}
END_TEST

static char dir[64];

static void setup(void)
{
	strcpy(dir, "/tmp/pvctl-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("PVCTL_CACHE_DIR", dir, 1);
}

static void teardown(void)
{
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void write_file(const char *name, const void *p, size_t n, char path[128])
{
	struct iovec v = { (void *)(uintptr_t)p, n };

	ck_assert_int_eq(fd_write_atomic(dir, name, &v, 1), 0);
	snprintf(path, 128, "%s/%s", dir, name);
}

START_TEST(test_cache)
{
	struct buf payload = { 0 }, image = { 0 };
	char path[128], entry[256];
	uint8_t key[CACHE_KEY_BYTES];
	struct kernel_image k;
	unsigned int i, at;
	size_t len;
	uint8_t *elf = make_elf(&linux_like, &len);
	int fd;

	pack(COMPRESSION_LZ4, elf, len, &payload);
	make_bzimage(&payload, COMPRESSION_LZ4, (uint32_t)len, &image);
	write_file("vmlinuz", image.data, image.len, path);
	ck_assert_int_eq(kernel_open(path, NULL, &k, &err), 0);
	ck_assert(!k.from_cache);
	kernel_close(&k);
	ck_assert_int_eq(kernel_open(path, NULL, &k, &err), 0);
	ck_assert(k.from_cache);
	ck_assert_uint_eq(k.len, len);
	ck_assert_int_eq(memcmp(k.data, elf, len), 0);
	kernel_close(&k);
	/* A flipped byte, in the data and in the header; a cut. */
	cache_key(image.data, image.len, key);
	at = (unsigned int)snprintf(entry, sizeof(entry), "%s/kernel-", dir);
	for (i = 0; i < CACHE_KEY_BYTES; i++)
		at += (unsigned int)sprintf(entry + at, "%02x", key[i]);
	for (i = 0; i < 3; i++) {
		fd = open(entry, O_RDWR);
		ck_assert_int_ge(fd, 0);
		if (i == 2)
			ck_assert_int_eq(ftruncate(fd, 100000), 0);
		else
			ck_assert_int_eq(pwrite(fd, "\xee", 1, i ? 17 : 50000), 1);
		close(fd);
		ck_assert_int_eq(kernel_open(path, NULL, &k, &err), 0);
		ck_assert(!k.from_cache);
		ck_assert_int_eq(memcmp(k.data, elf, len), 0);
		kernel_close(&k);
		ck_assert_int_eq(kernel_open(path, NULL, &k, &err), 0);
		ck_assert(k.from_cache);
		kernel_close(&k);
	}
	buf_free(&payload);
	buf_free(&image);
	free(elf);
}
END_TEST

START_TEST(test_remembered_key)
{
	uint8_t key[CACHE_KEY_BYTES] = { 1, 2, 3 }, got[CACHE_KEY_BYTES];
	struct stat st;
	char path[128];

	write_file("f", "x", 1, path);
	ck_assert_int_eq(stat(path, &st), 0);
	cache_remember_key(dir, &st, key); /* touched just now: not to be trusted */
	ck_assert(!cache_recall_key(dir, &st, got));
	st.st_ctim.tv_sec -= 100;
	st.st_mtim.tv_sec -= 100;
	cache_remember_key(dir, &st, key);
	ck_assert(cache_recall_key(dir, &st, got));
	ck_assert_int_eq(memcmp(key, got, sizeof(key)), 0);
	st.st_ctim.tv_nsec ^= 1;
	ck_assert(!cache_recall_key(dir, &st, got));
}
END_TEST

START_TEST(test_files)
{
	struct kernel_image k;
	char path[128];

	ck_assert_int_eq(kernel_open("/no/such/file", NULL, &k, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "/no/such/file"));
	ck_assert_int_eq(kernel_open("/dev/null", NULL, &k, &err), -EINVAL);
	ck_assert_int_eq(kernel_open(dir, NULL, &k, &err), -EINVAL);
	write_file("empty", "", 0, path);
	ck_assert_int_eq(kernel_open(path, NULL, &k, &err), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("image");
	TCase *pure = tcase_create("pure"), *cache = tcase_create("cache");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(pure, 120);
	tcase_add_loop_test(pure, test_packings, 0, N_ALL);
	tcase_add_loop_test(pure, test_damaged, 0, N_ALL);
	tcase_add_loop_test(pure, test_bomb, 0, N_ALL);
	tcase_add_test(pure, test_wrong_size);
	tcase_add_test(pure, test_notes);
	tcase_add_test(pure, test_legacy);
	tcase_add_test(pure, test_not_for_us);
	tcase_add_checked_fixture(cache, setup, teardown);
	tcase_add_test(cache, test_cache);
	tcase_add_test(cache, test_remembered_key);
	tcase_add_test(cache, test_files);
	suite_add_tcase(s, pure);
	suite_add_tcase(s, cache);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
