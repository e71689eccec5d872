/* SPDX-License-Identifier: MIT */
/* Nodes: starting, stopping, finding them. */
#include "node/node.h"
#include "ctx/ctx.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/grow.h"
#include "util/hostmem.h"
#include "util/json.h"
#include "util/paths.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#define START_TIMEOUT_MS 30000u
#define STOP_TIMEOUT_MS 30000u
#define MAX_NODE_MEMORY (16ull << 30)
#define MIN_NODE_MEMORY (64ull << 20)
#define MAX_DEFAULT_CPUS 8
#define NODE_JSON_MAX 65536

struct pvctl_node_list { size_t n; struct pvctl_node_info *info; };

static const char *or_default(const char *name)
{
	return name ? name : "default";
}

static uint64_t default_memory(void)
{
	struct hostmem m;
	uint64_t half;

	if (hostmem_read("", &m))
		return 1ull << 30;
	half = m.total_bytes / 2 & -(2ull << 20);
	return half > MAX_NODE_MEMORY ? MAX_NODE_MEMORY : half < MIN_NODE_MEMORY ? MIN_NODE_MEMORY : half;
}

static uint32_t default_cpus(void)
{
	int n = get_nprocs();

	return n < 1 ? 1 : n > MAX_DEFAULT_CPUS ? MAX_DEFAULT_CPUS : (uint32_t)n;
}

static int node_info(struct transport *t, struct pvctl_node_info *ret, struct pvctl_error *err)
{
	struct pvctl_node_info info;
	CLEANUP_FREE void *body = NULL;
	size_t len;
	int rc;

	rc = t->ops->request(t, PROTO_NODE_INFO, NULL, 0, &body, &len, NULL, err);
	if (rc)
		return rc;
	rc = grow_in(&info, sizeof(info), body, len, err);
	if (rc)
		return rc;
	info.name[sizeof(info.name) - 1] = '\0';
	info.accel[sizeof(info.accel) - 1] = '\0';
	info.store_socket[sizeof(info.store_socket) - 1] = '\0';
	info.state_dir[sizeof(info.state_dir) - 1] = '\0';
	info.qemu_confinement[sizeof(info.qemu_confinement) - 1] = '\0';
	info.daemon_confinement[sizeof(info.daemon_confinement) - 1] = '\0';
	info.running = 1;
	*ret = info;
	return 0;
}

/* What a node left behind that runs no more. */
static int node_remains(const char *name, struct pvctl_node_info *ret, struct pvctl_error *err)
{
	char dir[200], path[240], state[200];
	CLEANUP_FREE char *text = NULL;
	struct pvctl_node_info info;
	const char *accel;
	yajl_val obj;
	long long v;
	int rc;

	rc = paths_run_dir(name, dir, sizeof(dir), err);
	if (!rc)
		rc = paths_state_dir(name, state, sizeof(state), err);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "%s/node.json", dir);
	if (fd_read_text(path, NODE_JSON_MAX, &text))
		return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "there is no node \"%s\"", or_default(name));
	memset(&info, 0, sizeof(info));
	info.size = sizeof(info);
	snprintf(info.name, sizeof(info.name), "%s", or_default(name));
	memcpy(info.state_dir, state, sizeof(info.state_dir));
	info.state_dir[sizeof(info.state_dir) - 1] = '\0';
	if (!json_parse_object(text, &obj, NULL)) {
		if (!json_int(obj, "memory_bytes", &v))
			info.memory_bytes = (uint64_t)v;
		if (!json_int(obj, "cpus", &v))
			info.cpus = (uint32_t)v;
		accel = json_str(obj, "accel");
		if (accel)
			snprintf(info.accel, sizeof(info.accel), "%s", accel);
		yajl_tree_free(obj);
	}
	*ret = info;
	return 0;
}

/* ret is ours, and whole. */
static int get(const char *name, struct pvctl_node_info *ret, struct pvctl_error *err)
{
	struct transport *t;
	int rc;

	rc = transport_open_hosted(name, &t, err);
	if (rc == -ENOENT)
		return node_remains(name, ret, err);
	if (rc)
		return rc;
	rc = node_info(t, ret, err);
	t->ops->close(t);
	return rc;
}

int pvctl_node_get(const char *name, struct pvctl_node_info *ret, struct pvctl_error *err)
{
	struct pvctl_node_info info;
	int rc = grow_check(ret, err);

	rc = rc ? rc : get(name, &info, err);
	if (!rc)
		grow_out(ret, &info, sizeof(info));
	return rc;
}

/* One starter at a time. The file stays: removing it would let two hold "the" lock. */
static int lock_start(const char *run_dir, int *ret_fd, struct pvctl_error *err)
{
	char path[240];
	int fd;

	snprintf(path, sizeof(path), "%s/start.lock", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_os(err, errno, "%s", path);
	while (flock(fd, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		err_os(err, errno, "%s", path);
		close(fd);
		return -EIO;
	}
	*ret_fd = fd;
	return 0;
}

static bool runs(const char *name)
{
	struct transport *t;

	if (transport_open_hosted(name, &t, NULL))
		return false;
	t->ops->close(t);
	return true;
}

static int tool_path(const char *given, const char *tool, char *buf, size_t len, struct pvctl_error *err)
{
	if (given) {
		if (snprintf(buf, len, "%s", given) >= (int)len)
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "the path of %s is too long", tool);
		if (access(buf, R_OK) < 0)
			return err_os(err, errno, "%s", buf);
		return 0;
	}
	if (paths_find_tool(tool, buf, len))
		return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "%s is not installed (nor in a build tree around this program)", tool);
	return 0;
}

static int spawn(const struct pvctl_node_start_opts *o, const char *state_dir, struct pvctl_error *err)
{
	char daemon[600], hv[600], memory[24], cpus[12], slow[12];
	const char *argv[24];
	int n = 0, rc;

	rc = tool_path(o->daemon_path, "pvctld", daemon, sizeof(daemon), err);
	if (!rc)
		rc = tool_path(o->hv_path, "xen-like-hv.elf", hv, sizeof(hv), err);
	if (rc)
		return rc;
	snprintf(memory, sizeof(memory), "%llu", (unsigned long long)(o->memory_bytes ? o->memory_bytes : default_memory()));
	snprintf(cpus, sizeof(cpus), "%u", o->cpus ? o->cpus : default_cpus());
	argv[n++] = daemon;
	argv[n++] = "--node";
	argv[n++] = or_default(o->name);
	argv[n++] = "--memory";
	argv[n++] = memory;
	argv[n++] = "--cpus";
	argv[n++] = cpus;
	argv[n++] = "--accel";
	argv[n++] = o->accel ? o->accel : "auto";
	if (o->icount)
		argv[n++] = "--icount";
	if (o->overcommit)
		argv[n++] = "--overcommit";
	if (o->slow_after_ms) {
		snprintf(slow, sizeof(slow), "%u", o->slow_after_ms);
		argv[n++] = "--slow-after";
		argv[n++] = slow;
	}
	if (o->limits) {
		argv[n++] = "--limits";
		argv[n++] = o->limits;
	}
	argv[n++] = "--hv";
	argv[n++] = hv;
	if (o->qemu_path) {
		argv[n++] = "--qemu";
		argv[n++] = o->qemu_path;
	}
	if (o->hv_cmdline) {
		argv[n++] = "--hv-cmdline";
		argv[n++] = o->hv_cmdline;
	}
	argv[n] = NULL;
	return spawn_daemon(argv, state_dir, o->timeout_ms ? o->timeout_ms : START_TIMEOUT_MS, err);
}

static int check_start(const struct pvctl_node_start_opts *o, struct pvctl_error *err)
{
	if (o->memory_bytes && o->memory_bytes < MIN_NODE_MEMORY)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "a node needs at least %llu MiB", MIN_NODE_MEMORY >> 20);
	if (o->memory_bytes & 0xfffff)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "a node's memory must be whole MiB");
	if (o->slow_after_ms && (o->slow_after_ms < 100 || o->slow_after_ms > 3600000))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "slow_after_ms=%u: must be 100 to 3600000", o->slow_after_ms);
	if (o->cpus > 64)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "cpus=%u: a node has 64 at most", o->cpus);
	if (o->accel && strcmp(o->accel, "auto") != 0 && strcmp(o->accel, "kvm") != 0 && strcmp(o->accel, "tcg") != 0)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "accel=\"%.40s\": must be auto, kvm or tcg", o->accel);
	return 0;
}

/* The daemon of a node whose machine died stays for a moment, to tell why. True: it is gone now. */
static bool retire(const char *name)
{
	struct pvctl_error e = { 0 };
	struct transport *t;
	void *body = NULL;
	size_t len;
	int rc = transport_open_hosted(name, &t, &e);

	if (rc)
		return !runs(name);
	rc = t->ops->request(t, PROTO_DOMAINS, NULL, 0, &body, &len, NULL, &e);
	free(body);
	t->ops->close(t);
	return rc == -EIO && (!pvctl_node_stop(name, 0, &e) || !runs(name));
}

int pvctl_node_start(const struct pvctl_node_start_opts *opts, struct pvctl_error *err)
{
	struct pvctl_node_start_opts o;
	CLEANUP_CLOSE int lock = -1;
	char run[200], state[200];
	int rc;

	rc = opts_load(&o, sizeof(o), opts, err);
	if (!rc)
		rc = check_start(&o, err);
	if (!rc)
		rc = paths_run_dir(o.name, run, sizeof(run), err);
	if (!rc)
		rc = paths_state_dir(o.name, state, sizeof(state), err);
	if (!rc)
		rc = paths_make_safe(run, err);
	if (!rc)
		rc = paths_make(state, err);
	if (!rc)
		rc = lock_start(run, &lock, err);
	if (rc)
		return rc;
	if (runs(o.name) && !retire(o.name))
		return err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "node \"%s\" runs already", or_default(o.name));
	rc = spawn(&o, state, err);
	return rc ? err_wrap(err, rc, "start node \"%s\"", or_default(o.name)) : 0;
}

int pvctl_node_stop(const char *name, uint32_t timeout_ms, struct pvctl_error *err)
{
	struct transport *t;
	int rc;

	rc = transport_open_hosted(name, &t, err);
	if (rc)
		return rc;
	rc = t->ops->request(t, PROTO_NODE_STOP, NULL, 0, NULL, NULL, NULL, err);
	if (!rc && transport_wait_gone(t, timeout_ms ? timeout_ms : STOP_TIMEOUT_MS))
		rc = err_set(err, -ETIMEDOUT, PVCTL_ORIGIN_DAEMON, "node \"%s\" has not stopped in time", or_default(name));
	t->ops->close(t);
	return rc;
}

static int append(struct pvctl_node_list *l, const char *name)
{
	struct pvctl_node_info info, *more;

	if (paths_check_node(name, NULL) || get(name, &info, NULL))
		return 0; /* nothing of ours */
	more = realloc(l->info, (l->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->info = more;
	l->info[l->n++] = info;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct pvctl_node_info *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int pvctl_node_list(struct pvctl_node_list **ret, struct pvctl_error *err)
{
	struct pvctl_node_list *l;
	struct dirent *e;
	char base[200];
	DIR *d;
	int rc;

	rc = paths_run_base(base, sizeof(base), err);
	rc = rc ? rc : paths_check_way(base, err);
	if (rc)
		return rc;
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_nomem(err);
	d = opendir(base);
	while (d && !rc && (e = readdir(d)))
		rc = append(l, e->d_name);
	if (d)
		closedir(d);
	if (rc) {
		pvctl_node_list_free(l);
		return err_nomem(err);
	}
	if (l->n)
		qsort(l->info, l->n, sizeof(*l->info), by_name);
	*ret = l;
	return 0;
}

size_t pvctl_node_list_count(const struct pvctl_node_list *l)
{
	return l->n;
}

const struct pvctl_node_info *pvctl_node_list_at(const struct pvctl_node_list *l, size_t i)
{
	return i < l->n ? &l->info[i] : NULL;
}

void pvctl_node_list_free(struct pvctl_node_list *l)
{
	if (!l)
		return;
	free(l->info);
	free(l);
}
