/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/load.h"
#include "pvctl/savefile.h"
#include "pvctl/term.h"

enum { OPT_CHECKPOINT, OPT_PAUSED, OPT_DOMID, OPT_LIVE, OPT_COMPRESS, OPT_TIMEOUT, OPT_JSON };
static const struct option_def options[] = {
	[OPT_CHECKPOINT] = { 'c', "checkpoint", NULL, "let the domain go on after it was saved" },
	[OPT_PAUSED] = { 'p', "paused", NULL, "leave the domain paused after it was saved" },
	[OPT_DOMID] = { 'D', NULL, NULL, "save its domain id, too: restored, it has the same or is refused" },
	[OPT_LIVE] = { 0, "live", NULL, "write memory while the domain runs, and stop it for the rest alone" },
	[OPT_COMPRESS] = { 'z', "compress", NULL, "pack the file by zstd; then it is for pvctl alone, not for xl" },
	[OPT_TIMEOUT] = { 0, "timeout", "SECONDS", "how long its kernel may take to suspend itself (60)" },
	[OPT_JSON] = { 0, "json", NULL, "print times and sizes as JSON" },
	{ 0 }
};

struct target { struct pvctl *ctx; uint32_t domid; bool ends; struct savefile file; };

/*
 * Between the file's name and the domain's end it is there twice. Whoever is killed then leaves it suspended, for a person to choose:
 * it must not go on by itself, as the file would then be of a domain that has gone on.
 */
static int written(void *data, struct pvctl_error *err)
{
	struct target *t = data;
	int rc = savefile_sync(&t->file, err);

	if (!rc && t->ends)
		rc = pvctl_domain_keep_suspended(t->ctx, t->domid, err);
	test_hook(STEP_HOOK, "kept");
	rc = rc ? rc : savefile_commit(&t->file, err);
	test_hook(STEP_HOOK, "named");
	return rc;
}

static int print_stats(const struct pvctl_save_stats *s, const char *path)
{
	struct json *j = json_document();

	if (!j)
		return EXIT_FAILED;
	json_str(j, "file", path);
	json_u64(j, "bytes", s->bytes);
	json_u64(j, "pages", s->pages);
	json_u64(j, "zero_pages", s->zero_pages);
	json_u64(j, "rounds", s->rounds);
	json_u64(j, "total_ns", s->total_ns);
	json_u64(j, "pause_ns", s->pause_ns);
	json_end_map(j);
	return json_close(j);
}

static int save(struct pvctl *ctx, uint32_t domid, const struct parsed *in, const struct pvctl_config *config, uint32_t timeout_ms)
{
	struct pvctl_save_opts o = { .size = sizeof(o), .live = in->count[OPT_LIVE] != 0, .compress = in->count[OPT_COMPRESS] != 0,
				     .config = config, .keep_domid = in->count[OPT_DOMID] != 0, .written = written, .suspend_timeout_ms = timeout_ms };
	struct pvctl_save_stats s = { .size = sizeof(s) };
	const char *path = in->argv[1];
	struct pvctl_error err = { 0 };
	struct target t = { .ctx = ctx, .domid = domid };
	char what[200];
	int rc;

	o.leave = in->count[OPT_PAUSED] ? PVCTL_SAVE_PAUSED : in->count[OPT_CHECKPOINT] ? PVCTL_SAVE_RUNNING : PVCTL_SAVE_DESTROY;
	t.ends = o.leave == PVCTL_SAVE_DESTROY;
	rc = savefile_open(&t.file, path, &err);
	if (rc)
		return fail("save", in->argv[0], &err);
	o.written_data = &t;
	snprintf(what, sizeof(what), "saving %.60s", domain_label(ctx, domid));
	note("Saving to %s new xl format", path);
	interrupts_catch();
	progress_begin(what);
	rc = pvctl_domain_save(ctx, domid, t.file.fd, &o, &s, &err);
	progress_end();
	savefile_name_in(&t.file, rc, &err);
	savefile_close(&t.file);
	if (rc == -ECANCELED)
		say_error("save %s: interrupted; the domain goes on", in->argv[0]);
	else if (rc)
		fail("save", in->argv[0], &err);
	if (rc)
		return EXIT_FAILED;
	return in->count[OPT_JSON] ? print_stats(&s, path) : EXIT_OK;
}

static int save_run(const struct command *cmd, const struct parsed *in)
{
	struct load_opts load = { .filename = in->argc > 2 ? in->argv[2] : NULL, .quiet = true };
	struct pvctl_config *config = NULL;
	uint32_t domid, timeout_ms = 0;
	struct pvctl *ctx;
	int rc = EXIT_OK;

	if (in->count[OPT_TIMEOUT] && (parse_seconds(in->value[OPT_TIMEOUT], &timeout_ms) || !timeout_ms))
		return command_usage(cmd, "`%s' is no time in seconds", in->value[OPT_TIMEOUT]);
	if (in->count[OPT_CHECKPOINT] && in->count[OPT_PAUSED])
		return command_usage(cmd, "-c and -p: it cannot go on and stay paused");
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	if (load.filename)
		rc = config_load(&load, &config);
	if (!rc)
		rc = domain_resolve(ctx, in->argv[0], &domid);
	if (!rc)
		rc = save(ctx, domid, in, config, timeout_ms);
	pvctl_config_free(config);
	pvctl_close(ctx);
	return rc ? EXIT_FAILED : EXIT_OK;
}

const struct command cmd_save = {
	.name = "save", .args = "DOMAIN FILE [CONFIG]", .summary = "Save a domain, with its memory, to a file",
	.example = "  pvctl save web1 web1.save\n  pvctl save -c --json web1 web1.save", .options = options, .args_min = 2, .args_max = 3,
	.run = save_run,
};
