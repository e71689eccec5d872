/* SPDX-License-Identifier: MIT */
/*
 * The spawner: the process that `pvctl node start` makes. It has the node's lock and what the daemon must not have, starts
 * the daemon, QEMU and helpers, and reads nothing that a guest wrote. The daemon reads that all the time: what it asks for
 * is looked at here as if a guest had asked.
 */
#ifndef PVCTLD_SPAWNER_H
#define PVCTLD_SPAWNER_H

#include "libpvctl/src/transport/proto.h"
#include "pvctld/core/daemon.h"
#include "pvctld/spawn/wire.h"

#define VERSION_TEXT(n) VERSION_TEXT_(n)
#define VERSION_TEXT_(n) #n
/* Of the protocol, and of what a daemon leaves to the next. */
#define SPAWNER_VERSIONS VERSION_TEXT(SPAWN_VERSION) "." VERSION_TEXT(STATE_VERSION)
#define SPAWNER_CLIENTS 33u /* one of them is the listener */
#define ALLOWED_TEXT PROTO_ALLOW_TEXT

struct spawner {
	struct daemon *d;       /* its options and directories; no daemon runs here */
	char *const *argv;
	char program[512];
	int sock;               /* to the daemon */
	int signals;
	pid_t daemon;
	bool up, ended;
	bool orphaned;          /* the run directory is not there any more */
	uint64_t looked_ns;
	int status;             /* when it has ended */
	unsigned int restarts;  /* in a row */
	uint64_t up_ns;         /* when it said so last */
	bool has_qemu;
	bool restarting;        /* the daemon is about to end, for another */
	int listeners[2];       /* control.sock, store.sock: who connects while no daemon runs waits; -1 */
	int client[SPAWNER_CLIENTS];
	unsigned int nr_clients;
};

/* Until the node has ended; the process's exit status. err: it could not begin. */
int spawner_run(struct daemon *d, char *const *argv, struct pvctl_error *err);

/* Nothing of the node is left when it returns, but the daemon. */
void spawner_end(struct spawner *s, int status);

/* state.c: root's daemon becomes a user of its own, who writes into the state directory meanwhile. */
void state_give(struct daemon *d);
void state_take_back(struct daemon *d);

/* daemon.c */
int spawner_check_program(struct spawner *s, struct pvctl_error *err);
int spawner_start_daemon(struct spawner *s, bool adopt, struct pvctl_error *err);

/* serve.c: one request of the daemon's. 0; -errno: it is gone, or does not take answers. */
int spawner_serve(struct spawner *s);
/* m's request, done; the answer in a. Public for tests. */
void spawner_do(struct spawner *s, struct spawn_msg *m, struct spawn_msg *a);

/* helpers.c */
/* What has pid just now: it is killed when there is no memory for it. ret_status_fd: of struct spawned. */
int helper_add(pid_t pid, bool daemons, int *ret_status_fd);
bool helper_ended(pid_t pid, int status);
int helper_kill(pid_t pid, int sig, bool group);
/* SIGTERM, some time, SIGKILL; QEMU at once. */
void helpers_end(pid_t qemu);
/* What worked for a daemon that has ended: it must not go on with the next one, which begins that work again. */
void helpers_end_daemons(void);

/* devices.c: m is a struct spawn_device. */
int device_do(struct spawner *s, struct spawn_msg *m, struct spawn_msg *a, struct pvctl_error *err);
/* services.c */
int service_sockets(struct spawner *s, struct spawn_msg *a, struct pvctl_error *err);
void service_host(struct spawner *s, struct spawn_started *r);
int service_rebuild(struct spawner *s, struct spawn_msg *m, struct spawn_msg *a, struct pvctl_error *err);
/* All that names a file, a device or a program is what the owner named. */
bool service_may_rebuild(const struct pvctl_config *c);

/* clients.c */
int clients_open(struct spawner *s, struct pvctl_error *err);
void clients_close(struct spawner *s);
void clients_event(struct spawner *s, int fd);

/* allowed.c */
int allowed_add(const char *key, const char *text);
/* text: as its parser writes it. */
bool allowed_has(const char *key, const char *text);
/* The same as an answer to an owner's client, of a text in any form: 0 or -ENOENT. */
int allowed_asked(const char *key, const char *given);
/* That; -EINVAL. */
int allowed_as_written(const char *key, const char *text, char ret[ALLOWED_TEXT + 1]);

/* kept.c */
int kept_put(const char *name, int fd); /* fd is the store's, or closed */
int kept_get(const char *name);         /* borrowed; -ENOENT */
int kept_drop(const char *name);
uint32_t kept_names(uint32_t skip, char (*ret)[SPAWN_NAME], uint32_t max);

#endif
