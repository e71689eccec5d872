# SPDX-License-Identifier: MIT
# pvctl-jail and what it loads into QEMU and qemu-nbd.

# Without _FORTIFY_SOURCE: it would call by other names the functions that the libraries are there to replace.
JAIL_FLAGS := $(filter-out -fvisibility=hidden,$(USER_CFLAGS)) -Ipvctld/jail -U_FORTIFY_SOURCE
JAIL_LIB_SRC := pvctld/jail/preload.c pvctld/jail/filter.c pvctld/jail/names.c pvctld/jail/settled.c pvctld/jail/clean.c

all: $(O)/pvctl-jail $(O)/pvctl-jail.so
$(O)/pvctl-jail: pvctld/jail/main.c pvctld/jail/chain.c pvctld/jail/chain.h pvctld/jail/jail.h pvctld/jail/userns.h
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(JAIL_FLAGS) $(EXTRA_LDFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $(filter %.c,$^)
# libgcc_s: threads look for it when they end, and would find no file any more.
$(O)/pvctl-jail.so: $(JAIL_LIB_SRC) pvctld/jail/preload.h pvctld/jail/clean.h pvctld/jail/jail.h pvctld/jail/calls.h
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(JAIL_FLAGS) -shared -Wl,-z,relro,-z,now -o $@ $(filter %.c,$^) \
		$(shell pkg-config --libs libseccomp) -Wl,--no-as-needed -lgcc_s
jail: $(O)/pvctl-jail $(O)/pvctl-jail.so
.PHONY: jail
