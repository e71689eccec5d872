/* SPDX-License-Identifier: MIT */
/* The whole daemon: what its parts share. One node, one thread. */
#ifndef PVCTLD_DAEMON_H
#define PVCTLD_DAEMON_H

#include "pvctld/base/limits.h"
#include "libpvctl.h"
#include "pvctld/base/list.h"
#include "pvctld/base/loop.h"
#include "pvctld/core/node.h"
#include "pvctld/hv/evtchn.h"
#include "pvctld/hv/mailbox.h"
#include "pvctld/state/state.h"
#include "pvctld/store/store.h"

struct daemon_opts {
	const char *node;
	uint64_t memory_bytes;
	uint32_t cpus;
	const char *accel; /* "auto", "kvm", "tcg" */
	bool icount;
	bool overcommit;
	bool no_autostart;
	uint32_t slow_ms;          /* 0: as usual */
	bool foreground;
	bool spawned;              /* this is the daemon proper, and has a spawner */
	uid_t uid;                 /* whom the daemon becomes; 0: it stays who it is */
	bool adopt;                /* another was here before, and died */
	const char *hv_path;
	const char *hv_cmdline;
	const char *qemu_path;     /* NULL: the one on the PATH */
	struct limits limits;
	int ready_fd;
};

/* How much of something there was since then. */
struct window { uint64_t start_ns, used; };
/* When the hypervisor was told the time, and what the host's monotonic clock's 0 was then. */
struct hv_time { uint64_t set_ns, epoch_ns; };

#define DOM_HASH 1024u

struct daemon {
	struct daemon_opts opt;
	char run_dir[256], state_dir[256];
	char control_path[300], store_path[300];
	int lock_fd;
	int control_fd, store_fd; /* the spawner's listeners; -1 */
	bool in_run_dir;          /* the lock is ours: files there are ours to remove */
	uint64_t started_ns, started_unix_ns; /* the node */
	struct state state;
	uint64_t begun_ns;        /* this process */
	bool adopting;            /* another daemon's node is being taken over */
	uint32_t adoptions;       /* that there were; when the last one was */
	uint64_t adopted_unix_ns;
	int exit_status;

	struct loop loop;
	struct loop_fd spawner;
	struct node node;
	struct mailbox mbox;
	struct evtchn evtchn;
	struct hv_time hv_time;
	struct store *store;
	struct loop_task store_work;  /* it is busy: some more of what it has to do */
	struct window store_window;   /* units of guests' requests */
	struct list devices;      /* struct xenbus_dev */
	struct blk_pool *disk_pool; /* NULL until the first disk */
	struct list departed;     /* see backend/departed.h */
	unsigned int nr_departed;
	struct list disk_servers; /* struct blk_nbd */

	struct list domains;      /* struct dom */
	struct dom *dom_hash[DOM_HASH]; /* the same, by number */
	unsigned int nr_domains;
	struct list leftovers;    /* struct dom, too: gone, but for their store nodes */
	struct list zombies;      /* see zombie.c */
	struct list dead_consoles;
	unsigned int nr_dead_consoles;
	struct window console_window; /* bytes of all guests' output */
	uint64_t next_unique;
	struct list subscribers;  /* of events */
	struct list restarts;     /* restart histories, see policy.c */
	struct list children;     /* rebuild and dump helpers */

	struct control *control;
	struct store_sock *store_sock;
	struct stop *stop;        /* not NULL: the node is being stopped */
	struct loop_timer exit_timer, watchdog, giveback, zombie_timer, rundir_timer, tidy, sizes_timer;
	struct loop_task policy_task, down_task;
	struct mbox_call policy_call, zombie_call, sizes_call, giveback_call; /* before the work that they are named for */
};

/* daemon.c */
void daemon_init(struct daemon *d);
/* The node is up: everything that works with it. */
int daemon_serve(struct daemon *d, struct pvctl_error *err);
/* After the loop, or after a start that failed half way: leaves nothing behind. */
void daemon_finish(struct daemon *d);
/* Ends the loop. */
void daemon_quit(struct daemon *d);
/* stop.c: destroys all domains, then the hypervisor, then quits. */
void stop_begin(struct daemon *d);
/* The node went away under us (QEMU died, the hypervisor panicked). */
void daemon_node_down(struct daemon *d, const char *why);
/* The hypervisor has been silent for long; now it has answered. */
void daemon_node_slow(struct daemon *d);
void daemon_node_back(struct daemon *d);
/* Somebody is about to wait for a hypervisor that is silent already. */
void daemon_node_waits(struct daemon *d);

/* rundir.c */
/* From here on its peers are of this process's user, whoever it becomes. */
void rundir_set_owner(void);
/* Whom the node belongs to. */
uid_t rundir_owner(void);
int rundir_take(struct daemon *d, struct pvctl_error *err);
/* The spawner took it: lock_fd is a copy of its lock. */
int rundir_share(struct daemon *d, int lock_fd, struct pvctl_error *err);
int rundir_write_info(struct daemon *d, pid_t pid, struct pvctl_error *err);
void rundir_release(struct daemon *d);
/* False: who looks for this node there does not find us. */
bool rundir_is_ours(const struct daemon *d);
/* type: SOCK_STREAM, ... Mode 0600, listening, non-blocking, close-on-exec; -errno with *err. */
int rundir_listen(const char *path, int type, struct pvctl_error *err);
/* SO_PEERCRED: the user who owned this process when it began. */
bool rundir_peer_is_us(int fd);

/* rebuild.c: the short-lived child's main; the process's exit status. */
int rebuild_main(const char *node, const char *config_file);
/* The same, of what is read already. */
int rebuild_run(const char *node, const struct pvctl_config *config);

#endif
