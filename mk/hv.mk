# SPDX-License-Identifier: MIT
# xen-like-hv: freestanding, position: linked at HV_IMAGE_VIRT, loaded at 2 MiB.

HV_SRC := $(sort $(wildcard $(addsuffix /*.c,$(addprefix xen-like-hv/,lib x86 drivers mm domain sched event time vtime pv grant control host entry boot))))
HV_ASM := $(sort $(wildcard $(addsuffix /*.S,$(addprefix xen-like-hv/,boot x86 entry))))
HV_SRC := $(filter-out xen-like-hv/entry/asm_offsets.c,$(HV_SRC))
HV_OBJ := $(HV_ASM:%.S=$(O)/%.S.o) $(HV_SRC:%.c=$(O)/%.o)

# The public ABI headers alone, without the C library's.
HV_INC := $(O)/hvinc
HV_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdinc -isystem $(shell $(CC) -print-file-name=include) \
	-isystem $(HV_INC) -Ixen-like-hv -I$(O)/xen-like-hv -include lib/visibility.h -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00 \
	-DHV_VERSION='"$(VERSION)"' $(WARN) -fno-common -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fno-pic -fPIE \
	-fvisibility=hidden -fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-omit-frame-pointer -fcf-protection=none \
	-mcmodel=small -fno-jump-tables -fno-tree-loop-distribute-patterns $(HV_EXTRA_CFLAGS)

all: $(O)/xen-like-hv.elf

$(HV_INC)/.stamp:
	$(Q)mkdir -p $(HV_INC) && ln -sfn /usr/include/xen $(HV_INC)/xen && touch $@

$(O)/xen-like-hv/asm_offsets.h: xen-like-hv/entry/asm_offsets.c $(HV_INC)/.stamp $(wildcard xen-like-hv/*/*.h)
	$(call say,GEN,$@)mkdir -p $(@D) && $(CC) $(HV_CFLAGS) -S -o $(@:.h=.s) $< && \
		sed -n 's/^.*@define \([A-Za-z0-9_]*\) [$$]*\(-\{0,1\}[0-9]*\).*/#define \1 \2/p' $(@:.h=.s) > $@

$(O)/xen-like-hv/%.o: xen-like-hv/%.c $(HV_INC)/.stamp
	$(call say,HVCC,$<)mkdir -p $(@D) && $(CC) $(HV_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/xen-like-hv/%.S.o: xen-like-hv/%.S $(O)/xen-like-hv/asm_offsets.h $(HV_INC)/.stamp
	$(call say,HVAS,$<)mkdir -p $(@D) && $(CC) $(HV_CFLAGS) -D__ASSEMBLER__ -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

$(O)/xen-like-hv.elf: $(HV_OBJ) xen-like-hv/link.lds
	$(call say,HVLD,$@)$(CC) -nostdlib -static -no-pie -Wl,-T,xen-like-hv/link.lds -Wl,-z,max-page-size=4096 \
		-Wl,--build-id=none -Wl,-z,norelro -Wl,--no-warn-rwx-segments -o $@ $(HV_OBJ)

hv: $(O)/xen-like-hv.elf
.PHONY: hv
