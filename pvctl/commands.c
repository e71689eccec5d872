/* SPDX-License-Identifier: MIT */
#include "pvctl/commands.h"

#include <stddef.h>

#include "pvctl/cmd.h"

#define COMMAND_ADDRESS(name) &cmd_##name,
const struct command *const commands[] = { COMMANDS(COMMAND_ADDRESS) NULL };
