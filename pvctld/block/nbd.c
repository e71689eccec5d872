/* SPDX-License-Identifier: MIT */
/*
 * The life of a qemu-nbd: waits for one that has the image still, started,
 * connected, ready, closed. Its end, whatever it was, is seen by its pidfd.
 */
#include "pvctld/base/log.h"
#include "pvctld/block/nbd_private.h"
#include "pvctld/block/vbd.h"
#include "pvctld/core/children.h"
#include "pvctld/spawn/ask.h"
#include "libpvctl/src/util/err.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_NS 30000000000ull
#define LINGER_NS 2000000000ull   /* from the end of its socket to its own */
#define CLOSE_NS 60000000000ull   /* for what it has to write */
#define HURRY_NS 30000000000ull   /* for what is under way when nobody wants it any more */
#define PATIENCE_NS 60000000000ull
#define PATIENCE_STEP_NS 50000000u
#define FINI_MS 10000
#define RESTARTS 10u              /* in RESTART_WINDOW_NS */
#define RESTART_WINDOW_NS 60000000000ull
#define SAID_SHOWN 300u
#define RESTART_NS 500000000u     /* where it did not help at once */

static void drop_fd(struct blk_nbd *n, struct loop_fd *f)
{
	int fd = f->fd;

	if (fd < 0)
		return;
	loop_fd_del(&n->d->loop, f);
	close(fd);
}

static void destroy(struct blk_nbd *n)
{
	bool lost = n->lost || (n->given_up && n->kept);

	nbd_hang_up(n);
	drop_fd(n, &n->log);
	drop_fd(n, &n->process);
	loop_timer_cancel(&n->timer);
	loop_task_cancel(&n->deliver);
	loop_task_cancel(&n->begin);
	nbd_io_fini(n);
	list_del(&n->link);
	if (n->closed)
		n->closed(n->closed_data, lost);
	free(n);
}

static void on_log(void *data, uint32_t events)
{
	struct blk_nbd *n = data;
	char text[256];
	ssize_t got = read(n->log.fd, text, sizeof(text));

	if (got <= 0) {
		drop_fd(n, &n->log);
		return;
	}
	/* The last of it is kept, as one clean line. */
	for (ssize_t i = 0; i < got; i++) {
		if (n->said_len == sizeof(n->said) - 1) {
			memmove(n->said, n->said + 64, n->said_len - 64);
			n->said_len -= 64;
		}
		n->said[n->said_len++] = text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
	}
	n->said[n->said_len] = '\0';
}

static void read_log(struct blk_nbd *n)
{
	struct pollfd p = { .fd = n->log.fd, .events = POLLIN };

	while (n->log.fd >= 0 && (p.fd = n->log.fd, poll(&p, 1, 0) == 1))
		on_log(n, 0);
	while (n->said_len && n->said[n->said_len - 1] == ' ')
		n->said[--n->said_len] = '\0';
}

static void explain(struct blk_nbd *n, int status, char *why, size_t len)
{
	/* The reason is at the end. */
	const char *said = n->said + (n->said_len > SAID_SHOWN ? n->said_len - SAID_SHOWN : 0);

	if (WIFSIGNALED(status))
		snprintf(why, len, "qemu-nbd was killed by signal %d%s%.300s", WTERMSIG(status), said[0] ? ": " : "", said);
	else
		snprintf(why, len, "qemu-nbd ended with status %d%s%.300s", WEXITSTATUS(status), said[0] ? ": " : "", said);
}

/* Those who wait for the image that is free now. */
static void start_waiting(struct daemon *d)
{
	list_for_safe(p, &d->disk_servers) {
		struct blk_nbd *n = list_entry(p, struct blk_nbd, link);

		if (n->state == NBD_WAITING)
			loop_task_post(&d->loop, &n->begin);
	}
}

/* There is no server any more, and there will be none. */
static void give_up(struct blk_nbd *n, const char *why)
{
	struct blk_nbd_user user = n->user;

	n->given_up = true;
	n->state = NBD_DEAD;
	if (n->closing) {
		log_line("disk \"%.600s\": what was not written yet is lost: %s", n->spec.target, why);
		destroy(n);
		return;
	}
	nbd_fail_waiting(n);
	user.dead(user.data, why);
}

static bool restart(struct blk_nbd *n)
{
	if (!n->was_ready || n->given_up)
		return false;
	if (!n->restarts || now_ns() - n->restarts_ns > RESTART_WINDOW_NS) {
		n->restarts = 0;
		n->restarts_ns = now_ns();
	}
	if (++n->restarts > RESTARTS)
		return false;
	n->state = NBD_WAITING;
	n->said_len = 0;
	n->said[0] = '\0';
	if (n->restarts > 2)
		loop_timer_set(&n->d->loop, &n->timer, RESTART_NS);
	else
		loop_task_post(&n->d->loop, &n->begin);
	return true;
}

static void ended(struct blk_nbd *n, int status)
{
	struct blk_nbd_user user = n->user;
	bool closed = n->state == NBD_CLOSED, was_ready = n->was_ready, well = WIFEXITED(status) && !WEXITSTATUS(status);
	struct daemon *d = n->d;
	char why[400];
	bool locked;

	read_log(n);
	locked = err_qemu_locked(n->said);
	explain(n, status, why, sizeof(why));
	n->pid = 0;
	n->state = closed ? NBD_CLOSED : NBD_DEAD;
	loop_timer_cancel(&n->timer);
	drop_fd(n, &n->process);
	nbd_hang_up(n);
	/* One that was to write the rest may have died over it. */
	n->closing |= closed && !well && n->kept;
	if (!well && (!closed || n->closing) && (was_ready || now_ns() >= n->patience_ns))
		log_line("disk \"%.600s\": %s%s", n->spec.target, why, was_ready ? "; it is started again" : "");
	if ((!closed || n->closing) && restart(n))
		return;
	if (!closed && !was_ready && locked && now_ns() < n->patience_ns) {
		n->state = NBD_WAITING;
		n->said_len = 0;
		n->said[0] = '\0';
		loop_timer_set(&d->loop, &n->timer, PATIENCE_STEP_NS);
		return;
	}
	if (closed && !n->closing)
		destroy(n);
	else if (was_ready)
		give_up(n, why);
	start_waiting(d);
	if (!closed && !was_ready)
		user.ready(user.data, locked ? -EBUSY : -EIO, why);
}

static void on_process(void *data, uint32_t events)
{
	struct blk_nbd *n = data;

	ended(n, child_status(n->pid, n->spawned ? n->process.fd : -1));
}

static void on_timer(void *data)
{
	struct blk_nbd *n = data;

	if (!n->pid) {
		loop_task_post(&n->d->loop, &n->begin);
		return;
	}
	log_line("disk \"%.600s\": qemu-nbd takes too long: killed", n->spec.target);
	child_kill(n->pid, SIGKILL, false);
}

void nbd_lost(struct blk_nbd *n)
{
	if (n->state == NBD_STARTING || n->state == NBD_READY)
		n->state = NBD_DEAD;
	nbd_hang_up(n);
	if (n->pid)
		loop_timer_set(&n->d->loop, &n->timer, LINGER_NS);
}

void nbd_is_ready(struct blk_nbd *n)
{
	loop_timer_cancel(&n->timer);
	n->state = NBD_READY;
	if (n->was_ready && nbd_get_size(n->h) == n->bytes) {
		nbd_redo(n);
	} else if (n->was_ready) {
		log_line("disk \"%.600s\": its size is another one now", n->spec.target);
		n->restarts = RESTARTS;
		nbd_lost(n);
	} else {
		n->was_ready = true;
		n->bytes = nbd_get_size(n->h);
		n->user.ready(n->user.data, 0, NULL);
	}
}

void nbd_is_back(struct blk_nbd *n)
{
	log_line("disk \"%.600s\": qemu-nbd is back", n->spec.target);
	if (!n->closing)
		return;
	/* Not from inside: what is called next may still hold n. */
	loop_task_post(&n->d->loop, &n->begin);
}

static int watch_process(struct blk_nbd *n, int status_fd, int log, struct pvctl_error *err)
{
	int fd = status_fd >= 0 ? status_fd : (int)syscall(SYS_pidfd_open, n->pid, 0);

	n->spawned = status_fd >= 0;
	if (fd >= 0 && !loop_fd_add(&n->d->loop, &n->process, fd, EPOLLIN, on_process, n)) {
		if (!loop_fd_add(&n->d->loop, &n->log, log, EPOLLIN, on_log, n))
			return 0;
		loop_fd_del(&n->d->loop, &n->process);
	}
	close(log);
	child_kill(n->pid, SIGKILL, false);
	(void)child_status(n->pid, status_fd);
	if (fd >= 0)
		close(fd);
	n->pid = 0;
	return fail(err, -EIO, "disk \"%.600s\": its process cannot be watched", n->spec.target);
}

static int begin(struct blk_nbd *n, int log, int *ret_status_fd, int *ret_sock, struct pvctl_error *err)
{
	char text[DISK_SPEC_MAX + 1];
	const struct spawn_ask q = { .text = text, .fds = &log, .nr_fds = 1 };
	struct spawn_started a;
	int fds[2], rc;

	if (ask_fd() < 0) {
		rc = (int)nbd_spawn(n->d->run_dir, &n->spec, log, ret_sock, err);
		n->pid = rc > 0 ? rc : 0;
		return rc > 0 ? 0 : rc;
	}
	disk_spec_format(&n->spec, text);
	rc = spawn_ask(SPAWN_DISK_NBD, &q, &a, fds, 2, err);
	if (rc < 0)
		return rc;
	n->pid = a.pid;
	*ret_status_fd = fds[0];
	*ret_sock = fds[1];
	return rc == 2 ? 0 : fail(err, -EPROTO, "the spawner: %s", strerror(EPROTO));
}

static int start(struct blk_nbd *n, struct pvctl_error *err)
{
	int sock = -1, status_fd = -1, log[2], rc;

	if (pipe2(log, O_CLOEXEC | O_NONBLOCK))
		return fail(err, -EIO, "pipe: %s", strerror(errno));
	rc = begin(n, log[1], &status_fd, &sock, err);
	close(log[1]);
	if (rc) {
		close(log[0]);
		return rc;
	}
	n->state = NBD_STARTING;
	rc = watch_process(n, status_fd, log[0], err);
	if (rc) {
		close(sock);
		return rc;
	}
	loop_timer_set(&n->d->loop, &n->timer, START_NS);
	/* On failure it loses its socket, and ends. */
	if (nbd_greet(n, sock))
		nbd_lost(n);
	return 0;
}

static bool image_is_taken(const struct blk_nbd *n)
{
	list_for(p, &n->d->disk_servers) {
		const struct blk_nbd *o = list_entry(p, struct blk_nbd, link);

		if (o != n && (o->state == NBD_CLOSED || o->closing) && o->dev == n->dev && o->ino == n->ino)
			return true;
	}
	return false;
}

static void on_deliver(void *data)
{
	nbd_deliver(data);
}

static void on_begin(void *data)
{
	struct blk_nbd *n = data;
	struct pvctl_error e = { 0 };
	int rc;

	if (n->state == NBD_READY && n->closing) {
		n->closing = false;
		blk_nbd_close(n);
		return;
	}
	/* One that comes back has it already: nobody else could take it. */
	if (n->state != NBD_WAITING || (!n->was_ready && image_is_taken(n)))
		return;
	rc = start(n, &e);
	if (!rc || (n->was_ready && restart(n)))
		return;
	n->state = NBD_DEAD;
	if (n->was_ready)
		give_up(n, e.msg);
	else
		n->user.ready(n->user.data, rc, e.msg);
}

int blk_nbd_open(struct daemon *d, const struct disk_spec *s, const struct blk_nbd_user *user, struct blk_nbd **ret,
		 struct pvctl_error *err)
{
	struct blk_nbd *n = calloc(1, sizeof(*n));
	struct stat st;
	int rc;

	if (!n)
		return fail(err, -ENOMEM, "no memory");
	rc = vbd_look(s, &st, err);
	if (rc) {
		free(n);
		return rc;
	}
	n->d = d;
	n->spec = *s;
	n->user = *user;
	n->dev = st.st_dev;
	n->ino = st.st_ino;
	n->state = NBD_WAITING;
	n->patience_ns = d->adopting ? now_ns() + PATIENCE_NS : 0;
	n->sock.fd = n->log.fd = n->process.fd = -1;
	loop_timer_init(&n->timer, on_timer, n);
	loop_task_init(&n->deliver, on_deliver, n);
	loop_task_init(&n->begin, on_begin, n);
	if (nbd_io_init(n)) {
		free(n);
		return fail(err, -ENOMEM, "no memory");
	}
	list_add_tail(&d->disk_servers, &n->link);
	/* Later: one that ends may have the image still. */
	loop_task_post(&d->loop, &n->begin);
	*ret = n;
	return 0;
}

void blk_nbd_hurry(struct blk_nbd *n, bool on)
{
	/* Nobody waits for what waits for a server. */
	if (on && n->was_ready && n->state != NBD_READY)
		nbd_fail_waiting(n);
	if (n->state != NBD_READY)
		return;
	loop_timer_cancel(&n->timer);
	if (on)
		loop_timer_set(&n->d->loop, &n->timer, HURRY_NS);
}

/* qemu-nbd outlives a client that goes before they are agreed: it waits for another. It was told to write nothing yet. */
static void hang_up(struct blk_nbd *n)
{
	bool waits_on = n->pid && n->state == NBD_STARTING;

	nbd_hang_up(n);
	if (waits_on)
		child_kill(n->pid, SIGKILL, false);
}

void blk_nbd_close(struct blk_nbd *n)
{
	if (!n)
		return;
	/* While another is started for it, what it must know is with us alone. */
	if (n->was_ready && !n->given_up && n->kept && (n->state != NBD_READY || n->replaying)) {
		n->closing = true;
		return;
	}
	if (!n->pid) {
		destroy(n);
		return;
	}
	hang_up(n);
	/* One that is dead has its time running. */
	if (n->state != NBD_DEAD)
		loop_timer_set(&n->d->loop, &n->timer, CLOSE_NS);
	n->state = NBD_CLOSED;
}

void blk_nbd_closing(struct blk_nbd *n, void (*closed)(void *data, bool lost), void *data)
{
	n->closed = closed;
	n->closed_data = data;
}

void blk_nbd_fini(struct daemon *d)
{
	list_for_safe(p, &d->disk_servers) {
		struct blk_nbd *n = list_entry(p, struct blk_nbd, link);
		struct pollfd f = { .fd = n->process.fd, .events = POLLIN };

		hang_up(n);
		if (n->pid && poll(&f, 1, FINI_MS) != 1)
			child_kill(n->pid, SIGKILL, false);
		if (n->pid)
			(void)child_status(n->pid, n->spawned ? n->process.fd : -1);
		n->pid = 0;
		destroy(n);
	}
}
