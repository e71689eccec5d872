# SPDX-License-Identifier: MIT
# config: the xl.cfg grammar and its keys. pvctl: the command line; it sees the public header only.

CFG_SRC := $(sort $(wildcard config/*.c))
CFG_OBJ := $(CFG_SRC:%.c=$(O)/%.o)
CLI_SRC := $(sort $(wildcard pvctl/*.c))
CLI_OBJ := $(CLI_SRC:%.c=$(O)/%.o)
CLI_CFLAGS := $(USER_CFLAGS) -Ilibpvctl/include -I.

all: $(O)/pvctl/pvctl

$(O)/config/%.o: config/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(CLI_CFLAGS) -MMD -MP -c -o $@ $<
$(O)/pvctl/%.o: pvctl/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(CLI_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/libpvcfg.a: $(CFG_OBJ)
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(O)/pvctl/pvctl: $(CLI_OBJ) $(O)/libpvcfg.a $(LIB_SO)
	$(call say,LD,$@)$(CC) $(EXTRA_LDFLAGS) -pie -Wl,-rpath,'$$ORIGIN/..:$$ORIGIN/../lib' -o $@ $(CLI_OBJ) $(O)/libpvcfg.a \
		-L$(O) -l:libpvctl.so.0 -lyajl
cli: $(O)/pvctl/pvctl
.PHONY: cli
