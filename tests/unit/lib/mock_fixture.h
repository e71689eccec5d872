/* SPDX-License-Identifier: MIT */
/* The mock node, opened, with a kernel and a ramdisk to start domains from. */
#ifndef MOCK_FIXTURE_H
#define MOCK_FIXTURE_H

#include "domain/private.h"
#include "elf_maker.h"
#include "transport/mock.h"
#include "util/fd.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

static struct pvctl_error err;
static struct transport *t;
static struct pvctl *ctx;
static char dir[64], kernel[100], ramdisk[100];

static void setup(void)
{
	struct pvctl_open_opts o = { .size = sizeof(o) };
	uint8_t rd[10000];
	struct iovec v = { rd, sizeof(rd) };
	size_t len;
	uint8_t *elf = make_elf(&linux_like, &len);

	strcpy(dir, "/tmp/pvctl-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("PVCTL_CACHE_DIR", dir, 1);
	memset(rd, 'r', sizeof(rd));
	ck_assert_int_eq(fd_write_atomic(dir, "initrd", &v, 1), 0);
	v = (struct iovec){ elf, len };
	ck_assert_int_eq(fd_write_atomic(dir, "vmlinux", &v, 1), 0);
	snprintf(kernel, sizeof(kernel), "%s/vmlinux", dir);
	snprintf(ramdisk, sizeof(ramdisk), "%s/initrd", dir);
	free(elf);
	t = transport_open_mock();
	ck_assert_int_eq(ctx_new(t, &o, &ctx, &err), 0);
}

static void teardown(void)
{
	char cmd[100];

	pvctl_close(ctx);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

#endif
