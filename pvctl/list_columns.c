/* SPDX-License-Identifier: MIT */
/* list -o: columns by name, as lines or as CSV (RFC 4180, but for its line ends). */
#include <inttypes.h>
#include <string.h>

#include "pvctl/cmd.h"

#define MIB (1024 * 1024)
#define TEXT_MAX 160

struct list_column {
	const char *name, *title;
	int width; /* of a line; negative: to the left */
	void (*put)(const struct pvctl_domain_info *d, char text[TEXT_MAX]);
};

static void put_name(const struct pvctl_domain_info *d, char t[TEXT_MAX])
{
	snprintf(t, TEXT_MAX, "%s", d->name[0] ? d->name : "(null)");
}

static void put_id(const struct pvctl_domain_info *d, char t[TEXT_MAX])
{
	snprintf(t, TEXT_MAX, "%u", d->domid);
}

static void put_uuid(const struct pvctl_domain_info *d, char t[TEXT_MAX])
{
	uuid_text(d->uuid, t);
}

static void put_state(const struct pvctl_domain_info *d, char t[TEXT_MAX])
{
	snprintf(t, TEXT_MAX, "%s", state_name(d->state));
}

static void put_reason(const struct pvctl_domain_info *d, char t[TEXT_MAX])
{
	snprintf(t, TEXT_MAX, "%s", reason_name(d->reason) ? reason_name(d->reason) : "");
}

static void put_mem(const struct pvctl_domain_info *d, char t[TEXT_MAX])
{
	snprintf(t, TEXT_MAX, "%" PRIu64, (d->memory_bytes + d->outstanding_bytes) / MIB);
}

static void put_maxmem(const struct pvctl_domain_info *d, char t[TEXT_MAX])
{
	snprintf(t, TEXT_MAX, "%" PRIu64, d->max_memory_bytes / MIB);
}

static void put_vcpus(const struct pvctl_domain_info *d, char t[TEXT_MAX])
{
	snprintf(t, TEXT_MAX, "%u", d->vcpus_online);
}

static void put_maxvcpus(const struct pvctl_domain_info *d, char t[TEXT_MAX])
{
	snprintf(t, TEXT_MAX, "%u", d->vcpus_max);
}

static void put_time(const struct pvctl_domain_info *d, char t[TEXT_MAX])
{
	snprintf(t, TEXT_MAX, "%.1f", (double)d->cpu_ns / 1e9);
}

static const struct list_column all[] = {
	{ "name", "Name", -32, put_name }, { "id", "ID", 5, put_id }, { "uuid", "UUID", -36, put_uuid },
	{ "state", "State", -8, put_state }, { "reason", "Reason", -10, put_reason }, { "mem", "Mem", 6, put_mem },
	{ "maxmem", "MaxMem", 6, put_maxmem }, { "vcpus", "VCPUs", 5, put_vcpus }, { "maxvcpus", "MaxVCPUs", 8, put_maxvcpus },
	{ "time", "Time(s)", 10, put_time },
};
#define N_ALL (sizeof(all) / sizeof(all[0]))

int list_columns_parse(const char *text, const struct list_column *ret[LIST_COLUMNS_MAX], const char **ret_bad)
{
	int n = 0;

	for (const char *p = text;; p++) {
		size_t len = strcspn(p, ","), i = 0;

		*ret_bad = p;
		while (i < N_ALL && (strlen(all[i].name) != len || strncmp(all[i].name, p, len)))
			i++;
		if (i == N_ALL || n == LIST_COLUMNS_MAX)
			return -1;
		ret[n++] = &all[i];
		p += len;
		if (!*p)
			return n;
	}
}

void list_columns_names(char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < N_ALL && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%s", i ? ", " : "", all[i].name);
}

static void put_csv(const char *text)
{
	bool quote = strpbrk(text, ",\"\r\n");

	if (quote)
		putchar('"');
	for (const char *p = text; *p; p++) {
		if (*p == '"')
			putchar('"');
		putchar(*p);
	}
	if (quote)
		putchar('"');
}

static void put_cell(const char *text, const struct list_column *c, bool csv, bool first, bool last)
{
	if (!first)
		putchar(csv ? ',' : ' ');
	if (csv)
		put_csv(text);
	else
		printf("%*s", last && c->width < 0 ? 0 : c->width, text);
}

void list_columns_print(const struct pvctl_domain_info *const *info, size_t n, const struct list_column *const *columns, int n_columns,
			bool csv)
{
	char text[TEXT_MAX];

	for (int c = 0; c < n_columns; c++)
		put_cell(csv ? columns[c]->name : columns[c]->title, columns[c], csv, !c, c == n_columns - 1);
	putchar('\n');
	for (size_t i = 0; i < n; i++) {
		for (int c = 0; c < n_columns; c++) {
			columns[c]->put(info[i], text);
			put_cell(text, columns[c], csv, !c, c == n_columns - 1);
		}
		putchar('\n');
	}
}
