/* SPDX-License-Identifier: MIT */
/* What new domains are made of: a disk, perhaps with the memory of a domain that has booted, and a config of defaults. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/load.h"
#include "pvctl/term.h"

#define MIB (1024 * 1024)

static struct pvctl *progress_ctx(void)
{
	interrupts_catch();
	return node_open_or_start();
}

/* ---- create ---- */

enum { MAKE_FROM, MAKE_WARM, MAKE_DESCRIPTION, MAKE_FORMAT };
static const struct option_def make_options[] = {
	[MAKE_FROM] = { 0, "from", "DOMAIN|DISK|CONFIG", "what it is made of: a domain, a disk's image, or a config file" },
	[MAKE_WARM] = { 0, "warm", NULL, "with the memory of the domain, so that others need not boot" },
	[MAKE_DESCRIPTION] = { 'd', "description", "TEXT", "for pvctl template list" },
	[MAKE_FORMAT] = { 0, "format", "FORMAT", "of a disk's image: raw (default), qcow2, vhd, qed" },
	{ 0 }
};

/* A file is a config where it ends like one or reads like one; images are large. */
static bool is_config(const char *path, const struct stat *st)
{
	const char *end = strrchr(path, '.');

	return (end && (!strcmp(end, ".cfg") || !strcmp(end, ".conf"))) || st->st_size < 65536;
}

static int config_of_disk(const char *path, const char *format, struct pvctl_config **ret, struct pvctl_error *err)
{
	char text[4200];
	const char *const list[] = { text };
	struct pvctl_config *c;
	int rc;

	if (snprintf(text, sizeof(text), "format=%s,vdev=xvda,access=rw,target=%s", format ? format : "raw", path) >= (int)sizeof(text)) {
		snprintf(err->msg, sizeof(err->msg), "%.100s...: the path is too long", path);
		return -EINVAL;
	}
	rc = pvctl_config_new(&c, err);
	if (rc)
		return rc;
	rc = pvctl_config_set_list(c, "disk", list, 1, err);
	rc = rc ? rc : pvctl_config_set_int(c, "memory", 256, err);
	rc = rc ? rc : pvctl_config_set_str(c, "bootloader", "pygrub", err);
	if (rc)
		pvctl_config_free(c);
	else
		*ret = c;
	return rc;
}

/* 0 or an exit code. */
static int find_source(struct pvctl *ctx, const struct parsed *in, struct pvctl_config **ret, uint32_t *ret_domid)
{
	const char *from = in->value[MAKE_FROM];
	struct load_opts load = { .filename = from, .quiet = true };
	struct pvctl_error err = { 0 };
	struct stat st;
	int rc;

	*ret_domid = 0;
	if (!stat(from, &st) && !S_ISDIR(st.st_mode)) {
		if (S_ISREG(st.st_mode) && is_config(from, &st))
			return config_load(&load, ret);
		if (format_needed("template create", from, in->value[MAKE_FORMAT]))
			return EXIT_FAILED;
		return config_of_disk(from, in->value[MAKE_FORMAT], ret, &err) ? fail("template create", from, &err) : 0;
	}
	rc = pvctl_domain_lookup(ctx, from, ret_domid, &err);
	if (rc && !is_no_domain(rc))
		return fail("template create", from, &err);
	if (!rc)
		return pvctl_domain_config(ctx, *ret_domid, ret, &err) ? fail("template create", from, &err) : 0;
	if (!pvctl_defined_get(globals.node, from, ret, &err))
		return 0;
	say_error("template create: `%s' is no file, no domain that runs, and none that is defined", from);
	return EXIT_FAILED;
}

static int make_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_template_make_opts opts = { .size = sizeof(opts), .description = in->value[MAKE_DESCRIPTION],
						 .warm = in->count[MAKE_WARM] > 0 };
	struct pvctl_config *from = NULL;
	struct pvctl_error err = { 0 };
	struct pvctl *ctx;
	int rc;

	if (!in->count[MAKE_FROM])
		return command_usage(cmd, "--from is missing: a domain, a disk's image, or a config file");
	ctx = progress_ctx();
	if (!ctx)
		return EXIT_FAILED;
	rc = find_source(ctx, in, &from, &opts.domid);
	if (!rc) {
		progress_begin("making the template");
		rc = pvctl_template_make(ctx, in->argv[0], from, &opts, &err);
		progress_end();
		rc = rc ? fail("template create", in->argv[0], &err) : 0;
	}
	if (!rc)
		note("Template %s is made: `pvctl create --template %s name=NAME' makes a domain of it.", in->argv[0], in->argv[0]);
	pvctl_config_free(from);
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_template_create = {
	.group = "template", .name = "create", .args = "NAME", .summary = "Make a template of a domain, a disk's image, or a config file",
	.example = "  pvctl template create debian --from debian.cfg\n  pvctl template create web --from web1 --warm",
	.options = make_options, .args_min = 1, .args_max = 1, .run = make_run,
};

/* ---- list, show ---- */

enum { LIST_JSON };
static const struct option_def list_options[] = {
	[LIST_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

static void json_info(struct json *j, const char *key, const struct pvctl_template_info *i)
{
	json_map(j, key);
	json_str(j, "name", i->name);
	json_str(j, "description", i->description);
	json_str(j, "directory", i->dir);
	json_u64(j, "created_unix_ns", i->created_unix_ns);
	json_u64(j, "bytes", i->bytes);
	json_u64(j, "disks", i->disks);
	json_bool(j, "warm", i->warm);
}

static void print_info(const struct pvctl_template_info *i)
{
	time_t t = (time_t)(i->created_unix_ns / UINT64_C(1000000000));
	struct tm tm;
	char day[32] = "-";

	if (localtime_r(&t, &tm))
		strftime(day, sizeof(day), "%Y-%m-%d %H:%M", &tm);
	printf("%-24s %5" PRIu32 " %8" PRIu64 "  %-4s  %-16s  ", i->name, i->disks, i->bytes / MIB, i->warm ? "warm" : "-", day);
	print_clean(stdout, i->description);
	putchar('\n');
}

static int list_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_template_list *list;
	const struct pvctl_template_info *i;
	struct pvctl_error err = { 0 };
	struct json *j = NULL;

	if (pvctl_template_list(&list, &err))
		return fail("template list", NULL, &err);
	if (in->count[LIST_JSON]) {
		j = json_open(true);
		if (j)
			json_listing(j, "templates");
	} else {
		printf("%-24s %5s %8s  %-4s  %-16s  %s\n", "Name", "Disks", "MiB", "Warm", "Made", "Description");
	}
	for (size_t n = 0; (i = pvctl_template_list_at(list, n)); n++) {
		if (j) {
			json_info(j, NULL, i);
			json_end_map(j);
		} else if (!in->count[LIST_JSON]) {
			print_info(i);
		}
	}
	pvctl_template_list_free(list);
	if (!in->count[LIST_JSON])
		return EXIT_OK;
	if (!j)
		return EXIT_FAILED;
	json_end_listing(j);
	return json_close(j);
}

const struct command cmd_template_list = {
	.group = "template", .name = "list", .args = "", .summary = "List the templates",
	.example = "  pvctl template list", .options = list_options, .args_min = 0, .args_max = 0, .run = list_run,
};

enum { SHOW_JSON };
static const struct option_def show_options[] = {
	[SHOW_JSON] = { 0, "json", NULL, "as it is shown anyway" },
	{ 0 }
};

static int show_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_template_info info = { .size = sizeof(info) };
	struct pvctl_config *c;
	struct pvctl_error err = { 0 };
	char *text = NULL;
	struct json *j;

	if (pvctl_template_get(in->argv[0], &info, &err) || pvctl_template_config(in->argv[0], &c, &err))
		return fail("template show", in->argv[0], &err);
	j = json_open(true);
	if (!j || pvctl_config_to_json(c, &text, &err)) {
		json_free(j);
		pvctl_config_free(c);
		return text || !j ? EXIT_FAILED : fail("template show", in->argv[0], &err);
	}
	json_map(j, NULL);
	json_u64(j, "schema", JSON_SCHEMA);
	json_info(j, "template", &info);
	json_end_map(j);
	json_embed(j, "config", text);
	json_end_map(j);
	pvctl_free(text);
	pvctl_config_free(c);
	return json_close(j);
}

const struct command cmd_template_show = {
	.group = "template", .name = "show", .args = "NAME", .summary = "Show a template and its config of defaults, as JSON",
	.example = "  pvctl template show debian", .options = show_options, .args_min = 1, .args_max = 1, .run = show_run,
};

/* ---- delete, verify, export, import ---- */

static int delete_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };

	return pvctl_template_delete(in->argv[0], &err) ? fail("template delete", in->argv[0], &err) : EXIT_OK;
}

const struct command cmd_template_delete = {
	.group = "template", .name = "delete", .args = "NAME", .summary = "Delete a template that no domain's disks are based on",
	.example = "  pvctl template delete debian", .args_min = 1, .args_max = 1, .run = delete_run,
};

static int verify_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };

	int rc;

	progress_begin("reading the template's files");
	rc = pvctl_template_verify(NULL, in->argv[0], &err);
	progress_end();
	return rc ? fail("template verify", in->argv[0], &err) : EXIT_OK;
}

const struct command cmd_template_verify = {
	.group = "template", .name = "verify", .args = "NAME", .summary = "Compare a template's files with their checksums",
	.example = "  pvctl template verify debian", .args_min = 1, .args_max = 1, .run = verify_run,
};

static int export_run(const struct command *cmd, const struct parsed *in)
{
	const char *dir = in->argc > 1 ? in->argv[1] : ".";
	struct pvctl_error err = { 0 };
	int rc;

	progress_begin("copying the template");
	rc = pvctl_template_export(NULL, in->argv[0], dir, &err);
	progress_end();
	if (rc)
		return fail("template export", in->argv[0], &err);
	note("Template %s is in %s/%s.", in->argv[0], dir, in->argv[0]);
	return EXIT_OK;
}

const struct command cmd_template_export = {
	.group = "template", .name = "export", .args = "NAME [FILE]", .summary = "Copy a template's directory to another place",
	.example = "  pvctl template export debian /mnt/usb", .args_min = 1, .args_max = 2, .run = export_run,
};

static int import_run(const struct command *cmd, const struct parsed *in)
{
	char dir[400];
	const char *name;
	struct pvctl_error err = { 0 };
	size_t n = strlen(in->argv[0]);
	int rc;

	while (n > 1 && in->argv[0][n - 1] == '/')
		n--;
	if (n >= sizeof(dir))
		return command_usage(cmd, "`%s' is too long", in->argv[0]);
	snprintf(dir, sizeof(dir), "%.*s", (int)n, in->argv[0]);
	name = strrchr(dir, '/') ? strrchr(dir, '/') + 1 : dir;
	if (in->argc > 1)
		name = in->argv[1];
	progress_begin("copying the template");
	rc = pvctl_template_import(NULL, dir, name, &err);
	progress_end();
	return rc ? fail("template import", in->argv[0], &err) : EXIT_OK;
}

const struct command cmd_template_import = {
	.group = "template", .name = "import", .args = "FILE [NAME]", .summary = "Take in a template's directory, after a look at its checksums",
	.example = "  pvctl template import /mnt/usb/debian", .args_min = 1, .args_max = 2, .run = import_run,
};

/* ---- reinstall ---- */

enum { REINSTALL_TEMPLATE, REINSTALL_YES };
static const struct option_def reinstall_options[] = {
	[REINSTALL_TEMPLATE] = { 't', "template", "NAME", "of this template (default: the one that it was made of)" },
	[REINSTALL_YES] = { 'y', "yes", NULL, "do not ask" },
	{ 0 }
};

static bool agrees(const char *domain)
{
	char line[16];

	if (!isatty(STDIN_FILENO)) {
		say_error("reinstall %s: what is on its first disk would be lost: --yes says that this is wanted", domain);
		return false;
	}
	fprintf(stderr, "What is on the first disk of %s is lost, and %s ends at once if it runs. Go on? [y/N] ", domain, domain);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static int reinstall_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };
	struct pvctl *ctx;
	uint32_t domid;
	int rc;

	if (!in->count[REINSTALL_YES] && !agrees(in->argv[0]))
		return EXIT_FAILED;
	ctx = progress_ctx();
	if (!ctx)
		return EXIT_FAILED;
	progress_begin("reinstalling");
	rc = pvctl_domain_reinstall(ctx, in->argv[0], in->value[REINSTALL_TEMPLATE], &domid, &err);
	progress_end();
	pvctl_close(ctx);
	return rc ? fail("reinstall", in->argv[0], &err) : EXIT_OK;
}

const struct command cmd_reinstall = {
	.name = "reinstall", .args = "DOMAIN", .summary = "Make a domain's first disk anew from a template; what else it has stays",
	.example = "  pvctl reinstall web1\n  pvctl reinstall --yes -t debian13 web1", .options = reinstall_options, .args_min = 1, .args_max = 1,
	.run = reinstall_run,
};
