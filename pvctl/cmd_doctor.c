/* SPDX-License-Identifier: MIT */
/* doctor: what this machine lacks for domains to run, and what mends it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/conf.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"

#define PVH_CURE "type=\"pv\" runs everywhere; PVH takes an AMD CPU with kvm_amd.nested=1, or pvctl node start --accel tcg"
#define MIB (UINT64_C(1) << 20)
#define QEMU "qemu-system-x86_64"
#define QEMU_OLDEST 7
#define MEMORY_LEAST (512 * MIB)
#define DISK_LEAST (256 * MIB)
#define FILES_LEAST 1024u

enum { OPT_JSON };
static const struct option_def options[] = {
	[OPT_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

enum verdict { OK, INFO, WARNING, BAD };
static const char *const verdict_names[] = { "ok", "info", "warning", "error" };

struct findings {
	struct json *j;   /* NULL: as text */
	unsigned int n[4];
};

/* text: what was found, a line feed, and what mends it; without one there is nothing to mend. */
static void found(struct findings *f, const char *check, enum verdict v, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void found(struct findings *f, const char *check, enum verdict v, const char *fmt, ...)
{
	char text[1600], *cure;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cure = strchr(text, '\n');
	if (cure)
		*cure++ = '\0';
	f->n[v]++;
	if (f->j) {
		json_map(f->j, NULL);
		json_str(f->j, "check", check);
		json_str(f->j, "verdict", verdict_names[v]);
		json_str(f->j, "finding", text);
		json_str(f->j, "cure", cure);
		json_end_map(f->j);
		return;
	}
	printf("%-8s %-12s ", verdict_names[v], check);
	print_clean(stdout, text);
	putchar('\n');
	if (cure) {
		printf("%21s -> ", "");
		print_clean(stdout, cure);
		putchar('\n');
	}
}

/* The first line of a file; "" where there is none. */
static void first_line(const char *path, char *buf, int size)
{
	FILE *f = fopen(path, "re");

	if (!f || !fgets(buf, size, f))
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	if (f)
		fclose(f);
}

static bool on_path(const char *program)
{
	const char *path = getenv("PATH");
	char file[4200];

	while (path && *path) {
		size_t len = strcspn(path, ":");

		snprintf(file, sizeof(file), "%.*s/%s", (int)(len < 4000 ? len : 4000), path, program);
		if (len && !access(file, X_OK))
			return true;
		path += len + (path[len] == ':');
	}
	return false;
}

static void check_qemu(struct findings *f)
{
	char line[200] = "";
	unsigned int major, minor;
	const char *named = conf_text("qemu_path");
	FILE *p;

	if (!named && !on_path(QEMU)) {
		found(f, "qemu", BAD, QEMU " is not on the PATH\ninstall it: apt install qemu-system-x86");
		return;
	}
	if (named && (named[0] == '/' ? access(named, X_OK) != 0 : !on_path(named))) {
		found(f, "qemu", BAD, "%.300s cannot be run\ncorrect qemu_path in pvctl.conf", named);
		return;
	}
	setenv("PVCTL_QEMU", named ? named : QEMU, 1);
	p = popen("\"$PVCTL_QEMU\" --version 2>&1", "re");
	if (p && !fgets(line, sizeof(line), p))
		line[0] = '\0';
	if (p)
		pclose(p);
	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "QEMU emulator version %u.%u", &major, &minor) != 2)
		found(f, "qemu", BAD, QEMU " does not tell its version: %s\nreinstall it: apt install --reinstall qemu-system-x86", line);
	else if (major < QEMU_OLDEST)
		found(f, "qemu", WARNING, "QEMU %u.%u is older than what is tested\nversion %d.0 or later is wanted", major, minor, QEMU_OLDEST);
	else
		found(f, "qemu", OK, "QEMU %u.%u", major, minor);
}

static void check_qemu_utils(struct findings *f)
{
	if (on_path("qemu-img") && on_path("qemu-nbd"))
		found(f, "qemu-utils", OK, "qemu-img and qemu-nbd are there");
	else
		found(f, "qemu-utils", WARNING, "no qemu-img or qemu-nbd: disks can only be raw\nfor qcow2 and vhd: apt install qemu-utils");
}

static bool cpu_can_virtualize(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[8192];
	bool can = false;

	while (f && !can && fgets(line, sizeof(line), f))
		can = !strncmp(line, "flags", 5) && (strstr(line, " vmx") || strstr(line, " svm"));
	if (f)
		fclose(f);
	return can;
}

static void check_kvm(struct findings *f)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, why = errno;
	bool can = cpu_can_virtualize();

	/* That it opens does not say that it works. */
	vm = fd >= 0 && can ? ioctl(fd, KVM_CREATE_VM, 0) : -1;
	if (fd >= 0 && can && vm < 0)
		why = errno;
	if (vm >= 0)
		close(vm);
	if (fd >= 0)
		close(fd);
	if (vm >= 0) {
		found(f, "kvm", OK, "/dev/kvm works");
	} else if (!can) {
		found(f, "kvm", INFO, "this CPU shows no vmx or svm, so nodes run emulated (TCG), several times slower"
		      "\nin a virtual machine: have its host allow nested virtualization; else in the firmware's settings");
	} else if (why == EACCES) {
		found(f, "kvm", WARNING, "/dev/kvm is not for this user, so nodes run emulated (TCG)"
		      "\nusermod -aG kvm %s, and log in again", getenv("USER") ? getenv("USER") : "USER");
	} else {
		found(f, "kvm", WARNING, "/dev/kvm: %s, so nodes run emulated (TCG)\nmodprobe kvm_intel or kvm_amd", strerror(why));
	}
}

static void check_programs(struct findings *f, const struct pvctl_paths *p)
{
	if (!p->daemon[0] || !p->hypervisor[0])
		found(f, "programs", BAD, "%s%s%s cannot be found\nreinstall pvctl, or set PVCTL_LIBEXEC_DIR", p->daemon[0] ? "" : "pvctld",
		      p->daemon[0] || p->hypervisor[0] ? "" : " and ", p->hypervisor[0] ? "" : "xen-like-hv.elf");
	else
		found(f, "programs", OK, "%s, %s", p->daemon, p->hypervisor);
}

static void check_user_namespaces(struct findings *f)
{
	char clone[16], apparmor[16];
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) ? 1 : 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && WIFEXITED(status) && !WEXITSTATUS(status)) {
		found(f, "namespaces", OK, "user and network namespaces can be made");
		return;
	}
	first_line("/proc/sys/kernel/unprivileged_userns_clone", clone, sizeof(clone));
	first_line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", apparmor, sizeof(apparmor));
	found(f, "namespaces", WARNING, "user namespaces cannot be made: QEMU, servers of disks and of shares are confined less, "
	      "and link=user does not work\nsysctl %s", !strcmp(clone, "0") ? "kernel.unprivileged_userns_clone=1" :
	      !strcmp(apparmor, "1") ? "kernel.apparmor_restrict_unprivileged_userns=0" : "user.max_user_namespaces=15000");
}

static uint64_t meminfo(const char *what)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[200];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, what, strlen(what)))
			kib = strtoull(line + strlen(what), NULL, 10);
	if (f)
		fclose(f);
	return kib << 10;
}

static void check_memory(struct findings *f)
{
	uint64_t available = meminfo("MemAvailable:");

	if (available < MEMORY_LEAST)
		found(f, "memory", WARNING, "%" PRIu64 " MiB are available\nend other programs, or start a small node: pvctl node start --memory 128",
		      available / MIB);
	else
		found(f, "memory", OK, "%" PRIu64 " MiB are available", available / MIB);
}

/* The directory, or what is there of the way to it. */
static void check_space(struct findings *f, const char *check, const char *dir)
{
	char path[256];
	struct statvfs s;
	uint64_t bytes;
	char *slash;

	snprintf(path, sizeof(path), "%s", dir);
	while (access(path, F_OK) && (slash = strrchr(path, '/')) && slash > path)
		*slash = '\0';
	if (statvfs(path, &s)) {
		found(f, check, BAD, "%s: %s\nmake it, or set PVCTL_STATE_DIR to a place that is there", path, strerror(errno));
		return;
	}
	bytes = (uint64_t)s.f_bavail * s.f_frsize;
	if (access(path, W_OK))
		found(f, check, BAD, "%s cannot be written\nchange its owner, or set PVCTL_RUN_DIR and PVCTL_STATE_DIR", path);
	else if (s.f_flag & ST_RDONLY || bytes < DISK_LEAST)
		found(f, check, WARNING, "%s: %" PRIu64 " MiB are free\nremove old console logs and cores below it (see --limits in pvctld(8))",
		      path, bytes / MIB);
	else
		found(f, check, OK, "%s: %" PRIu64 " MiB are free", dir, bytes / MIB);
}

static void check_limits(struct findings *f)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	if (r.rlim_max < FILES_LEAST)
		found(f, "limits", WARNING, "%llu open files at most: enough for few domains\nulimit -Hn 65536, or LimitNOFILE= of the unit",
		      (unsigned long long)r.rlim_max);
	else
		found(f, "limits", OK, "%llu open files at most", (unsigned long long)r.rlim_max);
}

static void check_bridges(struct findings *f)
{
	DIR *d = opendir("/sys/class/net");
	struct dirent *e;
	char path[400], names[300] = "";

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", e->d_name);
		if (access(path, F_OK))
			continue;
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.15s", names[0] ? " " : "", e->d_name);
	}
	if (d)
		closedir(d);
	if (geteuid())
		found(f, "bridges", INFO, "not root: a vif is link=user or link=switch; the host's bridges%s%s are for root", names[0] ? ", " : "", names);
	else if (names[0])
		found(f, "bridges", OK, "%s", names);
	else
		found(f, "bridges", WARNING, "there is no bridge, so bridge=xenbr0 will fail\nip link add xenbr0 type bridge && ip link set xenbr0 up, "
		      "or use link=user");
	if (!geteuid() && access("/dev/net/tun", R_OK | W_OK))
		found(f, "tun", WARNING, "/dev/net/tun: %s, so vifs on bridges cannot be made\nmodprobe tun", strerror(errno));
}

/* Kernels of the host that would boot as guests: by the configuration that Debian and others leave beside them. */
static void check_kernels(struct findings *f)
{
	DIR *d = opendir("/boot");
	struct dirent *e;
	char path[400], line[400], good[160] = "";
	unsigned int seen = 0;

	while (d && (e = readdir(d))) {
		FILE *c;
		bool pv = false;

		if (strncmp(e->d_name, "config-", 7))
			continue;
		seen++;
		snprintf(path, sizeof(path), "/boot/%s", e->d_name);
		c = fopen(path, "re");
		while (c && !pv && fgets(line, sizeof(line), c))
			pv = !strcmp(line, "CONFIG_XEN_PV=y\n");
		if (c)
			fclose(c);
		if (pv)
			snprintf(good, sizeof(good), "/boot/vmlinuz-%.100s", e->d_name + 7);
	}
	if (d)
		closedir(d);
	if (good[0])
		found(f, "kernels", OK, "%s can be a guest's", good);
	else
		found(f, "kernels", INFO, "%s\na guest needs one with CONFIG_XEN_PV=y: Debian's linux-image-cloud-amd64 has it",
		      seen ? "none of the kernels in /boot has CONFIG_XEN_PV" : "no kernel in /boot that tells its configuration");
}

static void check_nodes(struct findings *f)
{
	const struct pvctl_node_info *n;
	struct pvctl_node_list *list;
	struct pvctl_error err = { 0 };
	unsigned int running = 0;

	if (pvctl_node_list(&list, &err)) {
		found(f, "nodes", BAD, "%s\nmend the rights of that directory, or set PVCTL_RUN_DIR", err.msg);
		return;
	}
	for (size_t i = 0; (n = pvctl_node_list_at(list, i)); i++) {
		running += n->running && !n->silent_ns;
		if (!n->running)
			found(f, "nodes", WARNING, "node %s ended without cleaning up\npvctl node start %s takes its place; its logs are in %s",
			      n->name, n->name, n->state_dir);
		else if (n->silent_ns)
			found(f, "nodes", WARNING, "node %s has not answered for %" PRIu64 " s\nlook whether QEMU (%u) is stopped, or the host overloaded",
			      n->name, n->silent_ns / UINT64_C(1000000000), n->qemu_pid);
	}
	if (running || !pvctl_node_list_count(list))
		found(f, "nodes", OK, "%u run", running);
	pvctl_node_list_free(list);
}

static bool file_says(const char *path, const char *yes)
{
	char line[16];

	first_line(path, line, sizeof(line));
	return line[0] && strchr(yes, line[0]);
}

/* As the nodes say that run; without one, as it may be expected: QEMU has SVM where it emulates, KVM where it may be nested in. */
static void check_pvh(struct findings *f)
{
	const struct pvctl_node_info *n;
	struct pvctl_node_list *list = NULL;
	struct pvctl_error err = { 0 };
	bool told = false;

	if (pvctl_node_list(&list, &err))
		list = NULL;
	for (size_t i = 0; list && (n = pvctl_node_list_at(list, i)); i++) {
		struct pvctl_open_opts o = { .size = sizeof(o), .node = n->name };
		struct pvctl_host_info h = { .size = sizeof(h) };
		struct pvctl *ctx = NULL;

		if (n->running && !n->silent_ns && !pvctl_open(&o, &ctx, &err) && !pvctl_host_get(ctx, &h, &err)) {
			told = true;
			if (h.virt_caps & PVCTL_VIRT_HVM && h.virt_caps & PVCTL_VIRT_HAP)
				found(f, "pvh", OK, "node %s can run PVH domains", n->name);
			else
				found(f, "pvh", INFO, "node %s runs PV domains only: its CPUs show no SVM with nested paging\n" PVH_CURE, n->name);
		}
		pvctl_close(ctx);
	}
	pvctl_node_list_free(list);
	if (told)
		return;
	if (access("/dev/kvm", R_OK | W_OK) || !cpu_can_virtualize() || file_says("/sys/module/kvm_amd/parameters/nested", "1Y"))
		found(f, "pvh", OK, "nodes can run PVH domains");
	else
		found(f, "pvh", INFO, "nodes under KVM run PV domains only: %s\n" PVH_CURE, access("/sys/module/kvm_amd", F_OK) ?
		      "it offers no SVM on this CPU" : "kvm_amd does not allow nested virtualization");
}

static void check_all(struct findings *f)
{
	struct pvctl_paths paths = { .size = sizeof(paths) };
	struct pvctl_error err = { 0 };

	check_qemu(f);
	check_qemu_utils(f);
	check_kvm(f);
	if (pvctl_paths_get(globals.node, &paths, &err)) {
		found(f, "directories", BAD, "%s\nmend its owner or rights, or set PVCTL_RUN_DIR and PVCTL_STATE_DIR", err.msg);
	} else {
		check_programs(f, &paths);
		check_space(f, "run", paths.run_dir);
		check_space(f, "state", paths.state_dir);
	}
	check_user_namespaces(f);
	check_memory(f);
	check_limits(f);
	check_bridges(f);
	check_kernels(f);
	check_pvh(f);
	check_nodes(f);
}

static int doctor_run(const struct command *cmd, const struct parsed *in)
{
	struct findings f = { 0 };
	int rc = EXIT_OK;

	if (in->count[OPT_JSON]) {
		f.j = json_open(true);
		if (!f.j)
			return EXIT_FAILED;
		json_listing(f.j, "checks");
	}
	check_all(&f);
	if (f.j) {
		json_end_listing(f.j);
		rc = json_close(f.j);
	} else {
		printf("%u error%s, %u warning%s\n", f.n[BAD], f.n[BAD] == 1 ? "" : "s", f.n[WARNING], f.n[WARNING] == 1 ? "" : "s");
	}
	return rc ? rc : f.n[BAD] ? EXIT_FAILED : EXIT_OK;
}

const struct command cmd_doctor = {
	.name = "doctor", .args = "", .summary = "Check this machine, and say how to mend what is wrong",
	.example = "  pvctl doctor\n  pvctl doctor --json | jq -r '.checks[] | select(.verdict == \"error\") | .cure'",
	.options = options, .args_max = 0, .run = doctor_run,
};
