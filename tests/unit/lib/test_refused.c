/* SPDX-License-Identifier: MIT */
/* A filter's trap names the call it met; what the trap itself calls may be refused, too. */
#include "libpvctl/src/util/refused.h"
#include <check.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void refuse(int call, int other)
{
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ALLOW);

	if (!c || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || seccomp_rule_add(c, SCMP_ACT_TRAP, call, 0) ||
	    (other >= 0 && seccomp_rule_add(c, SCMP_ACT_TRAP, other, 0)) || seccomp_load(c))
		_exit(1);
	syscall(call);
	_exit(0);
}

/* What it said, and its exit status. */
static int run(int call, int other, char *buf, size_t size)
{
	int pair[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork();
	if (!pid) {
		refused_calls_tell(pair[1], "head ", 5);
		refuse(call, other);
	}
	close(pair[1]);
	n = recv(pair[0], buf, size - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	close(pair[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(names_the_call)
{
	char buf[100], want[100];
	int status = run(SYS_getppid, -1, buf, sizeof(buf));

	snprintf(want, sizeof(want), "head %d", (int)SYS_getppid);
	ck_assert_str_eq(buf, want);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == REFUSED_EXIT);
}
END_TEST

START_TEST(ends_anyway)
{
	char buf[100];
	int status = run(SYS_getppid, SYS_sendto, buf, sizeof(buf));

	ck_assert_str_eq(buf, "");
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("refused");
	TCase *t = tcase_create("refused");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, names_the_call);
	tcase_add_test(t, ends_anyway);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
