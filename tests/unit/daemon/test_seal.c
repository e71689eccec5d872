/* SPDX-License-Identifier: MIT */
/* What is left to the daemon proper: each test is a process that is sealed, and tries. */
#include "pvctld/base/log.h"
#include "pvctld/core/seal.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define OWN_UID 1900000000u

static char said[200];

/* fn's exit status, or what its end was, in a process with the filter; what the filter said is in said. */
static int filtered(int (*fn)(void))
{
	int p[2], status = 0;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(p), 0);
	pid = fork();
	if (!pid)
		_exit(seal_filter(p[1]) ? 125 : fn());
	close(p[1]);
	n = read(p[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = '\0';
	close(p[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void *thread(void *data)
{
	*(int *)data = 1;
	return NULL;
}

static int daily_work(void)
{
	int sv[2], ran = 0, fd = memfd_create("x", MFD_CLOEXEC);
	pthread_t t;
	pid_t pid;

	if (fd < 0 || ftruncate(fd, 4096) || mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
		return 1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) || write(sv[0], "x", 1) != 1 || epoll_create1(0) < 0)
		return 2;
	if (pthread_create(&t, NULL, thread, &ran) || pthread_join(t, NULL) || !ran)
		return 3;
	/* Who writes a core. */
	pid = fork();
	if (!pid)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		return 4;
	return open("/", O_RDONLY | O_DIRECTORY) < 0 ? 5 : 0;
}

static int refusals(void)
{
	const struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 1;
	if (!connect(0, (const struct sockaddr *)&sa, sizeof(sa)) || errno != EPERM)
		return 2;
	return !kill(getppid(), 0) || errno != EPERM ? 3 : 0;
}

static int run_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return 0;
}

static int new_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

START_TEST(filter)
{
	char want[40];

	ck_assert_int_eq(filtered(daily_work), 0);
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(filtered(refusals), 0);
	ck_assert_int_eq(filtered(run_program), 126);
	snprintf(want, sizeof(want), "system call %d\n", 59);
	ck_assert_ptr_nonnull(strstr(said, want));
	ck_assert_int_eq(filtered(new_code), 126);
	snprintf(want, sizeof(want), "system call %d\n", 9);
	ck_assert_ptr_nonnull(strstr(said, want));
}
END_TEST

/* A line for what is not as it should be. */
static int sealed(const char *dir, uid_t uid)
{
	char text[200], path[100];
	struct pvctl_error e;
	struct stat st;

	if (seal(uid, dir, &e)) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	seal_describe(text, sizeof(text));
	if (!strstr(text, "own root"))
		return 77;
	if (uid && (getuid() != uid || geteuid() != uid || getegid() != uid))
		return 2;
	if (!stat("/etc", &st) || !stat("/proc", &st) || !stat("/usr", &st))
		return 3;
	snprintf(path, sizeof(path), "%s/mine", dir);
	if (open(path, O_WRONLY | O_CREAT, 0600) < 0)
		return 4;
	snprintf(path, sizeof(path), "%s/theirs/config", dir);
	if (uid && open(path, O_RDONLY) >= 0)
		return 5;
	/* Nor can what is the owner's be put out of the way. */
	snprintf(path, sizeof(path), "%s/theirs", dir);
	snprintf(text, sizeof(text), "%s/other", dir);
	if (uid && !rename(path, text))
		return 6;
	return open("/file", O_WRONLY | O_CREAT, 0600) >= 0 ? 7 : 0;
}

START_TEST(root_and_user)
{
	const uid_t uid = geteuid() ? 0 : OWN_UID;
	char dir[] = "/tmp/pvctl-seal-XXXXXX", cmd[100];
	int status = 0, fd;
	pid_t pid;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(cmd, sizeof(cmd), "%s/theirs", dir);
	ck_assert_int_eq(mkdir(cmd, 0700), 0);
	snprintf(cmd, sizeof(cmd), "%s/theirs/config", dir);
	fd = open(cmd, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	if (uid)
		ck_assert(!chown(dir, 0, uid) && !chmod(dir, S_ISVTX | 0770));
	pid = fork();
	if (!pid)
		_exit(sealed(dir, uid));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		puts("# skipped: this host has no namespaces for us");
	else
		ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal");
	TCase *t = tcase_create("seal");
	SRunner *r;
	int bad;

	tcase_add_test(t, filter);
	tcase_add_test(t, root_and_user);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? 1 : 0;
}
