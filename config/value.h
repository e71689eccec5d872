/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/config.h"

void value_fini(struct cfg_value *value);
void setting_fini(struct cfg_setting *setting);
/* Takes what item holds on success. */
int value_append(struct cfg_value *list, struct cfg_value *item);
int file_add_source(struct cfg_file *file, const char *text, size_t len, const char *name);
/* Takes what setting holds on success. */
int file_store(struct cfg_file *file, struct cfg_setting *setting, bool append, unsigned int flags,
	       struct cfg_diag *diag);

#endif
