/* SPDX-License-Identifier: MIT */
/* pvctl network-attach, network-detach, network-list */
#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/libxl_json.h"
#include "pvctl/term.h"

static int put_dry(struct json *j, const char *text, struct pvctl_error *err)
{
	return json_nic(j, text, -1, err);
}

static int run_attach(const struct command *cmd, const struct parsed *in)
{
	return globals.dry_run ? attach_device_dry(cmd, in, "vif", put_dry) : attach_device(cmd, in, pvctl_vif_attach);
}

const struct command cmd_network_attach = {
	.name = "network-attach", .args = "DOMAIN [SPEC...]", .summary = "Give a network interface to a running domain",
	.example = "  pvctl network-attach web1\n  pvctl network-attach web1 bridge=lan mac=00:16:3e:01:02:03",
	.args_min = 1, .args_max = -1, .can_dry_run = true, .run = run_attach,
};

enum { OPT_FORCE };
static const struct option_def detach_options[] = {
	[OPT_FORCE] = { 0, "force", NULL, "do not wait for the guest to let go of it" },
	{ 0 }
};

static int run_detach(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_vif_detach_opts o = { .size = sizeof(o), .force = in->count[OPT_FORCE] > 0 || globals.force };
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = node_open();
	uint32_t domid;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = domain_resolve(ctx, in->argv[0], &domid);
	if (rc)
		goto out;
	interrupts_say("%s", "the guest may still let go of the interface");
	progress_begin("waiting for the guest to let go");
	rc = pvctl_vif_detach(ctx, domid, in->argv[1], &o, &err);
	progress_end();
	interrupts_quiet();
	if (rc)
		rc = fail("network-detach", in->argv[1], &err);
out:
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_network_detach = {
	.name = "network-detach", .args = "DOMAIN DEVID|MAC", .summary = "Take a network interface away from a running domain",
	.example = "  pvctl network-detach web1 0\n  pvctl network-detach web1 00:16:3e:01:02:03",
	.options = detach_options, .args_min = 2, .args_max = 2, .run = run_detach,
};

enum { OPT_JSON };
static const struct option_def list_options[] = {
	[OPT_JSON] = { 0, "json", NULL, "the table as JSON, with what was sent and received" },
	{ 0 }
};

static void mac_text(const struct pvctl_vif_info *v, char buf[18])
{
	snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
}

static void vif_json(struct json *j, const struct pvctl_vif_info *v)
{
	char mac[18];

	mac_text(v, mac);
	json_map(j, NULL);
	json_u64(j, "domid", v->domid);
	json_u64(j, "devid", v->devid);
	json_str(j, "mac", mac);
	json_u64(j, "state", v->state);
	json_i32(j, "tx_event_channel", v->tx_event_channel);
	json_i32(j, "tx_ring_ref", v->tx_ring_ref);
	json_i32(j, "rx_ring_ref", v->rx_ring_ref);
	json_str(j, "link", v->link);
	json_str(j, "bridge", v->bridge);
	json_u64(j, "mtu", v->mtu);
	json_u64(j, "queues", v->queues);
	json_str(j, "backend_path", v->backend_path);
	json_u64(j, "tx_bytes", v->tx_bytes);
	json_u64(j, "tx_packets", v->tx_packets);
	json_u64(j, "tx_drops", v->tx_drops);
	json_u64(j, "tx_gso_packets", v->tx_gso_packets);
	json_u64(j, "rx_bytes", v->rx_bytes);
	json_u64(j, "rx_packets", v->rx_packets);
	json_u64(j, "rx_drops", v->rx_drops);
	json_u64(j, "rx_gso_packets", v->rx_gso_packets);
	json_end_map(j);
}

static void vif_line(const struct pvctl_vif_info *v)
{
	char mac[18];

	mac_text(v, mac);
	printf("%-3u %-2d %-17s %-6u %-5u %-6d %5d/%-11d %-30s\n", v->devid, 0, mac, v->devid, v->state, v->tx_event_channel,
	       v->tx_ring_ref, v->rx_ring_ref, v->backend_path);
}

static int list_of(struct pvctl *ctx, const char *arg, struct json *j)
{
	struct pvctl_error err = { 0 };
	struct pvctl_vif_list *l;
	uint32_t domid;
	int rc = domain_resolve(ctx, arg, &domid);

	if (rc)
		return rc;
	if (pvctl_vif_list(ctx, domid, &l, &err))
		return fail("network-list", arg, &err);
	for (size_t i = 0; i < pvctl_vif_list_count(l); i++) {
		if (j)
			vif_json(j, pvctl_vif_list_at(l, i));
		else
			vif_line(pvctl_vif_list_at(l, i));
	}
	pvctl_vif_list_free(l);
	return 0;
}

static void list_header(void)
{
	printf("%-3s %-2s %-17s %-6s %-5s %-6s %5s/%-11s %-30s\n", "Idx", "BE", "Mac Addr.", "handle", "state", "evt-ch",
	       "tx-", "rx-ring-ref", "BE-path");
}

static int run_list(const struct command *cmd, const struct parsed *in)
{
	return list_devices(in, in->count[OPT_JSON] > 0, "vifs", list_header, list_of);
}

const struct command cmd_network_list = {
	.name = "network-list", .args = "DOMAIN...", .summary = "Show the network interfaces of domains",
	.example = "  pvctl network-list web1",
	.options = list_options, .args_min = 1, .args_max = -1, .run = run_list,
};
