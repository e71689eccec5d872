/* SPDX-License-Identifier: MIT */
/* The store's wire format, as a hostile guest speaks it: any bytes on the ring. */
#include "pvctld/store/store.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void output(void *conn, const void *bytes, size_t len) { (void)conn, (void)bytes, (void)len; }
static void broken(void *conn, const char *why) { (void)conn, (void)why; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct store_conn_ops ops = { .output = output, .broken = broken };
	const char *perms[] = { "n5" };
	struct store *s = store_new(NULL, NULL, NULL);
	struct store_conn *c = store_conn_new(s, 5, &ops, NULL), *zero = store_conn_new(s, 0, &ops, NULL);

	store_mkdir(s, "/local/domain/5");
	store_set_perms(s, "/local/domain/5", perms, 1);
	store_domain_introduced(s, 5);
	/* The first byte chooses the connection; the rest comes in odd portions. */
	for (size_t at = 1; at < size; at += 13) {
		store_conn_input(data[0] & 1 ? zero : c, data + at, size - at < 13 ? size - at : 13);
		store_go_on(s);
		store_conn_backlog(c, 0);
		store_conn_backlog(zero, 0);
	}
	store_domain_released(s, 5);
	store_free(s);
	return 0;
}
