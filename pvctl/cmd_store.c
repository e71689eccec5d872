/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"

static int done(const struct command *cmd, const char *path, int rc, const struct pvctl_error *err)
{
	char what[32];

	if (!rc)
		return EXIT_OK;
	command_full_name(cmd, what, sizeof(what));
	return fail(what, path, err);
}

enum { READ_JSON };
static const struct option_def read_options[] = {
	[READ_JSON] = { 0, "json", NULL, "as JSON; what is not UTF-8 is a question mark" },
	{ 0 }
};

static int put_json(const char *path, const char *value, size_t len)
{
	struct json *j = json_document();

	if (!j)
		return EXIT_FAILED;
	json_str(j, "path", path);
	json_bytes(j, "value", value, len);
	json_end_map(j);
	return json_close(j);
}

static int read_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = node_open();
	char *value;
	size_t len;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = pvctl_store_read(ctx, in->argv[0], &value, &len, &err);
	if (!rc && in->count[READ_JSON]) {
		rc = put_json(in->argv[0], value, len);
		pvctl_free(value);
		pvctl_close(ctx);
		return rc;
	}
	if (!rc) {
		/* Guests write there: a terminal gets no control characters, a file every byte. */
		if (isatty(STDOUT_FILENO))
			print_clean(stdout, value);
		else
			fwrite(value, 1, len, stdout);
		putchar('\n');
		pvctl_free(value);
	}
	pvctl_close(ctx);
	return done(cmd, in->argv[0], rc, &err);
}

static int write_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = node_open();
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = pvctl_store_write(ctx, in->argv[0], in->argv[1], strlen(in->argv[1]), &err);
	pvctl_close(ctx);
	return done(cmd, in->argv[0], rc, &err);
}

static int rm_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = node_open();
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = pvctl_store_rm(ctx, in->argv[0], &err);
	pvctl_close(ctx);
	return done(cmd, in->argv[0], rc, &err);
}

const struct command cmd_store_read = {
	.group = "store", .name = "read", .args = "PATH", .summary = "Print a value of the store",
	.example = "  pvctl store read /local/domain/1/name", .options = read_options, .args_min = 1, .args_max = 1, .run = read_run,
};
const struct command cmd_store_write = {
	.group = "store", .name = "write", .args = "PATH VALUE", .summary = "Write a value of the store",
	.example = "  pvctl store write /tool/owner me", .args_min = 2, .args_max = 2, .run = write_run,
};
const struct command cmd_store_rm = {
	.group = "store", .name = "rm", .args = "PATH", .summary = "Remove a path, and all below it, from the store",
	.example = "  pvctl store rm /tool/owner", .args_min = 1, .args_max = 1, .run = rm_run,
};
