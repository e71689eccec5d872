/* SPDX-License-Identifier: MIT */
#include "pvctl/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "pvctl/cmd.h"

#define OF_THE_HOST "/etc/pvctl/pvctl.conf"
#define MAX_BYTES (64u << 10)

/* NONE: xl.conf's, and nothing to set here; help says why. */
enum conf_kind { CONF_PROGRAM, CONF_NUMBER, CONF_NAME, CONF_CHOICE, CONF_NONE };
static const struct conf_key {
	const char *name;
	enum conf_kind kind;
	int64_t min, max;  /* of a number */
	const char *as_is; /* NONE: values, in words, that are what is done anyway; CHOICE: all that it can be */
	const char *help;
} keys[] = {
	{ "qemu_path", CONF_PROGRAM, .help = "the QEMU program of nodes that are started" },
	{ "max_grant_frames", CONF_NUMBER, 1, 16384, .help = "of domains whose config does not say" },
	{ "max_maptrack_frames", CONF_NUMBER, 0, 16384, .help = "of domains whose config does not say" },
	{ "max_grant_version", CONF_NUMBER, 1, 2, .help = "of domains whose config does not say" },
	{ "type", CONF_CHOICE, .as_is = "pv pvh auto", .help = "kind of the domains whose config does not say" },
	{ "vif.default.bridge", CONF_NAME, .help = "the bridge of a vif that names neither bridge nor link" },
	{ "vif.default.script", CONF_NAME, .help = "the script of a vif that names neither script nor link" },
	{ "vif.default.backend", CONF_NONE, .as_is = "0 Domain-0", .help = "all backends are in domain 0" },
	{ "vif.default.gatewaydev", CONF_NONE, .as_is = "", .help = "there is no routing script" },
	{ "autoballoon", CONF_NONE, .as_is = "0 off no", .help = "domain 0 is the host; a node's memory is given at its start" },
	{ "run_hotplug_scripts", CONF_NONE, .as_is = "1", .help = "a script that a device names is always run" },
	{ "lockfile", CONF_NONE, .as_is = "", .help = "the node puts creations in order itself" },
	{ "output_format", CONF_NONE, .as_is = "json", .help = "list -l prints JSON" },
	{ "blkdev_start", CONF_NONE, .as_is = "", .help = "no disk is attached to domain 0" },
	{ "claim_mode", CONF_NONE, .as_is = "1", .help = "memory is always claimed before a domain is built" },
	{ "domid_policy", CONF_NONE, .as_is = "xen", .help = "numbers are given in turn" },
	{ "bootloader_restrict", CONF_NONE, .as_is = "1", .help = "a boot loader is always in a sandbox" },
	{ "vm.cpumask", CONF_NONE, .as_is = "all", .help = "use cpus= in the domain's config" },
	{ "vm.pv.cpumask", CONF_NONE, .as_is = "all", .help = "use cpus= in the domain's config" },
	{ "vm.hvm.cpumask", CONF_NONE, .as_is = "all", .help = "there are no HVM domains" },
	{ "remus.default.netbufscript", CONF_NONE, .as_is = "", .help = "there is no remus" },
	{ "colo.default.proxyscript", CONF_NONE, .as_is = "", .help = "there is no colo" },
};
#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

static struct cfg_file *file; /* NULL: there is none */

const char *conf_key_at(unsigned int i, const char **ret_help)
{
	if (i >= NR_KEYS)
		return NULL;
	if (ret_help)
		*ret_help = keys[i].help;
	return keys[i].name;
}

const char *conf_domain_key_at(unsigned int i)
{
	static const char *const same[] = { "max_grant_frames", "max_maptrack_frames", "max_grant_version", "type" };

	return i < sizeof(same) / sizeof(same[0]) ? same[i] : NULL;
}

static const char *next_name(const void *data, size_t i)
{
	(void)data;
	return conf_key_at((unsigned int)i, NULL);
}

/* It names programs that are run: nobody else may have written it. */
static int check_owner(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st))
		return say_error("%s: %s", path, strerror(errno)), EXIT_FAILED;
	if (!S_ISREG(st.st_mode))
		return say_error("%s: it is no file", path), EXIT_FAILED;
	if ((st.st_uid && st.st_uid != geteuid()) || st.st_mode & S_IWOTH)
		return say_error("%s: another user can write it, so it is not read; remove it, or give it to this user (chown, chmod go-w)",
				 path), EXIT_FAILED;
	return EXIT_OK;
}

static int read_text(const char *path, char text[MAX_BYTES], size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc;
	ssize_t n = 0;
	size_t len = 0;

	if (fd < 0)
		return say_error("%s: %s", path, strerror(errno)), EXIT_FAILED;
	rc = check_owner(fd, path);
	while (!rc && len < MAX_BYTES && (n = read(fd, text + len, MAX_BYTES - len)) > 0)
		len += (size_t)n;
	if (!rc && n < 0) {
		say_error("%s: %s", path, strerror(errno));
		rc = EXIT_FAILED;
	} else if (!rc && len == MAX_BYTES) {
		say_error("%s: larger than %u KiB", path, MAX_BYTES >> 10);
		rc = EXIT_FAILED;
	}
	close(fd);
	*ret_len = len;
	return rc;
}

static int add_file(const char *path, struct cfg_diag *diag)
{
	char *text = malloc(MAX_BYTES);
	size_t len;
	int rc;

	if (!text)
		return say_error("out of memory"), EXIT_FAILED;
	rc = read_text(path, text, &len);
	if (!rc) {
		rc = file ? cfg_parse_more(file, text, len, path, CFG_OVERRIDE, diag) : cfg_parse(text, len, path, &file, diag);
		if (rc && rc != -EINVAL)
			say_error("%s: %s", path, strerror(-rc));
		rc = rc ? EXIT_FAILED : EXIT_OK;
	}
	free(text);
	return rc;
}

static bool is_word_of(const struct conf_key *k, const struct cfg_value *v)
{
	size_t len;

	for (const char *p = k->as_is; v->type != CFG_LIST && *p; p += len + (p[len] == ' ')) {
		len = strcspn(p, " ");
		if (strlen(v->text) == len && !strncmp(p, v->text, len))
			return true;
	}
	return false;
}

static bool is_good(const struct conf_key *k, const struct cfg_value *v)
{
	int64_t n;

	if (v->type == CFG_LIST)
		return false;
	if (k->kind == CONF_NUMBER)
		return !cfg_value_number(v, &n) && n >= k->min && n <= k->max;
	if (k->kind == CONF_CHOICE)
		return is_word_of(k, v);
	/* It becomes part of a vif's specification. */
	if (k->kind == CONF_NAME)
		return v->text[0] && !strpbrk(v->text, ", \t\n");
	/* A name is looked for on the PATH. */
	return v->text[0] == '/' || (v->text[0] && !strchr(v->text, '/'));
}

static void check_one(const struct cfg_setting *s, struct cfg_diag *diag)
{
	const struct cfg_source *source = &file->sources[s->pos.source];
	const struct conf_key *k = NULL;
	const char *near;
	char hint[96];

	for (unsigned int i = 0; i < NR_KEYS; i++)
		if (!strcmp(keys[i].name, s->key))
			k = &keys[i];
	if (!k) {
		near = cfg_suggest(s->key, next_name, NULL);
		snprintf(hint, sizeof(hint), "did you mean `%s'?", near ? near : "");
		cfg_report(diag, CFG_WARNING, source, s->pos.offset, near ? hint : NULL, "unknown key `%s': ignored", s->key);
		return;
	}
	if (k->kind == CONF_NONE && !is_word_of(k, &s->value))
		cfg_report(diag, CFG_WARNING, source, s->pos.offset, NULL, "%s: not used (%s)", s->key, k->help);
	if (k->kind == CONF_NONE || is_good(k, &s->value))
		return;
	if (k->kind == CONF_NUMBER)
		snprintf(hint, sizeof(hint), "a number from %lld to %lld", (long long)k->min, (long long)k->max);
	else if (k->kind == CONF_CHOICE)
		snprintf(hint, sizeof(hint), "one of: %s", k->as_is);
	else if (k->kind == CONF_NAME)
		snprintf(hint, sizeof(hint), "a name or a path, without commas and blanks");
	else
		snprintf(hint, sizeof(hint), "an absolute path, or a name that is on the PATH");
	cfg_report(diag, CFG_ERROR, source, s->value.pos.offset, hint, "`%s' cannot be that", s->key);
}

/* false: there is no place for it. */
static bool own_file(char *buf, size_t size)
{
	const char *dir = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n;

	if (dir && dir[0] == '/')
		n = snprintf(buf, size, "%s/pvctl/pvctl.conf", dir);
	else if (home && home[0] == '/')
		n = snprintf(buf, size, "%s/.config/pvctl/pvctl.conf", home);
	else
		return false;
	return n < (int)size;
}

static int load(struct cfg_diag *diag)
{
	const char *only = getenv("PVCTL_CONF");
	char own[4096];
	int rc = EXIT_OK;

	if (only)
		return only[0] ? add_file(only, diag) : EXIT_OK;
	if (!access(OF_THE_HOST, F_OK))
		rc = add_file(OF_THE_HOST, diag);
	if (!rc && own_file(own, sizeof(own)) && !access(own, F_OK))
		rc = add_file(own, diag);
	return rc;
}

int conf_load(void)
{
	static int result = -1;
	struct cfg_diag diag = { 0 };
	char *text;

	if (result >= 0)
		return result;
	result = load(&diag);
	for (size_t i = 0; file && !result && i < file->n; i++)
		check_one(&file->settings[i], &diag);
	text = cfg_diag_format(&diag, CFG_WARNING);
	if (text)
		fputs(text, stderr);
	free(text);
	if (diag.errors)
		result = EXIT_FAILED;
	cfg_diag_fini(&diag);
	return result;
}

const char *conf_text(const char *key)
{
	const struct cfg_setting *s = !conf_load() && file ? cfg_find(file, key) : NULL;

	return s && s->value.type != CFG_LIST ? s->value.text : NULL;
}

int64_t conf_number(const char *key, int64_t otherwise)
{
	const struct cfg_setting *s = !conf_load() && file ? cfg_find(file, key) : NULL;
	int64_t n;

	return s && !cfg_value_number(&s->value, &n) ? n : otherwise;
}

bool conf_is_number(const char *key)
{
	for (unsigned int i = 0; i < NR_KEYS; i++)
		if (!strcmp(keys[i].name, key))
			return keys[i].kind == CONF_NUMBER;
	return false;
}

bool conf_where(const char *key, const char **ret_file, uint32_t *ret_line, uint32_t *ret_col)
{
	const struct cfg_setting *s = !conf_load() && file ? cfg_find(file, key) : NULL;

	if (!s)
		return false;
	*ret_file = file->sources[s->value.pos.source].name;
	cfg_where(&file->sources[s->value.pos.source], s->value.pos.offset, ret_line, ret_col);
	return true;
}
