/* SPDX-License-Identifier: MIT */
#include "util/grow.h"
#include "util/err.h"
#include <string.h>

/* No struct of the header comes near; a size that nobody set usually does not, either. */
#define GROW_MAX 65536u

static size_t size_of(const void *p)
{
	size_t size;

	memcpy(&size, p, sizeof(size));
	return size;
}

int grow_check(const void *theirs, struct pvctl_error *err)
{
	size_t size = size_of(theirs);

	if (size > sizeof(size) && size <= GROW_MAX)
		return 0;
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "the size member of a struct that is to be filled is not set");
}

void grow_out(void *theirs, const void *ours, size_t own)
{
	size_t size = size_of(theirs), common = size < own ? size : own;

	memcpy((char *)theirs + sizeof(size), (const char *)ours + sizeof(size), common - sizeof(size));
	memset((char *)theirs + common, 0, size - common);
}

int grow_in(void *ours, size_t own, const void *from, size_t len, struct pvctl_error *err)
{
	size_t size = len < sizeof(size) ? 0 : size_of(from);

	if (size <= sizeof(size) || size > len)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "pvctld's answer is cut off");
	memset(ours, 0, own);
	memcpy(ours, &own, sizeof(own));
	memcpy((char *)ours + sizeof(size), (const char *)from + sizeof(size), (size < own ? size : own) - sizeof(size));
	return 0;
}
