# SPDX-License-Identifier: MIT
# examples/: programs that use libpvctl as it is installed. "make examples" shows how such a program is built, too:
# gcc $(pkg-config --cflags libpvctl) -o epoll-loop epoll-loop.c $(pkg-config --libs libpvctl)

EXAMPLE_SRC := $(wildcard examples/*.c)
EXAMPLE_GLIB := $(shell pkg-config --exists glib-2.0 2>/dev/null && echo yes)
EXAMPLE_BIN := $(patsubst %.c,$(O)/%,$(if $(EXAMPLE_GLIB),$(EXAMPLE_SRC),$(filter-out %/glib-loop.c,$(EXAMPLE_SRC))))
# A directory with the one public header: nothing else of the tree can be included by accident.
EXAMPLE_HEADER := $(O)/examples/include/libpvctl.h
EXAMPLE_CFLAGS := -std=c11 -O2 -g $(WARN) -pedantic -D_GNU_SOURCE -I$(O)/examples/include

$(EXAMPLE_HEADER): libpvctl/include/libpvctl.h
	$(Q)mkdir -p $(@D) && cp $< $@

$(O)/examples/%: examples/%.c $(EXAMPLE_HEADER) $(LIB_SO)
	$(call say,CC,$<)$(CC) $(EXAMPLE_CFLAGS) -o $@ $< -L$(O) -lpvctl -Wl,-rpath,'$$ORIGIN/..'
$(O)/examples/balancer: EXAMPLE_CFLAGS += -pthread
$(O)/examples/glib-loop: EXAMPLE_CFLAGS += $(shell pkg-config --cflags glib-2.0 2>/dev/null)
$(O)/examples/glib-loop: examples/glib-loop.c $(EXAMPLE_HEADER) $(LIB_SO)
	$(call say,CC,$<)$(CC) $(EXAMPLE_CFLAGS) -Wno-undef -o $@ $< -L$(O) -lpvctl -Wl,-rpath,'$$ORIGIN/..' $$(pkg-config --libs glib-2.0)

examples: $(EXAMPLE_BIN)
.PHONY: examples
