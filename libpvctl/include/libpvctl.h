/* SPDX-License-Identifier: MIT */
/*
 * libpvctl: paravirtualized domains for programs.
 *
 * Returns: 0 (or a positive count where said), or one of these negative errno
 * values, always: -EINVAL -E2BIG -ENOENT (file, store path, node) -ESRCH (no
 * such domain) -EEXIST -EBUSY -EPERM -ENOMEM -ENOSPC -EIO -EPROTO -ETIMEDOUT
 * -ECANCELED -ENOSYS. Details go to *err where err is not NULL; on failure no
 * other output is touched.
 *
 * Structs start with a `size` member, so that they can grow, always at their end.
 * Options: set it to sizeof and zero the rest for the defaults; NULL where an
 * opts pointer is taken means all defaults. Results that the caller owns: set
 * it to sizeof (-EINVAL otherwise); the library fills what both sides know,
 * zeroes the rest and leaves size as it is. Borrowed results: the library sets
 * it to what it has filled; a member beyond that is not there. Do not put such
 * structs into arrays or other structs that another version must understand.
 * struct pvctl_error alone is fixed for ever: it is where a wrong size is told.
 *
 * Threads: a context is used by one thread at a time; contexts are independent.
 * Fork: in the child only pvctl_close is allowed on an inherited context. All
 * file descriptors are close-on-exec. The library never prints, exits, starts
 * threads, touches signals or forks, but for pvctl_node_start, which starts the
 * daemon because that is what it is for, and what looks at a guest's disk by a
 * process that is gone when the function returns: pvctl_boot_open*,
 * pvctl_domain_create with "bootloader", and qemu-img for a disk that is not raw
 * (pvctl_config_check, pvctl_domain_create, pvctl_disk_attach). One thread, with
 * all signals blocked, is there as long as pvctl_domain_clone makes one copy.
 */
#ifndef LIBPVCTL_H
#define LIBPVCTL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PVCTL_API __attribute__((visibility("default")))
#define PVCTL_CHECK __attribute__((warn_unused_result))

struct pvctl;         /* a connection to one node */
struct pvctl_config;  /* what a domain should be */
struct pvctl_domain_list;
struct pvctl_vcpu_list;
struct pvctl_node_list;
struct pvctl_events;

enum pvctl_origin {
	PVCTL_ORIGIN_LIB = 0, PVCTL_ORIGIN_OS = 1, PVCTL_ORIGIN_HV = 2,
	PVCTL_ORIGIN_STORE = 3, PVCTL_ORIGIN_IMAGE = 4, PVCTL_ORIGIN_DAEMON = 5
};
struct pvctl_error {
	int32_t code;     /* what the function returned */
	uint32_t origin;  /* enum pvctl_origin */
	int64_t hv_rc;    /* the hypervisor's own result, or 0 */
	char msg[1000];   /* a sentence for a person; never empty after a failure */
};

/* ---- nodes ---- */
struct pvctl_node_start_opts {
	size_t size;
	const char *name;        /* NULL: "default" */
	uint64_t memory_bytes;   /* 0: half of what the host has, at most 16 GiB per node; RAM not touched is not used */
	uint32_t cpus;           /* 0: as many as the host has, at most 8 */
	const char *accel;       /* NULL or "auto", "kvm", "tcg" */
	uint32_t icount;         /* 1: count instructions instead of time (for benchmarks) */
	const char *hv_path;     /* NULL: as installed */
	const char *hv_cmdline;  /* NULL: none; appended */
	uint32_t timeout_ms;     /* 0: 30 s */
	const char *daemon_path; /* NULL: as installed */
	uint32_t overcommit;     /* 1: the host's memory need not be enough for what the domains may have */
	uint32_t slow_after_ms;  /* the hypervisor may be silent so long before clients are told (-ETIMEDOUT); 0: 10 s */
	const char *qemu_path;   /* NULL: qemu-system-x86_64 on the PATH */
	const char *limits;      /* NULL: as is; of logs and core dumps, "cores=8g,console-days=7": see pvctld(8) */
	uint32_t no_autostart;   /* 1: no defined domain starts with it */
};
struct pvctl_node_info {
	size_t size;
	char name[64];
	uint32_t running;        /* 0: only left-over state */
	uint32_t pid, qemu_pid;
	uint64_t memory_bytes;
	uint32_t cpus;
	char accel[8];
	char store_socket[200];  /* for XENSTORED_PATH */
	char state_dir[200];     /* logs, console logs */
	uint64_t uptime_ns;
	uint32_t domains;
	uint32_t overcommit;
	uint64_t backed_bytes;         /* of memory_bytes: what the host has allocated */
	uint64_t qemu_resident_bytes;  /* QEMU's resident set, with what it has mapped of these */
	uint64_t host_available_bytes; /* what the host, or the daemon's control group, can give yet; 0: unknown */
	uint64_t silent_ns;            /* not 0: so long has the hypervisor not answered (QEMU is stopped, or the host overloaded) */
	char qemu_confinement[120];    /* what is in force: see docs/threat-model.md */
	char daemon_confinement[120];
	uint32_t spawner_pid;          /* its parent, which has the lock and started QEMU */
	uint32_t daemon_restarts;      /* daemons that took over from one that ended, while the domains ran on */
	uint64_t daemon_restarted_unix_ns; /* the last of them; 0: none */
};
PVCTL_API int pvctl_node_start(const struct pvctl_node_start_opts *opts, struct pvctl_error *err) PVCTL_CHECK; /* -EEXIST: runs already */
/*
 * Another daemon takes over, by the program that is installed now, as after an upgrade: the domains run on. Returns when it
 * has. timeout_ms: 0 is 30 s; name NULL: "default". -ENOENT: it does not run; -ENOTSUP: that program could not, and nothing
 * was done; -ETIMEDOUT: it has not yet. Other connections to the node end.
 */
PVCTL_API int pvctl_node_restart_daemon(const char *name, uint32_t timeout_ms, struct pvctl_error *err) PVCTL_CHECK;
/* Ends it, and its domains at once. timeout_ms: 0 is 30 s; name NULL: "default". -ENOENT: it does not run; -ETIMEDOUT: it still does. */
PVCTL_API int pvctl_node_stop(const char *name, uint32_t timeout_ms, struct pvctl_error *err) PVCTL_CHECK;
/* name NULL: "default". -ENOENT: nothing is left of such a node, either. */
PVCTL_API int pvctl_node_get(const char *name, struct pvctl_node_info *ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_node_list(struct pvctl_node_list **ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API size_t pvctl_node_list_count(const struct pvctl_node_list *);
PVCTL_API const struct pvctl_node_info *pvctl_node_list_at(const struct pvctl_node_list *, size_t i); /* borrowed; NULL past the end */
PVCTL_API void pvctl_node_list_free(struct pvctl_node_list *);

/* Where a node has its things, and what it is started with, whether it runs or not. */
struct pvctl_paths {
	size_t size;
	char run_base[200];      /* of all nodes of this user */
	char run_dir[200];       /* sockets; gone with the node */
	char state_dir[200];     /* logs, console logs, definitions */
	char cache_dir[200];     /* unpacked kernels */
	char daemon[600], hypervisor[600]; /* "": not installed */
};
/* node NULL: "default". -EINVAL: no such name can be; -EPERM: another user could put his own files there (the message says where). */
PVCTL_API int pvctl_paths_get(const char *node, struct pvctl_paths *ret, struct pvctl_error *err) PVCTL_CHECK;

/* ---- context ---- */
struct pvctl_open_opts {
	size_t size;
	const char *node;        /* NULL: "default" */
	void (*log)(void *data, int level, const char *msg); /* level: 0 error .. 3 debug; NULL: silent */
	void *log_data;
	/* Long operations: called about 10 times a second; non-zero cancels (-ECANCELED). */
	int (*progress)(void *data, const char *what, uint64_t done, uint64_t total);
	void *progress_data;
	/* A step of a clone, a template, a domain of one, or a reinstallation was made. For tests, which end somebody there. NULL: nobody is told. */
	void (*step)(void *data, const char *name);
	void *step_data;
};
PVCTL_API int pvctl_open(const struct pvctl_open_opts *opts, struct pvctl **ret_ctx, struct pvctl_error *err) PVCTL_CHECK; /* -ENOENT: the node does not run */
PVCTL_API void pvctl_close(struct pvctl *ctx);
PVCTL_API const char *pvctl_version(void);

/* ---- what a domain should be ---- */
/*
 * Keys are those of pvctl.cfg(5): name uuid type memory maxmem (MiB) vcpus maxvcpus
 * kernel ramdisk cmdline root extra bootloader bootloader_args bootloader_restrict bootloader_user firmware
 * on_poweroff on_reboot on_crash on_watchdog restart_limit restart_window cpus cpus_soft cpuid cpu_weight cap disk vif p9 channel
 * max_event_channels max_grant_frames max_maptrack_frames max_grant_version xenstore_quota localtime rtc_timeoffset nomigrate. Setting checks the
 * value's form and range at once (-EINVAL with the key in the message; -ENOENT:
 * no such key; -ENOSYS: a key of xl's that is not supported yet).
 */
PVCTL_API int pvctl_config_new(struct pvctl_config **ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API void pvctl_config_free(struct pvctl_config *);
PVCTL_API int pvctl_config_set_str(struct pvctl_config *, const char *key, const char *value, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_config_set_int(struct pvctl_config *, const char *key, int64_t value, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_config_set_list(struct pvctl_config *, const char *key, const char *const *values, size_t n, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API const char *pvctl_config_get_str(const struct pvctl_config *, const char *key); /* borrowed; NULL: not set */
PVCTL_API int pvctl_config_get_int(const struct pvctl_config *, const char *key, int64_t *ret) PVCTL_CHECK;
/* The i-th text of a list; borrowed; NULL: there is none. */
PVCTL_API const char *pvctl_config_get_item(const struct pvctl_config *, const char *key, size_t i);
/* What the key cpuid changes of one register of what the node gives to a new domain. */
struct pvctl_cpuid_edit {
	size_t size;
	uint32_t leaf, subleaf;  /* subleaf: 0 where the leaf has none */
	uint32_t reg;            /* 0 eax, 1 ebx, 2 ecx, 3 edx */
	uint32_t set, clear;     /* bits that are to be 1, and to be 0; the others are as the node has them */
	uint32_t pad;
};
/* The i-th of them, each register once. No node is asked; any thread. -ENOENT: there are no more. */
PVCTL_API int pvctl_config_get_cpuid(const struct pvctl_config *, size_t i, struct pvctl_cpuid_edit *ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_config_to_json(const struct pvctl_config *, char **ret_text, struct pvctl_error *err) PVCTL_CHECK; /* free with pvctl_free */
PVCTL_API int pvctl_config_from_json(const char *text, struct pvctl_config **ret, struct pvctl_error *err) PVCTL_CHECK;
/* What is said of a text; borrowed. */
struct pvctl_parse_message {
	size_t size;
	int32_t level;           /* 0 error, 1 warning, 2 note */
	uint32_t line, column;   /* from 1; column counts characters */
	const char *file, *text;
	const char *source_line; /* without its end */
	const char *hint;        /* NULL: none */
};
struct pvctl_parse_opts {
	size_t size;
	const char *file;        /* its name, for messages alone; NULL: "<text>" */
	uint32_t strict;         /* 1: unknown and ignored keys are errors */
	void (*message)(void *data, const struct pvctl_parse_message *message); /* all that is said; NULL: silent */
	void *data;
};
/*
 * The text of a file as pvctl.cfg(5) has it, of len bytes; no file is read; any thread. opts NULL: all defaults. -EINVAL: err has the
 * first mistake as FILE:LINE:COLUMN: WHAT; -E2BIG: more than 1 MiB. Free with pvctl_config_free.
 */
PVCTL_API int pvctl_config_parse(const char *text, size_t len, const struct pvctl_parse_opts *opts, struct pvctl_config **ret, struct pvctl_error *err) PVCTL_CHECK;
/*
 * libvirt's domain format, as it is documented for Xen's PV guests; any thread. The text is not trusted: nothing is fetched, -EINVAL
 * for a document type, -E2BIG above 1 MiB. What would change what the guest gets is an error; what is not known is left out, with a
 * warning to message. strict makes errors of warnings. Free with pvctl_config_free.
 */
PVCTL_API int pvctl_config_from_xml(const char *text, size_t len, const struct pvctl_parse_opts *opts, struct pvctl_config **ret, struct pvctl_error *err) PVCTL_CHECK;
/* What that format has no word for is left out, with a warning. Free with pvctl_free. */
PVCTL_API int pvctl_config_to_xml(const struct pvctl_config *, const struct pvctl_parse_opts *opts, char **ret_text, struct pvctl_error *err) PVCTL_CHECK;
/* Everything that can be checked without side effects: required keys, files, kernel format, sizes. ctx may be NULL. */
PVCTL_API int pvctl_config_check(struct pvctl *ctx, const struct pvctl_config *, struct pvctl_error *err) PVCTL_CHECK;
/* The same without a node; what create would warn of goes to log, as in pvctl_open_opts. */
PVCTL_API int pvctl_config_check_log(const struct pvctl_config *, void (*log)(void *data, int level, const char *msg), void *data, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API void pvctl_free(void *text);

/* ---- domains that are defined: known to a node while they do not run, and while it does not (node NULL: "default") ---- */
struct pvctl_defined_info {
	size_t size;
	char name[128];
	uint32_t autostart;      /* 1: pvctl_node_start starts it, too, once the node serves */
	uint32_t order;          /* lower ones first, those alike by name */
	uint32_t delay_ms;       /* so long before the next one */
};
struct pvctl_autostart_opts {
	size_t size;
	uint32_t autostart;
	int32_t order, delay_ms; /* 0 to 9999, at most an hour; -1: as it is */
};
struct pvctl_defined_list;
/*
 * By the configuration's name; replaces another of that name, but for whether and when it starts. It is checked as
 * pvctl_config_check does, and kept with absolute paths and with the uuid and MACs that it then has at each start.
 */
PVCTL_API int pvctl_defined_set(const char *node, const struct pvctl_config *, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_defined_remove(const char *node, const char *name, struct pvctl_error *err) PVCTL_CHECK; /* -ENOENT: not defined */
PVCTL_API int pvctl_defined_get(const char *node, const char *name, struct pvctl_config **ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_defined_autostart(const char *node, const char *name, const struct pvctl_autostart_opts *opts, struct pvctl_error *err) PVCTL_CHECK;
/* In the order in which they start. */
PVCTL_API int pvctl_defined_list(const char *node, struct pvctl_defined_list **ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API size_t pvctl_defined_list_count(const struct pvctl_defined_list *);
PVCTL_API const struct pvctl_defined_info *pvctl_defined_list_at(const struct pvctl_defined_list *, size_t i); /* borrowed; NULL past the end */
PVCTL_API void pvctl_defined_list_free(struct pvctl_defined_list *);

/* ---- domains ---- */
enum pvctl_run_state { PVCTL_STATE_RUNNING = 0, PVCTL_STATE_BLOCKED = 1, PVCTL_STATE_PAUSED = 2,
	PVCTL_STATE_SHUTDOWN = 3, PVCTL_STATE_DYING = 4 };
enum pvctl_reason { PVCTL_REASON_NONE = -1, PVCTL_REASON_POWEROFF = 0, PVCTL_REASON_REBOOT = 1,
	PVCTL_REASON_SUSPEND = 2, PVCTL_REASON_CRASH = 3, PVCTL_REASON_WATCHDOG = 4, PVCTL_REASON_SOFT_RESET = 5 };
/* PV: its page tables are the hypervisor's business; PVH: it has its own, and the same devices. */
enum pvctl_domain_type { PVCTL_TYPE_PV = 0, PVCTL_TYPE_PVH = 1 };
struct pvctl_domain_info {
	size_t size;
	uint32_t domid;
	uint64_t unique_id;      /* never given twice by a node */
	char name[128];          /* "" when it has none */
	uint8_t uuid[16];
	uint32_t state;          /* enum pvctl_run_state */
	int32_t reason;          /* enum pvctl_reason */
	uint32_t flags;          /* bits 0..6: running blocked paused shutdown dying, crashed, kept (see PVCTL_EVENT_KEPT) */
	uint64_t cpu_ns;
	uint64_t memory_bytes, max_memory_bytes, outstanding_bytes;
	uint32_t vcpus_online, vcpus_max;
	uint64_t created_unix_ns;
	uint32_t type;           /* enum pvctl_domain_type */
};
struct pvctl_create_opts {
	size_t size;
	uint32_t paused;
	const char *boot_entry;  /* with bootloader: this entry of the disk's menu, for this start alone; as pvctl_boot_opts.entry */
};
struct pvctl_destroy_opts { size_t size; uint64_t unique_id; }; /* 0: whichever has the domid */

/* Relative names of files are the caller's; they are kept as absolute ones, since the daemon reads them again at a restart. */
PVCTL_API int pvctl_domain_create(struct pvctl *, const struct pvctl_config *, const struct pvctl_create_opts *, uint32_t *ret_domid, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_domain_destroy(struct pvctl *, uint32_t domid, const struct pvctl_destroy_opts *, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_domain_pause(struct pvctl *, uint32_t domid, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_domain_unpause(struct pvctl *, uint32_t domid, struct pvctl_error *err) PVCTL_CHECK;
/*
 * Suspended: the guest has let go of its devices and does not run, and nothing of the node writes to its memory. timeout_ms: 0 is
 * 60 s. The context holds it: closed before pvctl_domain_keep_suspended, the domain goes on, as after a failure. -ENOSYS: the guest
 * says that it cannot; -EBUSY: it is paused or suspended, or a device comes or goes; -ETIMEDOUT: it does not react, and goes on;
 * -ESRCH: it shut down instead. What suspends by itself stays so until it is resumed or destroyed.
 */
PVCTL_API int pvctl_domain_suspend(struct pvctl *, uint32_t domid, uint32_t timeout_ms, struct pvctl_error *err) PVCTL_CHECK;
/* Until somebody resumes or destroys it. -ENOENT: it is not suspended. */
PVCTL_API int pvctl_domain_keep_suspended(struct pvctl *, uint32_t domid, struct pvctl_error *err) PVCTL_CHECK;
/* Its disks are on stable storage and closed: another node may open them. -ENOENT: it is not suspended; -EIO: what the guest wrote may be lost. */
PVCTL_API int pvctl_domain_release_disks(struct pvctl *, uint32_t domid, struct pvctl_error *err) PVCTL_CHECK;
/*
 * It goes on where it was. -ENOENT: it is not suspended; -EBUSY: a disk that was released is another's now; it stays suspended then;
 * -EPERM: another context has it suspended, or saves one that was: it is for that to say.
 */
PVCTL_API int pvctl_domain_resume(struct pvctl *, uint32_t domid, struct pvctl_error *err) PVCTL_CHECK;
/* ---- migration ---- */
enum pvctl_migrate_end {
	PVCTL_MIGRATE_THERE = 0,   /* it runs there, and is no more here */
	PVCTL_MIGRATE_HERE = 1,    /* it runs here, as before */
	PVCTL_MIGRATE_STUCK = 2,   /* it is here, suspended, and could not be resumed: another has its disks, say */
	PVCTL_MIGRATE_UNKNOWN = 3, /* it is here, suspended, because the other side may run it: that must be looked at before it is resumed */
};
struct pvctl_migrate_opts {
	size_t size;
	const struct pvctl_config *config; /* instead of the domain's own, or of what is received; NULL: that */
	uint32_t paused;                   /* receiver, 1: it stays paused */
	uint32_t pad;
	void (*say)(void *data, const char *line);  /* what happens, for a person; NULL: silent */
	void (*step)(void *data, const char *name); /* each step of the handshake, for tests; NULL: none */
	void *data;
	uint32_t keep_domid;               /* sender, 1: it has the same domain id there, or does not move (-EEXIST, at the receiver: another has it) */
	uint32_t pad2;
};
struct pvctl_migrate_result {
	size_t size;
	uint32_t end;            /* enum pvctl_migrate_end */
	uint32_t rounds;
	uint64_t bytes, pages;   /* that were sent */
	uint64_t total_ns;
	uint64_t pause_ns;       /* from its suspension here to the word that it runs there */
};
/*
 * Sends a running domain, live, to a process that receives it: in and out are a connection to that, which ends with the call. The
 * messages are those of xl, so that either side may be xl. While it is sent it is this domain that runs, and it goes on here if anything
 * fails; then it is NAME--migratedaway, suspended, and is destroyed once the other runs. 0: PVCTL_MIGRATE_THERE. ret may be NULL; it is
 * filled on a failure, too. Errors as of pvctl_domain_save, and -EPROTO: the other side is none. SIGPIPE should be ignored.
 */
PVCTL_API int pvctl_domain_migrate_send(struct pvctl *, uint32_t domid, int in, int out, const struct pvctl_migrate_opts *opts, struct pvctl_migrate_result *ret, struct pvctl_error *err) PVCTL_CHECK;
/* The other side. The domain is NAME--incoming, and goes with the context, until the sender has given it away. */
PVCTL_API int pvctl_domain_migrate_receive(struct pvctl *, int in, int out, const struct pvctl_migrate_opts *opts, uint32_t *ret_domid, struct pvctl_error *err) PVCTL_CHECK;

/* Asks the guest (control/shutdown): "poweroff", "reboot", "halt", "suspend". Returns when it was asked; a guest that is booting finds it later. -ENOSYS: it says that it does not listen. */
PVCTL_API int pvctl_domain_request(struct pvctl *, uint32_t domid, const char *what, struct pvctl_error *err) PVCTL_CHECK;
/* Waits until the domain has shut down (ret_reason) or gone (PVCTL_REASON_NONE); 0 ms: for ever. */
PVCTL_API int pvctl_domain_wait(struct pvctl *, uint32_t domid, uint32_t timeout_ms, int32_t *ret_reason, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_domain_get(struct pvctl *, uint32_t domid, struct pvctl_domain_info *ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_domain_lookup(struct pvctl *, const char *name, uint32_t *ret_domid, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_domain_config(struct pvctl *, uint32_t domid, struct pvctl_config **ret, struct pvctl_error *err) PVCTL_CHECK;
/*
 * What it will be from its next restart on. Its name and uuid stay as they are, whatever the configuration says;
 * what it is to do at its end (on_crash and its like) holds at once.
 */
PVCTL_API int pvctl_domain_set_config(struct pvctl *, uint32_t domid, const struct pvctl_config *, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_domain_rename(struct pvctl *, uint32_t domid, const char *name, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_domain_list(struct pvctl *, struct pvctl_domain_list **ret, struct pvctl_error *err) PVCTL_CHECK; /* domain 0 first */
PVCTL_API size_t pvctl_domain_list_count(const struct pvctl_domain_list *);
PVCTL_API const struct pvctl_domain_info *pvctl_domain_list_at(const struct pvctl_domain_list *, size_t i);
PVCTL_API void pvctl_domain_list_free(struct pvctl_domain_list *);

struct pvctl_vcpu_info {
	size_t size;
	uint32_t domid, vcpu;
	uint32_t online, blocked, running;
	uint32_t cpu;            /* where it runs, or ran last */
	uint64_t cpu_ns;
	uint64_t hard_affinity, soft_affinity; /* a bit for each CPU of the node */
};
PVCTL_API int pvctl_vcpu_list(struct pvctl *, uint32_t domid, struct pvctl_vcpu_list **ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API size_t pvctl_vcpu_list_count(const struct pvctl_vcpu_list *);
PVCTL_API const struct pvctl_vcpu_info *pvctl_vcpu_list_at(const struct pvctl_vcpu_list *, size_t i);
PVCTL_API void pvctl_vcpu_list_free(struct pvctl_vcpu_list *);

/* ---- changing a running domain; -EINVAL: domain 0, or out of range; -ESRCH: it has shut down ---- */
/*
 * Asks the guest to have so much memory (whole KiB are counted, at least 1 MiB)
 * and limits it to that. Returns when it was asked: memory_bytes of
 * pvctl_domain_get moves as the guest follows. What it may grow by is claimed
 * for it (outstanding_bytes). -EINVAL: more than maxmem; -ENOMEM: the node does
 * not have what is missing, or the host could not back it.
 */
PVCTL_API int pvctl_domain_set_memory_target(struct pvctl *, uint32_t domid, uint64_t bytes, struct pvctl_error *err) PVCTL_CHECK;
/*
 * Waits until it has come to what it was asked to have, to within 1 MiB. -ETIMEDOUT: the message says what it holds;
 * it may still follow. 0 ms: looks once.
 */
PVCTL_API int pvctl_domain_wait_memory(struct pvctl *, uint32_t domid, uint64_t bytes, uint32_t timeout_ms, struct pvctl_error *err) PVCTL_CHECK;
/* The limit alone, until the next target is set. -EINVAL: less than the target. */
PVCTL_API int pvctl_domain_set_memory_max(struct pvctl *, uint32_t domid, uint64_t bytes, struct pvctl_error *err) PVCTL_CHECK;
/* Asks the guest to use vCPUs 0 .. count - 1. -EINVAL: 0, or more than maxvcpus. */
PVCTL_API int pvctl_domain_set_vcpus(struct pvctl *, uint32_t domid, uint32_t count, struct pvctl_error *err) PVCTL_CHECK;
/* Where a vCPU may run (hard) and should run (soft), a bit for each CPU; NULL: as it is. -EINVAL: no such vCPU, or none of the node's CPUs. */
PVCTL_API int pvctl_vcpu_set_affinity(struct pvctl *, uint32_t domid, uint32_t vcpu, const uint64_t *hard, const uint64_t *soft, struct pvctl_error *err) PVCTL_CHECK;
/* "all", "0-3,^1", "node:0" as a mask. -EINVAL: no such list, or an empty one. */
PVCTL_API int pvctl_cpus_parse(const char *text, uint64_t *ret_mask, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_domain_get_sched(struct pvctl *, uint32_t domid, uint32_t *ret_weight, uint32_t *ret_cap_percent, struct pvctl_error *err) PVCTL_CHECK;
/* The pages that its grant table has grown to, and the most that it may have (max_grant_frames); each holds 512 grants, or 256 of version 2. */
PVCTL_API int pvctl_domain_get_grants(struct pvctl *, uint32_t domid, uint32_t *ret_pages, uint32_t *ret_max_pages, struct pvctl_error *err) PVCTL_CHECK;
/* Weight 1 to 65535, cap in percent of one CPU (0: none, at most 100 for each vCPU); -1: as it is. */
PVCTL_API int pvctl_domain_set_sched(struct pvctl *, uint32_t domid, int32_t weight, int32_t cap_percent, struct pvctl_error *err) PVCTL_CHECK;
/* A magic SysRq letter for the guest's kernel, which may have it switched off. */
PVCTL_API int pvctl_domain_sysrq(struct pvctl *, uint32_t domid, char letter, struct pvctl_error *err) PVCTL_CHECK;

/* ---- saving and restoring: docs/stream.md ---- */
enum pvctl_save_leave {
	PVCTL_SAVE_DESTROY = 0,   /* the domain is gone: what is saved is all there is of it */
	PVCTL_SAVE_PAUSED = 1, PVCTL_SAVE_RUNNING = 2,
	PVCTL_SAVE_SUSPENDED = 3  /* it waits for pvctl_domain_resume or pvctl_domain_destroy */
};
struct pvctl_save_opts {
	size_t size;
	uint32_t live;           /* 1: memory is sent while the domain runs, and what it changes meanwhile again, before it is suspended */
	uint32_t leave;          /* enum pvctl_save_leave */
	uint32_t compress;       /* 1: by zstd; such a file is for pvctl alone */
	uint32_t suspend_timeout_ms; /* how long the guest may take to suspend; 0: 60 s */
	const struct pvctl_config *config; /* saved instead of the domain's own; NULL: its own */
	/*
	 * All has been written: 0 when that is safe (on disk, say). Anything else is a failure; it fills err. NULL: no such. Who is killed in it
	 * lets the domain go on, unless it called pvctl_domain_keep_suspended.
	 */
	int (*written)(void *data, struct pvctl_error *err);
	void *written_data;
	uint32_t max_rounds;     /* live: at most so many before the suspend; 0: 30 */
	uint32_t pad;
	uint32_t keep_domid;     /* 1: its domain id is saved, too: without a configuration of its own a restore gives it that one, or fails */
	uint32_t pad2;
};
struct pvctl_save_stats {
	size_t size;
	uint64_t bytes;          /* that were written to the descriptor */
	uint64_t pages;          /* that were sent, zero ones among them, and those again that changed */
	uint64_t zero_pages;     /* of these: were named only */
	uint64_t total_ns;
	uint64_t pause_ns;       /* that the domain did not run: all that it takes from its suspension to the end of the function's writing */
	uint32_t rounds, pad;
};
/*
 * Writes the domain to fd, a file, pipe or socket, in Xen's format, from where it stands; fd stays the caller's. The guest
 * suspends itself for it. opts NULL: not live, and the domain is destroyed. ret may be NULL. Whatever goes wrong, the domain goes
 * on where it was; what fd has then is of no use. -EBUSY: it is paused; -ETIMEDOUT: its kernel does not suspend; -ENOSPC, -EIO: fd.
 * The context's progress function is told "save", in pages.
 */
PVCTL_API int pvctl_domain_save(struct pvctl *, uint32_t domid, int fd, const struct pvctl_save_opts *opts, struct pvctl_save_stats *ret, struct pvctl_error *err) PVCTL_CHECK;
struct pvctl_restore_opts {
	size_t size;
	uint32_t paused;         /* 1: it stays paused */
	uint32_t pad;
	const char *name;        /* NULL: as it is saved */
	/* All of it is there but its devices, which are attached when this returns 0. Anything else is a failure; it fills err. */
	int (*ready)(void *data, uint32_t domid, struct pvctl_error *err);
	void *ready_data;
};
struct pvctl_restore_stats {
	size_t size;
	uint64_t bytes;          /* that were read from the descriptor */
	uint64_t pages;          /* the domain has */
	uint64_t total_ns;
};
/*
 * A new domain from what pvctl or Xen's xl saved. override: its configuration, NULL: as it is saved. Nothing is left of it after a
 * failure. -EPROTO: what fd has is no sound saved domain: err names the record and its offset. Else as pvctl_domain_create. ret may
 * be NULL. A signal with a progress function that says so ends it (-ECANCELED).
 */
PVCTL_API int pvctl_domain_restore(struct pvctl *, int fd, const struct pvctl_config *override, const struct pvctl_restore_opts *opts, uint32_t *ret_domid, struct pvctl_restore_stats *ret, struct pvctl_error *err) PVCTL_CHECK;

/* ---- its memory, to look at ---- */
enum pvctl_dump_then {
	PVCTL_DUMP_NOTHING = 0,
	PVCTL_DUMP_CRASH = 1,    /* it ends, as if it had crashed: on_crash says what becomes of it */
	PVCTL_DUMP_RESET = 2     /* it ends, as if it rebooted: on_reboot does */
};
struct pvctl_dump_opts {
	size_t size;
	uint32_t live;           /* 1: it runs meanwhile, and what is written is of no one moment */
	uint32_t then;           /* enum pvctl_dump_then */
};
/*
 * Writes registers and memory of a domain, whatever its kernel does, to fd, from where it stands, as Xen's dump-core does: an ELF core
 * that crash(8) reads. A domain that runs stands still until that is done, and goes on, also after a failure. fd stays the caller's.
 * opts NULL: so. -ECANCELED, by the progress function, which is told "core", in pages; -ENOSPC, -EIO: fd; -EBUSY: another does the same.
 */
PVCTL_API int pvctl_domain_dump_core(struct pvctl *, uint32_t domid, int fd, const struct pvctl_dump_opts *opts, struct pvctl_error *err) PVCTL_CHECK;

/* ---- a running domain becomes several ---- */
struct pvctl_clone_opts {
	size_t size;
	uint32_t count;          /* how many more there are to be; 0: one. More than one are called NAME-1, NAME-2 ... */
	uint32_t paused;         /* 1: they stay paused */
	uint32_t suspend_timeout_ms; /* how long the guest may take to suspend; 0: 60 s */
	uint32_t pad;
	const char *disks;       /* the directory for what each writes; NULL: beside the image that it is based on */
	/* What became of a disk of the domain's, for a person; NULL: nobody is told. */
	void (*say)(void *data, const char *line);
	void *say_data;
};
struct pvctl_clone_stats {
	size_t size;
	uint64_t total_ns;
	uint64_t pause_ns;       /* that the domain did not run */
	uint64_t bytes;          /* of its state, which is held in memory for as long */
	uint64_t restore_ns;     /* from when the domain goes on to when all copies do */
	uint32_t rounds, pad;
};
/*
 * Memory, devices and disks at one moment; the domain goes on, and each copy goes on from there, with another name, uuid, MACs and
 * vm-generation-id (docs/architecture.md). ret_domids: room for count of them. -EEXIST: a name is taken; -EBUSY, -EINVAL, -ENOSYS: a
 * device cannot be had twice, found before anything is done; else as pvctl_domain_save and pvctl_domain_restore. After a failure
 * there is no copy, and the domain goes on. Its writable disks become overlays where the file system cannot share blocks: see pvctl(1).
 * One copy is built while the domain is saved, by a thread and a connection that end with the call; the caller's functions are called by his.
 */
PVCTL_API int pvctl_domain_clone(struct pvctl *, uint32_t domid, const char *name, const struct pvctl_clone_opts *opts, uint32_t *ret_domids, struct pvctl_clone_stats *ret, struct pvctl_error *err) PVCTL_CHECK;

/* ---- snapshots: on disk until they are deleted, in STATEDIR/snapshots and beside the disks (node NULL: "default") ---- */
struct pvctl_snapshot_info {
	size_t size;
	char domain[128], name[64], description[200];
	uint64_t created_unix_ns;
	uint64_t memory_bytes;   /* of the file that has its memory and devices */
	uint64_t disk_bytes;     /* that its disks' files take on the host; what they share with others counts */
	uint32_t disks, has_memory;
};
struct pvctl_snapshot_disk_info {
	size_t size;
	char vdev[24], format[16]; /* format: of file */
	uint64_t bytes;          /* that the guest sees */
	uint64_t allocated_bytes; /* of file, on the host */
	uint32_t overlay, pad;   /* overlay: 1: the domain's disk is based on file since then; 0: file is a copy */
	char file[3008];         /* what the disk was then */
	char disk[3008];         /* what the domain writes, and what a revert replaces */
};
struct pvctl_snapshot_list;
struct pvctl_snapshot_opts {
	size_t size;
	const char *description; /* NULL: none */
	const char *disks;       /* the directory for new files of disks; NULL: beside each image */
	uint32_t no_memory;      /* 1: its disks alone */
	uint32_t suspend_timeout_ms; /* how long the guest may take to suspend; 0: 60 s */
	/* What became of a disk of the domain's, for a person; NULL: nobody is told. */
	void (*say)(void *data, const char *line);
	void *say_data;
	/* A step was made. For tests, which end somebody there. NULL: nobody is told. */
	void (*step)(void *data, const char *name);
	void *step_data;
};
struct pvctl_snapshot_stats {
	size_t size;
	char name[64];
	uint64_t total_ns;
	uint64_t pause_ns;       /* that the domain did not run */
	uint64_t bytes;          /* of its memory and devices */
	uint32_t rounds, pad;
};
/*
 * A running domain's memory, devices and disks at one moment, to go back to; it goes on. name NULL: by the time; ret, which may be
 * NULL, tells. Its writable disks become overlays where the file system cannot share blocks: see pvctl(1). -EEXIST: there is one of
 * this name; -EBUSY: somebody else does something with its snapshots; else as pvctl_domain_save. Whatever ends the caller, there is
 * then a whole snapshot or none, and the domain goes on. The context's progress function may end it (-ECANCELED).
 */
PVCTL_API int pvctl_snapshot_create(struct pvctl *, uint32_t domid, const char *name, const struct pvctl_snapshot_opts *opts, struct pvctl_snapshot_stats *ret, struct pvctl_error *err) PVCTL_CHECK;
/*
 * The same of a domain that is defined and does not run: its disks alone, which nobody can use meanwhile. A revert does not start it.
 * -ENOENT: it is not defined; -EBUSY: it runs, or somebody has its disk; -EINVAL: it has no disk that it writes.
 */
PVCTL_API int pvctl_snapshot_create_stopped(const char *node, const char *domain, const char *name, const struct pvctl_snapshot_opts *opts, struct pvctl_snapshot_stats *ret, struct pvctl_error *err) PVCTL_CHECK;
/* These need no node that runs. -ENOENT: there is no such. domain NULL: of all domains; by domain and time. */
PVCTL_API int pvctl_snapshot_list(const char *node, const char *domain, struct pvctl_snapshot_list **ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API size_t pvctl_snapshot_list_count(const struct pvctl_snapshot_list *);
PVCTL_API const struct pvctl_snapshot_info *pvctl_snapshot_list_at(const struct pvctl_snapshot_list *, size_t i); /* borrowed; NULL past the end */
PVCTL_API void pvctl_snapshot_list_free(struct pvctl_snapshot_list *);
PVCTL_API int pvctl_snapshot_get(const char *node, const char *domain, const char *name, struct pvctl_snapshot_info *ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_snapshot_get_disk(const char *node, const char *domain, const char *name, size_t i, struct pvctl_snapshot_disk_info *ret, struct pvctl_error *err) PVCTL_CHECK; /* -ENOENT: past the last */
/* What the domain is after a revert: its configuration then, on the disks that it has then. The caller frees it. */
PVCTL_API int pvctl_snapshot_config(const char *node, const char *domain, const char *name, struct pvctl_config **ret, struct pvctl_error *err) PVCTL_CHECK;
/* Its memory by its checksum, and that its disks are there and whole. -EINVAL: something is not what it was. */
PVCTL_API int pvctl_snapshot_verify(const char *node, const char *domain, const char *name, struct pvctl_error *err) PVCTL_CHECK;
struct pvctl_snapshot_revert_opts {
	size_t size;
	uint32_t paused, pad;    /* paused: 1: it stays paused */
	void (*step)(void *data, const char *name); /* as above */
	void *step_data;
};
/*
 * The domain is what it was then; what it did since is lost. One that runs ends at once, after the snapshot was looked at as by
 * pvctl_snapshot_verify. With memory it goes on from there, with another vm-generation-id; a snapshot of disks alone is booted if the
 * domain ran, else *ret_domid is 0. -EBUSY: somebody else has its disk. A failure later on leaves the disks as they were; the domain
 * has ended then. It may be done again at any time: the snapshot stays.
 */
PVCTL_API int pvctl_snapshot_revert(struct pvctl *, const char *domain, const char *name, const struct pvctl_snapshot_revert_opts *opts, uint32_t *ret_domid, struct pvctl_error *err) PVCTL_CHECK;
struct pvctl_snapshot_delete_opts {
	size_t size;
	int (*progress)(void *data, const char *what, uint64_t done, uint64_t total); /* as pvctl_open_opts.progress; NULL: none */
	void *progress_data;
	void (*step)(void *data, const char *name); /* as above */
	void *step_data;
};
/*
 * Later snapshots and disks keep what they have of it: that is merged into them, which may copy as much as it has. -EBUSY: the disk
 * of a domain that runs is based on it (err has the cure), or something that no domain of the node has. All is as it was after a failure.
 */
PVCTL_API int pvctl_snapshot_delete(const char *node, const char *domain, const char *name, const struct pvctl_snapshot_delete_opts *opts, struct pvctl_error *err) PVCTL_CHECK;

/* ---- templates: DATADIR/templates/NAME, a directory that can be copied to another machine ---- */
struct pvctl_template_info {
	size_t size;
	char name[64], description[200];
	char dir[400];
	uint64_t created_unix_ns;
	uint64_t bytes;          /* of all its files */
	uint32_t disks, warm;    /* warm: it has the memory of a domain that has booted */
};
struct pvctl_template_list;
struct pvctl_template_make_opts {
	size_t size;
	const char *description; /* NULL: none */
	uint32_t domid;          /* not 0: the domain that has the disks; where it runs, it stands still while they are copied */
	uint32_t warm;           /* 1: with its memory */
};
/*
 * from: what domains of it are to be; its disks, kernel and ramdisk are copied, its name, uuid and MACs left out. ctx may be NULL
 * where no domid is given. -EEXIST: there is one of this name; -EBUSY: a disk is in use by another than domid. Nothing is left after a failure.
 */
PVCTL_API int pvctl_template_make(struct pvctl *ctx, const char *name, const struct pvctl_config *from, const struct pvctl_template_make_opts *opts, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_template_get(const char *name, struct pvctl_template_info *ret, struct pvctl_error *err) PVCTL_CHECK; /* -ENOENT: there is none */
PVCTL_API int pvctl_template_config(const char *name, struct pvctl_config **ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_template_list(struct pvctl_template_list **ret, struct pvctl_error *err) PVCTL_CHECK; /* by name */
PVCTL_API size_t pvctl_template_list_count(const struct pvctl_template_list *);
PVCTL_API const struct pvctl_template_info *pvctl_template_list_at(const struct pvctl_template_list *, size_t i); /* borrowed; NULL past the end */
PVCTL_API void pvctl_template_list_free(struct pvctl_template_list *);
/* Its files by their checksums; ctx, which may be NULL, for progress. -EINVAL: one is not what it was. */
PVCTL_API int pvctl_template_verify(struct pvctl *ctx, const char *name, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_template_delete(const char *name, struct pvctl_error *err) PVCTL_CHECK; /* -EBUSY: a domain's disks are based on it */
/* A copy of its directory as dir/NAME, and from one, which is called name then; checksums are compared. ctx may be NULL. */
PVCTL_API int pvctl_template_export(struct pvctl *ctx, const char *name, const char *dir, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_template_import(struct pvctl *ctx, const char *dir, const char *name, struct pvctl_error *err) PVCTL_CHECK;
struct pvctl_template_create_opts {
	size_t size;
	uint32_t paused;
	uint32_t cold;           /* 1: it boots, also where the template is warm */
};
/*
 * A domain with disks of its own, which hold what differs from the template's, in DATADIR/disks/NAME. over has its name, and what
 * is to be other than in the template; its disks are added. The domain is defined, too: `pvctl start` starts it again.
 */
PVCTL_API int pvctl_template_create(struct pvctl *, const char *name, const struct pvctl_config *over, const struct pvctl_template_create_opts *opts, uint32_t *ret_domid, struct pvctl_error *err) PVCTL_CHECK;
/*
 * The first disk of a domain, running or defined, becomes the template's (NULL: the one it was made of); what was on it is lost. The
 * others, name, uuid and MACs stay. One that runs ends at once, and is started (ret_domid); else ret_domid is 0.
 */
PVCTL_API int pvctl_domain_reinstall(struct pvctl *, const char *domain, const char *name, uint32_t *ret_domid, struct pvctl_error *err) PVCTL_CHECK;
/* Of a domain that was made of a template and is gone. -ENOENT: it has none; -EBUSY: disks of copies or snapshots are there, too, or what they are based on. */
PVCTL_API int pvctl_template_disks_remove(const char *domain, struct pvctl_error *err) PVCTL_CHECK;

/* ---- disks ---- */
struct pvctl_disk_info {
	size_t size;
	uint32_t domid, vdev;    /* vdev: the number that the guest knows it by */
	uint32_t state;          /* of the handshake with the guest, as xen/io/xenbus.h has it; 4: connected */
	uint32_t readonly, cdrom;
	int32_t event_channel, ring_ref; /* -1: not connected */
	uint32_t failed;         /* 1: the host could not flush it: it takes no more writes until it is attached anew */
	uint64_t bytes;
	char name[24];           /* "xvda" */
	char backend_path[80];
	char target[256];        /* cut off where it is longer; "": a drive without a medium */
	char format[8];          /* "raw", "qcow2" */
	uint32_t sector_size, pad2;
	/* Since it was attached: requests that were carried out, and sectors of 512 bytes. errors: those that were not. */
	uint64_t reads, writes, flushes, discards, errors, read_sectors, write_sectors, discard_sectors;
};
struct pvctl_disk_spec {
	size_t size;
	uint32_t vdev;           /* the number that the guest knows it by */
	uint32_t sector_size;    /* bytes; 0: the target's own */
	uint32_t readonly, cdrom, no_discard, direct_io_safe, untrusted; /* 0 or 1 */
	char name[24];           /* of the vdev, as given: "xvda" */
	char format[8];          /* "raw", "qcow2" */
	char backend[8];         /* "phy", "qdisk"; "": what fits */
	char script[64];         /* "": none */
	char target[3008];       /* "": a drive without a medium */
};
/* What a text of the key disk of pvctl.cfg(5) says. Nothing is looked up; any thread. -EINVAL; -ENOSYS: xl knows it, it is not supported. */
PVCTL_API int pvctl_disk_parse(const char *text, struct pvctl_disk_spec *ret, struct pvctl_error *err) PVCTL_CHECK;
struct pvctl_disk_detach_opts { size_t size; uint32_t force, timeout_ms; }; /* force 1: the guest is not asked; 0 ms: 10 s */
struct pvctl_disk_list;
/* spec: as in the key disk of pvctl.cfg(5). A restart of the domain keeps the disk. -EBUSY: another has it; -EEXIST: the vdev is taken. */
PVCTL_API int pvctl_disk_attach(struct pvctl *, uint32_t domid, const char *spec, struct pvctl_error *err) PVCTL_CHECK;
/*
 * Another medium for a cdrom drive: a raw image or a device; NULL: none. The guest
 * sees the drive go and come back. On failure the drive has the medium that it had,
 * or, where the guest does not let go of it (-ETIMEDOUT), goes without one when it does.
 */
PVCTL_API int pvctl_disk_change(struct pvctl *, uint32_t domid, const char *vdev, const char *target, const struct pvctl_disk_detach_opts *, struct pvctl_error *err) PVCTL_CHECK;
/* vdev: a name or a number. Waits until the guest has let go; -ETIMEDOUT: it has not yet. */
PVCTL_API int pvctl_disk_detach(struct pvctl *, uint32_t domid, const char *vdev, const struct pvctl_disk_detach_opts *, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_disk_list(struct pvctl *, uint32_t domid, struct pvctl_disk_list **ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API size_t pvctl_disk_list_count(const struct pvctl_disk_list *);
PVCTL_API const struct pvctl_disk_info *pvctl_disk_list_at(const struct pvctl_disk_list *, size_t i);
PVCTL_API void pvctl_disk_list_free(struct pvctl_disk_list *);

/*
 * ---- images of disks: files of the host, or devices. No context is needed; any thread. format NULL: "raw"; others need qemu-utils ----
 * Who uses an image is waited for three seconds before -EBUSY: the disk of a domain that ended just now is closed a little later.
 */
struct pvctl_disk_image_info {
	size_t size;
	uint64_t bytes;          /* of the disk, as a guest sees it */
	uint64_t allocated_bytes; /* of the file, on the host */
	uint32_t is_device, pad;
	char format[8];
	char base[3008];         /* what it is based on; "": nothing */
};
/* Also of one that is in use. */
PVCTL_API int pvctl_disk_image_get(const char *path, const char *format, struct pvctl_disk_image_info *ret, struct pvctl_error *err) PVCTL_CHECK;
struct pvctl_disk_image_resize_opts {
	size_t size;
	const char *format;
	uint64_t bytes;          /* that it is to have; a multiple of 512 */
	uint32_t shrink, pad;    /* 1: less than it has, too: what is beyond is lost */
};
/* -EBUSY: a domain, or another program, uses it; -EINVAL: less without shrink, or a format whose images keep their size. */
PVCTL_API int pvctl_disk_image_resize(const char *path, const struct pvctl_disk_image_resize_opts *opts, struct pvctl_error *err) PVCTL_CHECK;
struct pvctl_disk_copy_opts {
	size_t size;
	const char *format;      /* of from */
	const char *to_format;   /* NULL: the same */
	uint32_t overlay;        /* 1: nothing is copied: a qcow2 image that is based on from, which must not be written any more */
	uint32_t compress;       /* 1: qcow2 alone */
	int (*progress)(void *data, const char *what, uint64_t done, uint64_t total); /* as in pvctl_open_opts; bytes; NULL: none */
	void *progress_data;
};
/*
 * A new image, which is named to when it is whole and on stable storage: nothing is left of it otherwise. It shares its blocks with
 * from where format and file system allow that, and is based on nothing unless it is an overlay. -EEXIST: to is there already;
 * -EBUSY: somebody writes from.
 */
PVCTL_API int pvctl_disk_image_copy(const char *from, const char *to, const struct pvctl_disk_copy_opts *opts, struct pvctl_error *err) PVCTL_CHECK;
struct pvctl_disk_flatten_opts {
	size_t size;
	int (*progress)(void *data, const char *what, uint64_t done, uint64_t total); /* as in pvctl_open_opts; NULL: none */
	void *progress_data;
};
/* A qcow2 image is based on nothing any more: what it had of its bases is copied into it, in place. -EBUSY: somebody uses it. Nothing is lost when it is ended at any moment. */
PVCTL_API int pvctl_disk_image_flatten(const char *path, const struct pvctl_disk_flatten_opts *opts, struct pvctl_error *err) PVCTL_CHECK;
/*
 * The disk of a running domain grows, file and all; its guest is told, and its requests wait meanwhile. bytes 0: it is as large as
 * what it is of has become, a logical volume, say. ret_bytes may be NULL. -EINVAL: it would become smaller, or cannot grow so.
 */
PVCTL_API int pvctl_disk_resize(struct pvctl *, uint32_t domid, const char *vdev, uint64_t bytes, uint64_t *ret_bytes, struct pvctl_error *err) PVCTL_CHECK;

/* ---- channels: named streams of bytes; made with their domain, by the key channel of pvctl.cfg(5) ---- */
struct pvctl_channel_info {
	size_t size;
	uint32_t domid, devid;   /* devid: 1 is device/console/1 to the guest, hvc1 to Linux */
	uint32_t state;          /* as in pvctl_disk_info */
	int32_t event_channel, ring_ref; /* -1: not connected */
	char connection[12];     /* "pty" or "socket" */
	char name[64];
	char path[112];          /* of the pty, or of the socket */
};
struct pvctl_channel_list;
PVCTL_API int pvctl_channel_list(struct pvctl *, uint32_t domid, struct pvctl_channel_list **ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API size_t pvctl_channel_list_count(const struct pvctl_channel_list *);
PVCTL_API const struct pvctl_channel_info *pvctl_channel_list_at(const struct pvctl_channel_list *, size_t i); /* NULL: no such; borrowed */
PVCTL_API void pvctl_channel_list_free(struct pvctl_channel_list *);

/* ---- network interfaces ---- */
struct pvctl_vif_info {
	size_t size;
	uint32_t domid, devid;
	uint32_t state;          /* as in pvctl_disk_info */
	uint32_t queues;         /* 0: not connected */
	uint32_t mtu;
	int32_t tx_event_channel, rx_event_channel; /* of the first queue; -1: not connected; often the same */
	int32_t tx_ring_ref, rx_ring_ref;
	uint8_t mac[6], pad[6];
	char link[16];           /* "user", "switch", "tap" */
	char bridge[16];
	char backend_path[80];
	/* As the guest sees it: tx is what it sent. gso packets are those that stand for several on a wire. */
	uint64_t tx_bytes, tx_packets, tx_drops, tx_gso_packets;
	uint64_t rx_bytes, rx_packets, rx_drops, rx_gso_packets;
};
struct pvctl_vif_spec {
	size_t size;
	int32_t devid;           /* -1: the text has none */
	uint32_t mtu;            /* bytes */
	uint64_t rate_bytes;     /* in each rate_us microseconds; 0: no limit */
	uint32_t rate_us;
	uint32_t trusted, has_mac; /* 0 or 1 */
	uint8_t mac[6], pad[2];  /* zeroes without has_mac */
	char link[16];           /* "user", "switch", "tap"; "": what fits */
	char bridge[16], vifname[16], gatewaydev[16]; /* "": not given, as those that follow */
	char script[256], ip[128];
};
/* What a text of the key vif of pvctl.cfg(5) says; as pvctl_disk_parse. */
PVCTL_API int pvctl_vif_parse(const char *text, struct pvctl_vif_spec *ret, struct pvctl_error *err) PVCTL_CHECK;
struct pvctl_vif_detach_opts { size_t size; uint32_t force, timeout_ms; }; /* as for disks */
struct pvctl_vif_list;
/*
 * spec: as in the key vif of pvctl.cfg(5). A restart of the domain keeps the interface. Returns when its link is up: a script
 * of spec's has ended by then. -EEXIST: the devid or the MAC is taken; -EPERM: the host's bridges are for root.
 */
PVCTL_API int pvctl_vif_attach(struct pvctl *, uint32_t domid, const char *spec, struct pvctl_error *err) PVCTL_CHECK;
/* which: a devid or a MAC. Waits until the guest has let go; -ETIMEDOUT: it has not yet. */
PVCTL_API int pvctl_vif_detach(struct pvctl *, uint32_t domid, const char *which, const struct pvctl_vif_detach_opts *, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_vif_list(struct pvctl *, uint32_t domid, struct pvctl_vif_list **ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API size_t pvctl_vif_list_count(const struct pvctl_vif_list *);
PVCTL_API const struct pvctl_vif_info *pvctl_vif_list_at(const struct pvctl_vif_list *, size_t i); /* NULL past the end */
PVCTL_API void pvctl_vif_list_free(struct pvctl_vif_list *);

/* ---- console ---- */
/*
 * A socket carrying the console's bytes both ways, first what was logged before
 * (at most replay_bytes, ~0: all that is kept). End of file: the domain is gone.
 * The console of a domain that died lately can be attached by its domid, too.
 */
struct pvctl_ended {
	size_t size;
	uint32_t domid;
	int32_t reason;          /* enum pvctl_reason; NONE: it was destroyed */
	uint64_t ended_unix_ns;
	char name[128];
};
/* The last one with this name or number that is gone, and whose console is kept yet. name NULL: by domid. -ESRCH: none. */
PVCTL_API int pvctl_domain_ended(struct pvctl *, const char *name, uint32_t domid, struct pvctl_ended *ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_console_attach(struct pvctl *, uint32_t domid, uint64_t replay_bytes, int *ret_fd, struct pvctl_error *err) PVCTL_CHECK;

/* ---- events ---- */
enum pvctl_event_type { PVCTL_EVENT_CREATED = 1, PVCTL_EVENT_SHUTDOWN = 2, PVCTL_EVENT_DESTROYED = 4,
	PVCTL_EVENT_PAUSED = 8, PVCTL_EVENT_UNPAUSED = 16, PVCTL_EVENT_NODE_DOWN = 32,
	PVCTL_EVENT_KEPT = 64, /* it ended too often: it stays, shut down, and is not restarted */
	PVCTL_EVENT_NODE_SLOW = 128, PVCTL_EVENT_NODE_BACK = 256, /* the hypervisor does not answer; it does again */
	PVCTL_EVENT_RENAMED = 512,          /* detail: its former name */
	PVCTL_EVENT_MEMORY = 1024,          /* it has come to its target, to within 1 MiB; value: bytes that it holds */
	PVCTL_EVENT_VCPUS = 2048,           /* value: how many are online */
	PVCTL_EVENT_DEVICE_ATTACHED = 4096, /* connected with its guest, which can use it */
	PVCTL_EVENT_DEVICE_DETACHED = 8192, /* let go of by a guest that goes on */
	PVCTL_EVENT_DEVICE_FAILED = 16384,  /* detail: why */
	PVCTL_EVENT_CONSOLE = 32768,        /* its console can be attached */
	/* A snapshot, before all that follows it: the node, then each domain that there is. */
	PVCTL_EVENT_NODE_UP = 65536, PVCTL_EVENT_PRESENT = 131072,
	PVCTL_EVENT_RESUMED = 524288,       /* it was suspended */
	PVCTL_EVENT_LOST = 262144, /* the caller did not keep up, and events were dropped: look at the state anew */
	PVCTL_EVENT_DAEMON_RESTARTED = 1048576 }; /* another daemon has taken over; what happened meanwhile may have been missed */
#define PVCTL_EVENT_ALL 2097151u
struct pvctl_event {
	size_t size;
	uint32_t type, domid;
	int32_t reason;          /* enum pvctl_reason, of SHUTDOWN */
	uint32_t pad;            /* 0 */
	uint64_t time_unix_ns;
	char name[128];
	uint64_t unique_id;      /* of the domain; 0: an older daemon */
	uint64_t value;
	uint32_t state;          /* of PRESENT: enum pvctl_run_state */
	char device_kind[12];    /* of DEVICE_*: "disk", "vif", "p9", "channel" */
	char device[24];         /* of DEVICE_*: "xvda", "0" */
	char detail[200];
};
/*
 * mask: the types that are wanted. With PVCTL_EVENT_PRESENT a snapshot of the domains comes first, and nothing is lost
 * between it and what follows; what happens while it is made may be in both. Domain 0 is no part of it.
 */
PVCTL_API int pvctl_events_open(struct pvctl *, uint32_t mask, struct pvctl_events **ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_events_fd(const struct pvctl_events *); /* poll it for reading */
PVCTL_API int pvctl_events_next(struct pvctl_events *, struct pvctl_event *ret, struct pvctl_error *err) PVCTL_CHECK; /* 1, 0 (none now) or <0 */
PVCTL_API void pvctl_events_close(struct pvctl_events *);

/* ---- the host and the hypervisor ---- */
enum pvctl_virt_caps { PVCTL_VIRT_PV = 1, PVCTL_VIRT_HVM = 2, PVCTL_VIRT_HAP = 4 };
struct pvctl_host_info {
	size_t size;
	char hv_version[64], hv_extra[64], hv_caps[256], hv_compiler[128], hv_date[64], hv_changeset[64], hv_commandline[256];
	uint32_t hv_major, hv_minor, page_size;
	uint64_t virt_start;
	uint32_t cpus, max_cpu_id, nodes, cores_per_socket, threads_per_core, cpu_khz;
	uint64_t total_bytes, free_bytes, outstanding_bytes, scrub_bytes;
	uint32_t hw_cap[8];
	uint64_t free_cpu_ns[64];
	char scheduler[32];
	/* What comes back without anybody's decision: freed and not handed back to the host yet, and held by guests above their limits. */
	uint64_t reclaimable_bytes;
	uint32_t virt_caps;      /* bits of PVCTL_VIRT_*: PVH domains take HVM and HAP */
};
PVCTL_API int pvctl_host_get(struct pvctl *, struct pvctl_host_info *ret, struct pvctl_error *err) PVCTL_CHECK;
/* The hypervisor's log so far, NUL-terminated; free with pvctl_free. */
PVCTL_API int pvctl_host_dmesg(struct pvctl *, int clear, char **ret_text, struct pvctl_error *err) PVCTL_CHECK;
/*
 * A parameter of the hypervisor's, while the node runs: "serial" (1: its log goes to the serial port, too), "guest_lines" (how many
 * lines a second of a guest's emergency console its log has). -ENOENT: there is no such; -EINVAL: it cannot be that.
 */
PVCTL_API int pvctl_host_set_parameter(struct pvctl *, const char *name, uint32_t value, struct pvctl_error *err) PVCTL_CHECK;
/* Up to 64 letters; what they say goes to the hypervisor's log. "h" lists them. */
PVCTL_API int pvctl_host_debug_keys(struct pvctl *, const char *keys, struct pvctl_error *err) PVCTL_CHECK;

/* ---- the store ---- */
PVCTL_API int pvctl_store_read(struct pvctl *, const char *path, char **ret_value, size_t *ret_len, struct pvctl_error *err) PVCTL_CHECK; /* free with pvctl_free */
PVCTL_API int pvctl_store_write(struct pvctl *, const char *path, const void *value, size_t len, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_store_rm(struct pvctl *, const char *path, struct pvctl_error *err) PVCTL_CHECK;

/* What a domain may have in the store: see pvctld(8). */
struct pvctl_store_quota {
	size_t size;
	char name[24];           /* "nodes" */
	uint32_t limit, own;     /* as it is, and as it is where nobody has set it */
	int64_t used;            /* -1: that is not counted */
};
/* The i-th, from 0 on. -ENOENT: past the end; -ESRCH: no such domain. */
PVCTL_API int pvctl_store_quota_get(struct pvctl *, uint32_t domid, uint32_t i, struct pvctl_store_quota *ret, struct pvctl_error *err) PVCTL_CHECK;
/* Until the domain goes; what it has already stays. value 0: its own. -EINVAL: no such quota, a fixed one, or above 4 times its own value. */
PVCTL_API int pvctl_store_quota_set(struct pvctl *, uint32_t domid, const char *name, uint32_t value, struct pvctl_error *err) PVCTL_CHECK;

/* ---- what a disk would boot ---- */
/*
 * The boot menu of a guest's disk (an image or a block device), and a kernel
 * and ramdisk from it. The disk is read by a helper process in a sandbox
 * (pvctl-bootloader), which a qemu-nbd serves where the image is not raw:
 * forked here, and gone when the call returns.
 */
struct pvctl_boot;
struct pvctl_boot_opts {
	size_t size;
	const char *entry;       /* a number from 0 on, an id, a title, or GRUB's "a>b"; NULL: what boots by itself */
	uint32_t timeout_ms;     /* 0: 30 s */
	uint32_t list_only;      /* 1: read the menu, and no kernel */
	const char *kernel, *ramdisk; /* paths on the disk: instead of an entry's. With a kernel, no menu is looked for */
	uint64_t offset_bytes;   /* of the one file system that is looked at; 0: as the partition table says */
	const char *user;        /* whom the helper becomes when the caller is root; NULL: nobody */
	const char *format;      /* "raw", "qcow", "qcow2", "vhd", "qed": never guessed; NULL: raw. Others need qemu-utils */
};
struct pvctl_boot_entry { size_t size; const char *title, *id, *kernel, *ramdisk, *cmdline; }; /* borrowed; id and ramdisk may be NULL */
struct pvctl_boot_info {
	size_t size;
	uint32_t default_entry;
	int32_t chosen;          /* -1: list_only */
	uint32_t partition;      /* of the menu; 0: the whole disk */
	const char *config;      /* the menu's file there; "": none was needed */
	int kernel_fd, ramdisk_fd; /* memory files that nobody can change; borrowed; -1: none */
	int32_t wait_s;          /* how long the menu waits, by its file; -1: for ever */
};
PVCTL_API int pvctl_boot_open(const char *disk, const struct pvctl_boot_opts *opts, struct pvctl_boot **ret, struct pvctl_error *err) PVCTL_CHECK;
/* The first disk of a configuration that has bootloader=, and what its bootloader_args say; opts: entry, timeout_ms and list_only count. */
PVCTL_API int pvctl_boot_open_config(const struct pvctl_config *, const struct pvctl_boot_opts *opts, struct pvctl_boot **ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API int pvctl_boot_get(const struct pvctl_boot *, struct pvctl_boot_info *ret, struct pvctl_error *err) PVCTL_CHECK;
PVCTL_API size_t pvctl_boot_entry_count(const struct pvctl_boot *);
PVCTL_API const struct pvctl_boot_entry *pvctl_boot_entry_at(const struct pvctl_boot *, size_t i); /* NULL past the end */
PVCTL_API void pvctl_boot_free(struct pvctl_boot *);

#ifdef __cplusplus
}
#endif
#endif
