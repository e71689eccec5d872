/* SPDX-License-Identifier: MIT */
/*
 * A domain's core, from where its memory is. Which frames are the domain's is the hypervisor's word, never the guest's: what was
 * copied is asked about again before it is written, since a domain that runs may have given a frame back by then.
 */
#include "domain/private.h"
#include "dump/format.h"
#include "hv/state.h"
#include "save/io.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xen/sched.h>

#define M2P_ENTRIES (2ull << 20 >> 3) /* of each extent */
#define M2P_EXTENTS 1024u
#define MAX_PFN (1ull << 36)
#define MAX_VCPUS 4096u
#define BATCH 256u

struct dump {
	struct pvctl *ctx;
	struct transport *t;
	uint32_t domid;
	struct save_io io;
	struct stream_sink sink;
	bool held;                 /* by the daemon */
	bool can_skip;             /* a file: pages of zeroes stay holes */
	uint64_t skipped;          /* not yet sought over */
	struct xen_domctl_getdomaininfo info;
	uint64_t m2p[M2P_EXTENTS];
	uint32_t n_m2p;
	struct core_p2m *page;
	uint64_t n, room;
	vcpu_guest_context_t *vcpu;
	uint64_t n_vcpus;
	uint8_t *batch;
};

static int write_out(struct dump *u, const void *p, size_t len, struct pvctl_error *err)
{
	struct iovec v = { (void *)(uintptr_t)p, len };
	int rc = 0;

	if (u->skipped && lseek(u->io.fd, (off_t)u->skipped, SEEK_CUR) < 0)
		rc = -errno;
	u->skipped = 0;
	rc = rc ? rc : u->sink.write(u->sink.data, &v, 1);
	if (rc == -ECANCELED)
		return err_set(err, rc, PVCTL_ORIGIN_LIB, "canceled");
	return rc ? err_os(err, -rc, "domain %u: writing its core", u->domid) : 0;
}

static int step(struct dump *u, uint64_t done, struct pvctl_error *err)
{
	if (ctx_progress(u->ctx, "core", done, u->n))
		return err_set(err, -ECANCELED, PVCTL_ORIGIN_LIB, "canceled");
	return 0;
}

/* ---- what is in it ---- */

static uint64_t pfn_of(struct dump *u, uint64_t mfn)
{
	uint64_t extent = mfn / M2P_ENTRIES;
	const uint64_t *table;

	if (extent >= u->n_m2p || !u->m2p[extent])
		return CORE_NO_PFN;
	table = u->t->ops->map(u->t, u->m2p[extent], M2P_ENTRIES * 8 / CORE_PAGE);
	if (!table)
		return CORE_NO_PFN;
	mfn = __atomic_load_n(&table[mfn % M2P_ENTRIES], __ATOMIC_RELAXED);
	return mfn < MAX_PFN ? mfn : CORE_NO_PFN;
}

static int add(struct dump *u, uint64_t mfn, struct pvctl_error *err)
{
	if (u->n == u->room) {
		uint64_t room = u->room ? u->room * 2 : 4096;
		struct core_p2m *p = realloc(u->page, room * sizeof(*p));

		if (!p)
			return err_nomem(err);
		u->page = p;
		u->room = room;
	}
	u->page[u->n++] = (struct core_p2m){ pfn_of(u, mfn), mfn };
	return 0;
}

static int scan(struct dump *u, bool stopped, struct pvctl_error *err)
{
	struct xen_sysctl_physinfo host;
	uint64_t type[HV_FRAME_TYPES_MAX];
	uint32_t i, n;
	int rc = hv_physinfo(u->t, &host, err);

	/* One that does not run gets no more than it has. */
	for (uint64_t mfn = 0; !rc && mfn <= host.max_mfn && (!stopped || u->n < u->info.tot_pages); mfn += n) {
		n = host.max_mfn - mfn < HV_FRAME_TYPES_MAX - 1 ? (uint32_t)(host.max_mfn - mfn) + 1 : HV_FRAME_TYPES_MAX;
		for (i = 0; i < n; i++)
			type[i] = mfn + i;
		rc = hv_frame_types(u->t, u->domid, type, n, err);
		for (i = 0; i < n && !rc; i++)
			if (type[i] != XEN_DOMCTL_PFINFO_XTAB && u->t->ops->map(u->t, mfn + i, 1))
				rc = add(u, mfn + i, err);
	}
	return rc;
}

static int by_pfn(const void *a, const void *b)
{
	const struct core_p2m *x = a, *y = b;

	if (x->pfn != y->pfn)
		return x->pfn < y->pfn ? -1 : 1;
	return x->gmfn < y->gmfn ? -1 : x->gmfn > y->gmfn;
}

/* The table is the guest's own word, too: of two frames that claim one place, the second has none. */
static void place(struct dump *u)
{
	uint64_t last = CORE_NO_PFN;

	qsort(u->page, u->n, sizeof(*u->page), by_pfn);
	for (uint64_t i = 0; i < u->n; i++) {
		if (u->page[i].pfn == last)
			u->page[i].pfn = CORE_NO_PFN;
		else
			last = u->page[i].pfn;
	}
	qsort(u->page, u->n, sizeof(*u->page), by_pfn);
}

static int read_vcpus(struct dump *u, struct pvctl_error *err)
{
	int rc;

	if (u->info.max_vcpu_id >= MAX_VCPUS)
		return err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u is ending", u->domid);
	u->vcpu = calloc(u->info.max_vcpu_id + 1, sizeof(*u->vcpu));
	if (!u->vcpu)
		return err_nomem(err);
	for (uint32_t v = 0; v <= u->info.max_vcpu_id; v++) {
		rc = hv_vcpu_get_context(u->t, u->domid, v, &u->vcpu[u->n_vcpus], err);
		if (rc < 0)
			return rc;
		u->n_vcpus += !rc;
	}
	return 0;
}

static int read_version(struct dump *u, struct core_version *v, struct pvctl_error *err)
{
	uint32_t major, minor;
	uint64_t start;
	int rc = hv_version(u->t, &major, &minor, err);

	rc = rc ? rc : hv_version_text(u->t, XENVER_extraversion, v->extra, sizeof(v->extra), err);
	rc = rc ? rc : hv_compile_info(u->t, v->compile.compiler, sizeof(v->compile.compiler), v->compile.compile_date,
				       sizeof(v->compile.compile_date), err);
	rc = rc ? rc : hv_version_text(u->t, XENVER_capabilities, v->capabilities, sizeof(v->capabilities), err);
	rc = rc ? rc : hv_version_text(u->t, XENVER_changeset, v->changeset, sizeof(v->changeset), err);
	rc = rc ? rc : hv_virt_start(u->t, &start, err);
	if (rc)
		return rc;
	v->major = major;
	v->minor = minor;
	v->platform.virt_start = start;
	v->page_size = CORE_PAGE;
	return 0;
}

/* ---- writing it ---- */

static int write_head(struct dump *u, const struct core_layout *l, struct pvctl_error *err)
{
	static const uint8_t zeroes[CORE_PAGE];
	struct core_version v = { 0 };
	const void *si = u->t->ops->map(u->t, u->info.shared_info_frame, 1);
	CLEANUP_FREE void *head = NULL;
	int rc = read_version(u, &v, err);

	if (rc)
		return rc;
	head = core_head(l, &v);
	if (!head)
		return err_nomem(err);
	rc = write_out(u, head, l->prstatus, err);
	rc = rc ? rc : write_out(u, u->vcpu, u->n_vcpus * sizeof(*u->vcpu), err);
	rc = rc ? rc : write_out(u, si ? si : zeroes, CORE_PAGE, err);
	rc = rc ? rc : write_out(u, u->page, u->n * sizeof(*u->page), err);
	return rc ? rc : write_out(u, zeroes, l->pages - l->p2m - u->n * sizeof(*u->page), err);
}

static bool is_zero(const uint8_t *p)
{
	return !p[0] && !memcmp(p, p + 1, CORE_PAGE - 1);
}

static int write_page(struct dump *u, const uint8_t *p, struct pvctl_error *err)
{
	if (!u->can_skip || !is_zero(p))
		return write_out(u, p, CORE_PAGE, err);
	u->skipped += CORE_PAGE;
	return 0;
}

static int write_batch(struct dump *u, const struct core_p2m *page, uint32_t n, struct pvctl_error *err)
{
	uint64_t type[BATCH];
	int rc;

	for (uint32_t i = 0; i < n; i++) {
		const void *p = u->t->ops->map(u->t, page[i].gmfn, 1);
		bool none = !p || (u->t->ops->untouched && u->t->ops->untouched(u->t, page[i].gmfn));

		type[i] = page[i].gmfn;
		if (none)
			memset(u->batch + (size_t)i * CORE_PAGE, 0, CORE_PAGE);
		else
			memcpy(u->batch + (size_t)i * CORE_PAGE, p, CORE_PAGE);
	}
	rc = hv_frame_types(u->t, u->domid, type, n, err);
	for (uint32_t i = 0; i < n && !rc; i++) {
		if (type[i] == XEN_DOMCTL_PFINFO_XTAB)
			memset(u->batch + (size_t)i * CORE_PAGE, 0, CORE_PAGE);
		rc = write_page(u, u->batch + (size_t)i * CORE_PAGE, err);
	}
	return rc;
}

static int write_pages(struct dump *u, struct pvctl_error *err)
{
	uint32_t n;
	int rc = 0;

	u->batch = malloc((size_t)BATCH * CORE_PAGE);
	if (!u->batch)
		return err_nomem(err);
	if (u->t->ops->untouched)
		(void)u->t->ops->untouched(u->t, ~0ull);
	for (uint64_t i = 0; i < u->n && !rc; i += n) {
		n = u->n - i < BATCH ? (uint32_t)(u->n - i) : BATCH;
		rc = step(u, i, err);
		rc = rc ? rc : write_batch(u, u->page + i, n, err);
	}
	return rc;
}

static int finish_file(struct dump *u, struct pvctl_error *err)
{
	off_t end = u->skipped ? lseek(u->io.fd, (off_t)u->skipped, SEEK_CUR) : 0;

	if (end < 0 || (end && ftruncate(u->io.fd, end)))
		return err_os(err, errno, "domain %u: writing its core", u->domid);
	return 0;
}

static int write_core(struct dump *u, bool stopped, struct pvctl_error *err)
{
	struct core_layout l;
	int rc = read_vcpus(u, err);

	rc = rc ? rc : hv_m2p_frames(u->t, u->m2p, M2P_EXTENTS, err);
	if (rc < 0)
		return rc;
	u->n_m2p = (uint32_t)rc;
	rc = scan(u, stopped, err);
	if (rc)
		return rc;
	place(u);
	core_layout(&l, u->n_vcpus, u->n);
	rc = write_head(u, &l, err);
	rc = rc ? rc : write_pages(u, err);
	return rc ? rc : finish_file(u, err);
}

/* ---- and the domain meanwhile ---- */

/* By the daemon, which lets it go on when we are gone. One that does not know this is older. */
static int hold(struct dump *u, bool on, struct pvctl_error *err)
{
	struct proto_log b = { .domid = u->domid, .on = on };

	return ctx_request(u->ctx, PROTO_HOLD, &b, sizeof(b), err);
}

static int stop(struct dump *u, struct pvctl_error *err)
{
	int rc = hold(u, true, err);

	u->held = !rc;
	return rc == -ENOSYS ? hv_domain_pause(u->t, u->domid, err) : rc;
}

static int go_on(struct dump *u, struct pvctl_error *err)
{
	int rc = u->held ? hold(u, false, err) : hv_domain_unpause(u->t, u->domid, err);

	return rc ? err_wrap(err, rc, "domain %u stands still until this connection ends", u->domid) : 0;
}

static int dump(struct dump *u, const struct pvctl_dump_opts *o, struct pvctl_error *err)
{
	static const uint32_t reason[] = { [PVCTL_DUMP_CRASH] = SHUTDOWN_crash, [PVCTL_DUMP_RESET] = SHUTDOWN_reboot };
	bool stopped = u->info.flags & XEN_DOMINF_shutdown, stop_it = !o->live && !stopped;
	struct pvctl_error later;
	int rc = stop_it ? stop(u, err) : 0, rc2;

	if (rc)
		return rc;
	rc = write_core(u, stopped || stop_it, err);
	if (!rc && o->then)
		rc = hv_domain_shut(u->t, u->domid, reason[o->then], err);
	rc2 = stop_it ? go_on(u, rc ? &later : err) : 0;
	/* It may have been destroyed meanwhile, by whom it concerns. */
	return rc ? rc : rc2 == -ESRCH ? 0 : rc2;
}

int pvctl_domain_dump_core(struct pvctl *ctx, uint32_t domid, int fd, const struct pvctl_dump_opts *opts, struct pvctl_error *err)
{
	struct pvctl_dump_opts o;
	struct dump u = { .ctx = ctx, .t = ctx->t, .domid = domid };
	struct stat st;
	int rc = opts_load(&o, sizeof(o), opts, err);

	if (!rc && o.then > PVCTL_DUMP_RESET)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "then=%u: there is no such", o.then);
	rc = rc ? rc : refuse_host(domid, "dumped", err);
	rc = rc ? rc : refuse_pvh(ctx, domid, "dump-core", err);
	if (!rc && fstat(fd, &st))
		rc = err_os(err, errno, "where the core is to go");
	rc = rc ? rc : hv_domain_info(ctx->t, domid, &u.info, err);
	if (!rc && u.info.flags & XEN_DOMINF_dying)
		rc = err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u is ending", domid);
	if (rc)
		return rc;
	if (o.then && u.info.flags & XEN_DOMINF_shutdown)
		return err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u has shut down already", domid);
	u.can_skip = S_ISREG(st.st_mode);
	rc = save_io_write_init(&u.io, ctx, fd, 0, &u.sink, err);
	rc = rc ? rc : dump(&u, &o, err);
	save_io_free_writer(&u.io);
	free(u.page);
	free(u.vcpu);
	free(u.batch);
	return rc;
}
