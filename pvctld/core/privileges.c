/* SPDX-License-Identifier: MIT */
/*
 * What the daemon and all that it starts, scripts too, have no use for. It opens disks and taps, moves helpers into
 * namespaces and runs scripts, so that root's daemon is still much of root: see docs/threat-model.md.
 */
#include "pvctld/core/privileges.h"
#include "pvctld/base/log.h"
#include "pvctld/core/seal.h"
#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* For helpers' users and namespaces, disks of whoever's, taps and bridges, low ports, and what scripts do with these. */
static const int needed[] = {
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP,
	CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK, CAP_SYS_CHROOT, CAP_SYS_ADMIN, CAP_SYS_RESOURCE, CAP_MKNOD,
	CAP_SETFCAP,
};

/* To look into others, and to change the kernel. */
static const int denied[] = {
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp), SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(open_by_handle_at), SCMP_SYS(iopl), SCMP_SYS(ioperm),
	SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime), SCMP_SYS(modify_ldt), SCMP_SYS(vhangup), SCMP_SYS(lookup_dcookie), SCMP_SYS(syslog),
};

/* Where directories and programs are; the rest is the caller's, secrets perhaps. */
static const char *const kept[] = {
	"PATH", "HOME", "TZ", "LD_LIBRARY_PATH", "PVCTL_RUN_DIR", "PVCTL_STATE_DIR", "PVCTL_CACHE_DIR", "PVCTL_LIBEXEC_DIR",
	"PVCTL_FIRMWARE_DIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME",
};

extern char **environ;

static bool environment_is_clean;

static bool is_kept(const char *v)
{
	for (unsigned int i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (!strncmp(v, kept[i], strlen(kept[i])) && v[strlen(kept[i])] == '=')
			return true;
	return false;
}

/* Off the stack, too, where /proc shows what a process was started with. */
static bool clean_environment(bool all)
{
	char **old = environ, *copies[sizeof(kept) / sizeof(kept[0])];
	unsigned int n = 0;

	for (char **v = old; *v && !all; v++)
		if (is_kept(*v) && n < sizeof(copies) / sizeof(copies[0]) && !(copies[n++] = strdup(*v)))
			return false;
	if (clearenv())
		return false;
	for (; *old; old++) {
		memset(*old, 0, strlen(*old));
		*old = NULL;
	}
	for (unsigned int i = 0; i < n; i++)
		if (putenv(copies[i]))
			return false;
	return true;
}

static bool drop_capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];
	uint32_t keep[2] = { 0, 0 };

	for (unsigned int i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		keep[needed[i] / 32] |= 1u << needed[i] % 32;
	if (syscall(SYS_capget, &h, d))
		return false;
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(keep[cap / 32] & 1u << cap % 32))
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	for (unsigned int i = 0; i < 2; i++) {
		d[i].effective &= keep[i];
		d[i].permitted &= keep[i];
		d[i].inheritable = 0;
	}
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return !syscall(SYS_capset, &h, d);
}

static bool deny_calls(void)
{
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ALLOW);
	bool ok = c != NULL;

	for (unsigned int i = 0; ok && i < sizeof(denied) / sizeof(denied[0]); i++)
		ok = !seccomp_rule_add(c, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
	ok = ok && !seccomp_load(c);
	if (c)
		seccomp_release(c);
	return ok;
}

void privileges_drop(void)
{
	/* Nothing that is started from here has a use for set-user-ID programs. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	environment_is_clean = clean_environment(false);
	(void)drop_capabilities();
	(void)deny_calls();
}

int privileges_forget(struct pvctl_error *err)
{
	environment_is_clean = clean_environment(true);
	return environment_is_clean ? 0 : fail(err, -ENOMEM, "no memory");
}

void privileges_describe(char *buf, size_t size)
{
	size_t n;

	seal_describe(buf, size);
	n = strlen(buf);
	snprintf(buf + n, size - n, "%s%s", n ? ", " : "", environment_is_clean ? "clean environment" : "environment kept");
}
