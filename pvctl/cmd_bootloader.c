/* SPDX-License-Identifier: MIT */
/* bootloader: what a guest's disk would boot. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"

enum { OPT_ENTRY, OPT_KERNEL, OPT_RAMDISK, OPT_OFFSET, OPT_DIR, OPT_ARGS, OPT_TIMEOUT, OPT_JSON, OPT_FORMAT };
static const struct option_def options[] = {
	[OPT_ENTRY] = { 0, "entry", "N|TITLE", "this entry instead of the default: its number, id or title" },
	[OPT_KERNEL] = { 0, "kernel", "PATH", "this file on the disk; no menu is looked for" },
	[OPT_RAMDISK] = { 0, "ramdisk", "PATH", "this file on the disk instead of the entry's" },
	[OPT_OFFSET] = { 0, "offset", "BYTES", "where the file system begins, whatever the partition table says" },
	[OPT_DIR] = { 0, "output-dir", "DIR", "write its kernel, ramdisk and cmdline into DIR" },
	[OPT_ARGS] = { 0, "args", "TEXT", "append to the command line" },
	[OPT_TIMEOUT] = { 0, "timeout", "SECONDS", "give up after this time; default 30" },
	[OPT_JSON] = { 0, "json", NULL, "as JSON" },
	[OPT_FORMAT] = { 0, "format", "FORMAT", "of the image: qcow, qcow2, vhd or qed; default raw" },
	{ 0 }
};

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_fd(int from, int to)
{
	char buf[65536];
	off_t at = 0;
	ssize_t n;
	int rc;

	while ((n = pread(from, buf, sizeof(buf), at)) > 0) {
		rc = write_all(to, buf, (size_t)n);
		if (rc)
			return rc;
		at += n;
	}
	return n < 0 ? -errno : 0;
}

/* from: an fd, or -1 for text. */
static int write_file(const char *dir, const char *name, int from, const char *text)
{
	char path[4096];
	int fd, rc;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) {
		say_error("bootloader: %s: the name is too long", dir);
		return EXIT_FAILED;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	rc = fd < 0 ? -errno : from >= 0 ? copy_fd(from, fd) : write_all(fd, text, strlen(text));
	if (fd >= 0 && close(fd) < 0 && !rc)
		rc = -errno;
	if (rc)
		say_error("bootloader: %s: %s", path, strerror(-rc));
	return rc ? EXIT_FAILED : EXIT_OK;
}

static void cmdline_of(const struct pvctl_boot_entry *e, const char *more, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", e->cmdline, e->cmdline[0] && more && more[0] ? " " : "", more ? more : "");
}

static int write_files(const struct pvctl_boot *b, const struct pvctl_boot_info *info, const char *dir, const char *args)
{
	char cmdline[8192];
	int rc;

	cmdline_of(pvctl_boot_entry_at(b, (size_t)info->chosen), args, cmdline, sizeof(cmdline) - 1);
	strcat(cmdline, "\n");
	rc = write_file(dir, "kernel", info->kernel_fd, NULL);
	if (!rc && info->ramdisk_fd >= 0)
		rc = write_file(dir, "ramdisk", info->ramdisk_fd, NULL);
	return rc ? rc : write_file(dir, "cmdline", -1, cmdline);
}

static int print_json(const struct pvctl_boot *b, const struct pvctl_boot_info *info)
{
	const struct pvctl_boot_entry *e;
	struct json *j = json_document();
	size_t i;

	if (!j)
		return EXIT_FAILED;
	json_str(j, "config", info->config);
	json_u64(j, "partition", info->partition);
	json_u64(j, "default", info->default_entry);
	if (info->wait_s >= 0)
		json_u64(j, "timeout_seconds", (uint64_t)info->wait_s);
	if (info->chosen >= 0)
		json_u64(j, "chosen", (uint64_t)info->chosen);
	json_array(j, "entries");
	for (i = 0; (e = pvctl_boot_entry_at(b, i)); i++) {
		json_map(j, NULL);
		json_u64(j, "index", i);
		json_str(j, "title", e->title);
		json_str(j, "id", e->id);
		json_str(j, "kernel", e->kernel);
		json_str(j, "ramdisk", e->ramdisk);
		json_str(j, "cmdline", e->cmdline);
		json_end_map(j);
	}
	json_end_array(j);
	json_end_map(j);
	return json_close(j);
}

static void print_entry(const struct pvctl_boot_entry *e, size_t i, bool mark)
{
	printf("%c%3zu  %s\n", mark ? '*' : ' ', i, e->title);
	if (e->id && strcmp(e->id, e->title) != 0)
		printf("      id       %s\n", e->id);
	printf("      kernel   %s\n", e->kernel);
	if (e->ramdisk)
		printf("      ramdisk  %s\n", e->ramdisk);
	printf("      cmdline  %s\n", e->cmdline);
}

static int parse_offset(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 0);
	return *end || errno || text[0] < '0' || text[0] > '9' || *ret > INT64_MAX ? -EINVAL : 0;
}

static int bootloader_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_boot_opts opts = {
		.size = sizeof(opts), .entry = in->value[OPT_ENTRY], .kernel = in->value[OPT_KERNEL], .ramdisk = in->value[OPT_RAMDISK],
		.format = in->value[OPT_FORMAT],
	};
	const struct pvctl_boot_entry *e;
	struct pvctl_error err = { 0 };
	struct pvctl_boot_info info = { .size = sizeof(info) };
	struct pvctl_boot *b;
	size_t i;
	int rc = EXIT_OK;

	if (in->count[OPT_TIMEOUT] && parse_seconds(in->value[OPT_TIMEOUT], &opts.timeout_ms))
		return command_usage(cmd, "--timeout: a number of seconds is needed");
	if (in->count[OPT_ARGS] && !in->count[OPT_DIR])
		return command_usage(cmd, "--args: has a meaning with --output-dir only");
	if (in->count[OPT_OFFSET] && parse_offset(in->value[OPT_OFFSET], &opts.offset_bytes))
		return command_usage(cmd, "--offset: a number of bytes is needed");
	if (in->count[OPT_KERNEL] && in->count[OPT_ENTRY])
		return command_usage(cmd, "--kernel and --entry: only one of them can choose");
	opts.list_only = !in->count[OPT_ENTRY] && !in->count[OPT_DIR];
	if (pvctl_boot_open(in->argv[0], &opts, &b, &err))
		return fail("bootloader", NULL, &err);
	if (pvctl_boot_get(b, &info, &err))
		rc = fail("bootloader", NULL, &err);
	if (!rc && in->count[OPT_DIR])
		rc = write_files(b, &info, in->value[OPT_DIR], in->value[OPT_ARGS]);
	if (!rc && in->count[OPT_JSON])
		rc = print_json(b, &info);
	else
		for (i = 0; !rc && (e = pvctl_boot_entry_at(b, i)); i++)
			if (info.chosen < 0 || (size_t)info.chosen == i)
				print_entry(e, i, i == info.default_entry);
	pvctl_boot_free(b);
	return rc;
}

const struct command cmd_bootloader = {
	.name = "bootloader", .args = "FILE", .summary = "List what a guest's disk would boot, or take its kernel out",
	.example = "  pvctl bootloader disk.img\n  pvctl bootloader --entry 1 --output-dir /tmp/boot disk.img",
	.options = options, .args_min = 1, .args_max = 1, .run = bootloader_run,
};
