/* SPDX-License-Identifier: MIT */
/* HYPERVISOR_hypfs_op: the parameters that can be set while the node runs, as /params/NAME. Domain 0 alone may call it. */
#include "control/small.h"
#include "control/hypercall.h"
#include "domain/domain.h"
#include "domain/uaccess.h"
#include "drivers/uart.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "x86/conring.h"
#include <xen/hypfs.h>

#define DIR "/params/"
#define MAX_GUEST_LINES 1000000u

static int set_serial(uint32_t on)
{
	if (on > 1)
		return -EINVAL;
	if (on && !uart_init())
		return -ENODEV;
	conring_set_serial(on ? uart_write : NULL);
	return 0;
}

static uint32_t get_serial(void)
{
	return conring_serial != NULL;
}

static int set_guest_lines(uint32_t n)
{
	if (n > MAX_GUEST_LINES)
		return -EINVAL;
	WRITE_ONCE(guest_lines_per_second, n);
	return 0;
}

static uint32_t get_guest_lines(void)
{
	return READ_ONCE(guest_lines_per_second);
}

static const struct param {
	const char *name;
	int (*set)(uint32_t value);
	uint32_t (*get)(void);
} params[] = {
	{ DIR "serial", set_serial, get_serial },
	{ DIR "guest_lines", set_guest_lines, get_guest_lines },
};

static const struct param *find(unsigned long path, unsigned long len, int *ret)
{
	char name[64];

	*ret = len > XEN_HYPFS_MAX_PATHLEN || len == 0 ? -EINVAL : -ENOENT;
	if (len == 0 || len > sizeof(name))
		return NULL;
	if (copy_from_guest_raw(name, path, len)) {
		*ret = -EFAULT;
		return NULL;
	}
	*ret = name[len - 1] ? -EINVAL : -ENOENT;
	for (unsigned int i = 0; !name[len - 1] && i < ARRAY_SIZE(params); i++)
		if (!strcmp(params[i].name, name))
			return &params[i];
	return NULL;
}

static long read_param(const struct param *p, unsigned long to, unsigned long size)
{
	struct { struct xen_hypfs_direntry e; uint32_t value; } out = {
		.e = { .type = XEN_HYPFS_TYPE_UINT, .content_len = sizeof(out.value), .max_write_len = sizeof(out.value) },
		.value = p->get(),
	};

	if (size < sizeof(out.e))
		return -EINVAL;
	if (copy_to_guest_raw(to, &out, size < sizeof(out) ? sizeof(out.e) : sizeof(out)))
		return -EFAULT;
	return size < sizeof(out) ? -ENOBUFS : 0;
}

long do_hypfs_op(unsigned int cmd, unsigned long path, unsigned long path_len, unsigned long data, unsigned long size)
{
	const struct param *p;
	uint32_t value;
	int rc;

	if (!is_host_domain(current->domain))
		return -EPERM;
	if (cmd == XEN_HYPFS_OP_get_version)
		return path || path_len || data || size ? -EINVAL : XEN_HYPFS_VERSION;
	if (cmd != XEN_HYPFS_OP_read && cmd != XEN_HYPFS_OP_write_contents)
		return -EOPNOTSUPP;
	p = find(path, path_len, &rc);
	if (!p)
		return rc;
	if (cmd == XEN_HYPFS_OP_read)
		return read_param(p, data, size);
	if (size != sizeof(value))
		return -EDOM;
	if (copy_from_guest_raw(&value, data, sizeof(value)))
		return -EFAULT;
	return p->set(value);
}
