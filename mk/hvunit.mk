# SPDX-License-Identifier: MIT
# Unit tests of the hypervisor's direct paging: its files, compiled for the host
# against tests/unit/hv/shim, where arrays stand for machine memory.

HVUNIT_HV := $(addprefix domain/,page_ref domain_pages dirty_log) $(addprefix pv/,page_type page_type_levels pt_entry mmu_update va_mapping \
	mmuext root root_fast ldt descriptors grant_pte m2p relinquish ro_fault ro_emul ro_exec reservation \
	reservation_query reservation_exchange shadow shadow_fault shadow_round) $(addprefix p2m/,table change reservation guest_walk guest_copy audit log) control/memory_op control/physmap domain/domain_arg grant/resource grant/table
HVUNIT_SRC := $(HVUNIT_HV:%=xen-like-hv/%.c) $(wildcard tests/unit/hv/*.c)
HVUNIT_OBJ := $(HVUNIT_SRC:%.c=$(O)/hvunit/%.o)
HVUNIT_CFLAGS := -std=gnu11 -O2 -g $(WARN) -Wno-missing-prototypes -Itests/unit/hv/shim -Itests/unit/hv -Ixen-like-hv \
	-D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00 -fno-strict-aliasing -fno-builtin -pthread $(EXTRA_CFLAGS) \
	$(if $(findstring sanitize,$(EXTRA_CFLAGS)),-fno-sanitize=null) # gcc 12 takes the address of a thread-local for NULL here

$(O)/hvunit/%.o: %.c
	$(call say,TESTCC,$<)mkdir -p $(@D) && $(CC) $(HVUNIT_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/tests/unit/hv/test_mmu: $(HVUNIT_OBJ)
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(EXTRA_CFLAGS) $(EXTRA_LDFLAGS) -pthread -o $@ $^ $(shell pkg-config --libs check)

hv-unit: $(O)/tests/unit/hv/test_mmu
.PHONY: hv-unit

# The frame allocator, on the same shim.
HVMM_OBJ := $(patsubst %.c,$(O)/hvunit/%.o,$(addprefix xen-like-hv/mm/,page_alloc.c buddy.c page_dirty.c) tests/unit/hv_mm/test_page_alloc.c)
$(O)/tests/unit/hv_mm/test_page_alloc: $(HVMM_OBJ)
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(EXTRA_CFLAGS) $(EXTRA_LDFLAGS) -pthread -o $@ $^ $(shell pkg-config --libs check)

hv-unit: $(O)/tests/unit/hv_mm/test_page_alloc

# What bounce.S relies on: with the real address space.
HVENTRY_OBJ := $(patsubst %.c,$(O)/hventry/%.o,xen-like-hv/pv/fast_paths.c xen-like-hv/pv/vm_assist.c tests/unit/hv_entry/test_fast_paths.c)
$(O)/hventry/%.o: %.c
	$(call say,TESTCC,$<)mkdir -p $(@D) && $(CC) -Itests/unit/hv_entry/shim $(HVUNIT_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/tests/unit/hv_entry/test_fast_paths: $(HVENTRY_OBJ)
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(EXTRA_CFLAGS) $(EXTRA_LDFLAGS) -pthread -o $@ $^ $(shell pkg-config --libs check)

hv-unit: $(O)/tests/unit/hv_entry/test_fast_paths
