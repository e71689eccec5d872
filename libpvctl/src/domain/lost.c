/* SPDX-License-Identifier: MIT */
#include "domain/private.h"
#include "util/err.h"
#include <string.h>
#include <time.h>
#include <uuid/uuid.h>

/* Another daemon takes over in much less. */
#define LOST_NS 20000000000ull
#define LOST_STEP_NS 50000000

static int end_it(struct pvctl *ctx, const uuid_t uuid)
{
	const struct pvctl_domain_info *d;
	struct pvctl_domain_list *list;
	int rc = pvctl_domain_list(ctx, &list, NULL);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && (d = pvctl_domain_list_at(list, i)); i++)
		if (d->domid && !memcmp(d->uuid, uuid, sizeof(d->uuid)))
			rc = pvctl_domain_destroy(ctx, d->domid, NULL, NULL);
	pvctl_domain_list_free(list);
	return rc;
}

static int look(const struct pvctl *ctx, const uuid_t uuid)
{
	struct pvctl *again;
	int rc = ctx_open_again(ctx, &again, NULL);

	/* A node that is gone has taken it along. */
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = end_it(again, uuid);
	pvctl_close(again);
	return rc;
}

int domain_end_lost(const struct pvctl *ctx, const struct pvctl_config *config, int rc)
{
	uint64_t end = ctx_now_ns() + LOST_NS;
	uuid_t uuid;

	if (rc != -EIO || !pvctl_config_get_str(config, "uuid") || uuid_parse(pvctl_config_get_str(config, "uuid"), uuid))
		return 0;
	while ((rc = look(ctx, uuid)) && ctx_now_ns() < end)
		nanosleep(&(struct timespec){ .tv_nsec = LOST_STEP_NS }, NULL);
	return rc;
}
