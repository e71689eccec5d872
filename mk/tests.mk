# SPDX-License-Identifier: MIT
# Tests. Unit tests and fuzz replays run as sanitized builds of the user-space
# code; the test guests and the end-to-end tests run through pvctl.

S := $(O)/san
SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
T_CFLAGS = $(LIB_CFLAGS) -I. -Wno-missing-prototypes $(shell pkg-config --cflags check)
T_LIBS = $(LIB_LIBS) $(DAEMON_LIBS) $(shell pkg-config --libs check)

UNIT_SRC := $(filter-out $(wildcard tests/unit/hv*/*.c tests/unit/config/*.c),$(wildcard tests/unit/*/test_*.c))
UNIT_BIN := $(UNIT_SRC:%.c=$(O)/%) $(O)/tests/unit_config
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(FUZZ_SRC:%.c=$(O)/%)

# The daemon without its main.
DAEMON_TEST_OBJ := $(filter-out $(O)/pvctld/main.o,$(DAEMON_OBJ)) $(O)/pvctld/usernet/filter.o
$(O)/tests/pvctld.a: $(DAEMON_TEST_OBJ)
	$(call say,AR,$@)mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^

$(O)/tests/unit/%: tests/unit/%.c $(O)/tests/pvctld.a $(O)/libpvcfg.a $(O)/libpvctl.a
	$(call say,TEST,$<)mkdir -p $(@D) && $(CC) $(T_CFLAGS) $(EXTRA_LDFLAGS) -MMD -MP -o $@ $< $(filter %.a,$^) $(T_LIBS)

# What an end-to-end test runs beside pvctl.
$(O)/tests/e2e/domctl $(O)/tests/e2e/savestate $(O)/tests/e2e/physmap $(O)/tests/e2e/logdirty: $(O)/tests/e2e/%: tests/e2e/%.c $(O)/libpvctl.a
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(LIB_CFLAGS) $(EXTRA_LDFLAGS) -MMD -MP -o $@ $< $(filter %.a,$^) $(LIB_LIBS)
$(O)/tests/e2e/jailed: tests/e2e/jailed.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(USER_CFLAGS) $(EXTRA_LDFLAGS) -MMD -MP -o $@ $< -pthread
e2e-tools: $(O)/tests/e2e/domctl $(O)/tests/e2e/logdirty $(O)/tests/e2e/physmap $(O)/tests/e2e/savestate $(O)/tests/e2e/jailed

# Each fuzz target with a main of ours that replays files; "make fuzz" builds them for libFuzzer.
$(O)/tests/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $(O)/tests/pvctld.a $(O)/libpvcfg.a $(O)/libpvctl.a
	$(call say,FUZZ,$<)mkdir -p $(@D) && $(CC) $(T_CFLAGS) $(EXTRA_LDFLAGS) -o $@ $^ $(T_LIBS)

unit: $(UNIT_BIN) $(FUZZ_BIN) $(O)/tests/cfgdump $(O)/tests/specdump

# The same, sanitized.
unit-san:
	$(Q)$(MAKE) --no-print-directory O=$(S) EXTRA_CFLAGS="$(SAN) $(EXTRA_CFLAGS)" EXTRA_LDFLAGS="$(SAN)" unit hv-unit

check: deps-check
	$(Q)$(MAKE) --no-print-directory O=$(O) all examples guests e2e-tools guest stress hv-delays unit-san python
	$(Q)$(MAKE) --no-print-directory O=$(O) p9-guest || echo "No kernel with 9p: its test is skipped"
	$(Q)O=$(O) tests/run
# Without the tests that start a node.
check-fast: deps-check
	$(Q)$(MAKE) --no-print-directory O=$(O) all unit-san
	$(Q)O=$(O) tests/run fast

FUZZ_SECONDS ?= 60
fuzz:
	$(Q)$(MAKE) --no-print-directory O=$(O)/fuzz CC=clang EXTRA_CFLAGS="-fsanitize=fuzzer-no-link,address,undefined" \
		EXTRA_LDFLAGS="-fsanitize=address,undefined" WARN="-w" $(O)/fuzz/tests/pvctld.a $(O)/fuzz/libpvcfg.a $(O)/fuzz/libpvctl.a
	$(Q)for f in $(FUZZ_SRC); do n=$$(basename $$f .c); clang -fsanitize=fuzzer,address,undefined $(LIB_CFLAGS) -w -I. \
		-o $(O)/fuzz/$$n $$f $(O)/fuzz/tests/pvctld.a $(O)/fuzz/libpvcfg.a $(O)/fuzz/libpvctl.a $(LIB_LIBS) $(DAEMON_LIBS) && \
		mkdir -p $(O)/fuzz/corpus-$$n && $(O)/fuzz/$$n -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
		$(O)/fuzz/corpus-$$n tests/fuzz/corpus/$${n#fuzz_} || exit 1; done

# Random hypercalls, on a node of their own. With HV_DELAYS=1 it is the build that waits at random places.
fuzz-hv:
	$(Q)$(MAKE) --no-print-directory O=$(O) all guests
	$(Q)O=$(O) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/e2e/32-fuzz-hv.t
# Whoever saves, clones, moves or makes a template, and the daemon, killed at each step: half an hour. "check" does a part of it, each day another.
check-faults:
	$(Q)$(MAKE) --no-print-directory O=$(O) all guests e2e-tools guest
	$(Q)for t in 63-adopt 67-migrate 69-snapshot-more 69-faults; do O=$(O) FAULTS=all tests/e2e/$$t.t || exit 1; done
.PHONY: e2e-tools unit unit-san hv-unit check check-fast check-faults fuzz fuzz-hv
