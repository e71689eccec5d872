/* SPDX-License-Identifier: MIT */
/*
 * libxml2 by way of a table. With what it needs (ICU, the C++ runtime) it takes a third of the time in which a command
 * starts, and few commands read XML: libpvctl.so loads it with the first. The archive is linked with it.
 */
#ifndef XML_LIBXML2_H
#define XML_LIBXML2_H

#include "libpvctl.h"
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlerror.h>

#define LIBXML2_FUNCTIONS(x) \
	x(xmlCtxtGetLastError) x(xmlCtxtReadMemory) x(xmlDocGetRootElement) x(xmlFreeDoc) x(xmlFreeParserCtxt) x(xmlGetLineNo) \
	x(xmlGetNoNsProp) x(xmlHasNsProp) x(xmlNewParserCtxt) x(xmlNodeGetContent)

#define LIBXML2_MEMBER(name) __typeof__(name) *name;
struct libxml2 {
	LIBXML2_FUNCTIONS(LIBXML2_MEMBER)
	xmlFreeFunc *free; /* a variable, which a program may set */
};
#undef LIBXML2_MEMBER

/* Before the first use. -ENOSYS: it is not installed. Any thread. */
int libxml2_load(struct pvctl_error *err);
extern struct libxml2 libxml2;

#endif
