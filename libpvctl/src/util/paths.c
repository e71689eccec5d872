/* SPDX-License-Identifier: MIT */
#include "util/paths.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <dlfcn.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_NODE "default"

static int too_long(struct pvctl_error *err)
{
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "a directory's name is too long");
}

/* An environment variable that may be trusted as a base: set, and absolute. */
static const char *env_dir(const char *name)
{
	const char *v = secure_getenv(name);

	return v && v[0] == '/' ? v : NULL;
}

static int home_dir(char *buf, size_t len, struct pvctl_error *err)
{
	const char *home = env_dir("HOME");
	struct passwd pw, *found = NULL;
	char tmp[1024];

	if (!home && getpwuid_r(getuid(), &pw, tmp, sizeof(tmp), &found) == 0 && found)
		home = found->pw_dir;
	if (!home || home[0] != '/')
		return err_set(err, -ENOENT, PVCTL_ORIGIN_OS, "the user has no home directory ($HOME)");
	return snprintf(buf, len, "%s", home) >= (int)len ? too_long(err) : 0;
}

int paths_check_node(const char *node, struct pvctl_error *err)
{
	static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = strlen(node);

	if (n < 1 || n > 63 || strspn(node, ok) != n || node[0] == '.' || node[0] == '-')
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB,
		               "node name \"%.64s\": 1 to 63 letters, digits, dots, dashes and underscores are allowed", node);
	return 0;
}

int paths_run_base(char *buf, size_t len, struct pvctl_error *err)
{
	const char *base = env_dir("PVCTL_RUN_DIR");
	int n;

	if (base)
		n = snprintf(buf, len, "%s", base);
	else if (getuid() == 0)
		n = snprintf(buf, len, "/run/pvctl");
	else if ((base = env_dir("XDG_RUNTIME_DIR")))
		n = snprintf(buf, len, "%s/pvctl", base);
	else
		n = snprintf(buf, len, "/tmp/pvctl-%u", (unsigned int)getuid());
	return n >= (int)len ? too_long(err) : 0;
}

static int state_base(char *buf, size_t len, struct pvctl_error *err)
{
	const char *base = env_dir("PVCTL_STATE_DIR");
	char home[256];
	int n, rc;

	if (base) {
		n = snprintf(buf, len, "%s", base);
	} else if (getuid() == 0) {
		n = snprintf(buf, len, "/var/lib/pvctl");
	} else if ((base = env_dir("XDG_STATE_HOME"))) {
		n = snprintf(buf, len, "%s/pvctl", base);
	} else {
		rc = home_dir(home, sizeof(home), err);
		if (rc)
			return rc;
		n = snprintf(buf, len, "%s/.local/state/pvctl", home);
	}
	return n >= (int)len ? too_long(err) : 0;
}

static int with_node(int (*base)(char *, size_t, struct pvctl_error *), const char *node,
                     char *buf, size_t len, struct pvctl_error *err)
{
	char dir[200];
	int rc;

	if (!node)
		node = DEFAULT_NODE;
	rc = paths_check_node(node, err);
	if (!rc)
		rc = base(dir, sizeof(dir), err);
	if (rc)
		return rc;
	return snprintf(buf, len, "%s/%s", dir, node) >= (int)len ? too_long(err) : 0;
}

int paths_run_dir(const char *node, char *buf, size_t len, struct pvctl_error *err)
{
	return with_node(paths_run_base, node, buf, len, err);
}

int paths_state_dir(const char *node, char *buf, size_t len, struct pvctl_error *err)
{
	return with_node(state_base, node, buf, len, err);
}

/* A variable of ours, a base of XDG's, and where these are not set: root's, or below the home directory. */
static int own_dir(const char *ours, const char *xdg, const char *of_root, const char *of_home, char *buf, size_t len,
                   struct pvctl_error *err)
{
	const char *base = env_dir(ours);
	char home[256];
	int n, rc;

	if (base) {
		n = snprintf(buf, len, "%s", base);
	} else if ((base = env_dir(xdg))) {
		n = snprintf(buf, len, "%s/pvctl", base);
	} else if (getuid() == 0) {
		n = snprintf(buf, len, "%s", of_root);
	} else {
		rc = home_dir(home, sizeof(home), err);
		if (rc)
			return rc;
		n = snprintf(buf, len, "%s/%s/pvctl", home, of_home);
	}
	return n >= (int)len ? too_long(err) : 0;
}

int paths_cache_dir(char *buf, size_t len, struct pvctl_error *err)
{
	return own_dir("PVCTL_CACHE_DIR", "XDG_CACHE_HOME", "/var/cache/pvctl", ".cache", buf, len, err);
}

int paths_data_dir(char *buf, size_t len, struct pvctl_error *err)
{
	return own_dir("PVCTL_DATA_DIR", "XDG_DATA_HOME", "/var/lib/pvctl-data", ".local/share", buf, len, err);
}

/* dir/tool or dir/subdir/tool, when it is there and regular. */
static int try_tool(const char *dir, const char *sub, const char *tool, char *buf, size_t len)
{
	struct stat st;

	if (snprintf(buf, len, "%s%s/%s", dir, sub, tool) >= (int)len)
		return -ENAMETOOLONG;
	return stat(buf, &st) == 0 && S_ISREG(st.st_mode) ? 0 : -ENOENT;
}

/* Above a program in /tmp/x/bin anybody may put files: whose they are must be as good as the program's own owner. */
static bool trusted(const char *dir, const char *file)
{
	struct stat d, f;

	return stat(dir, &d) == 0 && stat(file, &f) == 0 && (f.st_uid == d.st_uid || f.st_uid == 0 || f.st_uid == geteuid());
}

/* A build tree is recognized by the hypervisor's image, which is never
 * installed beside a program. */
static int try_build_tree(const char *dir, const char *tool, char *buf, size_t len)
{
	static const char *const up[] = { "", "/..", "/../..", "/../../.." };
	char top[512];
	unsigned int i;

	for (i = 0; i < sizeof(up) / sizeof(up[0]); i++) {
		if (snprintf(top, sizeof(top), "%s%s", dir, up[i]) >= (int)sizeof(top) ||
		    try_tool(top, "", "xen-like-hv.elf", buf, len))
			continue;
		if (try_tool(top, "", tool, buf, len) && try_tool(top, "/pvctld", tool, buf, len))
			return -ENOENT;
		return trusted(dir, buf) ? 0 : -ENOENT;
	}
	return -ENOENT;
}

/* dir is bin or lib of an installation (lib/x86_64-linux-gnu, too), wherever that was moved to; or in a build tree. */
static int try_around(const char *dir, const char *tool, char *buf, size_t len)
{
	if (!try_tool(dir, "/../libexec/pvctl", tool, buf, len) && trusted(dir, buf))
		return 0;
	if (!try_tool(dir, "/../../libexec/pvctl", tool, buf, len) && trusted(dir, buf))
		return 0;
	return try_build_tree(dir, tool, buf, len);
}

int paths_find_tool(const char *tool, char *buf, size_t len)
{
	const char *env = env_dir("PVCTL_LIBEXEC_DIR");
	char dir[400];
	Dl_info info;
	ssize_t n;

	if (env && !try_tool(env, "", tool, buf, len))
		return 0;
	n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	if (n > 0) {
		dir[n] = '\0';
		*strrchr(dir, '/') = '\0';
		if (!try_around(dir, tool, buf, len))
			return 0;
	}
	/* A binding's interpreter is elsewhere: then the library tells. */
	if (dladdr((void *)(uintptr_t)paths_find_tool, &info) && info.dli_fname && strchr(info.dli_fname, '/') &&
	    snprintf(dir, sizeof(dir), "%s", info.dli_fname) < (int)sizeof(dir)) {
		*strrchr(dir, '/') = '\0';
		if (!try_around(dir, tool, buf, len))
			return 0;
	}
	return try_tool(PVCTL_PREFIX "/libexec/pvctl", "", tool, buf, len);
}

int paths_find_program(const char *name, char *buf, size_t len)
{
	const char *path = getenv("PATH"), *end;

	for (path = path && *path ? path : "/usr/bin:/bin"; *path; path = *end ? end + 1 : end) {
		end = path + strcspn(path, ":");
		if (path[0] == '/' && snprintf(buf, len, "%.*s/%s", (int)(end - path), path, name) < (int)len && !access(buf, X_OK))
			return 0;
	}
	return -ENOENT;
}

static bool is_daemons(const struct stat *st)
{
	return !st->st_uid && st->st_mode & S_ISVTX && st->st_gid >= PATHS_DAEMON_UIDS &&
	       st->st_gid - PATHS_DAEMON_UIDS < PATHS_NR_DAEMON_UIDS;
}

static int check_dir(const char *dir, struct pvctl_error *err)
{
	struct stat st;

	if (lstat(dir, &st) < 0)
		return err_os(err, errno, "%s", dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_OS, "%s is not a directory", dir);
	if (st.st_uid != geteuid())
		return err_set(err, -EPERM, PVCTL_ORIGIN_OS, "%s belongs to another user", dir);
	/* A daemon of root's has a number of its own, and a place for its own files there. */
	if (st.st_mode & (is_daemons(&st) ? 02 : 022))
		return err_set(err, -EPERM, PVCTL_ORIGIN_OS, "%s is writable by other users", dir);
	return 0;
}

int paths_make(const char *dir, struct pvctl_error *err)
{
	char part[512];
	size_t i, len = strlen(dir);

	if (dir[0] != '/' || len >= sizeof(part))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: an absolute path is needed", dir);
	for (i = 1; i <= len; i++) {
		if (dir[i] != '/' && dir[i] != '\0')
			continue;
		memcpy(part, dir, i);
		part[i] = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return err_os(err, errno, "create %s", part);
	}
	return check_dir(dir, err);
}

int paths_absolute(const char *what, const char *path, char **ret, struct pvctl_error *err)
{
	CLEANUP_FREE char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);

	if (path[0] == '/')
		*ret = strdup(path);
	else if (!cwd)
		return err_os(err, errno, "the current directory, for %s\"%.600s\"", what, path);
	else if (asprintf(ret, "%s/%s", strcmp(cwd, "/") ? cwd : "", path) < 0)
		*ret = NULL;
	return *ret ? 0 : err_nomem(err);
}
