# SPDX-License-Identifier: MIT
# What makes a program's allocations, system calls and hypercalls fail, for tests/e2e/99-inject.t, which takes samples.

$(O)/tests/inject.so: tests/inject/inject.c
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(LIB_CFLAGS) -U_FILE_OFFSET_BITS -fvisibility=default -Wno-strict-prototypes -Wno-pedantic -MMD -MP -shared -o $@ $< -ldl
e2e-tools: $(O)/tests/inject.so

# Every place, one after the other; as far as INJECT_SECONDS for each command and kind go.
INJECT_SECONDS ?= 3600
check-inject: all guests e2e-tools
	$(Q)O=$(O) INJECT_ALL=1 INJECT_SECONDS=$(INJECT_SECONDS) tests/e2e/99-inject.t
.PHONY: check-inject
