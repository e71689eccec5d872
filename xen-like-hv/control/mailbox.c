/* SPDX-License-Identifier: MIT */
/* Domain 0's hypercalls: one at a time, from the mailbox, in a CPU's idle context. */
#include "control/mailbox.h"
#include "control/private.h"
#include "domain/continuation.h"
#include "event/evtchn.h"
#include "grant/grant.h"
#include "host/host.h"
#include "lib/errno.h"
#include "mm/page_host.h"
#include "p2m/p2m.h"
#include "vtime/vtime.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/smp.h"
#include "x86/softirq.h"
#include "x86/spinlock.h"

#define DEBUG_EXIT_PORT 0xf4
#define DEBUG_EXIT_SHUTDOWN 16 /* QEMU exits with 2 * 16 + 1 */

void node_shutdown(void)
{
	irq_disable();
	smp_stop_others();
	for (;;) {
		outb(DEBUG_EXIT_PORT, DEBUG_EXIT_SHUTDOWN);
		__asm__ volatile("cli; hlt");
	}
}

static long dirty_op(uint32_t op, const unsigned long a[6])
{
	struct node_pages *pages;

	if (a[1] > NODE_SHARED_SIZE)
		return -E2BIG;
	pages = host_arena(a[0], a[1] * sizeof(*pages));
	if (!pages)
		return -EFAULT;
	return op == NODE_OP_DIRTY_TAKE ? (long)dirty_take(pages, (unsigned int)a[1]) :
					  dirty_done(pages, (unsigned int)a[1]);
}

/* -ERESTART_HC: the same once more. */
static long reset_host(void)
{
	int rc = evtchn_reset_host(host_domain);

	if (!rc)
		rc = grant_reset_host(host_domain);
	if (!rc)
		dirty_reset_host();
	return rc;
}

static long gfns_to_mfns(const unsigned long a[6])
{
	uint64_t *list, i;
	struct domain *d;

	list = a[2] < 1UL << 32 ? host_arena(a[1], a[2] * sizeof(*list)) : NULL;
	if (!list)
		return -EFAULT;
	d = a[0] < DOMID_FIRST_RESERVED ? get_domain_by_id((domid_t)a[0]) : NULL;
	if (!d)
		return -ESRCH;
	for (i = 0; d->p2m && i < a[2]; i++) {
		if (i % 1024 == 1023 && preempt_wanted())
			break;
		list[i] = p2m_lookup(d, READ_ONCE(list[i]), NULL).m;
	}
	put_domain(d);
	if (i < a[2] && i != 0)
		return hypercall_continuation(NODE_OP_GFNS_TO_MFNS, a[0], a[1] + i * sizeof(*list), a[2] - i, 0, 0);
	return i == a[2] && a[2] != 0 ? 0 : -EINVAL;
}

static long ram_runs(const unsigned long a[6])
{
	uint64_t gfn = a[3];
	struct p2m_run *list;
	struct domain *d;
	long n = -EINVAL;

	_Static_assert(sizeof(struct p2m_run) == sizeof(struct node_run), "the same");
	list = a[2] < 1UL << 32 ? host_arena(a[1], a[2] * sizeof(*list)) : NULL;
	if (!list)
		return -EFAULT;
	d = a[0] < DOMID_FIRST_RESERVED ? get_domain_by_id((domid_t)a[0]) : NULL;
	if (!d)
		return -ESRCH;
	if (d->p2m && a[2] != 0)
		n = p2m_ram_runs(d, &gfn, list, (unsigned int)a[2]);
	put_domain(d);
	if (n == 0 && gfn < P2M_MAX_GFN)
		return hypercall_continuation(NODE_OP_RAM_RUNS, a[0], a[1], a[2], gfn, 0);
	return n;
}

static long run_call(uint32_t op, const unsigned long a[6])
{
	if (op == NODE_OP_SHUTDOWN)
		node_shutdown();
	if (op == NODE_OP_RESET_HOST)
		return reset_host();
	if (op == NODE_OP_DIRTY_TAKE || op == NODE_OP_DIRTY_DONE)
		return dirty_op(op, a);
	if (op == NODE_OP_SET_TIME) {
		wallclock_set(a[0], NOW());
		return 0;
	}
	if (op == NODE_OP_PROMISED)
		return (long)promised_pages((uint32_t)a[0], a[1]);
	if (op == NODE_OP_GFNS_TO_MFNS)
		return gfns_to_mfns(a);
	if (op == NODE_OP_RAM_RUNS)
		return ram_runs(a);
	if (op >= NR_HYPERCALLS || !hypercall_table[op])
		return -ENOSYS;
	return hypercall_table[op](a[0], a[1], a[2], a[3], a[4]);
}

void host_do_work(void)
{
	struct node_mailbox *mb = &node_shared->mailbox;
	struct vcpu *idle = current;
	unsigned long args[6];
	unsigned int before;
	uint32_t op;
	long ret;

	if (!host_work_pending())
		return;
	op = READ_ONCE(mb->op);
	for (unsigned int i = 0; i < 6; i++)
		args[i] = READ_ONCE(mb->args[i]);
	host_continuation.wanted = false;
	get_cpu_info()->cur = host_domain->vcpu[0];
	before = longest_begin(op);
	ret = run_call(op, args);
	longest_end(before);
	get_cpu_info()->cur = idle;
	if (host_continuation.wanted) {
		for (unsigned int i = 0; i < 5; i++)
			WRITE_ONCE(mb->args[i], host_continuation.args[i]);
		ret = NODE_RET_AGAIN;
	} else if (ret == -ERESTART_HC) {
		ret = NODE_RET_AGAIN; /* the same arguments once more */
	}
	WRITE_ONCE(mb->ret, ret);
	__atomic_store_n(&mb->state, NODE_MBOX_DONE, __ATOMIC_RELEASE);
	host_ring_if_asleep(NODE_VEC_DONE);
}
