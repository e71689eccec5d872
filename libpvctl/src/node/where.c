/* SPDX-License-Identifier: MIT */
#include "libpvctl.h"
#include "util/grow.h"
#include "util/paths.h"
#include <string.h>

static void find(const char *tool, char *buf, size_t len)
{
	if (paths_find_tool(tool, buf, len))
		buf[0] = '\0';
}

int pvctl_paths_get(const char *node, struct pvctl_paths *ret, struct pvctl_error *err)
{
	struct pvctl_paths p = { 0 };
	int rc = grow_check(ret, err);

	rc = rc ? rc : paths_run_base(p.run_base, sizeof(p.run_base), err);
	rc = rc ? rc : paths_check_way(p.run_base, err);
	rc = rc ? rc : paths_run_dir(node, p.run_dir, sizeof(p.run_dir), err);
	rc = rc ? rc : paths_state_dir(node, p.state_dir, sizeof(p.state_dir), err);
	rc = rc ? rc : paths_cache_dir(p.cache_dir, sizeof(p.cache_dir), err);
	if (rc)
		return rc;
	find("pvctld", p.daemon, sizeof(p.daemon));
	find("xen-like-hv.elf", p.hypervisor, sizeof(p.hypervisor));
	grow_out(ret, &p, sizeof(p));
	return 0;
}
