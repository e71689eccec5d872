/* SPDX-License-Identifier: MIT */
/* A configuration as JSON: our keys, and beside them the places where libxl has them, which programs made for xl look up. */
#ifndef PVCTL_LIBXL_JSON_H
#define PVCTL_LIBXL_JSON_H

#include "pvctl/cmd.h"
#include "pvctl/json.h"

/* key NULL: the document itself. config NULL: there is none, and the name is info's. info may be NULL when config is not. */
void json_config(struct json *j, const char *key, const struct pvctl_config *config, const struct pvctl_domain_info *info);

#endif
