# SPDX-License-Identifier: MIT
# One Makefile, not recursive: each part adds its rules in mk/.
# "make help" lists what can be asked for. O= puts the build elsewhere.

O ?= build
CC ?= gcc
PREFIX ?= /usr/local
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)';)
VERSION := 0.1.0

WARN := -Wall -Wextra -Wshadow -Wundef -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wold-style-definition \
	-Wwrite-strings -Wno-unused-parameter -Wno-sign-compare -Werror
USER_CFLAGS := -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -fPIC -fvisibility=hidden \
	-fstack-protector-strong -DPVCTL_VERSION='"$(VERSION)"' -DPVCTL_PREFIX='"$(PREFIX)"' $(EXTRA_CFLAGS)

.DEFAULT_GOAL := all
all:
include mk/hv.mk
include mk/lib.mk
include mk/bootloader.mk
include mk/daemon.mk
include mk/p9.mk
include mk/jail.mk
include mk/usernet.mk
include mk/cli.mk
-include mk/examples.mk
-include mk/tests.mk
-include mk/inject.mk
-include mk/peer.mk
-include mk/demo.mk
-include mk/guests.mk
-include mk/hvunit.mk
-include mk/hvsched.mk
-include mk/verify.mk
-include mk/bench.mk
-include mk/stress.mk
-include mk/soak.mk
-include mk/bindings.mk
-include mk/install.mk
-include mk/deb.mk

clean:
	rm -rf $(O)
.PHONY: all clean
-include $(shell find $(O) -name '*.d' 2>/dev/null)
