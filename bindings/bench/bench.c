/* SPDX-License-Identifier: MIT */
/*
 * bench KERNEL LISTS ROUNDS: milliseconds of a list of all domains, and of a domain created and destroyed: the median, which others'
 * work on the machine changes least. one.py and those of Go and Rust do the same.
 */
#include <libpvctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct pvctl_error err;

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void must(int rc)
{
	if (rc) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
}

static void list_of(struct pvctl *ctx, const char *kernel)
{
	struct pvctl_domain_list *l;
	size_t n, named = 0, i;

	(void)kernel;
	must(pvctl_domain_list(ctx, &l, &err));
	n = pvctl_domain_list_count(l);
	for (i = 0; i < n; i++)
		named += pvctl_domain_list_at(l, i)->name[0] != 0;
	pvctl_domain_list_free(l);
	if (!named)
		exit(1);
}

static void round_of(struct pvctl *ctx, const char *kernel)
{
	struct pvctl_config *c;
	uint32_t domid;

	must(pvctl_config_new(&c, &err));
	must(pvctl_config_set_str(c, "name", "bench", &err));
	must(pvctl_config_set_str(c, "kernel", kernel, &err));
	must(pvctl_config_set_int(c, "memory", 4, &err));
	must(pvctl_config_set_str(c, "cmdline", "reason=8", &err));
	must(pvctl_domain_create(ctx, c, NULL, &domid, &err));
	must(pvctl_domain_destroy(ctx, domid, NULL, &err));
	pvctl_config_free(c);
}

static int later(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(int n, void (*f)(struct pvctl *, const char *), struct pvctl *ctx, const char *kernel)
{
	double *took = calloc((size_t)n + 1, sizeof(*took)), m;
	int i;

	if (!took)
		exit(1);
	for (i = 0; i < n; i++) {
		double start = now_ms();

		f(ctx, kernel);
		took[i] = now_ms() - start;
	}
	qsort(took, (size_t)n, sizeof(*took), later);
	m = took[n / 2];
	free(took);
	return m;
}

int main(int argc, char **argv)
{
	int lists = argc > 3 ? atoi(argv[2]) : 100, rounds = argc > 3 ? atoi(argv[3]) : 100;
	struct pvctl *ctx;
	double listed;

	if (argc < 2 || lists < 0 || rounds < 0)
		return 2;
	must(pvctl_open(NULL, &ctx, &err));
	list_of(ctx, NULL);
	listed = median(lists, list_of, ctx, NULL);
	printf("%.4f %.4f\n", listed, median(rounds, round_of, ctx, argv[1]));
	pvctl_close(ctx);
	return 0;
}
