/* SPDX-License-Identifier: MIT */
/*
 * A channel: a console's ring (xen/io/console.h) beside the domain's own, whose
 * bytes go to a pty or to the one client of a Unix socket. Nothing is kept here but
 * a ringful: who writes faster than the other side reads waits. A Linux guest waits
 * with its vCPU spinning, so that it must not wait for ever: without a client, or
 * when the reader has taken nothing for a second, what the guest writes is dropped.
 */
#ifndef CHANNEL_CHANNEL_H
#define CHANNEL_CHANNEL_H

#include "libpvctl/src/device/channel_spec.h"
#include "pvctld/backend/device.h"
#include "pvctld/backend/grants.h"
#include "pvctld/backend/xenbus.h"
#include <sys/types.h>
#include <xen/io/console.h>

#define CHANNEL_BUFFER 2048u

/* What ready() tells: a new client is there (what is left for the last one is not for it), it can be written to. */
enum { CHANNEL_NEW_CLIENT = 1, CHANNEL_WRITABLE = 2 };

/* The host's side. */
struct channel_host {
	struct loop *loop;
	struct loop_fd peer;      /* the pty's master, or the client; fd -1: nobody */
	struct loop_fd listener;  /* fd -1: a pty, or a client is there */
	struct loop_timer pause;  /* of that: there was no descriptor for a client */
	int listen_fd, slave_fd;  /* -1: none */
	char path[CHANNEL_PATH_MAX + 1]; /* of the pty, or of the socket */
	uint64_t id[2];           /* of the socket's file, so that another's is not removed: device, inode */
	char spec[CHANNEL_SPEC_MAX + 1];
	void (*ready)(void *data, unsigned int what);
	void *data;
};
/* host.c; 0 or -errno with *err. Nothing is left on failure. */
int channel_host_open(struct channel_host *h, struct loop *loop, const struct channel_spec *s, struct pvctl_error *err);
void channel_host_close(struct channel_host *h);
/* The spawner's part. */
int channel_open_pty(int *ret_master, int *ret_slave, char *path, size_t size);
int channel_open_socket(const char *path, int *ret_fd, uint64_t ret_id[2], struct pvctl_error *err);
void channel_remove_socket(const char *path, const uint64_t id[2]);
/* Bytes taken, 0: not now. */
size_t channel_host_write(struct channel_host *h, const void *bytes, size_t len);
size_t channel_host_read(struct channel_host *h, void *bytes, size_t max);
/* ready() is called when it can. */
void channel_host_want(struct channel_host *h, bool read, bool write);

struct channel {
	struct xenbus_dev x;
	struct channel_spec spec;
	struct channel_host host;
	struct gnt_window window;
	uint32_t ref, port;
	struct loop_task task;
	struct loop_timer patience;
	bool stalled;             /* the reader has taken nothing for too long */
	char out[CHANNEL_BUFFER]; /* from the guest */
	size_t out_at, out_len;
};

static inline struct channel *channel_of(struct xenbus_dev *x)
{
	return list_entry(x, struct channel, x);
}

/* stream.c */
int channel_connect(struct xenbus_dev *x);
bool channel_disconnect(struct xenbus_dev *x);
bool channel_quiesce(struct xenbus_dev *x);
void channel_thaw(struct xenbus_dev *x);
void channel_host_ready(void *channel, unsigned int what);
void channel_impatient(void *channel);
void channel_serve(void *channel);

extern const struct device_class channel_class;

#endif
