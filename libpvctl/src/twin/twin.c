/* SPDX-License-Identifier: MIT */
#include "twin/twin.h"
#include "clone/identity.h"
#include "util/err.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum go { GO_WAIT, GO_ON, GO_STOP };
struct twin {
	/* the caller's */
	int out;
	pthread_t thread;
	struct file_tail write_tail;
	/* the thread's, from its start to its end */
	struct pvctl *ctx;
	struct pvctl_config *config;
	bool paused;
	int in;                    /* the same file, from its own place on */
	struct file_tail read_tail;
	/* shared, under lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum go go;                /* the caller's word */
	uint64_t written;          /* and how much there is */
	bool ended;                /* the thread's: what follows does not change any more */
	int rc;
	uint32_t domid;
	struct pvctl_error err;
};

static int wrote(void *data, uint64_t bytes)
{
	struct twin *w = data;
	bool ended;

	pthread_mutex_lock(&w->lock);
	w->written = bytes;
	ended = w->ended;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return ended ? -EPIPE : 0;
}

static bool more(void *data, uint64_t have)
{
	struct twin *w = data;
	bool is_more;

	pthread_mutex_lock(&w->lock);
	while (w->written <= have && w->go == GO_WAIT)
		pthread_cond_wait(&w->changed, &w->lock);
	is_more = w->written > have;
	pthread_mutex_unlock(&w->lock);
	return is_more;
}

/* All of it is there but its devices. */
static int wait_for_disks(void *data, uint32_t domid, struct pvctl_error *err)
{
	struct twin *w = data;
	enum go go;

	pthread_mutex_lock(&w->lock);
	while (w->go == GO_WAIT)
		pthread_cond_wait(&w->changed, &w->lock);
	go = w->go;
	pthread_mutex_unlock(&w->lock);
	if (go == GO_STOP)
		return err_set(err, -ECANCELED, PVCTL_ORIGIN_LIB, "canceled");
	return identity_generation(w->ctx, domid, err);
}

static void *run(void *data)
{
	struct twin *w = data;
	const struct pvctl_restore_opts o = { .size = sizeof(o), .paused = w->paused, .ready = wait_for_disks, .ready_data = w };
	struct pvctl_error err = { 0 };
	uint32_t domid = 0;
	int rc = pvctl_domain_restore(w->ctx, w->in, w->config, &o, &domid, NULL, &err);

	pthread_mutex_lock(&w->lock);
	w->ended = true;
	w->rc = rc;
	w->err = err;
	w->domid = domid;
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* The caller's signals are his own thread's. */
static int start_thread(struct twin *w)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

static void twin_free(struct twin *w)
{
	pvctl_close(w->ctx);
	pvctl_config_free(w->config);
	if (w->out >= 0)
		close(w->out);
	if (w->in >= 0)
		close(w->in);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static int open_file(struct twin *w)
{
	char path[40];

	w->out = memfd_create("clone", MFD_CLOEXEC);
	if (w->out < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", w->out);
	w->in = open(path, O_RDONLY | O_CLOEXEC);
	return w->in < 0 ? -errno : 0;
}

struct twin *twin_start(const struct pvctl *ctx, struct pvctl_config *config, bool paused)
{
	struct twin *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	w->paused = paused;
	w->in = w->out = -1;
	w->write_tail = (struct file_tail){ .wrote = wrote, .data = w };
	w->read_tail = (struct file_tail){ .more = more, .data = w };
	w->config = config;
	if (!open_file(w) && !ctx_open_again(ctx, &w->ctx, NULL)) {
		w->ctx->tail = &w->read_tail;
		if (!start_thread(w))
			return w;
	}
	w->config = NULL;
	twin_free(w);
	return NULL;
}

int twin_fd(const struct twin *w)
{
	return w->out;
}

const struct file_tail *twin_tail(struct twin *w)
{
	return &w->write_tail;
}

/* Returns whether it had ended before. */
static bool tell(struct twin *w, enum go go)
{
	bool ended;

	pthread_mutex_lock(&w->lock);
	w->go = go;
	ended = w->ended;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return ended;
}

static int join(struct twin *w, uint32_t *ret_domid, struct pvctl_error *err)
{
	int rc;

	pthread_join(w->thread, NULL);
	rc = w->rc;
	if (rc && err)
		*err = w->err;
	if (!rc)
		*ret_domid = w->domid;
	twin_free(w);
	return rc;
}

int twin_finish(struct twin *w, uint32_t *ret_domid, struct pvctl_error *err)
{
	tell(w, GO_ON);
	return join(w, ret_domid, err);
}

int twin_stop(struct twin *w, int rc, struct pvctl_error *err)
{
	struct pvctl_error its = { 0 };
	bool first = tell(w, GO_STOP);
	uint32_t domid;
	int its_rc = join(w, &domid, &its);

	if (!first || !its_rc)
		return rc;
	if (err)
		*err = its;
	return its_rc;
}
