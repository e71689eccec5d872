/* SPDX-License-Identifier: MIT */
/*
 * A core of a domain that has ended: an ELF64 core file whose PT_LOAD segments
 * have p_paddr = pseudo-physical address (p_vaddr the same), in ascending order,
 * runs of adjacent frames joined. Frames that the machine-to-physical table
 * gives no usable pseudo-physical address (or one already taken) come last, at
 * 1 << 52 plus their machine address. There are no register notes. Of a PVH domain the addresses are guest
 * physical ones, as its nested tables have them.
 *
 * Which frames are the domain's is the hypervisor's word
 * (XEN_DOMCTL_getpageframeinfo3), never the guest's p2m: a guest must not be
 * able to have another one's memory written to its core.
 */
#include "pvctld/base/log.h"
#include "pvctld/core/children.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/hv/hvcall.h"
#include "pvctld/life/policy.h"
#include "pvctld/life/tidy.h"
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/domctl.h>

#define PAGE 4096ull
#define M2P_FRAME_ENTRIES (2ull << 20 >> 3) /* a frame of the list names 2 MiB of the table */
#define MAX_M2P_EXTENTS 1024u
#define BATCHES_PER_ROUND 16u
#define UNPLACED (1ull << 52)
#define MAX_GPFN (1ull << 36)

struct frame {
	uint64_t addr; /* pseudo-physical, or UNPLACED + machine */
	uint64_t mfn;
};

struct dump {
	struct daemon *d;
	uint64_t unique_id;
	uint32_t domid;
	void (*done)(struct dom *dom, int rc);
	char path[500], file[128]; /* file: what a domain of that name has in it */
	struct loop_task task;
	int (*look)(struct dump *u); /* 1: there is more to be found; 0; or a code */
	uint64_t next_gfn;
	uint64_t next_mfn, end_mfn, top_mfn; /* scan; holes between RAM below and above 4 GiB */
	uint64_t m2p[MAX_M2P_EXTENTS];
	unsigned int nr_m2p;
	struct frame *frames;
	size_t nr, cap;
};

static void finish(struct dump *u, int rc)
{
	struct dom *dom = dom_find(u->d, u->domid);

	if (rc) {
		log_line("domain %u: no core dump: %s", u->domid, strerror(-rc));
		(void)unlink(u->path);
	} else {
		log_line("domain %u: core dump in %s", u->domid, u->path);
	}
	loop_task_cancel(&u->task);
	tidy_soon(u->d);
	/* Somebody may have destroyed it while it was written. */
	if (dom && dom->unique_id == u->unique_id && !dom->dying)
		u->done(dom, rc);
	free(u->frames);
	free(u);
}

static uint64_t m2p_entry(const struct dump *u, uint64_t mfn)
{
	uint64_t extent = mfn / M2P_FRAME_ENTRIES, *table;

	if (extent >= u->nr_m2p || !u->m2p[extent])
		return ~0ull;
	table = node_map(&u->d->node, u->m2p[extent] * PAGE, M2P_FRAME_ENTRIES * 8);
	return table ? table[mfn % M2P_FRAME_ENTRIES] : ~0ull;
}

static int add(struct dump *u, uint64_t mfn, uint64_t gpfn)
{
	if (u->nr == u->cap) {
		size_t cap = u->cap ? u->cap * 2 : 4096;
		struct frame *p = realloc(u->frames, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		u->frames = p;
		u->cap = cap;
	}
	u->frames[u->nr].mfn = mfn;
	u->frames[u->nr++].addr = gpfn < MAX_GPFN ? gpfn * PAGE : UNPLACED + mfn * PAGE;
	return 0;
}

static int look_by_mfn(struct dump *u)
{
	uint64_t batch[HV_FRAME_BATCH];
	unsigned int n = 0;
	int rc;

	while (n < HV_FRAME_BATCH && u->next_mfn + n < u->end_mfn) {
		batch[n] = u->next_mfn + n;
		n++;
	}
	rc = hvc_frame_types(u->d, u->domid, batch, n);
	for (unsigned int i = 0; i < n && !rc; i++)
		if ((uint32_t)(batch[i] & XEN_DOMCTL_PFINFO_LTAB_MASK) != XEN_DOMCTL_PFINFO_XTAB)
			rc = add(u, u->next_mfn + i, m2p_entry(u, u->next_mfn + i));
	u->next_mfn += n;
	if (u->next_mfn == u->end_mfn && u->top_mfn > u->end_mfn) {
		u->next_mfn = NODE_HIGH_PADDR / PAGE;
		u->end_mfn = u->top_mfn;
	}
	return rc ? rc : u->next_mfn < u->end_mfn;
}

static int look_by_gfn(struct dump *u)
{
	struct node_run run[HV_RUN_BATCH];
	int n = hvc_ram_runs(u->d, u->domid, &u->next_gfn, run), rc = 0;

	for (int i = 0; i < n; i++)
		for (uint64_t k = 0; k < run[i].nr_pages && !rc; k++)
			rc = add(u, run[i].mfn + k, run[i].gfn + k);
	return n < 0 ? n : rc ? rc : n > 0;
}

static int by_addr(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->mfn < y->mfn ? -1 : x->mfn > y->mfn;
}

/* Two frames that claim one address: the guest's table is wrong there, the second is kept aside. */
static void sort_frames(struct dump *u)
{
	uint64_t last = ~0ull;

	qsort(u->frames, u->nr, sizeof(*u->frames), by_addr);
	for (size_t i = 0; i < u->nr; i++) {
		if (u->frames[i].addr == last)
			u->frames[i].addr = UNPLACED + u->frames[i].mfn * PAGE;
		else
			last = u->frames[i].addr;
	}
	qsort(u->frames, u->nr, sizeof(*u->frames), by_addr);
}

static size_t run_length(const struct dump *u, size_t i)
{
	size_t n = 1;

	while (i + n < u->nr && u->frames[i + n].addr == u->frames[i].addr + n * PAGE)
		n++;
	return n;
}

static bool write_headers(FILE *f, const struct dump *u)
{
	Elf64_Ehdr eh = { .e_type = ET_CORE, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_phoff = sizeof(eh),
			  .e_ehsize = sizeof(eh), .e_phentsize = sizeof(Elf64_Phdr), .e_shentsize = sizeof(Elf64_Shdr) };
	Elf64_Shdr sh = { 0 };
	uint64_t runs = 0, off;

	for (size_t i = 0; i < u->nr; i += run_length(u, i))
		runs++;
	memcpy(eh.e_ident, ELFMAG "\2\1\1", SELFMAG + 3);
	eh.e_phnum = runs < PN_XNUM ? (uint16_t)runs : PN_XNUM;
	off = sizeof(eh) + runs * sizeof(Elf64_Phdr);
	if (runs >= PN_XNUM) { /* the count then is in section 0 */
		eh.e_shoff = off;
		eh.e_shnum = 1;
		sh.sh_info = (uint32_t)runs;
		off += sizeof(sh);
	}
	off = (off + PAGE - 1) & ~(PAGE - 1);
	if (fwrite(&eh, sizeof(eh), 1, f) != 1)
		return false;
	for (size_t i = 0, n; i < u->nr; i += n) {
		Elf64_Phdr ph = { .p_type = PT_LOAD, .p_flags = PF_R | PF_W | PF_X, .p_align = PAGE, .p_offset = off };

		n = run_length(u, i);
		ph.p_paddr = ph.p_vaddr = u->frames[i].addr;
		ph.p_filesz = ph.p_memsz = n * PAGE;
		off += ph.p_filesz;
		if (fwrite(&ph, sizeof(ph), 1, f) != 1)
			return false;
	}
	if (runs >= PN_XNUM && fwrite(&sh, sizeof(sh), 1, f) != 1)
		return false;
	return !fseeko(f, (off_t)((ftello(f) + (off_t)PAGE - 1) & ~((off_t)PAGE - 1)), SEEK_SET);
}

/* In the helper: it has the daemon's mapping of all RAM. Pages of zeros stay holes. */
static int write_core(const struct dump *u)
{
	static const uint8_t zeros[PAGE];
	int fd = open(u->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	bool ok = f && write_headers(f, u);

	for (size_t i = 0; i < u->nr && ok; i++) {
		const void *p = node_map(&u->d->node, u->frames[i].mfn * PAGE, PAGE);

		if (!p || !memcmp(p, zeros, PAGE))
			ok = !fseeko(f, (off_t)PAGE, SEEK_CUR);
		else
			ok = fwrite(p, PAGE, 1, f) == 1;
	}
	ok = ok && !fflush(f) && !ftruncate(fd, ftello(f));
	return ok ? 0 : 1;
}

static void written(void *data, int status)
{
	finish(data, status ? -EIO : 0);
}

static void start_writer(struct dump *u)
{
	pid_t pid;
	int rc;

	rc = tidy_cores(u->d, u->file, u->nr * PAGE);
	if (rc) {
		finish(u, rc);
		return;
	}
	sort_frames(u);
	pid = fork();
	if (!pid) {
		/* Nobody may signal it: the daemon's filter has no kill(). */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(write_core(u));
	}
	if (pid < 0 || child_start(u->d, pid, written, u))
		finish(u, -EIO);
}

static void scan(void *data)
{
	struct dump *u = data;
	struct dom *dom = dom_find(u->d, u->domid);
	int rc = dom && dom->unique_id == u->unique_id ? 1 : -ESRCH;

	if (mbox_defer(&u->d->mbox, &u->task))
		return;
	for (unsigned int i = 0; i < BATCHES_PER_ROUND && rc > 0; i++)
		rc = u->look(u);
	if (rc < 0)
		finish(u, rc);
	else if (rc)
		loop_task_post(&u->d->loop, &u->task);
	else
		start_writer(u);
}

static int make_path(struct dump *u, const struct dom *dom)
{
	char dir[300], name[128], when[40];
	time_t now = time(NULL);
	struct tm tm;

	snprintf(dir, sizeof(dir), "%s/dump", u->d->state_dir);
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	snprintf(name, sizeof(name), "%s", dom->name);
	for (char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_+-", *p) && (*p != '.' || p == name))
			*p = '_';
	memcpy(u->file, name, sizeof(u->file));
	localtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm);
	snprintf(u->path, sizeof(u->path), "%s/%s-%s-%u.core", dir, name, when, u->domid);
	return 0;
}

static int begin(struct dump *u)
{
	struct xen_domctl_getdomaininfo info;
	struct node *n = &u->d->node;
	int rc = hvc_get(u->d, u->domid, &info);

	if (rc)
		return rc;
	u->look = info.flags & XEN_DOMINF_hvm_guest ? look_by_gfn : look_by_mfn;
	u->end_mfn = node_low_bytes(n) / PAGE;
	u->top_mfn = n->ram_bytes > NODE_LOW_BYTES ? (NODE_HIGH_PADDR + n->ram_bytes - NODE_LOW_BYTES) / PAGE : 0;
	rc = hvc_m2p_frames(u->d, u->m2p, MAX_M2P_EXTENTS);
	u->nr_m2p = rc > 0 ? (unsigned int)rc : 0;
	return rc < 0 ? rc : 0;
}

void dump_start(struct dom *dom, void (*done)(struct dom *dom, int rc))
{
	struct dump *u = calloc(1, sizeof(*u));
	int rc;

	if (!u) {
		done(dom, -ENOMEM);
		return;
	}
	u->d = dom->d;
	u->domid = dom->domid;
	u->unique_id = dom->unique_id;
	u->done = done;
	loop_task_init(&u->task, scan, u);
	(void)hvc_pause(dom->d, dom->domid);
	rc = make_path(u, dom);
	rc = rc ? rc : begin(u);
	if (rc)
		finish(u, rc);
	else
		loop_task_post(&dom->d->loop, &u->task);
}
