# SPDX-License-Identifier: MIT
# pvctld: domain 0's side of a hosted node.

DAEMON_SRC := $(filter-out pvctld/usernet/% pvctld/jail/%,$(sort $(wildcard pvctld/*.c pvctld/*/*.c))) pvctld/jail/clean.c
DAEMON_OBJ := $(DAEMON_SRC:%.c=$(O)/%.o)
DAEMON_CFLAGS := $(LIB_CFLAGS) -I.
DAEMON_PKGS := libseccomp liburing libnbd
DAEMON_LIBS = $(shell pkg-config --libs $(DAEMON_PKGS))

all: $(O)/pvctld/pvctld

$(O)/pvctld/%.o: pvctld/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(DAEMON_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/pvctld/pvctld: $(DAEMON_OBJ) $(O)/libpvctl.a
	$(call say,LD,$@)$(CC) $(EXTRA_LDFLAGS) -pie -o $@ $^ $(LIB_LIBS) $(DAEMON_LIBS)
daemon: $(O)/pvctld/pvctld
.PHONY: daemon
