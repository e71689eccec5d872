/* SPDX-License-Identifier: MIT */
/* bootloader= and what belongs to it: pygrub's options, as far as they mean something here. */
#include "domain/plan_boot.h"
#include "util/err.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Whatever xl's users name, with or without a directory, is done by the built-in helper. */
int boot_check_name(const char *key, const char *value, struct pvctl_error *err)
{
	const char *slash = strrchr(value, '/');

	if (!value[0]) /* none */
		return 0;
	if (strcmp(slash ? slash + 1 : value, "pygrub") == 0 || strcmp(value, "pvctl") == 0)
		return 0;
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s=\"%.60s\": must be pygrub or pvctl", key, value);
}

int boot_check_restrict(const char *key, const char *value, struct pvctl_error *err)
{
	if (strcmp(value, "0") != 0)
		return 0;
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s=0: a guest's disk is always read in the sandbox; leave the key out", key);
}

int boot_check_user(const char *key, const char *value, struct pvctl_error *err)
{
	size_t i, n = strlen(value);

	/* Whether there is one is found when the disk is read: perhaps elsewhere than here. */
	if (n < 1 || n > 32)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: a user's name has 1 to 32 characters", key);
	for (i = 0; i < n; i++)
		if ((unsigned char)value[i] <= 0x20 || value[i] == 0x7f || value[i] == ':' || value[i] == '/')
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: not a user's name", key);
	return 0;
}

static const struct { const char *name, *short_name, *why; } refused[] = {
	{ "--list-entries", "-l", "`pvctl bootloader DISK' lists the entries" },
	{ "--not-really", "-n", "`pvctl bootloader DISK' shows what would be started" },
	{ "--help", "-h", "see pvctl.cfg(5)" },
	{ "--output", NULL, "the kernel is handed on without a file" },
	{ "--output-format", NULL, "the kernel is handed on without a file" },
	{ "--output-directory", NULL, "`pvctl bootloader --output-dir' takes the kernel out" },
	{ "--runas", NULL, "the disk is always read in the sandbox; bootloader_user names the user" },
	{ "--isconfig", NULL, "a disk is needed, not a config file" },
	{ "--debug", NULL, "there is nothing to debug in there" },
};

static bool is_option(const char *arg, const char *name)
{
	size_t n = strlen(name);

	return strncmp(arg, name, n) == 0 && (arg[n] == '\0' || arg[n] == '=');
}

static int refuse(const char *key, const char *arg, struct pvctl_error *err)
{
	unsigned int i;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (is_option(arg, refused[i].name) || (refused[i].short_name && strcmp(arg, refused[i].short_name) == 0))
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: pygrub's %s is not supported: %s", key,
			               refused[i].name, refused[i].why);
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB,
	               "%s: \"%.60s\": --entry, --kernel, --ramdisk, --args, --offset, --interactive and --quiet are known",
	               key, arg);
}

static int set_offset(struct boot_args *a, const char *key, const char *value, struct pvctl_error *err)
{
	char *end;

	errno = 0;
	a->offset_bytes = strtoull(value, &end, 0);
	if (!isdigit((unsigned char)value[0]) || *end || errno || a->offset_bytes > INT64_MAX)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: --offset=%.40s: a number of bytes is needed", key, value);
	return 0;
}

/* The value of --name=VALUE, or of the two items --name and VALUE: steps *i over it. */
static const char *value_of(const char *name, const char *const *values, size_t n, size_t *i)
{
	size_t len = strlen(name);

	if (!is_option(values[*i], name))
		return NULL;
	if (values[*i][len] == '=')
		return values[*i] + len + 1;
	return *i + 1 < n ? values[++*i] : NULL;
}

int boot_args_parse(const char *key, const char *const *values, size_t n, struct boot_args *ret, struct pvctl_error *err)
{
	struct boot_args a = { 0 };
	struct { const char *name, **where; } texts[] = {
		{ "--entry", &a.entry }, { "--kernel", &a.kernel }, { "--ramdisk", &a.ramdisk }, { "--args", &a.args },
	};
	const char *v;
	unsigned int t;
	size_t i;
	int rc = 0;

	for (i = 0; i < n && !rc; i++) {
		const char *arg = values[i];

		for (t = 0, v = NULL; t < 4 && !v; t++)
			if ((v = value_of(texts[t].name, values, n, &i)))
				*texts[t].where = v;
		if (v)
			continue;
		if ((v = value_of("--offset", values, n, &i)))
			rc = set_offset(&a, key, v, err);
		else if (strcmp(arg, "-i") == 0 || strcmp(arg, "--interactive") == 0)
			a.interactive = true;
		else if (strcmp(arg, "-q") == 0 || strcmp(arg, "--quiet") == 0)
			a.interactive = false;
		else
			rc = refuse(key, arg, err);
	}
	if (!rc && a.kernel && a.entry)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: --kernel looks for no menu, so --entry has no meaning with it", key);
	if (!rc)
		*ret = a;
	return rc;
}

int boot_check_args(const char *key, const char *const *values, size_t n, struct pvctl_error *err)
{
	struct boot_args a;

	return boot_args_parse(key, values, n, &a, err);
}
