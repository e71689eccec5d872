/* SPDX-License-Identifier: MIT */
/*
 * What a hosted node and its host share: one 64 KiB area of the node's RAM at
 * a fixed guest-physical address, and eight doorbells (ivshmem vectors).
 *
 * Everything else that passes between them is Xen's own: hypercall numbers and
 * argument structures (libxen-dev), shared_info, grant and event channel ABIs.
 *
 * Each word has one writer, named beside it, unless it says "both": those are
 * changed with atomic instructions only. All fields are little-endian.
 */
#ifndef PUBLIC_NODE_H
#define PUBLIC_NODE_H

#include <stdint.h>

#define NODE_SHARED_PADDR   0x10000u
#define NODE_SHARED_SIZE    0x10000u
#define NODE_MAGIC          0x45444f4e56504c58ULL /* "XLPVNODE" */
#define NODE_ABI_VERSION    1u

/* hv_state, written by the hypervisor */
#define NODE_STATE_BOOTING  0u /* memory is zero until the hypervisor runs */
#define NODE_STATE_READY    1u
#define NODE_STATE_PANIC    2u

/* ivshmem vectors, host to hypervisor */
#define NODE_VEC_MAILBOX    0u /* mailbox.state became REQUEST */
#define NODE_VEC_SEND       1u /* a bit of host_send[] was set */
/* ivshmem vectors, hypervisor to host */
#define NODE_VEC_DONE       0u /* mailbox.state became DONE, or hv_state changed */
#define NODE_VEC_EVENTS     1u /* domain 0's shared_info has pending events */
#define NODE_VEC_LOG        2u /* the console ring grew (at most every 50 ms) */
#define NODE_NR_VECTORS     4u

/* mailbox.state */
#define NODE_MBOX_IDLE      0u /* written by the host after it took the result */
#define NODE_MBOX_REQUEST   1u /* written by the host: op and args are valid */
#define NODE_MBOX_DONE      2u /* written by the hypervisor: ret is valid */

/* mailbox.op values beyond the Xen hypercall numbers */
#define NODE_OP_RESET_HOST  0x1000u /* close all of domain 0's ports, drop all its
                                     * grant mappings: a new daemon takes over */
#define NODE_OP_SHUTDOWN    0x1001u /* stop every CPU and leave QEMU (exit code 33) */
/*
 * Free memory that still has its last owner's contents, for the host to punch
 * out of the RAM file: args are a guest handle to struct node_pages[] and how
 * many. TAKE fills in chunks that are the host's until it gives them back
 * (DONE, each as it was taken), and returns their number, 0 when nothing is
 * dirty. DONE promises that they read as zero; 0, or -EINVAL at one that is not
 * out. RESET_HOST takes all back as they are. What is out cannot be allocated:
 * a host gives it back before it does anything else.
 */
#define NODE_OP_DIRTY_TAKE  0x1002u
#define NODE_OP_DIRTY_DONE  0x1003u
/*
 * The time of day now, args[0] ns since 1970: XENPF_settime64 for a host that
 * cannot know the hypervisor's system time. Running guests have read theirs.
 */
#define NODE_OP_SET_TIME    0x1004u
/*
 * Pages that all domains may have together: of each its limit or what it has, whichever is more, but no more than
 * there is RAM; of one that has no limit yet, or is dead, what it has. args[0]: a domain that is counted with at least
 * args[1]; it need not be there.
 */
#define NODE_OP_PROMISED    0x1005u
/*
 * Where a PVH domain's memory is: args are its number, a guest handle to uint64_t gfn[] and how many. Each is replaced
 * by the machine frame that is there now, ~0 for a hole. 0; -ESRCH: no such domain; -EINVAL: a PV domain, which knows
 * machine frames itself. Nothing holds a frame that is not RAM of a domain that is paused.
 */
#define NODE_OP_GFNS_TO_MFNS 0x1006u
/*
 * All RAM that a PVH domain has of its own: args are its number, a guest handle to struct node_run[], how many of those, and the
 * gfn to begin at. Fills in runs by gfn, in order, and returns how many; 0: there is none any more. A run may go on in the next.
 */
#define NODE_OP_RAM_RUNS    0x1007u

/*
 * One hypercall of domain 0. Guest handles (pointers) in args and inside
 * structures are offsets from the start of the arena plus NODE_ARENA_BASE, so
 * that NULL stays invalid. A preempted call has ret == NODE_RET_AGAIN and args
 * updated: the host submits the same slot again, when it likes.
 */
#define NODE_ARENA_BASE     0x100000u
#define NODE_RET_AGAIN      (-0x7ffffff0LL)

struct node_mailbox {
	uint32_t state;      /* both, in turn */
	uint32_t op;         /* host */
	uint64_t args[6];    /* host; the hypervisor when it answers AGAIN */
	int64_t ret;         /* hypervisor */
};

struct node_pages {
	uint64_t mfn, nr_pages;
};

struct node_run {
	uint64_t gfn, mfn, nr_pages;
};

struct node_shared {
	uint64_t magic;          /* hv, written last of the identity fields */
	uint32_t abi_version;    /* hv */
	uint32_t hv_state;       /* hv */
	uint32_t nr_cpus;        /* hv: CPUs online */
	uint32_t tsc_khz;        /* hv: as calibrated */
	uint64_t nr_pages;       /* hv: frames of RAM the node manages */
	uint64_t arena_paddr;    /* hv: start of the argument arena (contiguous) */
	uint64_t arena_size;     /* hv: bytes */
	uint64_t shared_info_paddr; /* hv: domain 0's shared_info page */
	uint64_t conring_paddr;  /* hv: console ring data (contiguous, power of 2) */
	uint32_t conring_size;   /* hv: bytes */
	uint32_t pad0;
	uint64_t conring_prod;   /* hv: free running byte count */
	uint32_t panic_cpu;      /* hv */
	uint32_t host_sleeps;    /* host: 1 = ring a doorbell, 0 = host polls */
	uint32_t hv_sleeps;      /* hv: 1 = ring a doorbell for host_send, mailbox */
	uint32_t pad1;
	/* hv: a bit for each CPU that has a guest to run. It looks at host_send_sel whenever it comes by on its way there:
	 * a hint for a host that rings a little later where that did not happen. */
	uint64_t hv_running;
	uint64_t pad2[5];
	struct node_mailbox mailbox; 
	uint64_t pad3[2];
	/* Event channels of domain 0 to be sent (EVTCHNOP_send), set by the host
	 * and cleared by the hypervisor, one bit a port; the selector has a bit
	 * for each non-zero word. */
	uint64_t host_send_sel;  /* both */
	uint64_t host_send[64];  /* both: ports 0..4095 */
};

#ifndef __ASSEMBLER__
_Static_assert(sizeof(struct node_mailbox) == 64, "mailbox ABI");
_Static_assert(sizeof(struct node_shared) <= 4096, "node_shared fits a page");
#endif

#endif
