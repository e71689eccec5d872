/* SPDX-License-Identifier: MIT */
/*
 * pvctl.conf(5): what the commands of this host's users start from. /etc/pvctl/pvctl.conf, then the user's own,
 * whose keys replace the host's; PVCTL_CONF names one file instead of both. Read once, when a key is first asked for.
 */
#ifndef PVCTL_CONF_H
#define PVCTL_CONF_H

#include <stdbool.h>
#include <stdint.h>

/* An exit code: what is wrong with the files has been said. A command that uses a key begins with this. */
int conf_load(void);
/* NULL: not set. */
const char *conf_text(const char *key);
int64_t conf_number(const char *key, int64_t otherwise);
bool conf_is_number(const char *key);
/* Where it is set; false: nowhere. */
bool conf_where(const char *key, const char **ret_file, uint32_t *ret_line, uint32_t *ret_col);
/* Those that are defaults of a config's key of the same name; NULL past the end. */
const char *conf_domain_key_at(unsigned int i);

/* The keys, for who documents them; NULL past the end. */
const char *conf_key_at(unsigned int i, const char **ret_help);

#endif
