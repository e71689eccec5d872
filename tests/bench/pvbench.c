/* SPDX-License-Identifier: MIT */
/* pvbench: static microbenchmarks of what a paravirtual guest pays for.
 *
 * Every result line:   name value unit min max reps
 * (value = median over reps; times are per operation; lower is better for
 *  ns/us/ms, higher is better for iops, MB/s, 1/s).
 *
 *   pvbench [only NAME,...] [cpu] [block DEV] [net ADDR]   run groups, in the order given; of what follows only these rows
 *   pvbench netserver                       serve net tests (port 7777)
 *   pvbench true                            exit 0 (target of the exec test)
 * PVB_MS   = target length of one repetition (default 60)
 * PVB_REPS = repetitions (default 9)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/fs.h>

static int REPS = 9, TARGET_MS = 60;
static const char *self = "/proc/self/exe", *only;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}
static int wanted(const char *name)
{
	size_t n = strlen(name);
	const char *s = only;
	if (!only) return 1;
	while ((s = strstr(s, name))) {
		if ((s == only || s[-1] == ',') && (!s[n] || s[n] == ',')) return 1;
		s += n;
	}
	return 0;
}
static int cmpd(const void *a, const void *b)
{
	double x = *(double *)a, y = *(double *)b;
	return x < y ? -1 : x > y;
}
static void emit(const char *name, const char *unit, double *v, int n)
{
	qsort(v, n, sizeof *v, cmpd);
	double m = n & 1 ? v[n/2] : (v[n/2-1] + v[n/2]) / 2;
	printf("%s %.6g %s %.6g %.6g %d\n", name, m, unit, v[0], v[n-1], n);
	fflush(stdout);
}

typedef void (*fn)(long n);
static double adj;	/* set-up and tear-down time that f wants left out */
/* run f(n) with n grown until one repetition lasts TARGET_MS, then REPS times */
static void bench(const char *name, const char *unit, double scale, fn f)
{
	if (!wanted(name)) return;
	long n = 1; double v[64], t;
	for (;;) {
		adj = 0; t = now(); f(n); t = now() - t - adj;
		if (t > TARGET_MS * 1e6 / 2 || n > (1L << 40)) break;
		double g = t > 1000 ? TARGET_MS * 1e6 / t : 16;
		n = n * (g > 16 ? 16 : g < 1.5 ? 1.5 : g) + 1;
	}
	for (int i = 0; i < REPS; i++) { adj = 0; t = now(); f(n); v[i] = (now() - t - adj) / n / scale; }
	emit(name, unit, v, REPS);
}

/* ---------------- cpu / mmu group ---------------- */
static volatile uint64_t sink;
static void b_spin(long n)      /* fixed integer work: 1000 LCG steps per op */
{
	uint64_t x = 88172645463325252ull;
	for (long i = 0; i < n * 1000; i++) x = x * 6364136223846793005ull + 1442695040888963407ull;
	sink = x;
}
static void b_getppid(long n) { while (n--) syscall(SYS_getppid); }
static void b_cgt(long n) { struct timespec t; while (n--) clock_gettime(CLOCK_MONOTONIC, &t); }
static void b_cgt_sys(long n) { struct timespec t; while (n--) syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t); }
static void b_gtod(long n) { struct timeval t; while (n--) gettimeofday(&t, 0); }
static void b_rdtsc(long n) { unsigned a, d; while (n--) __asm__ volatile("rdtsc" : "=a"(a), "=d"(d)); }
static void b_cpuid(long n) { unsigned a, b, c, d; while (n--) __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "0"(0), "2"(0)); }
static void b_yield(long n) { while (n--) sched_yield(); }
static int zfd;
static void b_readzero(long n) { char c; while (n--) if (read(zfd, &c, 1) != 1) abort(); }
static void b_openclose(long n) { while (n--) close(open("/dev/null", O_RDONLY)); }

static void pin(int cpu)
{
	cpu_set_t s; CPU_ZERO(&s); CPU_SET(cpu, &s);
	sched_setaffinity(0, sizeof s, &s);
}
static void unpin(void)
{
	cpu_set_t s; memset(&s, 0xff, sizeof s);
	sched_setaffinity(0, sizeof s, &s);
}
static int pp_other;	/* cpu of the peer */
static void b_pipe(long n)
{
	int a[2], b[2]; char c = 0; double t = now();
	if (pipe(a) || pipe(b)) abort();
	pid_t p = fork();
	if (!p) {
		pin(pp_other); close(a[1]); close(b[0]);
		while (read(a[0], &c, 1) == 1) if (write(b[1], &c, 1) != 1) break;
		_exit(0);
	}
	close(a[0]); close(b[1]);
	if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1) abort();
	adj += now() - t;
	while (n--) if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1) abort();
	t = now(); close(a[1]); close(b[0]); waitpid(p, 0, 0); adj += now() - t;
}
static void b_yield2(long n)	/* two processes yielding to each other on one cpu */
{
	double t = now(); pid_t p = fork();
	if (!p) for (;;) sched_yield();
	for (int i = 0; i < 20; i++) sched_yield();
	adj += now() - t;
	while (n--) sched_yield();
	t = now(); kill(p, SIGKILL); waitpid(p, 0, 0); adj += now() - t;
}
static void b_fork(long n)
{
	while (n--) { pid_t p = fork(); if (!p) _exit(0); if (p < 0) abort(); waitpid(p, 0, 0); }
}
static void b_exec(long n)
{
	char *av[] = { "pvbench", "true", 0 }, *ev[] = { 0 };
	while (n--) {
		pid_t p = fork();
		if (!p) { execve(self, av, ev); _exit(127); }
		int st; waitpid(p, &st, 0);
		if (!WIFEXITED(st) || WEXITSTATUS(st)) { fprintf(stderr, "exec failed\n"); exit(1); }
	}
}
static void *t_nop(void *x) { return x; }
static void b_thread(long n) { while (n--) { pthread_t t; pthread_create(&t, 0, t_nop, 0); pthread_join(t, 0); } }

/* hypercalls from user space through privcmd: null ioctl (bad cmd) vs. cheap hypercalls */
static int xfd = -1;
struct hc { uint64_t op, arg[5]; };
#define IOCTL_HC _IOC(_IOC_NONE, 'P', 0, sizeof(struct hc))
static void b_ioctlnull(long n) { while (n--) ioctl(xfd, _IOC(_IOC_NONE, 'P', 0x7f, 0), 0); }
static void b_hcver(long n) { while (n--) { struct hc h = { 17, { 0 } }; ioctl(xfd, IOCTL_HC, &h); } }
static void b_hcyield(long n) { while (n--) { struct hc h = { 29, { 0 } }; ioctl(xfd, IOCTL_HC, &h); } }
static char *pf; static size_t pfpages = 2048;	/* 8 MiB */
static void b_fault(long n)	/* n = number of 4 KiB pages first-touched; the unmap is included */
{
	while (n > 0) {
		size_t k = n > (long)pfpages ? pfpages : (size_t)n;
		pf = mmap(0, k * 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
		madvise(pf, k * 4096, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < k; i++) ((volatile char *)pf)[i * 4096] = 1;
		munmap(pf, k * 4096); n -= k;
	}
}
static void b_mmap(long n)	/* map+unmap one untouched page */
{
	while (n--) {
		void *p = mmap(0, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
		munmap(p, 4096);
	}
}
static void b_mmap64(long n)	/* map 64 pages, touch all, unmap */
{
	while (n--) {
		char *p = mmap(0, 64 * 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
		madvise(p, 64 * 4096, MADV_NOHUGEPAGE);
		for (int i = 0; i < 64; i++) ((volatile char *)p)[i * 4096] = 1;
		munmap(p, 64 * 4096);
	}
}
static char *mp;
static void b_mprot(long n)	/* flip one resident page ro, then rw: 2 calls = 1 op */
{
	while (n--) { mprotect(mp, 4096, PROT_READ); mprotect(mp, 4096, PROT_READ|PROT_WRITE); }
}
static void b_mprotf(long n)	/* ro, rw, and a write (TLB refill, maybe a fault) */
{
	while (n--) { mprotect(mp, 4096, PROT_READ); mprotect(mp, 4096, PROT_READ|PROT_WRITE); *(volatile char *)mp = 1; }
}
static void h_usr(int s) { (void)s; }
static void b_signal(long n) { pid_t p = getpid(); while (n--) kill(p, SIGUSR1); }
static void h_segv(int s) { (void)s; mprotect(mp, 4096, PROT_READ|PROT_WRITE); }
static void b_segv(long n)	/* protection fault delivered to a handler that unprotects */
{
	while (n--) { mprotect(mp, 4096, PROT_READ); *(volatile char *)mp = 1; }
}
static void h_ill(int s, siginfo_t *i, void *u)	{ (void)s; (void)i; ((ucontext_t *)u)->uc_mcontext.gregs[REG_RIP] += 2; }
static void b_ill(long n) { while (n--) __asm__ volatile("ud2"); }

static char *mA, *mB; static const size_t MSZ = 8 << 20;
static void bw(const char *name, int mode)
{
	double v[64];
	if (!wanted(name)) return;
	for (int r = 0; r < REPS; r++) {
		size_t done = 0; double t = now(), e;
		do {
			if (mode == 0) memcpy(mA, mB, MSZ);
			else memset(mA, r, MSZ);
			done += MSZ; e = now() - t;
		} while (e < TARGET_MS * 1e6);
		v[r] = done / (e / 1e9) / 1e6;
	}
	emit(name, "MB/s", v, REPS);
}
static void sleep1ms(void)
{
	int n = 200; double v[200], o[200];
	if (!wanted("sleep_1ms")) return;
	struct timespec q = { 0, 1000000 };
	for (int i = 0; i < n; i++) { double t = now(); nanosleep(&q, 0); v[i] = (now() - t) / 1000; }
	memcpy(o, v, sizeof v);
	emit("sleep_1ms", "us", v, n);
	qsort(o, n, sizeof *o, cmpd);
	printf("sleep_1ms_p99 %.6g us %.6g %.6g %d\n", o[n*99/100], o[n*99/100], o[n-1], n);
}
static void tick_steal(void)	/* longest gap seen by a spinning reader: scheduling jitter */
{
	double v[9];
	if (!wanted("max_gap")) return;
	for (int r = 0; r < 9; r++) {
		double t0 = now(), p = t0, t, g = 0;
		do { t = now(); if (t - p > g) g = t - p; p = t; } while (t - t0 < 200e6);
		v[r] = g / 1000;
	}
	emit("max_gap_in_200ms", "us", v, 9);
}

static void cpu_group(void)
{
	int ncpu = sysconf(_SC_NPROCESSORS_ONLN);
	zfd = open("/dev/zero", O_RDONLY);
	pin(0);
	bench("spin_1000", "ns", 1, b_spin);
	bench("rdtsc", "ns", 1, b_rdtsc);
	bench("cpuid", "ns", 1, b_cpuid);
	bench("syscall_getppid", "ns", 1, b_getppid);
	if (zfd >= 0) bench("read_zero_1", "ns", 1, b_readzero);
	bench("open_close", "ns", 1, b_openclose);
	bench("clock_gettime", "ns", 1, b_cgt);
	bench("clock_gettime_syscall", "ns", 1, b_cgt_sys);
	bench("gettimeofday", "ns", 1, b_gtod);
	bench("sched_yield", "ns", 1, b_yield);
	bench("sched_yield_2proc", "ns", 1, b_yield2);
	pp_other = 0; bench("pipe_pingpong_1cpu", "us", 1000, b_pipe);
	if (ncpu > 1) { pp_other = 1; bench("pipe_pingpong_2cpu", "us", 1000, b_pipe); }
	bench("fork_exit", "us", 1000, b_fork);
	bench("fork_exec", "us", 1000, b_exec);
	bench("thread_create", "us", 1000, b_thread);
	bench("page_fault_anon", "ns", 1, b_fault);
	bench("mmap_munmap_1", "ns", 1, b_mmap);
	bench("mmap_touch64_munmap", "us", 1000, b_mmap64);
	mp = mmap(0, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0); *mp = 1;
	bench("mprotect_pair", "ns", 1, b_mprot);
	bench("mprotect_pair_write", "ns", 1, b_mprotf);
	if ((xfd = open("/dev/xen/privcmd", O_RDWR)) >= 0) {
		bench("privcmd_null_ioctl", "ns", 1, b_ioctlnull);
		struct hc h = { 17, { 0 } };	/* unprivileged domUs of recent kernels refuse this ioctl */
		if (ioctl(xfd, IOCTL_HC, &h) > 0) {
			bench("hypercall_xen_version", "ns", 1, b_hcver);
			bench("hypercall_sched_yield", "ns", 1, b_hcyield);
		} else printf("# privcmd hypercall refused: %s\n", strerror(errno));
	}
	signal(SIGUSR1, h_usr); bench("signal_self", "ns", 1, b_signal);
	signal(SIGSEGV, h_segv); bench("segv_handler", "ns", 1, b_segv); signal(SIGSEGV, SIG_DFL);
	struct sigaction sa = { .sa_sigaction = h_ill, .sa_flags = SA_SIGINFO };
	sigaction(SIGILL, &sa, 0); bench("ud2_handler", "ns", 1, b_ill); signal(SIGILL, SIG_DFL);
	mA = mmap(0, MSZ, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
	mB = mmap(0, MSZ, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
	if (mA != MAP_FAILED && mB != MAP_FAILED) {
		memset(mA, 1, MSZ); memset(mB, 2, MSZ);
		bw("memcpy_8M", 0); bw("memset_8M", 1);
		munmap(mA, MSZ); munmap(mB, MSZ);
	}
	sleep1ms(); tick_steal();
	bench("spin_1000_again", "ns", 1, b_spin);	/* drift control */
	unpin();
}

/* ---------------- block group ---------------- */
static const char *bdev; static uint64_t bsize; static volatile int bstop;
struct bw { int wr, bs, seq; uint64_t ops, seed; int id, nth; };
static void *b_worker(void *x)
{
	struct bw *w = x; void *buf;
	int fd = open(bdev, (w->wr ? O_RDWR : O_RDONLY) | O_DIRECT);
	if (fd < 0) { fprintf(stderr, "open %s: %s\n", bdev, strerror(errno)); return 0; }
	if (posix_memalign(&buf, 4096, w->bs)) abort();
	memset(buf, 0x5a, w->bs);
	uint64_t blocks = bsize / w->bs, s = w->seed, pos = w->id * (blocks / w->nth);
	while (!bstop) {
		s = s * 6364136223846793005ull + 1442695040888963407ull;
		uint64_t b = w->seq ? pos++ % blocks : (s >> 33) % blocks;
		ssize_t r = w->wr ? pwrite(fd, buf, w->bs, b * w->bs) : pread(fd, buf, w->bs, b * w->bs);
		if (r != w->bs) { fprintf(stderr, "io: %zd %s\n", r, strerror(errno)); break; }
		w->ops++;
	}
	close(fd); free(buf);
	return 0;
}
static void blk(const char *name, int wr, int bs, int qd, int seq)
{
	double v[64]; int reps = REPS > 5 ? 5 : REPS;
	if (!wanted(name)) return;
	for (int r = 0; r < reps; r++) {
		pthread_t t[32]; struct bw w[32]; memset(w, 0, sizeof w); bstop = 0;
		double a = now(); uint64_t ops = 0;
		for (int i = 0; i < qd; i++) {
			w[i] = (struct bw){ wr, bs, seq, 0, 12345 + 977 * i + r, i, qd };
			pthread_create(&t[i], 0, b_worker, &w[i]);
		}
		usleep(TARGET_MS * 8000);
		bstop = 1;
		for (int i = 0; i < qd; i++) { pthread_join(t[i], 0); ops += w[i].ops; }
		double e = (now() - a) / 1e9;
		v[r] = bs >= 65536 ? ops * (double)bs / e / 1e6 : ops / e;
	}
	emit(name, bs >= 65536 ? "MB/s" : "iops", v, reps);
}
static void block_group(const char *dev)
{
	int fd = open(dev, O_RDONLY); char *buf;
	bdev = dev;
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bsize)) { printf("# block: %s: %s\n", dev, strerror(errno)); return; }
	close(fd);
	printf("# block %s size %llu\n", dev, (unsigned long long)bsize);
	fd = open(dev, O_RDWR); buf = malloc(1 << 20); memset(buf, 1, 1 << 20);	/* prefill the backing pages */
	if (fd >= 0) { for (uint64_t o = 0; o + (1 << 20) <= bsize; o += 1 << 20) if (pwrite(fd, buf, 1 << 20, o) < 0) break; fsync(fd); close(fd); }
	free(buf);
	/* 4k alone is random and 128k alone sequential: names of the first runs, on stock Xen. */
	for (int qd = 1; qd <= 16; qd += 15)
		for (int big = 0; big < 2; big++)
			for (int other = 0; other < 2; other++)
				for (int wr = 0; wr < 2; wr++) {
					char nm[64];
					snprintf(nm, sizeof nm, "blk_%s%s_%s_qd%d", !other ? "" : big ? "rand_" : "seq_",
						 wr ? "write" : "read", big ? "128k" : "4k", qd);
					blk(strdup(nm), wr, big ? 131072 : 4096, qd, big != other);
				}
}

/* ---------------- net group ---------------- */
static int full(int fd, void *b, size_t n, int wr)
{
	char *p = b;
	while (n) { ssize_t r = wr ? send(fd, p, n, MSG_NOSIGNAL) : recv(fd, p, n, 0); if (r <= 0) return -1; p += r; n -= r; }
	return 0;
}
#define CHUNK 65536
static void serve(int c)	/* first byte: 'p' ping-pong, 't' client sends (sink), 'r' client receives (source) */
{
	char m, *b = malloc(CHUNK); int one = 1;
	setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (full(c, &m, 1, 0)) goto out;
	if (m == 'p') while (!full(c, b, 1, 0) && !full(c, b, 1, 1)) ;
	if (m == 't') while (recv(c, b, CHUNK, 0) > 0) ;
	if (m == 'r') { memset(b, 7, CHUNK); while (!full(c, b, CHUNK, 1)) ; }
out:	close(c); _exit(0);
}
static int netserver(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7777) };
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	signal(SIGCHLD, SIG_IGN);
	if (bind(s, (void *)&a, sizeof a) || listen(s, 16)) { perror("netserver"); return 1; }
	for (;;) { int c = accept(s, 0, 0); if (c < 0) continue; if (!fork()) { close(s); serve(c); } close(c); }
}
static int dial(const char *addr, char mode)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7777) }; int one = 1;
	inet_pton(AF_INET, addr, &a.sin_addr);
	for (int i = 0; i < 50; i++) {
		int s = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(s, (void *)&a, sizeof a)) {
			setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
			if (send(s, &mode, 1, 0) == 1) return s;
		}
		close(s); usleep(100000);
	}
	return -1;
}
static int ns;
static void b_rtt(long n) { char c = 1; while (n--) if (full(ns, &c, 1, 1) || full(ns, &c, 1, 0)) abort(); }
static void net_group(const char *addr, const char *pfx)
{
	char nm[64], *b = malloc(CHUNK); double v[64]; int reps = REPS > 5 ? 5 : REPS;
	memset(b, 3, CHUNK);
	if ((ns = dial(addr, 'p')) < 0) { printf("# %s: cannot reach %s\n", pfx, addr); return; }
	snprintf(nm, sizeof nm, "%s_tcp_pingpong", pfx); bench(nm, "us", 1000, b_rtt); close(ns);
	for (int d = 0; d < 2; d++) {
		if ((ns = dial(addr, d ? 'r' : 't')) < 0) return;
		for (int r = 0; r < reps; r++) {
			double t = now(), e; uint64_t k = 0;
			do {
				if (d) { ssize_t q = recv(ns, b, CHUNK, 0); if (q <= 0) return; k += q; }
				else { if (full(ns, b, CHUNK, 1)) return; k += CHUNK; }
				e = now() - t;
			} while (e < TARGET_MS * 8e6);
			v[r] = k / (e / 1e9) / 1e6;
		}
		close(ns);
		snprintf(nm, sizeof nm, "%s_tcp_stream_%s", pfx, d ? "rx" : "tx"); emit(nm, "MB/s", v, reps);
	}
	free(b);
}

int main(int ac, char **av)
{
	if (ac > 1 && !strcmp(av[1], "true")) return 0;
	if (ac > 1 && !strcmp(av[1], "netserver")) return netserver();
	if (getenv("PVB_MS")) TARGET_MS = atoi(getenv("PVB_MS"));
	if (getenv("PVB_REPS")) REPS = atoi(getenv("PVB_REPS"));
	if (REPS > 63) REPS = 63;
	if (ac < 2) { cpu_group(); return 0; }
	for (int i = 1; i < ac; i++) {
		if (!strcmp(av[i], "only")) { only = av[++i]; }
		else if (!strcmp(av[i], "cpu")) cpu_group();
		else if (!strcmp(av[i], "block")) block_group(av[++i]);
		else if (!strcmp(av[i], "net")) net_group(av[++i], "net");
		else if (!strcmp(av[i], "lo")) {
			pid_t p = fork(); if (!p) return netserver();
			usleep(50000); net_group("127.0.0.1", "lo"); kill(p, SIGKILL); waitpid(p, 0, 0);
		}
	}
	return 0;
}
