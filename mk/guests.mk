# SPDX-License-Identifier: MIT
# Test guests: tests/guests/NAME/main.c becomes $(O)/guests/NAME.elf, a PV kernel for `kernel=`.

GUEST_NAMES := $(filter-out lib,$(notdir $(patsubst %/main.c,%,$(wildcard tests/guests/*/main.c))))
GUEST_ELFS := $(GUEST_NAMES:%=$(O)/guests/%.elf)
GUEST_LIB := $(patsubst %,$(O)/%.o,$(wildcard tests/guests/lib/*.c tests/guests/lib/*.S))
GUEST_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdinc -isystem $(shell $(CC) -print-file-name=include) \
	-isystem $(HV_INC) -Itests/guests/lib -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00 $(WARN) \
	-fno-common -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fno-pic -mcmodel=kernel \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-omit-frame-pointer -fcf-protection=none \
	-fno-tree-loop-distribute-patterns -Wno-clobbered

$(O)/tests/guests/%.c.o: tests/guests/%.c $(HV_INC)/.stamp
	$(call say,GUESTCC,$<)mkdir -p $(@D) && $(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/tests/guests/%.S.o: tests/guests/%.S
	$(call say,GUESTAS,$<)mkdir -p $(@D) && $(CC) $(GUEST_CFLAGS) -D__ASSEMBLY__ -c -o $@ $<

$(O)/guests/%.elf: $(O)/tests/guests/%/main.c.o $(GUEST_LIB) tests/guests/lib/guest.lds
	$(call say,GUESTLD,$@)mkdir -p $(@D) && $(CC) -nostdlib -static -no-pie -Wl,-T,tests/guests/lib/guest.lds \
		-Wl,-z,max-page-size=4096 -Wl,--build-id=none -o $@ $(filter %.o,$^)

# A guest's other files.
$(foreach g,$(GUEST_NAMES),$(eval $(O)/guests/$(g).elf: $(patsubst %,$(O)/%.o,$(wildcard tests/guests/$(g)/*.c))))

# Programs for a Linux guest's ramdisk.
LINUX_PROBES := $(patsubst %.c,$(O)/%,$(wildcard tests/linux/*.c))
$(O)/tests/linux/%: tests/linux/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) -std=gnu11 -O2 -g0 $(WARN) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -static -pthread -o $@ $<

# PVH test guests: tests/pvh/NAME/main.c becomes $(O)/guests/pvh/NAME.elf. What prints and judges is the same.
PVH_NAMES := $(filter-out lib,$(notdir $(patsubst %/main.c,%,$(wildcard tests/pvh/*/main.c))))
PVH_ELFS := $(PVH_NAMES:%=$(O)/guests/pvh/%.elf)
PVH_LIB := $(patsubst %,$(O)/%.o,$(wildcard tests/pvh/lib/*.c tests/pvh/lib/*.S)) \
	$(O)/tests/pvh/common/text.c.o $(O)/tests/pvh/common/verdict.c.o $(O)/tests/pvh/common/setjmp.S.o
PVH_CFLAGS := $(filter-out -mcmodel=kernel,$(GUEST_CFLAGS)) -Itests/pvh/lib -mcmodel=small -DPVH_GUEST

$(O)/tests/pvh/common/%.c.o: tests/guests/lib/%.c $(HV_INC)/.stamp
	$(call say,GUESTCC,$<)mkdir -p $(@D) && $(CC) $(PVH_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/tests/pvh/common/%.S.o: tests/guests/lib/%.S
	$(call say,GUESTAS,$<)mkdir -p $(@D) && $(CC) $(PVH_CFLAGS) -D__ASSEMBLY__ -c -o $@ $<

$(O)/tests/pvh/%.c.o: tests/pvh/%.c $(HV_INC)/.stamp
	$(call say,GUESTCC,$<)mkdir -p $(@D) && $(CC) $(PVH_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/tests/pvh/%.S.o: tests/pvh/%.S
	$(call say,GUESTAS,$<)mkdir -p $(@D) && $(CC) $(PVH_CFLAGS) -D__ASSEMBLY__ -c -o $@ $<

$(O)/guests/pvh/%.elf: $(O)/tests/pvh/%/main.c.o $(PVH_LIB) tests/pvh/lib/guest.lds
	$(call say,GUESTLD,$@)mkdir -p $(@D) && $(CC) -nostdlib -static -no-pie -Wl,-T,tests/pvh/lib/guest.lds \
		-Wl,-z,max-page-size=4096 -Wl,--build-id=none -Wl,--no-warn-rwx-segments -o $@ $(filter %.o,$^)

guests: $(GUEST_ELFS) $(PVH_ELFS) $(LINUX_PROBES)
.PHONY: guests
.SECONDARY: $(PVH_LIB) $(PVH_NAMES:%=$(O)/tests/pvh/%/main.c.o) $(GUEST_LIB) $(GUEST_NAMES:%=$(O)/tests/guests/%/main.c.o)
