/* SPDX-License-Identifier: MIT */
/* What the daemon knows of a domain beyond what the hypervisor does. */
#ifndef PVCTLD_DOMAINS_H
#define PVCTLD_DOMAINS_H

#include "pvctld/base/list.h"
#include "pvctld/hv/hvcall.h"
#include "pvctld/hv/mailbox.h"
#include "pvctld/xenstore/glue.h"
#include <stdint.h>

struct console;
struct ctl_conn;
struct daemon;
struct pvctl_error;
struct proto_commit;

enum dom_action {
	ACTION_DESTROY, ACTION_RESTART, ACTION_RENAME_RESTART, ACTION_PRESERVE, ACTION_DUMP_DESTROY, ACTION_DUMP_RESTART
};

/* How far its backends have let go of one that is suspended, see life/suspend.h. */
enum dom_rest { DOM_AWAKE, DOM_QUIESCING, DOM_QUIET, DOM_RELEASING, DOM_RELEASED, DOM_RETAKING };

#define RESTART_LIMIT_MAX 100

struct dom_grant {
	bool mapped;
	uint32_t handle;
	uint32_t port; /* ours; 0: none */
	void *page;
};

/*
 * What the next daemon has to know of a pause for a client. During a call it cannot know whether that was done: if nobody else
 * had the domain paused, what it is now tells; else it may be one count too many, and is left to who paused it.
 */
enum dom_still { DOM_STILL_NOT, DOM_STILL_HELD, DOM_STILL_CALL, DOM_STILL_CALL_SHARED };

/* As they were when they were looked at last: see sizes.c. */
struct dom_sizes { bool known, reached; uint32_t vcpus; uint64_t target; };

struct dom {
	struct list link;
	struct dom *hash_next;
	struct daemon *d;
	uint32_t domid;
	uint64_t unique_id, created_unix_ns, started_ns;
	char name[128];
	uint8_t uuid[16];
	struct ctl_conn *creator; /* until COMMIT; then NULL */
	char *config;             /* JSON, of COMMIT */
	enum dom_action on[4];    /* by shutdown reason: poweroff, reboot, crash, watchdog */
	uint32_t restart_limit, restart_window; /* restarts within so many seconds */
	bool ended;               /* a shutdown was seen and acted upon */
	bool kept;                /* it ended too often: stopped, and not restarted */
	bool over;                /* nothing more is to be done about its end: it is left to be looked at */
	enum dom_action next;     /* when the pause before a restart is over */
	struct loop_timer pause;
	struct mbox_call pause_ask;
	enum dom_rest rest;
	bool suspend_asked;       /* control/shutdown has it, or had */
	bool suspend_unwanted;    /* who asked is gone: it goes on when it comes to that */
	bool rest_release, rest_resume; /* what is to come after the step that is under way */
	struct ctl_conn *suspender; /* it goes on when that connection ends */
	struct ctl_conn *reader;  /* reads its memory, which was suspended before, and stays so */
	void (*rest_done)(void *data, int rc, const char *why); /* somebody waits */
	void *rest_data;
	struct loop_task rest_task;
	struct mbox_call rest_ask;
	struct loop_timer rest_timer;
	uint32_t rest_tries;
	bool forgotten;           /* rings let go, store nodes gone */
	bool nodes_left;          /* ...but for these, for want of memory */
	bool dying;               /* destroydomain is under way */
	struct dom_sizes sizes;
	struct dom_grant console_ring, store_ring;
	struct console *console;
	struct store_link store;
	uint32_t store_remote, console_remote; /* its own ends of the rings' channels; 0: not introduced */
	bool unpausing;           /* a commit is about to let it run */
	bool saved;               /* its end is somebody else's business */
	const struct ctl_conn *logger; /* has its writes logged: see logger.h */
	struct mbox_call log_off;
	uint8_t log_off_arg[HVC_DOMCTL_BYTES];
	struct ctl_conn *pauser, *still_for; /* has it paused for a while; wants that, or its end: see still.h */
	bool still_on, still_last, still_shared;
	enum dom_still still;
	void (*still_done)(void *conn, int rc, const char *why);
	struct mbox_call still_call;
	uint8_t still_arg[HVC_DOMCTL_BYTES];
	struct mbox_call kill;
	uint8_t kill_arg[HVC_DOMCTL_BYTES];
	void (*after_kill)(struct dom *dom);
};

struct dom *dom_find(struct daemon *d, uint32_t domid);
/* Onto the daemon's list, where dom_find finds it, and off it. */
void dom_enlist(struct dom *dom);
void dom_delist(struct dom *dom);
struct dom *dom_by_name(struct daemon *d, const char *name);
/* For a domain that is to be: a hypercall that creates one must not find that there is no memory for it. NULL: so. */
struct dom *dom_new(struct daemon *d);
/* A client's createdomain succeeded. */
void dom_created(struct dom *dom, uint32_t domid, struct ctl_conn *creator);
/* The same without anything that is new: only a place for it. */
void dom_add(struct dom *dom, uint32_t domid);
/* What a daemon that comes after this one has to know of it, as it is now; and that there is nothing. */
void dom_keep(struct dom *dom);
void dom_keep_not(struct dom *dom);
int dom_commit(struct dom *dom, const struct proto_commit *c, const char *json, struct pvctl_error *err);
int dom_rename(struct dom *dom, const char *name, struct pvctl_error *err);
int dom_check_name(const char *name, struct pvctl_error *err);
/* 0: that ring is not wanted. */
int dom_introduce(struct dom *dom, uint32_t store_port, uint32_t console_port, struct pvctl_error *err);
/* After another daemon. */
int dom_introduce_again(struct dom *dom, uint32_t store_port, uint32_t console_port, struct pvctl_error *err);
/* Its name to /local/domain/N and /vm/UUID. */
void dom_write_names(struct dom *dom);
/* Rings drained and let go of, store nodes removed. Harmless when done already. */
void dom_forget(struct dom *dom);
/* Its store nodes alone. False: no memory. */
bool dom_remove_nodes(struct dom *dom);
/* The hypervisor has no such domain any more. Frees dom. */
void dom_gone(struct dom *dom);
/* Takes a domain down: pause, forget, destroydomain in slices; then after_kill (may be NULL), then dom_gone. */
void dom_destroy(struct dom *dom, void (*after_kill)(struct dom *dom));
/* The same at the start of a daemon, when the hypervisor has just answered: before whatever anybody will ask for. */
void dom_destroy_first(struct dom *dom);
/* The hypervisor has let it run again, as after a save: its next end counts. */
void dom_resumed(struct dom *dom);
/* The connection that created them ended: those that were not committed go, too. */
void dom_creator_gone(struct daemon *d, struct ctl_conn *creator);
/* Without hypercalls: at the end, or when the node is down. */
void dom_free_all(struct daemon *d);
unsigned int dom_count(struct daemon *d);
unsigned int dom_count_live(struct daemon *d); /* less those that are being destroyed */
/* Its configuration has another name and uuid now: kept in memory and in STATEDIR/domains. */
int dom_update_config(struct dom *dom, struct pvctl_error *err);

#endif
