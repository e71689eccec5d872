/* SPDX-License-Identifier: MIT */
/*
 * The handshake of a migration between two processes that die, or lose their
 * connection, at each of its steps: of two copies exactly one can run.
 */
#include "migrate/handshake.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STREAM 1000u

enum copy { NONE, SUSPENDED, RUNS };
/* What the two daemons know, and survive their clients with. */
struct world {
	enum copy here, there;
	bool kept;               /* here does not go on by itself */
	bool disk_here, disk_there;
	bool diskless;           /* nothing but the handshake keeps both from running */
	bool twice;              /* both ran */
	bool away;               /* its name is another */
	enum migrate_end end;
	int sender_rc, receiver_rc;
};
static struct world *w;
static struct pvctl_error err;

struct fault { const char *point; enum { DIE, CUT_IN, CUT_OUT, CUT_BOTH, FAIL, NODE_GONE } what; };
static struct fault fault;
struct side { int in, out; };

static void runs(enum copy *c)
{
	*c = RUNS;
	if (w->here == RUNS && w->there == RUNS)
		w->twice = true;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

static void point(void *data, const char *name)
{
	struct side *s = data;

	if (!fault.point || strcmp(name, fault.point) != 0)
		return;
	if (fault.what == DIE)
		kill(getpid(), SIGKILL);
	if (fault.what == CUT_IN || fault.what == CUT_BOTH)
		close(s->in);
	if (fault.what == CUT_OUT || fault.what == CUT_BOTH)
		close(s->out);
}

static bool fails(const char *name)
{
	return fault.what == FAIL && fault.point && !strcmp(name, fault.point);
}

/* QEMU has ended, and the domain with it, before this could be done. */
static bool node_gone(const char *name)
{
	if (fault.what != NODE_GONE || strcmp(name, fault.point) != 0)
		return false;
	w->here = NONE;
	return true;
}

static void hang_up(void *data)
{
	struct side *s = data;

	close(s->in);
	close(s->out);
}

static int broken(struct pvctl_error *e)
{
	snprintf(e->msg, sizeof(e->msg), "broken");
	return e->code = -EIO;
}

static int stream(int fd, bool out)
{
	char bytes[STREAM] = { 0 };
	ssize_t n;

	for (size_t have = 0; have < STREAM; have += (size_t)n) {
		n = out ? write(fd, bytes + have, STREAM - have) : read(fd, bytes + have, STREAM - have);
		if (n <= 0)
			return -EIO;
	}
	return 0;
}

static int save(void *data, int fd, struct pvctl_error *e)
{
	if (stream(fd, true))
		return broken(e);
	point(data, "sender-half");
	w->here = SUSPENDED;
	point(data, "sender-suspended");
	w->disk_here = false;
	point(data, "sender-released");
	return fails("save") || stream(fd, true) ? broken(e) : 0;
}

static int keep(void *data, struct pvctl_error *e)
{
	if (node_gone("keep"))
		return 1;
	w->kept = true;
	return fails("keep") ? broken(e) : 0;
}

static int rename_it(void *data, bool away, struct pvctl_error *e)
{
	if (node_gone("rename"))
		return 1;
	if (fails("rename"))
		return broken(e);
	w->away = away;
	return 0;
}

/* As a daemon's: the disk's lock must be had, and is waited for. */
static bool resume_here(void)
{
	for (int i = 0; w->disk_there && !w->diskless && i < 400; i++)
		nap();
	if (w->disk_there && !w->diskless)
		return false;
	w->disk_here = true;
	runs(&w->here);
	w->kept = false;
	return true;
}

static int resume(void *data, struct pvctl_error *e)
{
	return resume_here() ? 0 : broken(e);
}

static int destroy(void *data, struct pvctl_error *e)
{
	w->here = NONE;
	return 0;
}

static int restore(void *data, int fd, int (*ready)(void *ready_data, struct pvctl_error *e), void *ready_data, struct pvctl_error *e)
{
	if (stream(fd, false))
		return broken(e);
	point(data, "receiver-half");
	w->there = SUSPENDED;
	if (stream(fd, false) || w->disk_here || fails("restore"))
		goto gone;
	w->disk_there = true;
	if (ready(ready_data, e) || fails("start"))
		goto gone;
	runs(&w->there);
	return 0;
gone:
	w->there = NONE;
	w->disk_there = false;
	return broken(e);
}

static bool gone(void *data)
{
	return true;
}

static void be_sender(struct side *s)
{
	const struct migrate_sender m = { .io = { .in = s->in, .out = s->out, .hang_up = hang_up, .point = point, .data = s }, .save = save, .keep = keep,
	                                  .rename = rename_it, .resume = resume, .destroy = destroy };

	enum migrate_end end;

	w->sender_rc = migrate_send(&m, &end, &err);
	w->end = end;
	_exit(0);
}

static void be_receiver(struct side *s)
{
	const struct migrate_receiver m = { .io = { .in = s->in, .out = s->out, .point = point, .data = s }, .restore = restore,
	                                    .gone = gone };

	w->receiver_rc = migrate_receive(&m, &err);
	_exit(0);
}

/* What the daemons do when their clients have ended, in the order in which that happens. */
static void ended(pid_t pid, pid_t sender)
{
	if (pid != sender && w->there == SUSPENDED) {
		w->there = NONE;
		w->disk_there = false;
	}
}

static void migrate_one(const char *name, int what, bool diskless)
{
	int there[2], back[2], status;
	pid_t sender, receiver, pid;

	memset(w, 0, sizeof(*w));
	w->here = RUNS;
	w->disk_here = true;
	w->diskless = diskless;
	w->end = 99;
	w->sender_rc = w->receiver_rc = 1;
	fault = (struct fault){ name, what };
	ck_assert(!pipe(there) && !pipe(back));
	sender = fork();
	if (!sender) {
		signal(SIGPIPE, SIG_IGN);
		close(there[0]);
		close(back[1]);
		be_sender(&(struct side){ back[0], there[1] });
	}
	receiver = fork();
	if (!receiver) {
		signal(SIGPIPE, SIG_IGN);
		close(there[1]);
		close(back[0]);
		be_receiver(&(struct side){ there[0], back[1] });
	}
	close(there[0]);
	close(there[1]);
	close(back[0]);
	close(back[1]);
	for (int i = 0; i < 2; i++) {
		pid = wait(&status);
		ck_assert(pid == sender || pid == receiver);
		ended(pid, sender);
	}
	/* The sender's daemon: it waits for the disk, which is free once the receiver has ended. */
	if (w->here == SUSPENDED && !w->kept)
		(void)resume_here();
}

static void check_one(const char *name, int what)
{
	int running = (w->here == RUNS) + (w->there == RUNS);

	ck_assert_msg(!w->twice, "%s (%d): both ran", name, what);
	ck_assert_msg(running <= 1, "%s (%d): %d run", name, what, running);
	ck_assert_msg(running == 1 || (w->here == SUSPENDED && w->kept), "%s (%d): none can run", name, what);
	ck_assert_msg(w->here != RUNS || w->disk_here, "%s (%d): it runs without its disk", name, what);
}

START_TEST(well)
{
	migrate_one(NULL, DIE, _i);
	ck_assert_int_eq(w->sender_rc, 0);
	ck_assert_int_eq(w->receiver_rc, 0);
	ck_assert_int_eq(w->end, MIGRATE_THERE);
	ck_assert(w->here == NONE && w->there == RUNS);
}
END_TEST

/* Up to that the domain goes on where it was. */
static const char *const before[] = {
	"receiver-connected", "sender-connected", "sender-half", "receiver-half", "sender-suspended", "sender-released", "sender-saved",
	"sender-acknowledged", "receiver-restored",
};
static const char *const after[] = {
	"receiver-ready", "sender-kept", "sender-renamed", "sender-permitted", "receiver-permitted", "receiver-started", "receiver-reported",
	"sender-reported", "sender-destroyed",
};

static void fault_before(const char *name, int what, bool diskless)
{
	migrate_one(name, what, diskless);
	check_one(name, what);
	/* One that has said that it is ready, and cannot read on: the permission may have been sent meanwhile. */
	if (strcmp(name, "receiver-restored") || what == DIE || what == CUT_OUT)
		ck_assert_msg(w->here == RUNS || w->there == RUNS, "%s (%d): it is paused", name, what);
}

START_TEST(faults_before)
{
	for (int what = DIE; what <= CUT_BOTH; what++) {
		fault_before(before[_i], what, false);
		fault_before(before[_i], what, true);
	}
}
END_TEST

static void fault_after(const char *name, int what, bool diskless)
{
	migrate_one(name, what, diskless);
	check_one(name, what);
	/* Who is left knows why it is paused. */
	if (w->here == SUSPENDED && w->there != RUNS && w->end != 99)
		ck_assert_msg(w->end == MIGRATE_UNKNOWN, "%s (%d): end %d", name, what, (int)w->end);
}

START_TEST(faults_after)
{
	for (int what = DIE; what <= CUT_BOTH; what++) {
		fault_after(after[_i], what, false);
		fault_after(after[_i], what, true);
	}
}
END_TEST

START_TEST(failures)
{
	static const char *const what[] = { "save", "keep", "rename", "restore", "start" };

	migrate_one(what[_i], FAIL, false);
	check_one(what[_i], FAIL);
	ck_assert_int_eq(w->end, MIGRATE_HERE);
	ck_assert_int_ne(w->sender_rc, 0);
	ck_assert_int_ne(w->receiver_rc, 0);
	ck_assert(w->here == RUNS && !w->away);
}
END_TEST

/* It cannot run here any more: the other side must. */
START_TEST(node_goes)
{
	static const char *const what[] = { "keep", "rename" };

	migrate_one(what[_i], NODE_GONE, false);
	check_one(what[_i], NODE_GONE);
	ck_assert_int_eq(w->end, MIGRATE_THERE);
	ck_assert(w->there == RUNS);
}
END_TEST

static int say_to_sender(const char *text, size_t len)
{
	int there[2], back[2], status, out = open("/dev/null", 1);
	pid_t pid;

	ck_assert(!pipe(there) && !pipe(back));
	fault.point = NULL;
	w->here = RUNS;
	w->disk_here = true;
	pid = fork();
	if (!pid) {
		close(back[1]);
		be_sender(&(struct side){ back[0], out });
	}
	close(back[0]);
	ck_assert_int_eq(write(back[1], text, len), (ssize_t)len);
	close(back[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return w->sender_rc;
}

START_TEST(nonsense)
{
	static const char shell[] = "bash: line 1: pvctl: command not found\n................................................";

	ck_assert_int_eq(say_to_sender(shell, sizeof(shell)), -EPROTO);
	ck_assert_int_eq(say_to_sender(shell, 5), -EPROTO);
	ck_assert_int_eq(say_to_sender("xl migr", 7), -EIO);
	ck_assert_int_eq(say_to_sender("", 0), -EIO);
	ck_assert_int_eq(w->here, RUNS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("migrate");
	TCase *t = tcase_create("migrate");
	SRunner *r;
	int bad;

	w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, well, 0, 2);
	tcase_add_loop_test(t, faults_before, 0, (int)(sizeof(before) / sizeof(before[0])));
	tcase_add_loop_test(t, faults_after, 0, (int)(sizeof(after) / sizeof(after[0])));
	tcase_add_loop_test(t, failures, 0, 5);
	tcase_add_loop_test(t, node_goes, 0, 2);
	tcase_add_test(t, nonsense);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad != 0;
}
