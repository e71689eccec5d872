# SPDX-License-Identifier: MIT
# pvctl-usernet: user-mode network of a vif, in a sandbox, for pvctld. What slirp.pc requires (GLib) belongs to
# libslirp's own insides: its header needs none of it.

USERNET_SRC := $(sort $(wildcard pvctld/usernet/*.c))
USERNET_OBJ := $(USERNET_SRC:%.c=$(O)/%.o)

all: $(O)/pvctl-usernet
$(O)/pvctl-usernet: $(USERNET_OBJ) $(O)/libpvctl.a
	$(call say,LD,$@)$(CC) $(EXTRA_LDFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $^ -lslirp $(shell pkg-config --libs libseccomp)
usernet: $(O)/pvctl-usernet
.PHONY: usernet
