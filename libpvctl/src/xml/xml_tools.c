/* SPDX-License-Identifier: MIT */
#include "util/err.h"
#include "xml/xml_in.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void xml_no_memory(struct xml_in *x)
{
	if (x->rc != -ENOMEM)
		x->rc = err_nomem(x->err);
}

void xml_say(struct xml_in *x, int level, const xmlNode *n, const char *fmt, ...)
{
	const struct pvctl_parse_opts *o = x->opts;
	const char *file = o->file ? o->file : "<text>";
	uint32_t line = n ? (uint32_t)libxml2.xmlGetLineNo((xmlNode *)n) : 1;
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (level == 1 && o->strict)
		level = 0;
	if (o->message) {
		struct pvctl_parse_message m = { .size = sizeof(m), .level = level, .line = line, .column = 1, .file = file,
			.text = text, .source_line = "" };

		o->message(o->data, &m);
	}
	if (level == 0 && !x->rc)
		x->rc = err_set(x->err, -EINVAL, PVCTL_ORIGIN_LIB, "%s:%u: %s", file, line, text);
}

static const struct xml_rule *rule_of(const struct xml_rule *rules, const char *name)
{
	for (; rules->name; rules++)
		if (!strcmp(rules->name, name))
			return rules;
	return NULL;
}

void xml_children(struct xml_in *x, xmlNode *n, const struct xml_rule *rules)
{
	for (xmlNode *c = n->children; c && x->rc != -ENOMEM; c = c->next) {
		const char *name = (const char *)c->name;
		const struct xml_rule *r;

		if (c->type != XML_ELEMENT_NODE)
			continue;
		r = c->ns && c->ns->prefix ? NULL : rule_of(rules, name);
		if (c->ns && c->ns->prefix)
			xml_say(x, 0, c, "<%.40s:%.40s>: what it hands through to another hypervisor cannot be done here",
			        (const char *)c->ns->prefix, name);
		else if (!r)
			xml_say(x, 1, c, "<%.60s> in <%.60s> is not known: left out", name, (const char *)n->name);
		else if (r->refused)
			xml_say(x, 0, c, "<%s>: %s", name, r->refused);
		else if (r->take)
			r->take(x, c);
	}
}

xmlNode *xml_child(xmlNode *n, const char *name)
{
	for (xmlNode *c = n->children; c; c = c->next)
		if (c->type == XML_ELEMENT_NODE && !strcmp((const char *)c->name, name))
			return c;
	return NULL;
}

/* Kept until the end. */
static const char *own(struct xml_in *x, xmlChar *text)
{
	xmlChar **more = text ? realloc(x->owned, (x->n_owned + 1) * sizeof(*more)) : NULL;

	if (!more) {
		(*libxml2.free)(text);
		xml_no_memory(x);
		return NULL;
	}
	x->owned = more;
	x->owned[x->n_owned++] = text;
	return (const char *)text;
}

const char *xml_attr(struct xml_in *x, xmlNode *n, const char *name)
{
	if (!n || !libxml2.xmlHasNsProp(n, (const xmlChar *)name, NULL))
		return NULL;
	return own(x, libxml2.xmlGetNoNsProp(n, (const xmlChar *)name));
}

const char *xml_text(struct xml_in *x, xmlNode *n)
{
	xmlChar *all = libxml2.xmlNodeGetContent(n);
	char *text = (char *)own(x, all);
	size_t len;

	if (!text)
		return "";
	while (isspace((unsigned char)*text))
		text++;
	for (len = strlen(text); len && isspace((unsigned char)text[len - 1]); len--)
		;
	text[len] = '\0';
	return text;
}

bool xml_number(struct xml_in *x, xmlNode *n, const char *text, int64_t max, int64_t *ret)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || v > max) {
		xml_say(x, 0, n, "<%s>: \"%.40s\" is no number from 0 to %lld", (const char *)n->name, text, (long long)max);
		return false;
	}
	*ret = v;
	return true;
}

static void set_failed(struct xml_in *x, xmlNode *n, int rc, const struct pvctl_error *err)
{
	if (rc == -ENOMEM)
		xml_no_memory(x);
	else if (rc)
		xml_say(x, 0, n, "%s", err->msg);
}

void xml_set(struct xml_in *x, xmlNode *n, const char *key, const char *value)
{
	struct pvctl_error err = { 0 };

	set_failed(x, n, pvctl_config_set_str(x->config, key, value, &err), &err);
}

void xml_set_number(struct xml_in *x, xmlNode *n, const char *key, int64_t value)
{
	struct pvctl_error err = { 0 };

	set_failed(x, n, pvctl_config_set_int(x->config, key, value, &err), &err);
}
