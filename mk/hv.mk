# SPDX-License-Identifier: MIT
# xen-like-hv: freestanding, position: linked at HV_IMAGE_VIRT, loaded at 2 MiB.

HV_SRC := $(sort $(wildcard $(addsuffix /*.c,$(addprefix xen-like-hv/,lib x86 drivers mm domain sched event time vtime pv p2m hvm grant control host entry boot))))
HV_ASM := $(sort $(wildcard $(addsuffix /*.S,$(addprefix xen-like-hv/,boot x86 entry hvm))))
HV_SRC := $(filter-out xen-like-hv/entry/asm_offsets.c,$(HV_SRC))

# Builds of the same source beside the normal one, each in its own directory: the debug build checks the order of locks
# and measures (docs/locking.md, HACKING.md), the delay build waits at random places as well (lib/delay.h).
# HV_DEBUG=1 or HV_DELAYS=1 makes one of them the image that is used by default.
HV_DIR_normal := $(O)
HV_DIR_debug := $(O)/hv-debug
HV_DIR_delays := $(O)/hv-delays
HV_DEFS_debug := -DHV_DEBUG
# Each delayed access has its own local variables, one inside the other.
HV_DEFS_delays := -DHV_DEBUG -DHV_DELAYS -Wno-shadow
HV_VARIANT := $(if $(filter 1,$(HV_DELAYS)),delays,$(if $(filter 1,$(HV_DEBUG)),debug,normal))
hv_objects = $(HV_ASM:%.S=$(HV_DIR_$(1))/%.S.o) $(HV_SRC:%.c=$(HV_DIR_$(1))/%.o)

# The public ABI headers alone, without the C library's.
HV_INC := $(O)/hvinc
HV_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdinc -isystem $(shell $(CC) -print-file-name=include) \
	-isystem $(HV_INC) -Ixen-like-hv -include lib/visibility.h -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00 \
	-DHV_VERSION='"$(VERSION)"' $(WARN) -fno-common -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fno-pic -fPIE \
	-fvisibility=hidden -fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-omit-frame-pointer -fcf-protection=none \
	-mcmodel=small -fno-jump-tables -fno-tree-loop-distribute-patterns $(HV_EXTRA_CFLAGS)

all: $(O)/xen-like-hv.elf

$(HV_INC)/.stamp:
	$(Q)mkdir -p $(HV_INC) && ln -sfn /usr/include/xen $(HV_INC)/xen && touch $@

# 1: the directory, 2: flags
define HV_COMPILE
$(1)/xen-like-hv/asm_offsets.h: xen-like-hv/entry/asm_offsets.c $$(HV_INC)/.stamp $$(wildcard xen-like-hv/*/*.h)
	$$(call say,GEN,$$@)mkdir -p $$(@D) && $$(CC) $$(HV_CFLAGS) $(2) -S -o $$(@:.h=.s) $$< && \
		sed -n 's/^.*@define \([A-Za-z0-9_]*\) [$$$$]*\(-\{0,1\}[0-9]*\).*/#define \1 \2/p' $$(@:.h=.s) > $$@

$(1)/xen-like-hv/%.o: xen-like-hv/%.c $$(HV_INC)/.stamp
	$$(call say,HVCC,$$<)mkdir -p $$(@D) && $$(CC) $$(HV_CFLAGS) $(2) -MMD -MP -c -o $$@ $$<

$(1)/xen-like-hv/%.S.o: xen-like-hv/%.S $(1)/xen-like-hv/asm_offsets.h $$(HV_INC)/.stamp
	$$(call say,HVAS,$$<)mkdir -p $$(@D) && $$(CC) $$(HV_CFLAGS) $(2) -I$(1)/xen-like-hv -D__ASSEMBLER__ -D__ASSEMBLY__ -MMD -MP -c -o $$@ $$<
endef
$(foreach v,normal debug delays,$(eval $(call HV_COMPILE,$(HV_DIR_$(v)),$(HV_DEFS_$(v)))))

HV_LINK = $(call say,HVLD,$@)$(CC) -nostdlib -static -no-pie -Wl,-T,xen-like-hv/link.lds -Wl,-z,max-page-size=4096 \
		-Wl,--build-id=none -Wl,-z,norelro -Wl,--no-warn-rwx-segments -o $@ $(filter %.o,$^)

# Which build it was linked from the last time.
$(O)/.hv-variant: FORCE
	$(Q)mkdir -p $(@D) && echo $(HV_VARIANT) | cmp -s - $@ || echo $(HV_VARIANT) > $@
$(O)/xen-like-hv.elf: $(call hv_objects,$(HV_VARIANT)) xen-like-hv/link.lds $(O)/.hv-variant
	$(HV_LINK)
$(O)/xen-like-hv-debug.elf: $(call hv_objects,debug) xen-like-hv/link.lds
	$(HV_LINK)
$(O)/xen-like-hv-delays.elf: $(call hv_objects,delays) xen-like-hv/link.lds
	$(HV_LINK)

hv: $(O)/xen-like-hv.elf
hv-debug: $(O)/xen-like-hv-debug.elf
hv-delays: $(O)/xen-like-hv-delays.elf
FORCE:
.PHONY: hv hv-debug hv-delays FORCE
