/* SPDX-License-Identifier: MIT */
/*
 * LD_PRELOAD: something fails in a program, at a chosen place. INJECT=KIND:N; KIND is
 * memory:  the Nth allocation, "memory-on": and all after it;
 * call:    the Nth system call that may fail by what it is, of those below;
 * hypercall: the Nth request for a hypercall asks for one that there is not.
 * N 0: none fails. INJECT_COUNT=FILE: how many there were. It is for this program alone, not for what that starts.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "transport/proto.h"

enum kind { NOTHING, MEMORY, MEMORY_ON, CALL, HYPERCALL };
static enum kind kind;
static unsigned long at, count;
static char count_file[256];

extern void *__libc_malloc(size_t size), *__libc_calloc(size_t n, size_t size), *__libc_realloc(void *p, size_t size);

__attribute__((constructor)) static void start(void)
{
	static const char *const names[] = { "", "memory", "memory-on", "call", "hypercall" };
	const char *what = getenv("INJECT"), *colon = what ? strchr(what, ':') : NULL, *file = getenv("INJECT_COUNT");
	enum kind wanted = NOTHING;

	if (!colon)
		return;
	for (unsigned int i = 1; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == (size_t)(colon - what) && !strncmp(names[i], what, (size_t)(colon - what)))
			wanted = (enum kind)i;
	at = strtoul(colon + 1, NULL, 10);
	if (file)
		snprintf(count_file, sizeof(count_file), "%s", file);
	unsetenv("LD_PRELOAD");
	unsetenv("INJECT");
	unsetenv("INJECT_COUNT");
	kind = wanted;
}

__attribute__((destructor)) static void stop(void)
{
	char text[24];
	int fd;

	kind = NOTHING;
	if (!count_file[0])
		return;
	fd = open(count_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, (size_t)snprintf(text, sizeof(text), "%lu\n", count)) < 0)
		abort();
	close(fd);
}

static bool fails(enum kind of, int with)
{
	unsigned long n;

	if (kind != of && !(kind == MEMORY_ON && of == MEMORY))
		return false;
	n = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
	if (!at || (kind == MEMORY_ON ? n < at : n != at))
		return false;
	errno = with;
	return true;
}

/* ---- memory ---- */
void *malloc(size_t size)
{
	return fails(MEMORY, ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails(MEMORY, ENOMEM) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return fails(MEMORY, ENOMEM) ? NULL : __libc_realloc(p, size);
}

/* ---- system calls ---- */
#define NEXT(type, name) \
	static type (*next)(); \
	if (!next) \
		next = (type (*)())dlsym(RTLD_NEXT, name)

#define OPENS(name, first_decl, first) \
	int name(first_decl const char *path, int flags, ...) \
	{ \
		mode_t mode = 0; \
		va_list ap; \
		NEXT(int, #name); \
		va_start(ap, flags); \
		if (flags & (O_CREAT | __O_TMPFILE)) \
			mode = va_arg(ap, mode_t); \
		va_end(ap); \
		return fails(CALL, EMFILE) ? -1 : next(first path, flags, mode); \
	}
#define NONE
#define DIR_DECL int dir,
#define DIR_ARG dir,
OPENS(open, NONE, NONE)
OPENS(open64, NONE, NONE)
OPENS(openat, DIR_DECL, DIR_ARG)
OPENS(openat64, DIR_DECL, DIR_ARG)

#define CALLS(type, name, with, decl, ...) \
	type name decl \
	{ \
		NEXT(type, #name); \
		return fails(CALL, with) ? (type)-1 : next(__VA_ARGS__); \
	}
CALLS(ssize_t, read, EIO, (int fd, void *p, size_t n), fd, p, n)
CALLS(ssize_t, write, ENOSPC, (int fd, const void *p, size_t n), fd, p, n)
CALLS(ssize_t, writev, ENOSPC, (int fd, const struct iovec *v, int n), fd, v, n)
CALLS(ssize_t, pread64, EIO, (int fd, void *p, size_t n, off_t o), fd, p, n, o)
CALLS(ssize_t, pwrite64, ENOSPC, (int fd, const void *p, size_t n, off_t o), fd, p, n, o)
CALLS(int, socket, EMFILE, (int domain, int type, int protocol), domain, type, protocol)
CALLS(int, connect, ECONNREFUSED, (int fd, const struct sockaddr *a, socklen_t n), fd, a, n)
CALLS(int, ftruncate64, ENOSPC, (int fd, off_t n), fd, n)
CALLS(int, fsync, EIO, (int fd), fd)
CALLS(int, fdatasync, EIO, (int fd), fd)
CALLS(int, rename, EIO, (const char *from, const char *to), from, to)
CALLS(int, mkdir, ENOSPC, (const char *path, mode_t mode), path, mode)
CALLS(int, memfd_create, EMFILE, (const char *name, unsigned int flags), name, flags)
CALLS(int, pipe2, EMFILE, (int fds[2], int flags), fds, flags)
CALLS(void *, mmap64, ENOMEM, (void *p, size_t n, int prot, int flags, int fd, off_t o), p, n, prot, flags, fd, o)

/* Of a connection that is lost nothing comes any more. */
static bool loses(int fd, int with)
{
	if (!fails(CALL, with))
		return false;
	shutdown(fd, SHUT_RDWR);
	errno = with;
	return true;
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	NEXT(ssize_t, "recvmsg");

	return loses(fd, ECONNRESET) ? -1 : next(fd, m, flags);
}

/* A request as the library sends it: its header, what it asks, and more. */
ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	const struct proto_header *h = m->msg_iovlen ? m->msg_iov[0].iov_base : NULL;
	struct proto_hypercall *call;
	NEXT(ssize_t, "sendmsg");

	if (h && m->msg_iovlen > 1 && m->msg_iov[0].iov_len == sizeof(*h) && h->type == PROTO_HYPERCALL &&
	    m->msg_iov[1].iov_len == sizeof(*call) && fails(HYPERCALL, 0)) {
		call = m->msg_iov[1].iov_base;
		call->op = 63;
	}
	return loses(fd, EPIPE) ? -1 : next(fd, m, flags);
}
