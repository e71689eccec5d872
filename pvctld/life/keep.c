/* SPDX-License-Identifier: MIT */
/*
 * A domain that restarts has what mem-set and vcpu-set gave it last, as with
 * xl: its nodes in the store say so, which only domain 0 can write. They are
 * read when it has shut down, before its nodes go.
 */
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/life/policy.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VCPUS 32u

/* Whole MiB, rounded up as its guest has that much; 0: there is none. */
static int64_t read_mib(const struct dom *dom, const char *node)
{
	char path[80], *text, *end;
	unsigned long long kib;

	snprintf(path, sizeof(path), "/local/domain/%u/memory/%s", dom->domid, node);
	text = store_read(dom->d->store, path, NULL);
	if (!text)
		return 0;
	errno = 0;
	kib = strtoull(text, &end, 10);
	if (errno || end == text || *end || kib > 1ull << 40)
		kib = 0;
	free(text);
	return (int64_t)((kib + 1023) >> 10);
}

static int64_t read_vcpus(const struct dom *dom)
{
	char path[80], *text;
	int64_t n = 0;
	bool online;

	for (unsigned int i = 0; i < MAX_VCPUS; i++) {
		snprintf(path, sizeof(path), "/local/domain/%u/cpu/%u/availability", dom->domid, i);
		text = store_read(dom->d->store, path, NULL);
		online = text && !strcmp(text, "online");
		free(text);
		if (!online)
			break;
		n++;
	}
	return n;
}

static int64_t int_or(const struct pvctl_config *c, const char *key, int64_t otherwise)
{
	int64_t v;

	return pvctl_config_get_int(c, key, &v) ? otherwise : v;
}

/* A value and the most that it may become, which its absence would derive from the value. 1: changed. */
static int set_pair(struct pvctl_config *c, const char *key, int64_t value, const char *max_key, int64_t max,
		    struct pvctl_error *err)
{
	int rc = pvctl_config_set_int(c, max_key, max, err);

	rc = rc ? rc : pvctl_config_set_int(c, key, value, err);
	return rc ? rc : 1;
}

/* 1: changed. */
static int set_sizes(const struct dom *dom, struct pvctl_config *c, struct pvctl_error *err)
{
	int64_t memory = read_mib(dom, "target"), max = read_mib(dom, "static-max");
	int64_t vcpus = read_vcpus(dom), most = int_or(c, "maxvcpus", int_or(c, "vcpus", 1));
	int rc = 0, changed = 0;

	if (memory > 0 && memory != int_or(c, "memory", 0))
		changed = rc = set_pair(c, "memory", memory, "maxmem", max < memory ? memory : max, err);
	if (rc >= 0 && vcpus > 0 && vcpus <= most && vcpus != int_or(c, "vcpus", most))
		changed = rc = set_pair(c, "vcpus", vcpus, "maxvcpus", most, err);
	return rc < 0 ? rc : changed;
}

void policy_keep_sizes(struct dom *dom)
{
	struct pvctl_config *config = NULL;
	struct pvctl_error e = { 0 };
	char *json = NULL, *copy;
	int rc;

	if (!dom->config)
		return;
	rc = pvctl_config_from_json(dom->config, &config, &e);
	rc = rc ? rc : set_sizes(dom, config, &e);
	if (rc > 0) {
		rc = pvctl_config_to_json(config, &json, &e);
		copy = rc ? NULL : strdup(json);
		if (copy) {
			free(dom->config);
			dom->config = copy;
			rc = dom_update_config(dom, &e);
		} else if (!rc) {
			rc = fail(&e, -ENOMEM, "no memory");
		}
	}
	if (rc < 0)
		log_line("domain \"%s\" restarts with the memory and vCPUs of its configuration: %s", dom->name, e.msg);
	pvctl_free(json);
	pvctl_config_free(config);
}
