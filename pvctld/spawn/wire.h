/* SPDX-License-Identifier: MIT */
/*
 * What the daemon and the spawner say to each other, over a pair of SOCK_SEQPACKET sockets: one message is one record
 * with its length in it, the daemon asks and the spawner answers, in turn. The daemon is not trusted: see spawner/.
 */
#ifndef PVCTLD_SPAWN_WIRE_H
#define PVCTLD_SPAWN_WIRE_H

#include "libpvctl.h"
#include <stddef.h>
#include <stdint.h>

#define SPAWN_MAX_BYTES 8192u
#define SPAWN_MAX_FDS 8u
#define SPAWN_NAME 65u /* with its NUL */
#define SPAWN_NAMES 64u

/* A spawner outlives the daemons it starts, and may be older than they are. */
#define SPAWN_VERSION 1u

/* The descriptors that a daemon is started with. */
enum { SPAWN_FD = 3, SPAWN_LOCK_FD = 4, SPAWN_READY_FD = 5 };

enum spawn_type {
	SPAWN_KEEP_PUT = 1, /* struct spawn_name, one descriptor */
	SPAWN_KEEP_TAKE,    /* struct spawn_name; the answer has the descriptor */
	SPAWN_KEEP_DROP,    /* struct spawn_name */
	SPAWN_KEEP_LIST,    /* struct spawn_number: how many to skip; struct spawn_names */
	SPAWN_QEMU,         /* memory and doorbell's socket; struct spawn_qemu with the descriptors of enum spawn_qemu_fd */
	SPAWN_KILL,         /* struct spawn_kill */
	SPAWN_UP,           /* from here on a daemon that dies is started again */
	SPAWN_BYE,          /* struct spawn_number: the exit status. Nothing of the node is left when it is answered */
	SPAWN_RESTART,      /* could the program that is installed now take over? Then the daemon may end, and is started again */
	/* Of these the answer is a struct spawn_started, with descriptors as said. */
	SPAWN_SOCKETS,      /* -> control.sock's and store.sock's listeners */
	SPAWN_HOST,         /* -> n: memory in all, available, whether that is a control group's; QEMU's resident set */
	SPAWN_REBUILD,      /* a configuration -> pid, status */
	/* struct spawn_device: text is the device's specification, which the owner must have named. */
	SPAWN_DISK_OPEN,    /* where: the device that its script named -> the disk, and once more for direct I/O, perhaps */
	SPAWN_DISK_LOOK,    /* -> its target, O_PATH; of a script's disk whether that can be run */
	SPAWN_DISK_NBD,     /* its stderr -> pid, status, a connected socket */
	SPAWN_DISK_SCRIPT,  /* where: below backend/; verb: add -> pid, status */
	SPAWN_VIF_TAP,      /* domid -> the tap; where: its name */
	SPAWN_VIF_PLUG,     /* where: a tap's name */
	SPAWN_VIF_SCRIPT,   /* where: a tap's name; domid; verb: online -> pid, status */
	SPAWN_VIF_USER,     /* its socket -> pid, status */
	SPAWN_P9,           /* its socket, its stderr -> pid, status */
	SPAWN_CHANNEL,      /* -> a pty's both ends, or a listener with device and inode in n; where: the path */
	SPAWN_CHANNEL_CLOSE, /* n: device and inode */
	SPAWN_NR_TYPES,
};

#define SPAWN_WHERE 300u
#define SPAWN_TEXT 4097u

struct spawn_head {
	uint32_t type;
	uint32_t len; /* of all */
	uint32_t id;  /* the answer has the same */
	int32_t rc;   /* of an answer: 0 or -errno, with a text of why as its body, perhaps */
};

struct spawn_name { struct spawn_head h; char name[SPAWN_NAME]; };
struct spawn_number { struct spawn_head h; uint32_t n; };
struct spawn_names { struct spawn_head h; uint32_t nr; char name[SPAWN_NAMES][SPAWN_NAME]; };
struct spawn_kill { struct spawn_head h; int32_t pid; uint32_t sig; uint32_t group; };
struct spawn_device {
	struct spawn_head h;
	uint32_t domid, verb;
	uint64_t n[2];
	char where[SPAWN_WHERE];
	char text[SPAWN_TEXT];
};
struct spawn_started { struct spawn_head h; int32_t pid; uint32_t pad; uint64_t n[4]; char where[SPAWN_WHERE]; };
struct spawn_text { struct spawn_head h; char text[sizeof(((struct pvctl_error *)0)->msg)]; };

struct spawn_qemu { struct spawn_head h; int32_t pid; uint32_t version; uint32_t jailed; char accel[8]; };
enum spawn_qemu_fd { QEMU_FD_PIDFD, QEMU_FD_STATUS, QEMU_FD_JAIL /* if jailed */ };

struct spawn_msg {
	union {
		struct spawn_head h;
		uint8_t bytes[SPAWN_MAX_BYTES];
	} u;
	size_t len; /* as received */
	int fd[SPAWN_MAX_FDS];
	unsigned int nr_fds;
};

/* head->len bytes. flags: of sendmsg. 0 or -errno. */
int spawn_msg_send(int sock, const struct spawn_head *head, const int *fds, unsigned int nr_fds, int flags);
/*
 * 1; 0 when the other side has gone; -errno. Of what is malformed (-EPROTO), or came with descriptors that there was no
 * room for (-EMFILE: m is the record without them), no descriptor is left open.
 */
int spawn_msg_recv(int sock, struct spawn_msg *m);
/* Those that nobody took (set to -1). */
void spawn_msg_close_fds(struct spawn_msg *m);
int spawn_msg_take_fd(struct spawn_msg *m, unsigned int i);
/* A request's form: its type, its length, how many descriptors, NULs behind texts. */
int spawn_msg_check(const struct spawn_msg *m);

#endif
