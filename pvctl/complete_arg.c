/* SPDX-License-Identifier: MIT */
/* What an argument can be, by the name that the tables give it. Nothing is started, and nothing is said when there is no node. */
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "pvctl/complete.h"

struct offer { const char *prefix, *cur; };

static struct pvctl *open_quietly(void)
{
	struct pvctl_open_opts opts = { .size = sizeof(opts), .node = globals.node };
	struct pvctl *ctx;

	return pvctl_open(&opts, &ctx, NULL) ? NULL : ctx;
}

static void domains(const struct offer *o, const char *unused)
{
	const struct pvctl_domain_info *d;
	struct pvctl_domain_list *list;
	struct pvctl *ctx = open_quietly();

	if (ctx && !pvctl_domain_list(ctx, &list, NULL)) {
		for (size_t i = 0; (d = pvctl_domain_list_at(list, i)); i++)
			if (d->domid)
				complete_offer(o->prefix, o->cur, d->name, state_name(d->state));
		pvctl_domain_list_free(list);
	}
	pvctl_close(ctx);
}

static void defined(const struct offer *o, const char *unused)
{
	const struct pvctl_defined_info *d;
	struct pvctl_defined_list *list;

	if (pvctl_defined_list(globals.node, &list, NULL))
		return;
	for (size_t i = 0; (d = pvctl_defined_list_at(list, i)); i++)
		complete_offer(o->prefix, o->cur, d->name, d->autostart ? "starts with its node" : "");
	pvctl_defined_list_free(list);
}

static void nodes(const struct offer *o, const char *unused)
{
	const struct pvctl_node_info *n;
	struct pvctl_node_list *list;

	if (pvctl_node_list(&list, NULL))
		return;
	for (size_t i = 0; (n = pvctl_node_list_at(list, i)); i++)
		complete_offer(o->prefix, o->cur, n->name, n->running ? "running" : "stopped");
	pvctl_node_list_free(list);
}

static bool domid_of(struct pvctl *ctx, const char *arg, uint32_t *ret)
{
	return ctx && arg && (!parse_u32(arg, 0, 0x7fef, ret) || !pvctl_domain_lookup(ctx, arg, ret, NULL));
}

static void disks(const struct offer *o, const char *domain)
{
	struct pvctl *ctx = open_quietly();
	const struct pvctl_disk_info *d;
	struct pvctl_disk_list *list;
	uint32_t domid;

	if (domid_of(ctx, domain, &domid) && !pvctl_disk_list(ctx, domid, &list, NULL)) {
		for (size_t i = 0; (d = pvctl_disk_list_at(list, i)); i++)
			complete_offer(o->prefix, o->cur, d->name, d->target);
		pvctl_disk_list_free(list);
	}
	pvctl_close(ctx);
}

static void vifs(const struct offer *o, const char *domain)
{
	struct pvctl *ctx = open_quietly();
	const struct pvctl_vif_info *v;
	struct pvctl_vif_list *list;
	char id[12], mac[18];
	uint32_t domid;

	if (domid_of(ctx, domain, &domid) && !pvctl_vif_list(ctx, domid, &list, NULL)) {
		for (size_t i = 0; (v = pvctl_vif_list_at(list, i)); i++) {
			snprintf(id, sizeof(id), "%u", v->devid);
			snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2], v->mac[3], v->mac[4],
				 v->mac[5]);
			complete_offer(o->prefix, o->cur, id, mac);
			if (strchr(o->cur, ':'))
				complete_offer(o->prefix, o->cur, mac, "");
		}
		pvctl_vif_list_free(list);
	}
	pvctl_close(ctx);
}

static void snapshots(const struct offer *o, const char *domain)
{
	const struct pvctl_snapshot_info *s;
	struct pvctl_snapshot_list *list;

	if (!domain || pvctl_snapshot_list(globals.node, domain, &list, NULL))
		return;
	for (size_t i = 0; (s = pvctl_snapshot_list_at(list, i)); i++)
		complete_offer(o->prefix, o->cur, s->name, s->description);
	pvctl_snapshot_list_free(list);
}

static void files(const struct offer *o, const char *unused)
{
	complete_files();
}

static void domains_and_files(const struct offer *o, const char *unused)
{
	domains(o, unused);
	complete_files();
}

static void keys(const struct offer *o, const char *unused)
{
	const struct cfg_key *k;
	char word[80];

	for (size_t i = 0; (k = cfg_key_at(i)); i++) {
		snprintf(word, sizeof(word), "%s=", k->name);
		if (k->status == CFG_STATUS_SUPPORTED)
			complete_offer(o->prefix, o->cur, word, k->help);
	}
}

static void command_names(const struct offer *o, const char *unused)
{
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->group)
			complete_offer(o->prefix, o->cur, commands[i]->name, commands[i]->summary);
}

static void words(const struct offer *o, const char *list)
{
	char word[40];

	while (*list) {
		size_t len = strcspn(list, " ");

		snprintf(word, sizeof(word), "%.*s", (int)len, list);
		complete_offer(o->prefix, o->cur, word, "");
		list += len + (list[len] == ' ');
	}
}

static const struct {
	const char *arg, *option;  /* either may be NULL: any */
	void (*offer)(const struct offer *o, const char *what);
	const char *words;         /* NULL: what is the command's first argument */
} kinds[] = {
	{ NULL, "accel", words, "auto kvm tcg" },
	{ NULL, "sort", words, "id name cpu time mem net disk" },
	{ NULL, "columns", words, "name id uuid state reason mem maxmem vcpus maxvcpus time" },
	{ "FORM", NULL, words, "cfg json" },
	{ NULL, "format", words, "table json csv" },
	{ NULL, "for", words, "running shutdown gone memory console: device:" },
	{ NULL, "node", nodes, NULL },
	{ "DOMAIN", NULL, domains, NULL }, { "DEFINED", NULL, defined, NULL }, { "NODE", NULL, nodes, NULL },
	{ "FILE", NULL, files, NULL }, { "DIR", NULL, files, NULL }, { "DIRECTORY", NULL, files, NULL }, { "TARGET", NULL, files, NULL },
	{ "NEWFILE", NULL, files, NULL }, { "FILE|DOMAIN", NULL, domains_and_files, NULL },
	{ "SNAPSHOT", NULL, snapshots, NULL }, { "VDEV", NULL, disks, NULL }, { "DEVID|MAC", NULL, vifs, NULL },
	{ "KEY=VALUE", NULL, keys, NULL }, { "COMMAND", NULL, command_names, NULL },
	{ "on|off", NULL, words, "on off" }, { "SHELL", NULL, words, "bash zsh fish" }, { "TYPE", NULL, words, "pv" },
	{ "VCPU|all", NULL, words, "all" },
	{ "SPEC", "block-attach", words, "target= format=raw format=qcow2 format=vhd vdev= access=rw access=ro script= cdrom" },
};

void complete_argument(const char *name, const char *option, const char *prefix, const char *cur, const char *first)
{
	struct offer o = { prefix, cur };
	char plain[80];
	size_t n = 0;

	/* "[DOMAIN" and "SPEC..." are the same thing as without. */
	for (const char *p = name; *p && n + 1 < sizeof(plain); p++)
		if (!strchr("[].", *p))
			plain[n++] = *p;
	plain[n] = '\0';
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if ((kinds[i].arg && strcmp(kinds[i].arg, plain)) || (kinds[i].option && (!option || strcmp(kinds[i].option, option))))
			continue;
		kinds[i].offer(&o, kinds[i].words ? kinds[i].words : first);
		return;
	}
}
