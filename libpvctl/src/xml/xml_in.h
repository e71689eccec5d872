/* SPDX-License-Identifier: MIT */
/* libvirt's domain format, read: what its files share. Untrusted: no DTD, no network, bounds on size and depth. */
#ifndef XML_IN_H
#define XML_IN_H

#include "ctx/ctx.h"
#include "util/buf.h"
#include "xml/libxml2.h"
#include <stdbool.h>

#define XML_TEXT_MAX (1024u * 1024)
#define XML_DEPTH_MAX 32u
#define XML_DEVICES_MAX 256u
#define XML_PINS_MAX 32u

struct xml_list { char *item[XML_DEVICES_MAX]; size_t n; };
struct xml_in {
	const struct pvctl_parse_opts *opts;
	struct pvctl_config *config;
	struct pvctl_error *err;
	int rc;                         /* of what was wrong first */
	xmlChar **owned;                /* texts of the document */
	size_t n_owned;
	struct buf cpuid;               /* the text that its <feature>s make */
	struct xml_list disks, vifs, channels;
	uint64_t memory_mib, current_mib; /* 0: not there */
	int64_t vcpus, current_vcpus;
	const char *cpuset, *pin[XML_PINS_MAX];
};

/* What is done with an element of a name. Neither a function nor a reason: it has no meaning for a PV guest, or is libvirt's own. */
struct xml_rule {
	const char *name;
	void (*take)(struct xml_in *x, xmlNode *n);
	const char *refused;            /* it would change what the guest gets */
};

/* level: 0 error, 1 warning, 2 note */
void xml_say(struct xml_in *x, int level, const xmlNode *n, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void xml_no_memory(struct xml_in *x);
/* By rules, which end with a row without a name; what has no rule is warned of. */
void xml_children(struct xml_in *x, xmlNode *n, const struct xml_rule *rules);
xmlNode *xml_child(xmlNode *n, const char *name);
/* Borrowed; NULL: not there, or n is NULL. */
const char *xml_attr(struct xml_in *x, xmlNode *n, const char *name);
/* Without the white space around it; "" where there is none. */
const char *xml_text(struct xml_in *x, xmlNode *n);
bool xml_number(struct xml_in *x, xmlNode *n, const char *text, int64_t max, int64_t *ret);
void xml_set(struct xml_in *x, xmlNode *n, const char *key, const char *value);
void xml_set_number(struct xml_in *x, xmlNode *n, const char *key, int64_t value);

void xml_take_devices(struct xml_in *x, xmlNode *n);

#endif
