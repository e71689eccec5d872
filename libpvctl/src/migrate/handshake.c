/* SPDX-License-Identifier: MIT */
#include "migrate/handshake.h"
#include "util/err.h"
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 100

/* xl sends the first without its end, the others with it. */
static const char banner[] = "xl migration receiver ready, send binary domain data.\n";
static const char ready_word[] = "domain received, ready to unpause";
static const char permission[] = "domain is yours, you are cleared to unpause";
static const char report[] = "my copy unpause results are as follows";
#define BANNER_LEN (sizeof(banner) - 1)

static void say(const struct migrate_io *io, const char *line)
{
	if (io->say)
		io->say(io->data, line);
}

static void point(const struct migrate_io *io, const char *name)
{
	if (io->point)
		io->point(io->data, name);
}

static int wait_for(const struct migrate_io *io, int fd, short events, bool may_cancel, struct pvctl_error *err)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	for (;;) {
		if (may_cancel && io->cancelled && io->cancelled(io->data))
			return err_set(err, -ECANCELED, PVCTL_ORIGIN_LIB, "canceled");
		n = poll(&p, 1, LOOK_MS);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_os(err, errno, "poll");
	}
}

static int put(const struct migrate_io *io, const void *bytes, size_t len, const char *what, struct pvctl_error *err)
{
	const char *at = bytes;
	ssize_t n;

	while (len) {
		n = write(io->out, at, len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
			int rc = wait_for(io, io->out, POLLOUT, false, err);

			if (rc)
				return rc;
			continue;
		}
		if (n < 0)
			return err_set(err, -EIO, PVCTL_ORIGIN_LIB, "the %s cannot be sent: %s", what, strerror(errno));
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* At least one byte, at most len: how many. */
static int get_some(const struct migrate_io *io, char *bytes, size_t len, const char *what, bool may_cancel, struct pvctl_error *err)
{
	ssize_t n;
	int rc;

	do {
		rc = wait_for(io, io->in, POLLIN, may_cancel, err);
		if (rc)
			return rc;
		n = read(io->in, bytes, len);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return err_set(err, -EIO, PVCTL_ORIGIN_LIB, "the %s cannot be read: %s", what, strerror(errno));
	if (!n)
		return err_set(err, -EIO, PVCTL_ORIGIN_LIB, "the other side ended before its %s", what);
	return (int)n;
}

/* What came instead is shown as far as it is text: a shell's complaint, mostly. */
static int not_that(const char *what, const char *bytes, size_t len, struct pvctl_error *err)
{
	char text[80];
	size_t i, n = 0;

	for (i = 0; i < len && n < sizeof(text) - 1; i++)
		if (bytes[i])
			text[n++] = bytes[i];
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	text[n] = '\0';
	for (i = 0; i < n; i++)
		if (!isprint((unsigned char)text[i]))
			text[i] = ' ';
	return err_set(err, -EPROTO, PVCTL_ORIGIN_LIB, "the other side sent \"%s\" instead of its %s", text, what);
}

/* The first byte that differs is enough: who is no receiver may wait for more, as we would. */
static int get(const struct migrate_io *io, const char *want, size_t len, const char *what, bool may_cancel,
               struct pvctl_error *err)
{
	char bytes[80];
	size_t have = 0;
	int n;

	while (have < len) {
		n = get_some(io, bytes + have, len - have, what, may_cancel, err);
		if (n < 0)
			return n;
		have += (size_t)n;
		if (memcmp(bytes, want, have) != 0)
			return not_that(what, bytes, have, err);
	}
	return 0;
}

/* It is ours still, or again. */
static int stay(const struct migrate_sender *s, int rc, enum migrate_end *end, struct pvctl_error *err)
{
	struct pvctl_error why, first = { 0 };

	if (err)
		first = *err;
	/* The receiver must see that it will not come to that: it has the disks. */
	s->io.hang_up(s->io.data);
	say(&s->io, "migration sender: Migration failed, resuming at sender.");
	*end = MIGRATE_HERE;
	if (!s->resume(s->io.data, &why))
		return rc;
	*end = MIGRATE_STUCK;
	return err_set(err, rc, PVCTL_ORIGIN_LIB, "%.300s; and it cannot go on here: %.500s", first.msg, why.msg);
}

static int in_doubt(int rc, enum migrate_end *end, struct pvctl_error *err)
{
	*end = MIGRATE_UNKNOWN;
	return err_wrap(err, rc, "after the permission was given");
}

static int stay_renamed(const struct migrate_sender *s, int rc, enum migrate_end *end, struct pvctl_error *err)
{
	if (s->rename(s->io.data, false, NULL))
		say(&s->io, "migration sender: the domain could not be given its name back");
	return stay(s, rc, end, err);
}

/* The receiver has destroyed its own when it says so, and then alone. */
static int given_back(const struct migrate_sender *s, uint8_t code, enum migrate_end *end, struct pvctl_error *err)
{
	int rc = get(&s->io, permission, sizeof(permission), "permission to go on", false, err);

	if (rc)
		return in_doubt(rc, end, err);
	rc = err_set(err, -EIO, PVCTL_ORIGIN_LIB, "the receiver could not start the domain (code %u): its reason is above", code);
	return stay_renamed(s, rc, end, err);
}

static int hear(const struct migrate_sender *s, enum migrate_end *end, struct pvctl_error *err)
{
	char code = 0;
	int rc = get(&s->io, report, sizeof(report), "report", false, err);

	if (!rc && get_some(&s->io, &code, 1, "report", false, err) < 0)
		rc = -EIO;
	if (rc)
		return in_doubt(rc, end, err);
	point(&s->io, "sender-reported");
	if (code)
		return given_back(s, (uint8_t)code, end, err);
	say(&s->io, "migration sender: Target reports successful startup.");
	*end = MIGRATE_THERE;
	if (s->destroy(s->io.data, err))
		say(&s->io, "migration sender: the domain runs there; what is left of it here could not be destroyed");
	point(&s->io, "sender-destroyed");
	return 0;
}

static int give(const struct migrate_sender *s, enum migrate_end *end, struct pvctl_error *err)
{
	int rc = s->keep(s->io.data, err);

	if (rc < 0)
		return stay(s, rc, end, err);
	point(&s->io, "sender-kept");
	rc = rc ? rc : s->rename(s->io.data, true, err);
	if (rc < 0)
		return stay(s, rc, end, err);
	point(&s->io, "sender-renamed");
	say(&s->io, "migration sender: Giving target permission to start.");
	rc = put(&s->io, permission, sizeof(permission), "permission", err);
	/* A part of it is not enough. */
	if (rc)
		return stay_renamed(s, rc, end, err);
	point(&s->io, "sender-permitted");
	return hear(s, end, err);
}

int migrate_send(const struct migrate_sender *s, enum migrate_end *ret_end, struct pvctl_error *err)
{
	int rc = get(&s->io, banner, BANNER_LEN, "banner", true, err);

	*ret_end = MIGRATE_HERE;
	if (rc)
		return rc;
	point(&s->io, "sender-connected");
	say(&s->io, "migration sender: Ready to send the domain.");
	rc = s->save(s->io.data, s->io.out, err);
	if (rc)
		return stay(s, rc, ret_end, err);
	point(&s->io, "sender-saved");
	say(&s->io, "migration sender: Transfer complete.");
	rc = get(&s->io, ready_word, sizeof(ready_word), "ready message", true, err);
	if (rc)
		return stay(s, rc, ret_end, err);
	point(&s->io, "sender-acknowledged");
	say(&s->io, "migration sender: Target has acknowledged transfer.");
	return give(s, ret_end, err);
}

struct readiness {
	const struct migrate_io *io;
	bool permitted;
};

static int ready(void *data, struct pvctl_error *err)
{
	struct readiness *r = data;
	int rc;

	point(r->io, "receiver-restored");
	say(r->io, "migration target: Transfer complete, requesting permission to start domain.");
	rc = put(r->io, ready_word, sizeof(ready_word), "ready message", err);
	if (rc)
		return rc;
	point(r->io, "receiver-ready");
	rc = get(r->io, permission, sizeof(permission), "permission", true, err);
	if (rc)
		return rc;
	r->permitted = true;
	point(r->io, "receiver-permitted");
	say(r->io, "migration target: Got permission, starting domain.");
	return 0;
}

/* The sender waits for this alone, and must not wait for one that cannot be sure. */
static int failed(const struct migrate_receiver *r, int rc, bool permitted, struct pvctl_error *err)
{
	uint8_t code = 3; /* what xl has for "it failed" */
	struct pvctl_error why;

	if (!permitted || !r->gone(r->io.data))
		return rc;
	if (put(&r->io, report, sizeof(report), "report", &why) || put(&r->io, &code, 1, "report", &why))
		return rc;
	say(&r->io, "migration target: Cleanup OK, granting sender permission to resume.");
	if (put(&r->io, permission, sizeof(permission), "permission", &why))
		return rc;
	return rc;
}

int migrate_receive(const struct migrate_receiver *r, struct pvctl_error *err)
{
	struct readiness readiness = { .io = &r->io };
	uint8_t code = 0;
	int rc;

	say(&r->io, "migration target: Ready to receive domain.");
	rc = put(&r->io, banner, BANNER_LEN, "banner", err);
	if (rc)
		return rc;
	point(&r->io, "receiver-connected");
	rc = r->restore(r->io.data, r->io.in, ready, &readiness, err);
	if (rc)
		return failed(r, rc, readiness.permitted, err);
	point(&r->io, "receiver-started");
	say(&r->io, "migration target: Domain started successfully.");
	/* It runs: that the sender does not hear of it is no reason to end. */
	if (put(&r->io, report, sizeof(report), "report", err) || put(&r->io, &code, 1, "report", err))
		say(&r->io, "migration target: the sender could not be told");
	point(&r->io, "receiver-reported");
	return 0;
}
