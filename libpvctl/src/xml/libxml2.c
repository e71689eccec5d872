/* SPDX-License-Identifier: MIT */
/* LIBXML2_SO: the name of the library to load. Without it, what we are linked with. */
#include "xml/libxml2.h"
#include "util/err.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#ifdef LIBXML2_SO
struct libxml2 libxml2;
static char why[200]; /* "": it is there */

static void load(void)
{
	/* Never closed: what it knows of threads and encodings is not given up by everything. */
	void *so = dlopen(LIBXML2_SO, RTLD_NOW | RTLD_LOCAL);
	bool all = so != NULL;

#define LOOK_UP(name) \
	all = all && (libxml2.name = (__typeof__(name) *)dlsym(so, #name)) != NULL;
	LIBXML2_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
	all = all && (libxml2.free = (xmlFreeFunc *)dlsym(so, "xmlFree")) != NULL;
	if (!all) {
		const char *text = dlerror();

		snprintf(why, sizeof(why), "%s", text ? text : LIBXML2_SO);
	}
}

int libxml2_load(struct pvctl_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return why[0] ? err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "XML needs libxml2: %s", why) : 0;
}
#else
#define LINKED(name) .name = name,
struct libxml2 libxml2 = { LIBXML2_FUNCTIONS(LINKED) .free = &xmlFree };

int libxml2_load(struct pvctl_error *err)
{
	return 0;
}
#endif
