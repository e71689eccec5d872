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
		-L$(O) -l:libpvctl.so.0 -lyajl -ledit -lncursesw -ltinfo
cli: $(O)/pvctl/pvctl

# ---- tests of the grammar: no library, no node ----
CFG_TEST_SRC := $(sort $(wildcard tests/unit/config/*.c))
$(O)/tests/cfgdump: tests/config/cfgdump.c $(O)/libpvcfg.a
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(CLI_CFLAGS) $(EXTRA_LDFLAGS) -o $@ $^
$(O)/tests/specdump: tests/config/specdump.c $(O)/libpvcfg.a $(O)/libpvctl.a
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(CLI_CFLAGS) $(EXTRA_LDFLAGS) -o $@ $^ $(LIB_LIBS)
$(O)/tests/unit_config: $(CFG_TEST_SRC) $(O)/libpvcfg.a
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(CLI_CFLAGS) $(EXTRA_LDFLAGS) -o $@ $^ $(shell pkg-config --libs check)
check-config: $(O)/tests/cfgdump $(O)/tests/specdump $(O)/tests/unit_config
	$(Q)$(O)/tests/unit_config && tests/config/run.sh $(O)/tests/cfgdump $(O)/tests/specdump

# Needs clang. FUZZ_SECONDS=60 make fuzz-config
FUZZ_SECONDS ?= 30
$(O)/tests/fuzz_config: tests/fuzz/fuzz_config.c $(CFG_SRC) $(wildcard config/*.h)
	$(call say,FUZZ,$@)mkdir -p $(@D) && clang -std=gnu11 -g -O1 -D_GNU_SOURCE -I. -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o $@ tests/fuzz/fuzz_config.c $(CFG_SRC)
$(O)/tests/config.dict: $(O)/tests/cfgdump
	$(Q)$< --dict > $@
fuzz-config: $(O)/tests/fuzz_config $(O)/tests/config.dict
	$(Q)mkdir -p $(O)/tests/corpus-config && $(O)/tests/fuzz_config -dict=$(O)/tests/config.dict -max_len=4096 \
		-max_total_time=$(FUZZ_SECONDS) -timeout=5 $(O)/tests/corpus-config tests/fuzz/corpus/config

# Each command, option and key is in its man page, and the pages are clean.
check-man: $(O)/pvctl/pvctl $(O)/tests/cfgdump
	$(Q)man/check.sh $(O)/pvctl/pvctl $(O)/tests/cfgdump
.PHONY: cli check-config fuzz-config check-man
