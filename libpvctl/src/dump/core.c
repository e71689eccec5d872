/* SPDX-License-Identifier: MIT */
/*
 * A domain's core, from where its memory is. Which frames are the domain's is the hypervisor's word, never the guest's: what was
 * copied is asked about again before it is written, since a domain that runs may have given a frame back by then.
 */
#include "dump/private.h"
#include "hv/state.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xen/sched.h>

#define MAX_VCPUS 4096u
#define BATCH DUMP_BATCH

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

int dump_add(struct dump *u, uint64_t pfn, uint64_t mfn, struct pvctl_error *err)
{
	if (u->n == u->room) {
		uint64_t room = u->room ? u->room * 2 : 4096;
		struct core_p2m *p = realloc(u->page, room * sizeof(*p));

		if (!p)
			return err_nomem(err);
		u->page = p;
		u->room = room;
	}
	u->page[u->n++] = (struct core_p2m){ pfn, mfn };
	return 0;
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

static int write_table(struct dump *u, const struct core_layout *l, struct pvctl_error *err)
{
	uint64_t gfn[BATCH], n;
	int rc = 0;

	if (!l->by_gfn)
		return write_out(u, u->page, u->n * sizeof(*u->page), err);
	for (uint64_t at = 0; at < u->n && !rc; at += n) {
		n = u->n - at < BATCH ? u->n - at : BATCH;
		for (uint64_t i = 0; i < n; i++)
			gfn[i] = u->page[at + i].pfn;
		rc = write_out(u, gfn, n * sizeof(*gfn), err);
	}
	return rc;
}

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
	rc = rc ? rc : write_table(u, l, err);
	return rc ? rc : write_out(u, zeroes, l->pages - l->p2m - u->n * l->entry, err);
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
	bool gone[BATCH];
	int rc;

	for (uint32_t i = 0; i < n; i++) {
		const void *p = u->t->ops->map(u->t, page[i].gmfn, 1);
		bool none = !p || (u->t->ops->untouched && u->t->ops->untouched(u->t, page[i].gmfn));

		if (none)
			memset(u->batch + (size_t)i * CORE_PAGE, 0, CORE_PAGE);
		else
			memcpy(u->batch + (size_t)i * CORE_PAGE, p, CORE_PAGE);
	}
	rc = u->machine->look_again(u, page, n, gone, err);
	for (uint32_t i = 0; i < n && !rc; i++) {
		if (gone[i])
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

	rc = rc ? rc : u->machine->find(u, stopped, err);
	if (rc)
		return rc;
	core_layout(&l, u->n_vcpus, u->n, u->machine->by_gfn);
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
	if (!rc && fstat(fd, &st))
		rc = err_os(err, errno, "where the core is to go");
	rc = rc ? rc : hv_domain_info(ctx->t, domid, &u.info, err);
	if (!rc && u.info.flags & XEN_DOMINF_dying)
		rc = err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u is ending", domid);
	if (rc)
		return rc;
	if (o.then && u.info.flags & XEN_DOMINF_shutdown)
		return err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u has shut down already", domid);
	u.machine = u.info.flags & XEN_DOMINF_hvm_guest ? &dump_pvh : &dump_pv;
	u.can_skip = S_ISREG(st.st_mode);
	rc = save_io_write_init(&u.io, ctx, fd, 0, &u.sink, err);
	rc = rc ? rc : dump(&u, &o, err);
	save_io_free_writer(&u.io);
	free(u.page);
	free(u.vcpu);
	free(u.batch);
	return rc;
}
