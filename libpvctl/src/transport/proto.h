/* SPDX-License-Identifier: MIT */
/*
 * What libpvctl and pvctld say to each other over the node's control socket
 * (SOCK_STREAM, RUNDIR/control.sock). A request is a header and a body; the answer has the
 * same id, the same type with PROTO_REPLY set, a body, and possibly fds
 * (SCM_RIGHTS with the header's first byte). Requests of a connection are
 * answered in order. Structs of the public header start with their size (util/grow.h). Both sides are the same user on the same machine; bodies
 * are checked all the same. A connection that ends with a domain it created
 * and did not commit takes that domain with it.
 */
#ifndef TRANSPORT_PROTO_H
#define TRANSPORT_PROTO_H

#include <stddef.h>
#include <stdint.h>

#define PROTO_VERSION 2u
#define PROTO_MAX_BODY (1u << 20)
#define PROTO_REPLY 0x80000000u

enum proto_type {
	PROTO_HELLO = 1,       /* -> proto_hello_reply, fd: RAM memfd */
	PROTO_HYPERCALL = 2,   /* proto_hypercall + arena -> proto_hypercall_reply + arena */
	PROTO_COMMIT = 3,      /* proto_commit + config JSON: the domain is whole; its policy is pvctld's now; it may run */
	PROTO_CONSOLE = 4,     /* proto_console -> fd: one end of a socketpair with the console's bytes */
	PROTO_EVENTS = 5,      /* proto_events -> fd: one end of a SOCK_SEQPACKET pair, a struct pvctl_event each */
	PROTO_CONFIG = 6,      /* proto_domid -> config JSON */
	PROTO_NODE_INFO = 7,   /* -> struct pvctl_node_info */
	PROTO_NODE_STOP = 8,   /* answered, then all domains are destroyed and the node ends */
	PROTO_INTRODUCE = 9,   /* proto_introduce: map the store and console rings, bind their ports */
	PROTO_FORGET = 10,     /* proto_domid: a domain is being destroyed; unmap its rings, drop its store nodes */
	PROTO_STORE = 11,      /* an xsd_sockmsg and payload -> the same: a store request inside this connection */
	PROTO_RENAME = 12,     /* proto_domid + new name */
	PROTO_DOMAINS = 13,    /* -> proto_domain_row[]: names and times of all domains, for a cheap list */
	PROTO_DEVICE_ATTACH = 14, /* proto_device + spec: while a domain is being built, or in one that runs */
	PROTO_DEVICE_DETACH = 15, /* proto_device: begun when answered */
	PROTO_DEVICES = 16,    /* proto_device -> rows of its class: struct pvctl_disk_info[], ... */
	PROTO_ENDED = 17,      /* proto_domid + name: one that is gone -> struct pvctl_ended */
	PROTO_NODE_RESTART = 18, /* answered, then the daemon ends and another takes over */
	PROTO_MEMORY_CHECK = 32, /* proto_memory_check: could the host back all domains with that one so large? */
	PROTO_SUSPEND = 48,    /* proto_suspend: the guest is asked; until it is kept, the domain goes on when this connection ends */
	PROTO_QUIESCE = 49,    /* proto_quiesce: of one that is suspended; answered when nothing touches its memory */
	PROTO_RESUME = 50,     /* proto_domid: what PROTO_SUSPEND began is taken back; it runs, with its backends */
	PROTO_DEVICE_HOLD = 80, /* proto_device: of a running domain: out of use, released, until PROTO_DEVICE_BACK or the connection's end */
	PROTO_DEVICE_BACK = 81, /* proto_device: it is used again; what is behind it may have grown */
	PROTO_DEVICE_RETARGET = 82, /* proto_device + spec: one that is released, by either way, is of that from here on */
	PROTO_LOG = 83, /* proto_log: who saves a domain that runs; -EBUSY: another connection does */
	PROTO_HOLD = 84, /* proto_log: it is paused; until it is not, or the connection ends; -EBUSY: another has it paused so */
	PROTO_ALLOW = 64,        /* proto_allow + text, to the spawner */
	PROTO_MEMORY_BACK = 33   /* proto_range[]: the host allocates this RAM now; nothing on a node that overcommits */
};
enum proto_class { PROTO_CLASS_DISK, PROTO_CLASS_VIF, PROTO_CLASS_P9, PROTO_CLASS_CHANNEL };

struct proto_header {
	uint32_t type;
	uint32_t len;    /* of the body */
	uint32_t id;
	int32_t code;    /* in an answer: 0 or negative errno; then the body is a message text */
};
struct proto_hello_reply {
	uint32_t version;
	uint32_t nr_cpus;
	uint64_t ram_bytes;
	uint64_t low_bytes;     /* RAM offsets below this are the same as physical addresses... */
	uint64_t high_paddr;    /* ...those from low_bytes on are physical from here (4 GiB) */
	uint64_t arena_bytes;   /* arena limit of one hypercall */
	uint32_t tsc_khz;
	uint32_t pad;
};
struct proto_hypercall { uint32_t op; uint32_t pad; uint64_t args[6]; };      /* arena follows: rest of the body */
struct proto_hypercall_reply { int64_t ret; uint64_t args[6]; };              /* arena follows */
struct proto_commit { uint32_t domid; uint32_t flags; uint64_t created_unix_ns; char name[128]; uint8_t uuid[16]; };
#define PROTO_COMMIT_UNPAUSE 1u /* and it runs: whoever built it may end at any time */
#define PROTO_COMMIT_HOLD 2u    /* it has a name, but is its builder's still, and goes with the connection; a commit without ends that */
struct proto_console { uint32_t domid; uint32_t pad; uint64_t replay_bytes; };
struct proto_suspend { uint32_t domid; uint32_t flags; };
#define PROTO_SUSPEND_MOVE 1u    /* it is to come back elsewhere: refused for a device whose state is with the host */
#define PROTO_SUSPEND_CHECK 2u   /* nothing but that is asked: the guest is not */
struct proto_quiesce { uint32_t domid; uint32_t flags; };
#define PROTO_QUIESCE_RELEASE 1u /* its disks are on stable storage, closed, and others may have them */
#define PROTO_QUIESCE_KEEP 2u    /* it stays suspended when this connection ends */
struct proto_events { uint32_t mask; uint32_t pad; };
struct proto_domid { uint32_t domid; uint32_t pad; };
/* Both rings by their reserved grants (GNTTAB_RESERVED_CONSOLE, _XENSTORE); ports are the guest's. */
struct proto_introduce { uint32_t domid; uint32_t store_port, console_port; uint32_t pad; uint64_t store_gfn, console_gfn; };
/* on: the log of what it writes (XEN_DOMCTL_shadow_op) is this connection's, and ends with it at the latest. 0: not any more. */
struct proto_log { uint32_t domid, on; };
struct proto_device { uint32_t domid; uint32_t class_id; uint32_t devid; uint32_t force; };
/*
 * To the daemon's spawner, at RUNDIR/spawner.sock (SOCK_SEQPACKET; one record each, the answer is a header): the daemon may
 * have this opened. key: one of the configuration that names files or devices; text: its value, or one of its list.
 */
struct proto_allow { struct proto_header h; char key[24]; };
#define PROTO_ALLOW_TEXT 4096u
/* Before the key: nothing is allowed; -ENOENT: nobody has named it. A spawner that does not know this says 0. */
#define PROTO_ALLOW_ASK "?"
/* Of a configuration, beside the lists of devices. */
#define PROTO_ALLOW_KEYS { "kernel", "ramdisk", "bootloader", "bootloader_args", "bootloader_user", "firmware" }
struct proto_memory_check { uint32_t domid; uint32_t pad; uint64_t bytes; }; /* a domid that is not there: a new domain */
#define PROTO_BACK_RANGES 4096u           /* in one request */
#define PROTO_BACK_BYTES (16ull << 20)    /* all of them together */
struct proto_range { uint64_t paddr, len; }; /* whole pages */
struct proto_p9_row { size_t size; uint32_t domid, devid, state, readonly; char tag[32]; char path[256]; };
struct proto_domain_row { uint32_t domid; uint32_t kept; uint64_t unique_id, created_unix_ns; char name[128]; };

#endif
