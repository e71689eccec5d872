/* SPDX-License-Identifier: MIT */
#include "save/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/grow.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPRESS_LEVEL 1

static int may_be_saved(struct pvctl *ctx, uint32_t domid, struct pvctl_config **ret, struct pvctl_error *err)
{
	struct pvctl_config *c;
	int rc = pvctl_domain_config(ctx, domid, &c, err);

	if (rc)
		return rc;
	if (!config_int_or(c, "nomigrate", 0)) {
		*ret = c;
		return 0;
	}
	pvctl_config_free(c);
	return err_set(err, -EPERM, PVCTL_ORIGIN_LIB, "domain %u has nomigrate=1: it is not saved, moved or copied", domid);
}

static bool same_list(const struct pvctl_config *a, const struct pvctl_config *b, const char *key)
{
	const char *x, *y;
	size_t i = 0;

	do {
		x = pvctl_config_get_item(a, key, i);
		y = pvctl_config_get_item(b, key, i++);
	} while (x && y && !strcmp(x, y));
	return !x && !y;
}

/*
 * The stream began with what there was then. A device that came since would be missing in it, and its guest would wait for that for ever;
 * one that went would be made anew, on a disk that may be another's by now.
 */
static int check_devices(const struct saver *s, struct pvctl_error *err)
{
	static const char *const lists[] = { "disk", "vif", "p9", "channel" };
	struct pvctl_config *now;
	int rc = pvctl_domain_config(s->ctx, s->domid, &now, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && !rc; i++)
		if (!same_list(s->begun, now, lists[i]))
			rc = err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "domain %u: its list of devices (%s=) was changed meanwhile; it goes on: try again",
			             s->domid, lists[i]);
	pvctl_config_free(now);
	return rc;
}

static int saver_init(struct saver *s, struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo info;
	struct pvctl_config *begun = NULL;
	int rc = hv_domain_info(ctx->t, domid, &info, err);

	if (rc)
		return rc;
	if (info.flags & XEN_DOMINF_dying || info.max_vcpu_id >= STREAM_MAX_VCPUS)
		return err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u is ending", domid);
	if (info.flags & XEN_DOMINF_shutdown && domain_reason(&info) != PVCTL_REASON_SUSPEND)
		return err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u has shut down", domid);
	rc = may_be_saved(ctx, domid, &begun, err);
	if (rc)
		return rc;
	*s = (struct saver){ .ctx = ctx, .t = ctx->t, .domid = domid, .begun = begun, .machine = info.flags & XEN_DOMINF_hvm_guest ? &save_pvh : &save_pv, .max_vcpu = info.max_vcpu_id,
	                     .shared_info_mfn = info.shared_info_frame, .tot_pages = info.tot_pages, .was_suspended = domain_reason(&info) == PVCTL_REASON_SUSPEND };
	return 0;
}

static void saver_free(struct saver *s)
{
	save_live_end(s);
	save_frames_free(s);
	save_pages_free(s);
	pvctl_config_free(s->begun);
}

/* Or it could not be restored, and is gone by then. */
static int enough_vcpus(const struct saver *s, const struct pvctl_config *c, struct pvctl_error *err)
{
	int64_t max = config_int_or(c, "maxvcpus", config_int_or(c, "vcpus", 1));

	if (max > s->max_vcpu)
		return 0;
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "domain %u has %u vCPUs, and the configuration that is given for it has maxvcpus=%lld", s->domid,
	               s->max_vcpu + 1, (long long)max);
}

static int write_head(struct saver *s, const struct pvctl_config *override, struct pvctl_error *err)
{
	CLEANUP_FREE char *own = NULL, *xl = NULL;
	struct pvctl_config *c = NULL;
	uint32_t major, minor;
	int rc;

	rc = override ? config_copy(override, &c, err) : save_config_now(s->ctx, s->domid, &c, err);
	if (!rc)
		rc = enough_vcpus(s, c, err);
	/* What "auto" became is what the stream is of. */
	if (!rc && s->machine == &save_pvh && strcmp(config_value(c, "type") ? pvctl_config_get_str(c, "type") : "pv", "auto") == 0)
		rc = pvctl_config_set_str(c, "type", "pvh", err);
	if (!rc)
		rc = pvctl_config_to_json(c, &own, err);
	if (!rc)
		rc = libxl_json_make(c, s->keep_domid ? s->domid : 0, &xl, err);
	if (!rc)
		rc = hv_version(s->t, &major, &minor, err);
	if (!rc)
		rc = save_wrote(s, stream_write_start(&s->w, s->machine->domain, xl, major, minor), err);
	if (!rc)
		rc = save_static_records(s, own, err);
	pvctl_config_free(c);
	return rc;
}

/* The guest does not run: all of its memory, or what is left of it. */
static int write_stopped(struct saver *s, bool live, struct pvctl_error *err)
{
	int rc;

	s->final = true;
	if (live) {
		rc = save_live_last(s, err);
	} else {
		rc = s->machine->read_frames(s, err);
		if (!rc)
			rc = save_pages_init(s, err);
		if (!rc && s->machine->tell_frames)
			rc = s->machine->tell_frames(s, err);
		if (!rc)
			rc = save_pages(s, err);
	}
	s->stats.rounds++;
	if (!rc)
		rc = save_tsc_record(s, err);
	if (!rc)
		rc = s->machine->state_records(s, err);
	return rc ? rc : save_wrote(s, stream_write_end(&s->w), err);
}

/* What suspended itself is only made quiet. */
static int suspend(struct saver *s, uint32_t timeout_ms, struct pvctl_error *err)
{
	const struct proto_quiesce q = { .domid = s->domid };
	int rc = s->was_suspended ? ctx_request(s->ctx, PROTO_QUIESCE, &q, sizeof(q), err) :
	         domain_suspend(s->ctx, s->domid, true, timeout_ms, err);

	s->ours = !rc;
	return rc;
}

static int stream_out(struct saver *s, int fd, const struct pvctl_save_opts *o, struct pvctl_error *err)
{
	bool live = o->live && !s->was_suspended;
	struct save_io io;
	uint64_t stopped;
	int rc = save_io_write_init(&io, s->ctx, fd, o->compress ? COMPRESS_LEVEL : 0, &s->w.sink, err);

	if (rc)
		return rc;
	rc = write_head(s, o->config, err);
	if (!rc && live)
		rc = save_live_rounds(s, o->max_rounds, err);
	if (!rc)
		rc = suspend(s, o->suspend_timeout_ms, err);
	stopped = ctx_now_ns();
	if (!rc)
		rc = check_devices(s, err);
	if (!rc) {
		rc = write_stopped(s, live, err);
		if (!rc)
			rc = save_wrote(s, save_io_write_end(&io), err);
		/* What the guest wrote is done as far as its memory knows, flushed or not: then it must be, when there is nothing else left of it. */
		if (!rc && o->leave == PVCTL_SAVE_DESTROY)
			rc = pvctl_domain_release_disks(s->ctx, s->domid, err);
		if (!rc && o->written)
			rc = o->written(o->written_data, err);
		s->stats.bytes = io.bytes;
		s->stats.pause_ns = ctx_now_ns() - stopped;
	}
	save_io_free_writer(&io);
	return rc;
}

static int after(struct saver *s, uint32_t leave, struct pvctl_error *err)
{
	int rc;

	switch (leave) {
	case PVCTL_SAVE_SUSPENDED:
		return 0;
	case PVCTL_SAVE_DESTROY:
		rc = domain_remove(s->ctx, s->domid, err);
		return rc ? err_wrap(err, rc, "domain %u is saved, and stays suspended", s->domid) : 0;
	case PVCTL_SAVE_PAUSED:
		rc = hv_domain_pause(s->t, s->domid, err);
		return rc ? rc : pvctl_domain_resume(s->ctx, s->domid, err);
	default:
		return pvctl_domain_resume(s->ctx, s->domid, err);
	}
}

/* It goes on where it was. */
static void go_on(struct saver *s)
{
	struct pvctl_error why;
	int rc = s->was_suspended ? pvctl_domain_keep_suspended(s->ctx, s->domid, &why) : pvctl_domain_resume(s->ctx, s->domid, &why);

	if (rc && rc != -ENOENT)
		log_msg(&s->ctx->log, LOG_ERROR, "domain %u cannot go on: %s", s->domid, why.msg);
}

static int save_domain(struct pvctl *ctx, uint32_t domid, int fd, const struct pvctl_save_opts *opts, bool keep_log,
                       struct pvctl_save_stats *ret, struct pvctl_error *err)
{
	uint64_t start = ctx_now_ns();
	struct pvctl_save_opts o;
	struct saver s;
	int rc;

	rc = opts_load(&o, sizeof(o), opts, err);
	if (!rc && ret)
		rc = grow_check(ret, err);
	if (!rc && o.leave > PVCTL_SAVE_SUSPENDED)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "leave=%u: there is no such", o.leave);
	if (!rc)
		rc = refuse_host(domid, "saved", err);
	if (!rc && o.live)
		rc = refuse_pvh(ctx, domid, "save --live", err);
	if (!rc)
		rc = saver_init(&s, ctx, domid, err);
	if (rc)
		return rc;
	s.keep_domid = o.keep_domid != 0;
	rc = stream_out(&s, fd, &o, err);
	if (!rc && keep_log && o.leave == PVCTL_SAVE_SUSPENDED)
		s.logging = s.tied = false;
	if (o.leave != PVCTL_SAVE_DESTROY || rc)
		save_live_end(&s);
	if (rc && s.ours)
		go_on(&s);
	else if (!rc)
		rc = after(&s, o.leave, err);
	s.stats.total_ns = ctx_now_ns() - start;
	saver_free(&s);
	if (!rc && ret)
		grow_out(ret, &s.stats, sizeof(s.stats));
	return rc;
}

int pvctl_domain_save(struct pvctl *ctx, uint32_t domid, int fd, const struct pvctl_save_opts *opts, struct pvctl_save_stats *ret,
                      struct pvctl_error *err)
{
	return save_domain(ctx, domid, fd, opts, false, ret, err);
}

int save_keeping_log(struct pvctl *ctx, uint32_t domid, int fd, const struct pvctl_save_opts *opts, struct pvctl_save_stats *ret,
                     struct pvctl_error *err)
{
	return save_domain(ctx, domid, fd, opts, true, ret, err);
}
