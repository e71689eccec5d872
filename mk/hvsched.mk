# SPDX-License-Identifier: MIT
# Unit tests of the hypervisor's events, timers and scheduler: its files, compiled
# for the host against tests/unit/hv_sched_event/shim (one thread, simulated time).

HVSCHED_HV := $(addprefix event/,evtchn ports bind virq send bitmap_2l fifo poll host_send) \
	time/timer $(addprefix vtime/,vtime runstate guest_area) $(addprefix sched/,fair order cap balance core affinity pause runstate) host/doorbell
HVSCHED_OBJ := $(HVSCHED_HV:%=$(O)/hvsched/xen-like-hv/%.o) $(O)/hvsched/tests/unit/hv_sched_event/shim.o
HVSCHED_BIN := $(addprefix $(O)/tests/unit/hv_sched_event/,test_hv_events test_hv_sched test_hv_shares)
HVSCHED_CFLAGS := -std=gnu11 -O2 -g $(WARN) -Wno-missing-prototypes -Itests/unit/hv_sched_event/shim -Ixen-like-hv -I. \
	-D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00 -fno-strict-aliasing -pthread $(EXTRA_CFLAGS)

$(O)/hvsched/%.o: %.c
	$(call say,TESTCC,$<)mkdir -p $(@D) && $(CC) $(HVSCHED_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/tests/unit/hv_sched_event/test_hv_shares: HVSCHED_WRAP := -Wl,--wrap=allowed_cpus
$(HVSCHED_BIN): $(O)/tests/unit/hv_sched_event/%: $(O)/hvsched/tests/unit/hv_sched_event/%.o $(HVSCHED_OBJ)
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(EXTRA_CFLAGS) $(EXTRA_LDFLAGS) -Wl,--wrap=fifo_is_busy $(HVSCHED_WRAP) -pthread -o $@ $^ $(shell pkg-config --libs check)

hv-unit: $(HVSCHED_BIN)
.PHONY: hv-unit
