/* SPDX-License-Identifier: MIT */
/* The emergency console: what guests print before they have one of their own. */
#include "control/hypercall.h"
#include "control/small.h"
#include "domain/continuation.h"
#include "domain/uaccess.h"
#include "lib/errno.h"
#include "x86/printk.h"
#include "x86/softirq.h"

#define CHUNK 128u
#define WINDOW MILLISECS(1000)

unsigned int guest_lines_per_second = 200;

/* Guards the line buffers of all domains; held for one chunk. */
static spinlock_t console_lock = SPINLOCK_INIT;

static bool within_rate(struct domain *d)
{
	unsigned int most = READ_ONCE(guest_lines_per_second);
	uint64_t now = (uint64_t)NOW();

	if (now - d->console.window_start >= (uint64_t)WINDOW) {
		if (d->console.lines > most)
			printk("(d%u) %u lines suppressed\n", d->domid, d->console.lines - most);
		d->console.window_start = now;
		d->console.lines = 0;
	}
	return ++d->console.lines <= most;
}

static void flush(struct domain *d)
{
	d->console.buf[d->console.len] = '\0';
	if (within_rate(d))
		printk("(d%u) %s\n", d->domid, d->console.buf);
	d->console.len = 0;
}

/* Nothing but printable characters: the log is read on terminals. */
static void put_char(struct domain *d, char c)
{
	if (c == '\n') {
		flush(d);
		return;
	}
	if (c == '\t')
		c = ' ';
	if (c < ' ' || c > '~')
		return;
	d->console.buf[d->console.len++] = c;
	if (d->console.len == sizeof(d->console.buf) - 1)
		flush(d);
}

static long console_write(struct domain *d, unsigned long count, unsigned long buf)
{
	char chunk[CHUNK];

	while (count) {
		unsigned int n = count < CHUNK ? (unsigned int)count : CHUNK, i;

		if (copy_from_guest(chunk, buf, n))
			return -EFAULT;
		spin_lock(&console_lock);
		for (i = 0; i < n; i++)
			put_char(d, chunk[i]);
		spin_unlock(&console_lock);
		buf += n;
		count -= n;
		if (count && preempt_wanted())
			return hypercall_continuation(__HYPERVISOR_console_io, CONSOLEIO_write, count, buf, 0, 0);
	}
	return 0;
}

long do_console_io(unsigned long cmd, unsigned long count, unsigned long buf)
{
	struct domain *d = current->domain;

	switch ((uint32_t)cmd) {
	case CONSOLEIO_write:
		return console_write(d, (uint32_t)count, buf);
	case CONSOLEIO_read:
		/* The node has no console input. */
		return is_host_domain(d) ? 0 : -EPERM;
	}
	return -ENOSYS;
}
