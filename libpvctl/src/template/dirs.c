/* SPDX-License-Identifier: MIT */
#include "clone/fork.h"
#include "template/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/paths.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NOTE "template"
#define NOTE_MAX 4096u

static int below(const char *sub, char buf[TEMPLATE_PATH], struct pvctl_error *err)
{
	char base[250];
	int rc = paths_data_dir(base, sizeof(base), err);

	if (rc)
		return rc;
	snprintf(buf, TEMPLATE_PATH, "%s/%s", base, sub);
	return paths_make_safe(buf, err);
}

int template_disks_base(char buf[TEMPLATE_PATH], struct pvctl_error *err)
{
	return below("disks", buf, err);
}

int template_base(char buf[TEMPLATE_PATH], struct pvctl_error *err)
{
	return below("templates", buf, err);
}

int template_dir(const char *name, char buf[TEMPLATE_PATH], struct pvctl_error *err)
{
	char base[TEMPLATE_PATH];
	int rc = template_base(base, err);

	if (rc)
		return rc;
	if (paths_check_node(name, NULL))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB,
		               "template \"%.64s\": 1 to 63 letters, digits, dots, dashes and underscores are allowed", name);
	return snprintf(buf, TEMPLATE_PATH, "%s/%s", base, name) >= TEMPLATE_PATH ?
	       err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: the path is too long", base) : 0;
}

int template_disks_dir(const char *domain, char buf[TEMPLATE_PATH], struct pvctl_error *err)
{
	char base[TEMPLATE_PATH];
	int rc = template_disks_base(base, err);

	rc = rc ? rc : key_check_name("name", domain, err);
	if (rc)
		return rc;
	return snprintf(buf, TEMPLATE_PATH, "%s/%s", base, domain) >= TEMPLATE_PATH ?
	       err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: the path is too long", base) : 0;
}

int template_remove_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (!rc && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && unlinkat(dirfd(d), e->d_name, 0))
			rc = -errno;
	closedir(d);
	return rc || !rmdir(dir) ? rc : -errno;
}

void template_path(const char *dir, const char *file, char buf[TEMPLATE_FILE_PATH])
{
	snprintf(buf, TEMPLATE_FILE_PATH, "%s/%s", dir, file);
}

static int no_template(const char *name, struct pvctl_error *err)
{
	return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "there is no template \"%s\" (pvctl template list shows them)", name);
}

/* Whoever waited may have the lock of a directory that is gone, or whose name is another's. */
static bool is_still(int fd, const char *dir)
{
	struct stat held, there;

	return !fstat(fd, &held) && !lstat(dir, &there) && held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

int template_hold(const char *name, bool alone, int *ret_fd, struct pvctl_error *err)
{
	char dir[TEMPLATE_PATH];
	int rc = template_dir(name, dir, err), fd;

	while (!rc) {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return errno == ENOENT ? no_template(name, err) : err_os(err, errno, "%s", dir);
		/* One that deletes is quick; one that makes a domain may take its time. */
		if (flock(fd, alone ? LOCK_EX | LOCK_NB : LOCK_SH))
			rc = errno == EWOULDBLOCK ? err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "template \"%s\": something is being made of it", name) :
			     errno == EINTR ? 0 : err_os(err, errno, "%s", dir);
		else if (is_still(fd, dir)) {
			*ret_fd = fd;
			return 0;
		}
		close(fd);
	}
	return rc;
}

static int check_file(const char *dir, const struct template_file *f, struct pvctl_error *err)
{
	char path[TEMPLATE_FILE_PATH];
	struct stat st;

	template_path(dir, f->name, path);
	if (lstat(path, &st))
		return err_os(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != f->bytes)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s is not the file of %llu bytes that the manifest has", path,
		               (unsigned long long)f->bytes);
	return 0;
}

int template_load(const char *dir, struct manifest *ret, struct pvctl_error *err)
{
	CLEANUP_FREE char *text = NULL;
	char path[TEMPLATE_FILE_PATH];
	int rc;

	template_path(dir, TEMPLATE_MANIFEST, path);
	rc = fd_read_text(path, TEMPLATE_MANIFEST_MAX, &text);
	if (rc)
		return err_os(err, -rc, "%s", path);
	rc = manifest_parse(text, ret, err);
	return rc ? err_wrap(err, rc, "%s", path) : 0;
}

int template_read(const char *name, struct manifest *ret, struct pvctl_error *err)
{
	char dir[TEMPLATE_PATH];
	struct template_file *f;
	int rc = template_dir(name, dir, err);

	if (rc)
		return rc;
	rc = template_load(dir, ret, err);
	if (rc == -ENOENT)
		return no_template(name, err);
	if (rc)
		return rc;
	for (size_t i = 0; !rc && (f = manifest_file(ret, i)); i++)
		rc = check_file(dir, f, err);
	if (rc)
		manifest_free(ret);
	return rc;
}

static int read_note(const char *disks, char **ret)
{
	char path[TEMPLATE_FILE_PATH];

	template_path(disks, NOTE, path);
	return fd_read_text(path, NOTE_MAX, ret);
}

int template_of_domain(const char *domain, char ret[64], struct pvctl_error *err)
{
	CLEANUP_FREE char *text = NULL;
	char dir[TEMPLATE_PATH];
	int rc = template_disks_dir(domain, dir, err);

	if (rc)
		return rc;
	rc = read_note(dir, &text);
	if (rc)
		return err_set(err, rc == -ENOENT ? rc : -EIO, PVCTL_ORIGIN_LIB, "domain \"%s\" is not made of a template", domain);
	text[strcspn(text, "\n")] = '\0';
	snprintf(ret, 64, "%s", text);
	return 0;
}

static bool is_noted(const char *text, const char *name)
{
	size_t len = strlen(name), n;

	for (; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		if (n == len && !strncmp(text, name, n))
			return true;
	}
	return false;
}

bool template_is_of(const char *domain, const char *name)
{
	CLEANUP_FREE char *text = NULL;
	char dir[TEMPLATE_PATH];

	return !template_disks_dir(domain, dir, NULL) && !read_note(dir, &text) && is_noted(text, name);
}

int template_note(const char *disks, const char *name, bool alone, struct pvctl_error *err)
{
	CLEANUP_FREE char *old = NULL;
	struct iovec v[] = { { (void *)(uintptr_t)name, strlen(name) }, { (void *)(uintptr_t)"\n", 1 }, { NULL, 0 } };
	int rc;

	if (!alone && !read_note(disks, &old))
		v[2] = (struct iovec){ old, strlen(old) < NOTE_MAX / 2 ? strlen(old) : NOTE_MAX / 2 };
	rc = fd_write_durable(disks, NOTE, v, 3);
	return rc ? err_os(err, -rc, "%s/" NOTE, disks) : 0;
}

bool template_has_copies(const char *disks, char name[256])
{
	DIR *d = opendir(disks);
	struct dirent *e;
	bool has = false;

	while (d && !has && (e = readdir(d))) {
		has = fork_has_named(e->d_name);
		snprintf(name, 256, "%s", e->d_name);
	}
	if (d)
		closedir(d);
	return has;
}
