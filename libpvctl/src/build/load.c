/* SPDX-License-Identifier: MIT */
/* The kernel's segments and the ramdisk into the domain's memory, which the hypervisor gave zeroed. */
#include "build/build.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include <string.h>

#define KERNEL_CHUNK (8ull << 20)  /* between two looks at the progress callback */
#define ZERO_BLOCK (16u << 10)     /* a shorter gap is not worth another write */
#define RAMDISK_CHUNK (256u << 10) /* stays in the cache between read and write */

static int progress(const struct build_in *in, const char *what, uint64_t done, uint64_t total,
                    struct pvctl_error *err)
{
	if (in->progress && in->progress(in->progress_data, what, done, total))
		return err_set(err, -ECANCELED, PVCTL_ORIGIN_LIB, "canceled");
	return 0;
}

static bool is_zero(const uint8_t *p, uint64_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* How many bytes from p on, in whole blocks, are zero (or are not). */
static uint64_t run_of(const uint8_t *p, uint64_t len, bool zero)
{
	uint64_t at = 0, n;

	while (at < len) {
		n = len - at < ZERO_BLOCK ? len - at : ZERO_BLOCK;
		if (is_zero(p + at, n) != zero)
			break;
		at += n;
	}
	return at;
}

/* A third of a usual kernel's segments is zeroes, which the memory holds already. */
static int write_sparse(const struct dommem *m, uint64_t addr, const uint8_t *p, uint64_t len, struct pvctl_error *err)
{
	uint64_t n;
	int rc = 0;

	while (len && !rc) {
		n = run_of(p, len, true);
		addr += n;
		p += n;
		len -= n;
		n = run_of(p, len, false);
		if (n)
			rc = dommem_write(m, addr, p, n, err);
		addr += n;
		p += n;
		len -= n;
	}
	return rc;
}

int load_kernel(const struct dommem *m, uint64_t bias, const struct build_in *in, struct pvctl_error *err)
{
	const struct elf_image *e = &in->kernel->elf;
	uint64_t addr, done, n, total = e->pend - e->pstart;
	unsigned int i;
	int rc;

	for (i = 0; i < e->n_segments; i++) {
		const struct elf_segment *s = &e->segment[i];

		/* The layout has seen that [pstart, pend) lies within the memory. */
		addr = s->paddr - bias;
		for (done = 0; done < s->file_bytes; done += n) {
			n = s->file_bytes - done < KERNEL_CHUNK ? s->file_bytes - done : KERNEL_CHUNK;
			rc = progress(in, "kernel", s->paddr - e->pstart + done, total, err);
			if (!rc)
				rc = write_sparse(m, addr + done, in->kernel->data + s->offset + done, n, err);
			if (rc)
				return rc;
		}
	}
	return 0;
}

int load_ramdisk(const struct dommem *m, uint64_t addr, const struct build_in *in, struct pvctl_error *err)
{
	CLEANUP_FREE uint8_t *chunk = NULL;
	uint64_t done, n;
	int rc;

	if (!in->ramdisk_bytes)
		return 0;
	chunk = malloc(RAMDISK_CHUNK);
	if (!chunk)
		return err_nomem(err);
	for (done = 0; done < in->ramdisk_bytes; done += n) {
		n = in->ramdisk_bytes - done < RAMDISK_CHUNK ? in->ramdisk_bytes - done : RAMDISK_CHUNK;
		rc = progress(in, "ramdisk", done, in->ramdisk_bytes, err);
		if (rc)
			return rc;
		rc = fd_pread_all(in->ramdisk_fd, chunk, n, done);
		if (rc)
			return err_os(err, -rc, "reading the ramdisk");
		rc = dommem_write(m, addr + done, chunk, n, err);
		if (rc)
			return rc;
	}
	return 0;
}
