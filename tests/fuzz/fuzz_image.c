/* SPDX-License-Identifier: MIT */
/*
 * Kernel files. The first byte chooses: 0 any packing, 1 a bzImage's payload
 * with its size behind it, 2 an ELF file, 3 a whole file as pvctl reads it.
 * What comes out is parsed as ELF and, when it is a kernel, laid out.
 */
#include "libpvctl/src/build/build.h"
#include "libpvctl/src/image/bzimage.h"
#include "libpvctl/src/image/decompress.h"
#include "libpvctl/src/image/kernel.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT (1u << 20) /* of what is unpacked: a real limit only costs time here */

/* What load_kernel and pagetables_make rely on. */
static void check_layout(const struct kernel_image *k, uint64_t pages)
{
	struct build_in in = { .kernel = k, .ramdisk_fd = -1, .ramdisk_bytes = 12345, .nr_pages = pages };
	struct layout l;

	if (build_layout(&in, &l, NULL))
		return;
	if (l.used_pages > pages || l.region_pages > l.used_pages || !l.main.n1)
		abort();
	for (unsigned int i = 0; i < k->elf.n_segments; i++) {
		uint64_t at = k->elf.segment[i].paddr - k->elf.notes.paddr_offset;

		if (at > l.region_pages << PAGE_SHIFT || k->elf.segment[i].mem_bytes > (l.region_pages << PAGE_SHIFT) - at)
			abort();
	}
}

static void parse(const uint8_t *p, size_t len)
{
	struct kernel_image k = { .data = p, .len = len };

	if (elf_parse(p, len, &k.elf, NULL) || elf_check_pv(&k.elf, NULL))
		return;
	for (unsigned int i = 0; i < k.elf.n_segments; i++) {
		const struct elf_segment *s = &k.elf.segment[i];

		if (s->offset > len || s->file_bytes > len - s->offset || s->paddr < k.elf.pstart)
			abort();
	}
	check_layout(&k, 65536);
	check_layout(&k, 1);
	check_layout(&k, LAYOUT_MAX_PAGES);
}

static void unpack(const uint8_t *p, size_t len, bool payload)
{
	struct buf out = { .limit = LIMIT };
	size_t off, n;
	int rc;

	if (bzimage_probe(p, len)) {
		if (!bzimage_payload(p, len, &off, &n, NULL) && !decompress_payload(p + off, n, &out, NULL))
			parse(out.data, out.len);
	} else {
		rc = payload ? decompress_payload(p, len, &out, NULL) :
			       decompress(decompress_detect(p, len), p, len, 0, &out, NULL);
		if (out.len > LIMIT)
			abort();
		if (!rc)
			parse(out.data, out.len);
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kernel_image k;

	if (!size)
		return 0;
	if (data[0] < 2) {
		unpack(data + 1, size - 1, data[0]);
	} else if (data[0] == 2) {
		parse(data + 1, size - 1);
	} else if (!kernel_unpack(data + 1, size - 1, &k, NULL)) {
		check_layout(&k, 65536);
		kernel_close(&k);
	}
	return 0;
}
