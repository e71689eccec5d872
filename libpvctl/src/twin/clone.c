/* SPDX-License-Identifier: MIT */
/*
 * A running domain becomes several. One copy is restored while the domain is saved. Where there are more, or their disks are made
 * at the moment itself, its state at that moment goes to memory; it goes on, and copies are restored from that.
 */
#include "clone/identity.h"
#include "clone/moment.h"
#include "domain/private.h"
#include "save/private.h"
#include "twin/record.h"
#include "twin/twin.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/grow.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_COPIES 256u

struct clone {
	struct pvctl *ctx;
	struct pvctl_clone_opts o;
	struct pvctl_domain_info info;
	struct pvctl_config *config; /* as it is now */
	struct fork fork;
	struct record record;
	char **name;
	uint32_t *domid, made;
	int fd;                      /* its state */
	bool lost;                   /* nobody can tell whether a copy runs */
	struct pvctl_clone_stats stats;
};

static int check_name(const struct clone *c, const char *name, struct pvctl_error *err)
{
	struct pvctl_config *defined;
	uint32_t domid;
	int rc = key_check_name("name", name, err);

	if (rc)
		return rc;
	if (!pvctl_domain_lookup(c->ctx, name, &domid, NULL))
		return err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "there is a domain \"%s\" already", name);
	if (pvctl_defined_get(c->ctx->node, name, &defined, NULL))
		return 0;
	pvctl_config_free(defined);
	return err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "a domain \"%s\" is defined already", name);
}

static int plan_names(struct clone *c, const char *name, struct pvctl_error *err)
{
	int rc = 0;

	c->name = calloc(c->o.count, sizeof(*c->name));
	c->domid = calloc(c->o.count, sizeof(*c->domid));
	if (!c->name || !c->domid)
		return err_nomem(err);
	for (uint32_t k = 0; k < c->o.count && !rc; k++) {
		c->name[k] = identity_name(name, c->o.count, k);
		rc = c->name[k] ? check_name(c, c->name[k], err) : err_nomem(err);
	}
	return rc;
}

/* What would refuse it, before anything is done. */
static int plan(struct clone *c, uint32_t domid, const char *name, struct pvctl_error *err)
{
	int rc = refuse_host(domid, "cloned", err);

	rc = rc ? rc : refuse_pvh(c->ctx, domid, "clone", err);
	rc = rc ? rc : pvctl_domain_get(c->ctx, domid, &c->info, err);
	rc = rc ? rc : plan_names(c, name, err);
	rc = rc ? rc : domain_may_move(c->ctx, domid, err);
	rc = rc ? rc : save_config_now(c->ctx, domid, &c->config, err);
	rc = rc ? rc : identity_check(c->config, err);
	if (rc)
		return rc;
	c->fork = (struct fork){ .ctx = c->ctx, .domid = domid, .node = c->ctx->node, .name = c->info.name, .dir = c->o.disks, .copy_name = c->name,
	                         .copies = c->o.count, .say = c->o.say, .say_data = c->o.say_data };
	return fork_plan(&c->fork, c->config, err);
}

static void step(void *data, const char *name)
{
	const struct clone *c = data;

	ctx_step(c->ctx, name);
}

static int take_state(struct clone *c, int fd, struct pvctl_error *err)
{
	struct moment m = { .fd = fd, .suspend_timeout_ms = c->o.suspend_timeout_ms, .point = step, .point_data = c };
	int rc = moment_take(&m, &c->fork, err);

	c->stats.pause_ns = m.pause_ns;
	c->stats.bytes = m.bytes;
	c->stats.rounds = m.rounds;
	return rc;
}

static int copy_config(const struct clone *c, uint32_t k, struct pvctl_config **ret, struct pvctl_error *err)
{
	struct pvctl_config *config;
	int rc = config_copy(c->config, &config, err);

	if (rc)
		return rc;
	rc = identity_renew(config, c->name[k], err);
	rc = rc ? rc : fork_set_disks(&c->fork, config, k, err);
	if (rc)
		pvctl_config_free(config);
	else
		*ret = config;
	return rc;
}

static int new_generation(void *data, uint32_t domid, struct pvctl_error *err)
{
	return identity_generation(data, domid, err);
}

static int make_copy(struct clone *c, uint32_t k, struct pvctl_error *err)
{
	const struct pvctl_restore_opts o = { .size = sizeof(o), .paused = c->o.paused, .ready = new_generation, .ready_data = c->ctx };
	struct pvctl_config *config;
	int rc = copy_config(c, k, &config, err);

	if (rc)
		return rc;
	ctx_step(c->ctx, "copying");
	if (lseek(c->fd, 0, SEEK_SET))
		rc = err_os(err, errno, "the domain's state");
	rc = rc ? rc : pvctl_domain_restore(c->ctx, c->fd, config, &o, &c->domid[k], NULL, err);
	c->lost |= rc && domain_end_lost(c->ctx, config, rc);
	pvctl_config_free(config);
	return rc ? err_wrap(err, rc, "%s", c->name[k]) : 0;
}

static int make_copies(struct clone *c, struct pvctl_error *err)
{
	uint64_t start = ctx_now_ns();
	int rc = 0;

	for (; c->made < c->o.count && !rc; c->made += !rc)
		rc = make_copy(c, c->made, err);
	c->stats.restore_ns = ctx_now_ns() - start;
	if (!rc)
		return 0;
	while (c->made)
		c->lost |= pvctl_domain_destroy(c->ctx, c->domid[--c->made], NULL, NULL) == -EIO;
	/* One that may run keeps its disks. */
	if (!c->lost)
		fork_drop_copies(&c->fork);
	return rc;
}

/* The domain runs again. */
static int switched(struct clone *c, struct pvctl_error *err)
{
	int rc;

	fork_finish(&c->fork);
	rc = record_switched(&c->record, &c->fork, c->config, err);
	ctx_step(c->ctx, "finished");
	return rc;
}

static int save_and_restore(struct clone *c, struct pvctl_error *err)
{
	int rc;

	c->fd = memfd_create("clone", MFD_CLOEXEC);
	if (c->fd < 0)
		return err_os(err, errno, "memory for the domain's state");
	rc = take_state(c, c->fd, err);
	if (rc)
		return rc;
	rc = switched(c, err);
	if (rc)
		fork_drop_copies(&c->fork);
	return rc ? rc : make_copies(c, err);
}

/* config: the copy's. */
static int with_twin(struct clone *c, struct twin *w, const struct pvctl_config *config, struct pvctl_error *err)
{
	uint64_t start;
	int rc;

	c->ctx->tail = twin_tail(w);
	rc = take_state(c, twin_fd(w), err);
	c->ctx->tail = NULL;
	start = ctx_now_ns();
	if (rc)
		return twin_stop(w, rc, err);
	rc = switched(c, err);
	if (rc) {
		fork_drop_copies(&c->fork);
		return twin_stop(w, rc, err);
	}
	rc = twin_finish(w, &c->domid[0], err);
	c->stats.restore_ns = ctx_now_ns() - start;
	if (!rc)
		return 0;
	c->lost = domain_end_lost(c->ctx, config, rc) != 0;
	if (!c->lost)
		fork_drop_copies(&c->fork);
	return err_wrap(err, rc, "%s", c->name[0]);
}

/* NULL: it is to be restored when all is saved. */
static struct twin *start_twin(const struct clone *c, const struct pvctl_config *config)
{
	struct pvctl_config *own;
	struct twin *w;

	if (c->o.count != 1 || !fork_has_copies(&c->fork) || config_copy(config, &own, NULL))
		return NULL;
	w = twin_start(c->ctx, own, c->o.paused != 0);
	if (!w)
		pvctl_config_free(own);
	return w;
}

static int make_prepared(struct clone *c, struct pvctl_error *err)
{
	struct pvctl_config *config;
	struct twin *w;
	int rc = copy_config(c, 0, &config, err);

	if (rc) {
		fork_undo(&c->fork);
		return rc;
	}
	w = start_twin(c, config);
	rc = w ? with_twin(c, w, config, err) : save_and_restore(c, err);
	pvctl_config_free(config);
	return rc;
}

static int make_clones(struct clone *c, struct pvctl_error *err)
{
	int rc = record_begin(&c->record, &c->fork, c->config, err);

	if (rc)
		return rc;
	ctx_step(c->ctx, "begun");
	rc = fork_prepare(&c->fork, err);
	if (rc)
		fork_undo(&c->fork);
	rc = rc ? rc : make_prepared(c, err);
	ctx_step(c->ctx, "made");
	record_end(&c->record, c->lost || fork_in_doubt(&c->fork));
	return rc;
}

static void clone_free(struct clone *c)
{
	for (uint32_t k = 0; c->name && k < c->o.count; k++)
		free(c->name[k]);
	fork_free(&c->fork);
	free(c->name);
	free(c->domid);
	pvctl_config_free(c->config);
	if (c->fd >= 0)
		close(c->fd);
}

int pvctl_domain_clone(struct pvctl *ctx, uint32_t domid, const char *name, const struct pvctl_clone_opts *opts, uint32_t *ret_domids,
                       struct pvctl_clone_stats *ret, struct pvctl_error *err)
{
	struct clone c = { .ctx = ctx, .fd = -1, .record.lock = -1, .info.size = sizeof(c.info) };
	uint64_t start = ctx_now_ns();
	int rc = opts_load(&c.o, sizeof(c.o), opts, err);

	if (!rc && ret)
		rc = grow_check(ret, err);
	if (rc)
		return rc;
	c.o.count = c.o.count ? c.o.count : 1;
	if (c.o.count > MAX_COPIES)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%u copies: at most %u are made at once", c.o.count, MAX_COPIES);
	rc = plan(&c, domid, name, err);
	rc = rc ? rc : make_clones(&c, err);
	c.stats.total_ns = ctx_now_ns() - start;
	if (!rc)
		memcpy(ret_domids, c.domid, c.o.count * sizeof(*ret_domids));
	if (!rc && ret)
		grow_out(ret, &c.stats, sizeof(c.stats));
	clone_free(&c);
	return rc;
}
