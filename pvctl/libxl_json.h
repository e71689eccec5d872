/* SPDX-License-Identifier: MIT */
/* A configuration as JSON: our keys, and beside them the places where libxl has them, which programs made for xl look up. */
#ifndef PVCTL_LIBXL_JSON_H
#define PVCTL_LIBXL_JSON_H

#include "pvctl/cmd.h"
#include "pvctl/json.h"

/* key NULL: the document itself. config NULL: there is none, and the name is info's. info may be NULL when config is not. */
void json_config(struct json *j, const char *key, const struct pvctl_config *config, const struct pvctl_domain_info *info);
/* What one text of the key disk or vif says, into an array or as the document: 0, or -errno, and nothing was written. devid: where the text has none;
   negative: nobody knows yet. err may be NULL. */
int json_disk(struct json *j, const char *text, struct pvctl_error *err);
int json_nic(struct json *j, const char *text, int64_t devid, struct pvctl_error *err);

#endif
