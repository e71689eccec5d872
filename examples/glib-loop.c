/* SPDX-License-Identifier: MIT */
/*
 * glib-loop DOMAIN: libpvctl inside glib's main loop, as in a program with a window. The events are a source of the loop;
 * what the domains use is looked at by a timer. Ends when the domain is gone.
 */
#include <glib-unix.h>
#include <libpvctl.h>

struct app {
	GMainLoop *loop;
	struct pvctl *ctx;
	struct pvctl_events *events;
	struct pvctl_error err;
	char *name;
	gboolean failed;
};

static gboolean quit(gpointer data)
{
	struct app *a = data;

	g_main_loop_quit(a->loop);
	return G_SOURCE_REMOVE;
}

static gboolean fail(struct app *a)
{
	a->failed = TRUE;
	return quit(a);
}

/* All that is there. To the loop a context is like any object that is no thread's but the loop's. */
static gboolean on_events(gint fd, GIOCondition condition, gpointer data)
{
	struct app *a = data;
	struct pvctl_event e = { .size = sizeof(e) };
	int rc;

	(void)fd, (void)condition;
	while ((rc = pvctl_events_next(a->events, &e, &a->err)) == 1) {
		g_print("event %u domain %u %s\n", e.type, e.domid, e.name);
		if (e.type == PVCTL_EVENT_NODE_DOWN ||
		    (e.type == PVCTL_EVENT_DESTROYED && g_str_equal(e.name, a->name)))
			return quit(a);
	}
	return rc < 0 ? fail(a) : G_SOURCE_CONTINUE;
}

/* The snapshot is there before the descriptor says so. */
static gboolean on_start(gpointer data)
{
	on_events(-1, G_IO_IN, data);
	return G_SOURCE_REMOVE;
}

static gboolean on_timer(gpointer data)
{
	struct app *a = data;
	struct pvctl_domain_list *list;
	const struct pvctl_domain_info *d;

	if (pvctl_domain_list(a->ctx, &list, &a->err))
		return fail(a);
	for (size_t i = 0; (d = pvctl_domain_list_at(list, i)); i++)
		g_print("%s: %.1f s of CPU time, %" G_GUINT64_FORMAT " MiB\n", d->name, (double)d->cpu_ns / 1e9,
			d->memory_bytes >> 20);
	pvctl_domain_list_free(list);
	return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
	struct app a = { .loop = g_main_loop_new(NULL, FALSE) };

	if (argc != 2) {
		g_printerr("usage: glib-loop DOMAIN\n");
		return 2;
	}
	a.name = argv[1];
	if (pvctl_open(NULL, &a.ctx, &a.err) || pvctl_events_open(a.ctx, PVCTL_EVENT_ALL, &a.events, &a.err)) {
		a.failed = TRUE;
	} else {
		g_unix_fd_add(pvctl_events_fd(a.events), G_IO_IN | G_IO_HUP, on_events, &a);
		g_idle_add(on_start, &a);
		g_timeout_add_seconds(1, on_timer, &a);
		g_unix_signal_add(SIGINT, quit, &a);
		g_unix_signal_add(SIGTERM, quit, &a);
		g_main_loop_run(a.loop);
	}
	if (a.failed)
		g_printerr("glib-loop: %s\n", a.err.msg);
	pvctl_events_close(a.events);
	pvctl_close(a.ctx);
	g_main_loop_unref(a.loop);
	return a.failed;
}
