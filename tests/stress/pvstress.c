/* SPDX-License-Identifier: MIT */
/*
 * pvstress TEST [ROUNDS [SEED]]: work that is hard on the hypervisor below a
 * Linux guest, with contents that can be checked. Each CPU gets a process that
 * is bound to it. Prints "pvstress: TEST ok" or what was wrong; ends non-zero
 * then.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define PAGES 256ul

static unsigned long rounds = 20;
static uint64_t seed = 1;

static void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	printf("pvstress: FAILED: ");
	vprintf(format, ap);
	printf(" (errno %d)\n", errno);
	va_end(ap);
	fflush(stdout);
	_exit(1);
}

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t))
		fail("clock_gettime");
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void wait_for(pid_t pid, const char *what)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		fail("%s: waitpid", what);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail("%s: status %#x", what, status);
}

static void bind_to(unsigned int cpu)
{
	cpu_set_t set;

	/* A CPU may be offline for the moment: then it runs anywhere. */
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Runs fn once on each CPU, in parallel. */
static void on_each_cpu(void (*fn)(unsigned int cpu))
{
	unsigned int cpu, n = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	pid_t pid[64];

	for (cpu = 0; cpu < n && cpu < 64; cpu++) {
		pid[cpu] = fork();
		if (pid[cpu] < 0)
			fail("fork");
		if (pid[cpu] == 0) {
			bind_to(cpu);
			seed = seed * 0x9e3779b97f4a7c15ull + cpu + 1;
			fn(cpu);
			_exit(0);
		}
	}
	for (cpu = 0; cpu < n && cpu < 64; cpu++)
		wait_for(pid[cpu], "worker");
}

/* --- memory: a model of what each page must hold --- */

static uint64_t *word(char *base, unsigned long page)
{
	return (uint64_t *)(void *)(base + page * PAGE + (page * 8) % PAGE);
}

static void check_all(char *base, const uint64_t *model, const char *where)
{
	unsigned long i;

	for (i = 0; i < PAGES; i++)
		if (*word(base, i) != model[i])
			fail("%s: page %lu has %#lx, not %#lx", where, i, *word(base, i), model[i]);
}

/* A child sees the parent's pages, and its own stores are its own. */
static void fork_cow(char *base, const uint64_t *model)
{
	uint64_t mine[PAGES];
	unsigned long i;
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid) {
		wait_for(pid, "copy-on-write child");
		return;
	}
	memcpy(mine, model, sizeof(mine));
	for (i = 0; i < PAGES; i += 1 + rnd() % 4)
		*word(base, i) = mine[i] = rnd();
	check_all(base, mine, "child");
	_exit(0);
}

static void mem_step(char *base, uint64_t *model)
{
	unsigned long at = rnd() % PAGES, n = 1 + rnd() % 32, i;

	if (at + n > PAGES)
		n = PAGES - at;
	switch (rnd() % 6) {
	case 0: /* fresh zero pages over old ones */
		if (mmap(base + at * PAGE, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			fail("mmap");
		memset(model + at, 0, n * sizeof(*model));
		break;
	case 1:
		if (madvise(base + at * PAGE, n * PAGE, MADV_DONTNEED))
			fail("madvise");
		memset(model + at, 0, n * sizeof(*model));
		break;
	case 2:
		if (mprotect(base + at * PAGE, n * PAGE, PROT_READ))
			fail("mprotect");
		for (i = at; i < at + n; i++)
			if (*word(base, i) != model[i])
				fail("read-only page %lu", i);
		if (mprotect(base + at * PAGE, n * PAGE, PROT_READ | PROT_WRITE))
			fail("mprotect back");
		break;
	case 3: { /* pages move, and come back */
		char *to = mmap(NULL, n * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (to == MAP_FAILED || mremap(base + at * PAGE, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
			fail("mremap");
		if (mremap(to, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + at * PAGE) != base + at * PAGE)
			fail("mremap back");
		break;
	}
	default:
		for (i = at; i < at + n; i++)
			*word(base, i) = model[i] = rnd();
	}
}

static void test_mem(unsigned int cpu)
{
	static uint64_t model[PAGES];
	unsigned long r, s;
	char *base = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		fail("mmap on CPU %u", cpu);
	for (r = 0; r < rounds; r++) {
		for (s = 0; s < 20; s++)
			mem_step(base, model);
		check_all(base, model, "parent");
		fork_cow(base, model);
		check_all(base, model, "parent after its child");
	}
}

/* --- two CPUs change the same address space: flushes must reach the other one --- */

struct shared {
	volatile uint64_t turn, stop;
};

static int reader(void *data)
{
	struct shared *s = data;

	while (!s->stop)
		sched_yield();
	return 0;
}

static void test_shoot(unsigned int cpu)
{
	static char stack[65536] __attribute__((aligned(16)));
	static struct shared s;
	unsigned long r, i;
	pid_t pid;

	s.stop = 0;
	pid = clone(reader, stack + sizeof(stack), CLONE_VM | SIGCHLD, &s);
	if (pid < 0)
		fail("clone on CPU %u", cpu);
	for (r = 0; r < rounds * 4; r++) {
		char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			fail("mmap");
		for (i = 0; i < 16; i++)
			if (p[i * PAGE])
				fail("a new page is not zero");
		memset(p, (int)r | 1, 16 * PAGE);
		if (munmap(p, 16 * PAGE))
			fail("munmap");
	}
	s.stop = 1;
	wait_for(pid, "reader");
}

/* --- fork and exec --- */

static void test_exec(unsigned int cpu)
{
	unsigned long r;

	for (r = 0; r < rounds; r++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork on CPU %u", cpu);
		if (pid == 0) {
			execl("/proc/self/exe", "pvstress", "nothing", (char *)NULL);
			_exit(99);
		}
		wait_for(pid, "exec");
	}
}

/* --- a token goes round through pipes, a process on each CPU --- */

static void test_pipe(void)
{
	unsigned int n = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN) + 1, i;
	uint64_t token = 0, want = rounds * 50;
	int fd[66][2];
	pid_t pid[66];

	if (n > 65)
		n = 65;
	for (i = 0; i < n; i++)
		if (pipe(fd[i]))
			fail("pipe");
	for (i = 1; i < n; i++) {
		pid[i] = fork();
		if (pid[i] < 0)
			fail("fork");
		if (pid[i])
			continue;
		bind_to(i - 1);
		do {
			if (read(fd[i][0], &token, sizeof(token)) != sizeof(token))
				_exit(1);
			token++;
			if (write(fd[(i + 1) % n][1], &token, sizeof(token)) != sizeof(token))
				_exit(1);
		} while (token < want);
		_exit(0);
	}
	do {
		uint64_t before = token;

		if (write(fd[1][1], &token, sizeof(token)) != sizeof(token) || read(fd[0][0], &token, sizeof(token)) != sizeof(token))
			fail("pipe");
		if (token != before + n - 1)
			fail("the token came back as %lu, not %lu", token, before + n - 1);
	} while (token < want);
	for (i = 1; i < n; i++)
		if (kill(pid[i], SIGKILL) || waitpid(pid[i], NULL, 0) != pid[i])
			fail("end of a process");
}

/* --- signals and interval timers, with floating point state that must survive them --- */

static volatile sig_atomic_t ticks;

static void on_tick(int sig)
{
	volatile double x = sig;

	x = x * 1.5 + 3;
	ticks++;
}

static void test_signal(unsigned int cpu)
{
	struct itimerval every = { { 0, 4000 }, { 0, 4000 } };
	double a = 1.0 + cpu, b = 0.5, sum = 0;
	unsigned long i;

	ticks = 0;
	signal(SIGALRM, on_tick);
	if (setitimer(ITIMER_REAL, &every, NULL))
		fail("setitimer");
	for (i = 0; ticks < (int)rounds; i++) {
		sum = a * b;
		a = sum * 2;
		b = 0.5;
		if (a != 1.0 + cpu)
			fail("floating point state was lost after %lu steps", i);
	}
	every.it_value.tv_usec = every.it_interval.tv_usec = 0;
	setitimer(ITIMER_REAL, &every, NULL);
}

/* --- time: never backwards on any CPU nor between them; sleeps are not short --- */

static void test_clock(void)
{
	struct timespec nap = { 0, 20000000 };
	uint64_t last = 0, t, start;
	unsigned int cpu, n = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	unsigned long r;

	for (r = 0; r < rounds * 20; r++) {
		cpu = (unsigned int)(r % n);
		bind_to(cpu);
		t = now_ns(CLOCK_MONOTONIC);
		if (t < last)
			fail("CLOCK_MONOTONIC went back by %lu ns on CPU %u", last - t, cpu);
		last = t;
	}
	for (r = 0; r < rounds; r++) {
		start = now_ns(CLOCK_MONOTONIC);
		while (nanosleep(&nap, NULL))
			if (errno != EINTR)
				fail("nanosleep");
		if (now_ns(CLOCK_MONOTONIC) - start < 20000000)
			fail("a sleep of 20 ms took %lu ns", now_ns(CLOCK_MONOTONIC) - start);
	}
}

/* --- until memory ends: the kernel kills this one process, and nothing else --- */

static void test_oom(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		int fd = open("/proc/self/oom_score_adj", O_WRONLY);

		if (fd < 0 || write(fd, "1000", 4) != 4)
			_exit(2);
		for (;;) {
			char *p = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

			if (p == MAP_FAILED)
				_exit(3);
			memset(p, 0x5a, 256 * PAGE);
		}
	}
	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid");
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail("the eater of memory ended with status %#x", status);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*each)(unsigned int cpu);
		void (*once)(void);
	} tests[] = {
		{ "mem", test_mem, NULL },       { "shoot", test_shoot, NULL }, { "exec", test_exec, NULL },
		{ "signal", test_signal, NULL }, { "pipe", NULL, test_pipe },   { "clock", NULL, test_clock },
		{ "oom", NULL, test_oom },
	};
	unsigned int i;

	if (argc > 1 && !strcmp(argv[1], "nothing"))
		return 0;
	if (argc > 2)
		rounds = strtoul(argv[2], NULL, 0);
	if (argc > 3)
		seed = strtoull(argv[3], NULL, 0) | 1;
	for (i = 0; argc > 1 && i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (strcmp(argv[1], tests[i].name))
			continue;
		if (tests[i].each)
			on_each_cpu(tests[i].each);
		else
			tests[i].once();
		printf("pvstress: %s ok\n", argv[1]);
		return 0;
	}
	fprintf(stderr, "usage: pvstress mem|shoot|exec|signal|pipe|clock|oom [ROUNDS [SEED]]\n");
	return 2;
}
