/* SPDX-License-Identifier: MIT */
#include "hv/private.h"
#include "util/err.h"
#include <string.h>
#include <xen/version.h>

#define ANSWER_MAX 1024u

static int64_t version_op(struct transport *t, uint32_t cmd, size_t len, struct pvctl_error *err)
{
	uint64_t args[6] = { cmd, len ? arena_handle(t, t->arena) : 0 };
	bool broken;
	int64_t ret;

	memset(t->arena, 0, ANSWER_MAX);
	ret = hv_call(t, __HYPERVISOR_xen_version, args, ANSWER_MAX, &broken, err);
	if (broken)
		return err_fold(ret);
	return ret < 0 ? err_hv(err, ret, "asking for the hypervisor's version (%u)", cmd) : ret;
}

/* What the hypervisor gave may lack its NUL. */
static void copy_text(char *to, size_t len, const void *from, size_t max)
{
	size_t n = strnlen(from, max);

	if (n >= len)
		n = len - 1;
	memcpy(to, from, n);
	to[n] = '\0';
}

int hv_version(struct transport *t, uint32_t *ret_major, uint32_t *ret_minor, struct pvctl_error *err)
{
	int64_t v = version_op(t, XENVER_version, 0, err);

	if (v < 0)
		return (int)v;
	*ret_major = (uint32_t)v >> 16;
	*ret_minor = (uint32_t)v & 0xffff;
	return 0;
}

int hv_version_text(struct transport *t, uint32_t cmd, char *buf, size_t len, struct pvctl_error *err)
{
	int64_t v = version_op(t, cmd, ANSWER_MAX, err);

	if (v < 0)
		return (int)v;
	copy_text(buf, len, t->arena, ANSWER_MAX);
	return 0;
}

int hv_compile_info(struct transport *t, char *compiler, size_t compiler_len, char *date, size_t date_len,
                    struct pvctl_error *err)
{
	struct xen_compile_info info;
	int64_t v = version_op(t, XENVER_compile_info, sizeof(info), err);

	if (v < 0)
		return (int)v;
	memcpy(&info, t->arena, sizeof(info));
	copy_text(compiler, compiler_len, info.compiler, sizeof(info.compiler));
	copy_text(date, date_len, info.compile_date, sizeof(info.compile_date));
	return 0;
}

int hv_virt_start(struct transport *t, uint64_t *ret, struct pvctl_error *err)
{
	struct xen_platform_parameters p;
	int64_t v = version_op(t, XENVER_platform_parameters, sizeof(p), err);

	if (v < 0)
		return (int)v;
	memcpy(&p, t->arena, sizeof(p));
	*ret = p.virt_start;
	return 0;
}

int hv_page_size(struct transport *t, uint32_t *ret, struct pvctl_error *err)
{
	int64_t v = version_op(t, XENVER_pagesize, 0, err);

	if (v < 0)
		return (int)v;
	*ret = (uint32_t)v;
	return 0;
}
