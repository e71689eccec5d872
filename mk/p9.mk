# SPDX-License-Identifier: MIT
# pvctl-p9 and what it loads into diod: the server of shared directories in its jail.

# Without _FORTIFY_SOURCE, as in mk/jail.mk.
P9_FLAGS := $(filter-out -fvisibility=hidden,$(USER_CFLAGS)) -Ipvctld/p9/jail -U_FORTIFY_SOURCE

all: $(O)/pvctl-p9 $(O)/pvctl-p9-jail.so
$(O)/pvctl-p9: pvctld/p9/jail/main.c pvctld/p9/jail/jail.h
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(P9_FLAGS) $(EXTRA_LDFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $<
# libgcc_s: diod's threads would look for it when they end, and find no file any more.
$(O)/pvctl-p9-jail.so: pvctld/p9/jail/preload.c pvctld/p9/jail/jail.h
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(P9_FLAGS) -shared -Wl,-z,relro,-z,now -o $@ $< \
		$(shell pkg-config --libs libseccomp) -Wl,--no-as-needed -lgcc_s
p9: $(O)/pvctl-p9 $(O)/pvctl-p9-jail.so
# A kernel that can mount them, for tests/e2e/48-p9.t.
p9-guest: ; $(Q)tools/fetch-9p-guest $(O)/demo/9p
.PHONY: p9 p9-guest
